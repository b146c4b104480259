// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
)

const (
	verbDispatch = 0x7fff0009
	// dispatchSlice is how long a worker is asked to wait that says, or was heard to say, that callbacks are there.
	dispatchSlice = 20 * time.Millisecond
)

// Dispatch runs callbacks of the library's own threads, which the prototype marks with anythread: on this goroutine, one
// after the other. It waits until there is one, runs all that wait by then, and returns how many those were; or it returns
// the context's error. A thread whose callback is not dispatched within 3 s, or finds 32 others waiting, gets the prototype's
// failure value, and the next Dispatch tells of it by a *CallError.
//
//	for {
//		if _, err := session.Dispatch(ctx); err != nil {
//			return err
//		}
//	}
//
// Calls of the session go on meanwhile, between two callbacks. The context's end ends the waiting; no worker is ended for
// it. An error of a callback comes back as an *AbortedError, after the others have run. Without a worker - there was no call
// yet, or it has ended, and its threads with it - Dispatch is an *AbortedError, too.
func (s *Session) Dispatch(ctx context.Context) (count int, err error) {
	f := &function{cell: s.cell, name: "dispatch"}
	if outer := valuesOf(ctx).nested(s.cell); outer != nil && outer.w.pool == s.pool {
		return 0, &CallError{Func: f.name, Text: "callbacks cannot be dispatched from inside a callback", Errno: syscall.EDEADLK}
	}
	until := int64(math.MaxInt64)
	if deadline, limited := ctx.Deadline(); limited {
		until = clock.Of(clock.Now(), deadline)
	}
	for {
		if err := ctx.Err(); err != nil {
			return count, err
		}
		limit := lane.Limit{Until: until}
		w, err := s.pool.take(ctx, &limit, nil)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			} else if err == errQueueTime {
				err = context.DeadlineExceeded
			}
			return count, err
		}
		var thrown panicked
		again, err := w.dispatch(ctx, f, until, &count, &thrown)
		thrown.raise()
		if err != nil || count > 0 {
			return count, err
		}
		if !again {
			return count, context.DeadlineExceeded
		}
	}
}

// dispatch waits for callbacks and runs them, on a worker that was taken, and gives it back. again: nothing came of it yet,
// somebody else wanted the worker.
func (w *worker) dispatch(ctx context.Context, f *function, until int64, count *int, thrown *panicked) (again bool, err error) {
	p := w.pool
	defer func() {
		p.listens.Store(nil)
		w.settle()
		p.give(w)
	}()
	if w.lane == nil || w.lane.Ended() {
		return false, &AbortedError{Func: f.name, Text: "the session has no worker whose threads could call back"}
	}
	p.listens.Store(w)
	switch w.lane.AwaitQueued(until, ctx.Done(), func() bool { return p.attention.Load() != 0 }) {
	case lane.Over:
		return false, w.endedBy(f.name, 0)
	case lane.Expired:
		return false, nil
	case lane.Canceled, lane.Roused:
		return true, nil
	}
	wait := clock.After(clock.Now(), dispatchSlice)
	for served := true; served; wait = 0 {
		if served, err = w.dispatchOne(ctx, f, wait, thrown); err != nil || thrown.is {
			return false, err
		}
		if served {
			*count++
		}
	}
	return true, nil
}

// dispatchOne asks the worker for one callback, and answers it.
func (w *worker) dispatchOne(ctx context.Context, f *function, wait int64, thrown *panicked) (served bool, err error) {
	mark := w.lane.Mark()
	defer w.lane.Release(mark)
	c := &active{w: w, f: f, until: clock.After(clock.Now(), dispatchSlice+time.Duration(w.cell.deadline.Load())), ctx: ctx,
		request: frame.Request{ReplyMax: sentenceBytes}, replyAt: w.lane.TakeReply(sentenceBytes)}
	m := lane.Message{Verb: lane.CallBytes, Tag: verbDispatch, Count: 3}
	m.Words[1], m.Words[2] = lane.Place(c.replyAt, sentenceBytes), uint64(wait)
	if c.seq, err = w.lane.Submit(&m, true); err != nil {
		return false, w.endedBy(f.name, 0)
	}
	if w.place != nil {
		if err := c.executeHere(); err != nil {
			*thrown = c.panicked
			return false, err
		}
	}
	limit := lane.Limit{Until: c.until}
	var event lane.Event
	status := w.lane.Await(c.seq, &limit, nil, &event)
	for status == lane.Came && event.Verb == lane.Callback {
		if err := c.answer(&event); err != nil {
			*thrown = c.panicked
			return false, err
		}
		status = lane.Expired // a worker that never stops calling back
		if clock.Now() < c.until {
			status = w.lane.Await(c.seq, &limit, nil, &event)
		}
	}
	*thrown = c.panicked
	if status != lane.Came || event.Verb != lane.Return || event.Status != 0 {
		_, err = c.end(status, &event)
		return false, err
	}
	w.lane.Collect(c.seq)
	if c.failed != nil {
		err = &AbortedError{Func: f.name, Text: fmt.Sprintf("a callback failed: %v", c.failed), Err: c.failed}
	}
	return event.Words[0] != 0, err
}
