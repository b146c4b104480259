// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"cordon.internal/cordon"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Venus has 0
	// Earth has 1
	// Mars has 2
	// 2 have any
	// sqlite: no such column: nonsense
}

// What a callback fails with is what the call fails with, and the database goes on.
func TestARowThatFails(t *testing.T) {
	ctx := context.Background()
	cell, err := cordon.Open(ctx, "", cordon.WithInterface(declarations), cordon.WithReports(""))
	if err != nil {
		t.Fatal(err)
	}
	defer cell.Close()
	db, err := open(ctx, cell, ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	if err := db.each(ctx, "select 1", func([]string) error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if n, err := db.number(ctx, "select ? + 1", 41); err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := open(ctx, cell, "/nowhere/none"); err == nil {
		t.Error("what is nowhere was opened")
	}
}
