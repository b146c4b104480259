// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/seat"
)

// What the ends of workers, of starts and of calls are told as.

// startError makes an error of what a start met.
func (w *worker) startError(err error) error {
	var refused *seat.Refused
	switch {
	case errors.As(err, &refused):
		return w.refused(refused)
	case w.cell.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(err, context.DeadlineExceeded):
		return &StartError{Cell: w.cell.name, Text: "no worker was started in time", Errno: syscall.ETIMEDOUT}
	case errors.Is(err, seat.ErrLost):
		return &AbortedError{Func: w.cell.name, Text: err.Error()}
	}
	return err
}

func (w *worker) refused(r *seat.Refused) error {
	retry := time.Duration(r.RetryAfterMS) * time.Millisecond
	switch {
	case r.Outcome == outcomeBusy:
		w.deny(retry)
		return &BusyError{Func: w.cell.name, Text: r.Text, RetryAfter: retry}
	case r.Outcome == outcomeOpen:
		return &OpenError{Func: w.cell.name, Text: r.Text, RetryAfter: retry}
	case r.Outcome < 0 && r.Outcome > -4096:
		return &StartError{Cell: w.cell.name, Text: r.Text, Errno: syscall.Errno(-r.Outcome), RetryAfter: retry}
	}
	return &StartError{Cell: w.cell.name, Text: "the daemon refused for a reason that is none", RetryAfter: retry}
}

// endedBy makes an error of the lane's verdict, for call seq of a function.
func (w *worker) endedBy(name string, seq uint32) error {
	verdict, blamed, death := w.lane.Verdict()
	report := ReportID(w.leased.ReportID)
	if seq != 0 && blamed != 0 && int32(blamed-seq) < 0 && verdict != lane.StartFailed {
		return &AbortedError{Func: name, Text: "an earlier call of the same worker ended it"}
	}
	switch verdict {
	case lane.Died:
		if w.cell.here() {
			return diedHere(name, death)
		}
		return died(name, death, report)
	case lane.Deadline:
		if blamed == seq && w.cell.here() {
			return &TimeoutError{Func: name, Text: "the deadline passed; its thread runs on, abandoned"}
		}
		if blamed == seq {
			return &TimeoutError{Func: name, Text: "the deadline passed; the worker has been ended", Report: report}
		}
		return &AbortedError{Func: name, Text: "a later call of the same worker passed its deadline and ended it"}
	case lane.Lied:
		return &CrashError{Func: name, Text: "the worker broke the protocol and has been ended"}
	case lane.CallbackFailed:
		return &AbortedError{Func: name, Text: "a callback failed and its prototype declares no failure value: fails(...); the worker has been ended"}
	case lane.KeeperLost:
		return &AbortedError{Func: name, Text: "the daemon, or its keeper process, was lost, and its workers with it"}
	case lane.StartFailed:
		return w.startFailed(death, report)
	case lane.Denied:
		text := death.Text
		if text == "" {
			text = "a forbidden act of the library ended the call"
		}
		return &DeniedError{Func: name, Text: text, Report: report, Violations: w.newViolations()}
	case lane.Recalled:
		return &AbortedError{Func: name, Text: "the daemon has taken the worker back (idle, or replaced)"}
	}
	return &AbortedError{Func: name, Text: "the cell or session was closed"}
}

const (
	exitBroken    = 121
	exitAbandoned = 122
)

func died(name string, d lane.Death, report ReportID) error {
	switch {
	case d.Exited && d.ExitStatus == exitBroken && d.Leaving == 1:
		return &CrashError{Func: name, Report: report, ExitStatus: d.ExitStatus,
			Text: "the worker found no message in its lane's memory, into which the library may have written, and ended itself"}
	case d.Exited && d.ExitStatus == exitAbandoned && d.Leaving == 2:
		return &AbortedError{Func: name, Text: "a callback could not be answered, and its prototype declares no failure value: fails(...)"}
	case d.Exited:
		return &CrashError{Func: name, Report: report, ExitStatus: d.ExitStatus,
			Text: fmt.Sprintf("the library ended its worker by exit with status %d during the call", d.ExitStatus)}
	}
	text := fmt.Sprintf("the worker was ended by signal %d (%v) during the call", int(d.Signal), d.Signal)
	if d.Text != "" {
		text += ": " + d.Text
	}
	return &CrashError{Func: name, Report: report, Signal: d.Signal, Text: text}
}

// diedHere is died of a library in this process.
func diedHere(name string, d lane.Death) error {
	const after = "; the cell is poisoned and must be opened anew"
	if d.Exited {
		return &CrashError{Func: name, ExitStatus: d.ExitStatus,
			Text: "the library called " + d.Text + " in this process, and was kept from ending it" + after}
	}
	return &CrashError{Func: name, Signal: d.Signal, Text: "the library faulted in this process: " + d.Text + after}
}

// startFailed: the worker refused, or died while the library was loaded, which is a crash of the library like any other.
func (w *worker) startFailed(d lane.Death, report ReportID) error {
	if d.Known {
		e := &CrashError{Func: w.cell.name, Text: d.Text, Report: report, Signal: d.Signal}
		if d.Exited {
			e.Signal, e.ExitStatus = 0, d.ExitStatus
		}
		return e
	}
	return &StartError{Cell: w.cell.name, Text: d.Text, Errno: syscall.Errno(d.ExitStatus)}
}

// newViolations are those that were not told yet.
func (w *worker) newViolations() []Violation {
	seen, list := w.lane.Violations(w.violations)
	w.violations = seen
	var told []Violation
	for _, v := range list {
		told = append(told, Violation(v))
	}
	return told
}
