// SPDX-License-Identifier: Apache-2.0

// Command after calls the same library behind Cordon, and does what before does. It ends with 0: none of it reaches the
// program, which is built without cgo.
//
//	CGO_ENABLED=0 go run ./after threads path/to/libhazards.so
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	"cordon.internal/cordon"
)

//go:embed hazards.cordon
var declarations string

var hazards = map[string]func(*library) error{
	"threads":   threads,
	"finalizer": finalizer,
	"stolen":    stolen,
	"onstack":   onstack,
	"sigchld":   sigchld,
	"sigpipe":   sigpipe,
	"crash":     crash,
	"twice":     twice,
	"exit":      exit,
	"spin":      spin,
}

func main() {
	if len(os.Args) != 3 || hazards[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: after HAZARD LIBRARY")
		os.Exit(64)
	}
	if err := run(hazards[os.Args[1]], os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("no hazard")
}

const workers = 20

func run(hazard func(*library) error, path string) error {
	cell, err := cordon.Open(context.Background(), path, cordon.WithInterface(declarations), cordon.WithWorkers(workers),
		cordon.WithReports(""), cordon.WithSetting("breaker_percent", nil)) // each call tells of itself
	if err != nil {
		return err
	}
	defer cell.Close()
	return hazard(&library{cell, cell})
}

// library calls functions by name.
type library struct {
	cell *cordon.Cell
	from cordon.Binder // the cell, or a session
}

// session is the library with one worker for all calls.
func (l *library) session() (*library, func() error, error) {
	session, err := l.cell.Session()
	if err != nil {
		return nil, nil, err
	}
	return &library{l.cell, session}, session.Close, nil
}

func (l *library) call(ctx context.Context, name string, args ...any) (*cordon.Result, error) {
	f, err := l.from.Func(name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, args...)
}

// number is a call that gives one.
func (l *library) number(name string, args ...any) (int64, error) {
	result, err := l.call(context.Background(), name, args...)
	if err != nil {
		return 0, err
	}
	return result.Int(), nil
}

// serves fails unless the library still answers.
func (l *library) serves() error {
	_, err := l.number("hazard_sleep", 0)
	return err
}
