// SPDX-License-Identifier: Apache-2.0

package main

// #include "hazards.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// stolen: a signal that the program has asked for goes to the library, silently.
func stolen() error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	C.hazard_take_signal(C.int(syscall.SIGUSR1), 0)
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if err := await(func() bool { return C.hazard_taken() == 1 }); err != nil {
		return err
	}
	signal.Notify(signals, syscall.SIGUSR1) // does not help
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if err := await(func() bool { return C.hazard_taken() == 2 }); err != nil {
		return err
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR2)
	if first := <-signals; first != syscall.SIGUSR1 {
		return fmt.Errorf("the library took %d of SIGUSR1; the program got %v alone", int(C.hazard_taken()), first)
	}
	return nil
}

// onstack: a handler without SA_ONSTACK runs on a goroutine's stack; when it calls Go's, the program ends.
func onstack() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	C.hazard_take_signal(C.int(syscall.SIGUSR1), 1)
	runtime.LockOSThread()
	_, _, errno := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(syscall.SIGUSR1))
	if errno != 0 {
		return errno
	}
	<-signals
	return nil
}

// sigchld: a library that ignores SIGCHLD takes the children of the program.
func sigchld() error {
	C.hazard_ignore(C.int(syscall.SIGCHLD))
	if err := exec.Command("/bin/true").Run(); err != nil {
		return fmt.Errorf("a child's end is lost: %w", err)
	}
	return nil
}

// sigpipe: a library that sets SIGPIPE to its default has the program die of the next client that hangs up.
func sigpipe() error {
	C.hazard_default(C.int(syscall.SIGPIPE))
	return writeToNobody()
}

func writeToNobody() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	r.Close()
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("writing to nobody: %w", err)
	}
	return nil
}
