// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// ErrClosed is wrapped by errors of what was closed: a connection, a cell, a session.
var ErrClosed = errors.New("cordon: closed")

// ReportID names a report: what the daemon's keeper found out about a crash, a hang or a forbidden act. Zero is no report.
type ReportID uint64

// String returns the id as `cordon report` takes it, or "" for none.
func (id ReportID) String() string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", uint64(id))
}

// ParseReportID reads what String returned.
func ParseReportID(text string) (ReportID, error) {
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, fmt.Errorf("cordon: %q is no report's id", text)
	}
	return ReportID(id), nil
}

// A CrashError says that the library died of a call: by a signal, by an exit of its own, or by an answer that cannot be.
// The process that called it is as it was; the worker has been replaced.
type CrashError struct {
	Func       string
	Signal     syscall.Signal // 0: none
	ExitStatus int            // of a library that ended its process, if Signal is 0
	Text       string         // a sentence
	Report     ReportID
}

func (e *CrashError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// A TimeoutError says that a call did not end in time: its worker has been ended. It is a context.DeadlineExceeded to
// errors.Is.
type TimeoutError struct {
	Func   string
	Text   string
	Report ReportID
}

func (e *TimeoutError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// Timeout reports true, as package net's errors do.
func (e *TimeoutError) Timeout() bool { return true }

// Is makes errors.Is(err, context.DeadlineExceeded) true.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// An AbortedError says that a call ended with its worker by something else than itself: a daemon that is gone, a worker
// that was taken back, another call, a callback that failed.
type AbortedError struct {
	Func string
	Text string
	Err  error // what a callback failed with, or nil
}

func (e *AbortedError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// Unwrap returns what a callback failed with.
func (e *AbortedError) Unwrap() error { return e.Err }

// A DeniedError says that the library tried what its policy forbids, where the policy says that such an act ends the
// call.
type DeniedError struct {
	Func       string
	Text       string
	Violations []Violation
	Report     ReportID
}

func (e *DeniedError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// A BusyError says that a call was not begun: no worker became free, or as many wait as may.
type BusyError struct {
	Func       string
	Text       string
	RetryAfter time.Duration // 0: not known
}

func (e *BusyError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// An OpenError says that a call was not begun: too many have failed lately, and the cell's breaker is open.
type OpenError struct {
	Func       string
	Text       string
	RetryAfter time.Duration
}

func (e *OpenError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// A StaleError says that a call was not made: a handle's object is gone, with its worker or by its release.
type StaleError struct {
	Func string
	Text string
}

func (e *StaleError) Error() string { return "cordon: " + e.Func + ": " + e.Text }

// A StartError says that there is no worker to be had: the library does not load, its constructors fail, the daemon lends
// none.
type StartError struct {
	Cell       string
	Text       string
	Errno      syscall.Errno // 0: not known
	RetryAfter time.Duration
}

func (e *StartError) Error() string { return "cordon: cell '" + e.Cell + "': " + e.Text }

// Unwrap returns the errno, if there is one.
func (e *StartError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// A CallError says that a call could not be made as it was asked for: arguments that do not fit the prototype, a function
// that the library does not have, a limit.
type CallError struct {
	Func  string
	Text  string
	Errno syscall.Errno // that the worker refused with, or 0
	Err   error         // or nil
}

func (e *CallError) Error() string { return "cordon: " + e.Text }

// Unwrap returns what it was made of.
func (e *CallError) Unwrap() error {
	if e.Err == nil && e.Errno != 0 {
		return e.Errno
	}
	return e.Err
}

// A Violation is an act of the library that its policy forbids.
type Violation struct {
	SystemCall int
	Errno      syscall.Errno // that the library was answered; 0: its worker was ended instead
	Act        string        // "openat /etc/shadow"
	Grant      string        // the grant that would allow it, "read:/etc/shadow"; empty: none does
}
