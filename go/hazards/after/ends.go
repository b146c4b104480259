// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"syscall"

	"cordon.internal/cordon"
)

// crash: a fault in C is an error of the call.
func crash(l *library) error {
	_, err := l.number("hazard_crash")
	var died *cordon.CrashError
	if !errors.As(err, &died) || died.Signal != syscall.SIGSEGV {
		return fmt.Errorf("the call ended with %v", err)
	}
	return l.serves()
}

// exit: a library ends its worker.
func exit(l *library) error {
	defer fmt.Print("deferred; ")
	_, err := l.number("hazard_exit")
	var died *cordon.CrashError
	if !errors.As(err, &died) || died.Signal != 0 || died.ExitStatus != 7 {
		return fmt.Errorf("the call ended with %v", err)
	}
	return l.serves()
}
