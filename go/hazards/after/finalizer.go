// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"cordon.internal/cordon"
)

// finalizer: a handle frees nothing because it is collected; and once it was closed, what it named cannot be reached.
func finalizer(l *library) error {
	const said = "in use"
	made, err := l.call(context.Background(), "hazard_text_new", said)
	if err != nil {
		return err
	}
	text := made.Value().(*cordon.Handle)
	for i := 0; i < 10; i++ {
		runtime.GC()
		read, err := l.call(context.Background(), "hazard_text_read", text)
		if err != nil {
			return err
		}
		if read.Value() != said {
			return fmt.Errorf("it reads %v", read.Value())
		}
	}
	if err := text.Close(); err != nil {
		return err
	}
	var stale *cordon.StaleError
	if _, err := l.call(context.Background(), "hazard_text_read", text); !errors.As(err, &stale) {
		return fmt.Errorf("after its end: %v", err)
	}
	return text.Close() // again
}
