// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// kept: the library handles a signal, in its worker; the program's own go on coming here.
func kept(l *library, chain int) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	if _, err := l.number("hazard_take_signal", int(syscall.SIGUSR1), chain); err != nil {
		return err
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if first := <-signals; first != syscall.SIGUSR1 {
		return fmt.Errorf("the program got %v", first)
	}
	return l.taken(0)
}

// taken checks how many signals the library took.
func (l *library) taken(want int64) error {
	taken, err := l.number("hazard_taken")
	if err == nil && taken != want {
		err = fmt.Errorf("the library took %d signals, not %d", taken, want)
	}
	return err
}

func stolen(l *library) error {
	l, end, err := l.session()
	if err != nil {
		return err
	}
	defer end()
	return kept(l, 0)
}

// onstack: the handler without SA_ONSTACK runs, in the worker, where no goroutine is.
func onstack(l *library) error {
	l, end, err := l.session()
	if err != nil {
		return err
	}
	defer end()
	if err := kept(l, 1); err != nil {
		return err
	}
	if _, err := l.number("hazard_raise", int(syscall.SIGUSR1)); err != nil {
		return err
	}
	return l.taken(1)
}

// sigchld: children are the program's.
func sigchld(l *library) error {
	if _, err := l.number("hazard_ignore", int(syscall.SIGCHLD)); err != nil {
		return err
	}
	return exec.Command("/bin/true").Run()
}

// sigpipe: a client that hangs up is an error.
func sigpipe(l *library) error {
	if _, err := l.number("hazard_default", int(syscall.SIGPIPE)); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	r.Close()
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("writing to nobody: %w", err)
	}
	return l.serves()
}
