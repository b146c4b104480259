// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
)

// How a call goes: it waits for a worker (pool), which is started if there is none (worker), and is encoded into the
// worker's lane, sent and waited for. It ends once: by the answer, the deadline, its context or the worker's end. Simple
// ones - numbers, and arrays of numbers that only go in - take a short way.

const sentenceBytes = 1024 // of a refusal

// answer is what a call came to.
type answer struct {
	word   uint64 // of a simple call
	simple bool
	errno  syscall.Errno
	result *frame.Result // of any other
	worker *worker       // that served it

	violations []Violation
	pending    *pendingCall // a simple call whose function has called back
	panicked
}

// pendingCall is a simple call that has become another one: something that the library keeps was called back.
type pendingCall struct {
	call  *active
	event lane.Event
}

// invoke makes a call. What a callback has panicked with goes on here, where nothing is held any more.
func (f *Func) invoke(ctx context.Context, args []frame.Value, a *answer) error {
	v := valuesOf(ctx)
	var err error
	if arena.Any() {
		err = f.performHolding(ctx, v, args, a)
	} else {
		err = f.perform(ctx, v, args, nil, a)
	}
	a.raise()
	if err == nil && v != nil && v.errno != nil {
		*v.errno = a.errno
	}
	return err
}

func (f *Func) perform(ctx context.Context, v *values, args []frame.Value, held pins, a *answer) error {
	limit := lane.Limit{After: time.Duration(f.f.cell.deadline.Load())}
	if deadline, limited := ctx.Deadline(); limited {
		limit.After, limit.Deadline = time.Duration(f.f.cell.longest.Load()), deadline
	}
	select {
	case <-ctx.Done():
		return f.notBegun(ctx, ctx.Err())
	default:
	}
	if outer := v.nested(f.f.cell); outer != nil {
		if handled, err := outer.call(ctx, f, args, limit.At(), a); handled {
			return err
		}
	}
	pool, want, err := f.where(args, held)
	if err != nil {
		return err
	}
	for {
		w, err := pool.take(ctx, &limit, want)
		if err != nil {
			return f.notBegun(ctx, err)
		}
		handled, unbegun, err := w.quick(ctx, f, args, &limit, a)
		if handled {
			w.settle()
			pool.give(w)
			return err
		}
		err = w.lend(ctx, f, args, &limit, !unbegun, a)
		if err == nil {
			return nil
		}
		var starts *unstarted
		if errors.As(err, &starts) {
			return f.notBegun(ctx, starts.why)
		}
		var busy *BusyError
		if errors.As(err, &busy) && pool.others() && clock.Now() < limit.At() {
			continue // the daemon lends no more, but one of ours will be free
		}
		return err
	}
}

// performHolding is perform, and holds what of the arguments lies in an arena.
func (f *Func) performHolding(ctx context.Context, v *values, args []frame.Value, a *answer) error {
	held, err := f.f.pin(args)
	if err != nil {
		return err
	}
	defer held.release()
	return f.perform(ctx, v, args, held, a)
}

// where finds the workers that may serve a call: those of the session, or of the cell; the one whose handles it names, or
// whose memory.
func (f *Func) where(args []frame.Value, held pins) (p *pool, want *worker, err error) {
	p = f.f.cell.pool
	if f.session != nil {
		p = f.session.pool
	}
	for i := range args {
		if args[i].Kind != frame.Other {
			continue
		}
		h, ok := args[i].Any.(*Handle)
		if !ok || h == nil {
			continue
		}
		if h.worker.cell != f.f.cell {
			return nil, nil, &StaleError{Func: f.f.name, Text: fmt.Sprintf("argument %d is a handle of cell '%s'", i+1, h.worker.cell.name)}
		}
		if want != nil && want != h.worker || f.session != nil && h.worker.pool != p {
			return nil, nil, &StaleError{Func: f.f.name, Text: "its handles are of different workers: make them in one session"}
		}
		want = h.worker
		p = want.pool
	}
	if want == nil && len(held) > 0 {
		if w := held.worker(f.f.cell); w != nil && (f.session == nil || w.pool == p) {
			return w.pool, w, nil
		}
	}
	return p, want, nil
}

// notBegun makes an error of a call that never saw a worker.
func (f *Func) notBegun(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errQueueFull):
		return &BusyError{Func: f.f.name, Text: err.Error()}
	case errors.Is(err, errQueueTime), errors.Is(err, context.DeadlineExceeded):
		return &TimeoutError{Func: f.f.name, Text: "the deadline passed, and " + errQueueTime.Error()}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("cordon: %s: %w", f.f.name, err)
	}
	return err
}

// quick makes a simple call on a worker that is there. Nothing of ours runs inside of it, so nothing has to be held for that.
// It is not handled if it is another call, or was not begun: unbegun, if it was sent.
func (w *worker) quick(ctx context.Context, f *Func, args []frame.Value, limit *lane.Limit, a *answer) (handled, unbegun bool, err error) {
	fn := f.f.fn
	if !fn.Scalars && !fn.Short || w.lane == nil || w.board.Now() != w.calm || w.lane.Ended() {
		return false, false, nil
	}
	var message lane.Message
	mark := w.lane.Mark()
	if !w.short(f.f, args, &message) {
		return false, false, nil
	}
	seq, err := w.lane.Submit(&message, true)
	if err != nil {
		return false, false, nil
	}
	var here *active // it was executed here, and has called back
	if w.place != nil {
		if here, err = w.executeShort(ctx, f.f, seq, limit); err != nil {
			w.lane.Release(mark)
			a.panicked = here.panicked
			return true, false, err
		}
	}
	var event lane.Event
	status := w.lane.Await(seq, limit, ctx.Done(), &event)
	w.lane.Release(mark)
	if status == lane.Came && here != nil {
		a.pending = &pendingCall{here, event}
		return false, false, nil
	}
	if status == lane.Came && event.Verb == lane.Return && event.Status == 0 {
		w.lane.Collect(seq)
		a.worker = w
		a.simple, a.word, a.errno = true, event.Words[0], syscall.Errno(event.Tag)
		if w.lane.Violated(w.violations) {
			a.violations = w.newViolations()
		}
		if !fn.ResultFits(a.word) {
			return true, false, w.lied(f.f.name, seq)
		}
		return true, false, nil
	}
	call := &active{w: w, f: f.f, seq: seq, until: limit.At(), ctx: ctx, deadline: deadlineOf(ctx)}
	if status == lane.Came && event.Verb == lane.Callback {
		a.pending = &pendingCall{call, event}
		return false, false, nil
	}
	unbegun, err = call.end(status, &event)
	return !unbegun, unbegun, err
}

// lend makes a call, or goes on with one, on a worker that was taken, and gives it back, also when a callback ends the
// goroutine; unless it starts on without us.
func (w *worker) lend(ctx context.Context, f *Func, args []frame.Value, limit *lane.Limit, again bool, a *answer) (err error) {
	defer func() {
		if _, starts := err.(*unstarted); !starts {
			w.settle()
			w.pool.give(w)
		}
	}()
	if pending := a.pending; pending != nil {
		defer func() { w.callbacks.end(pending.call.passed) }()
		_, err = pending.call.goOn(lane.Came, &pending.event, nil, a)
	} else {
		err = w.serve(ctx, f, args, limit, again, a)
	}
	if w.lane != nil && w.lane.Violated(w.violations) {
		a.violations = w.newViolations()
	}
	return err
}

// serve makes a call on a worker that is taken. A call that an idle worker's end kept from being begun is sent once more.
func (w *worker) serve(ctx context.Context, f *Func, args []frame.Value, limit *lane.Limit, again bool, a *answer) error {
	for ; ; again = false {
		if err := w.ready(ctx, limit); err != nil {
			return err
		}
		unbegun, err := w.once(ctx, f, args, limit, a)
		if err == nil || !unbegun || !again {
			return err
		}
		for i := range args {
			if args[i].Kind == frame.Other {
				if _, isHandle := args[i].Any.(*Handle); isHandle {
					return err // it is gone with the worker
				}
			}
		}
	}
}

// settle gives up a worker that has ended.
func (w *worker) settle() {
	if w.lane != nil && w.lane.Ended() {
		w.drop()
	}
}

// once makes a call. unbegun: it was not begun, and another worker may have it.
func (w *worker) once(ctx context.Context, f *Func, args []frame.Value, limit *lane.Limit, a *answer) (unbegun bool, err error) {
	handled, unbegun, err := w.quick(ctx, f, args, limit, a)
	if handled || unbegun {
		return unbegun, err
	}
	if pending := a.pending; pending != nil {
		return pending.call.goOn(lane.Came, &pending.event, nil, a)
	}
	mark := w.lane.Mark()
	defer w.lane.Release(mark)
	a.worker = w
	return w.general(ctx, f, args, limit.At(), nil, a)
}

// short lays out a simple call.
func (w *worker) short(f *function, args []frame.Value, m *lane.Message) bool {
	if f.fn.Scalars {
		if !f.fn.Words(args, &m.Words) {
			return false
		}
		m.Verb, m.Tag, m.Count = lane.Call, f.id, len(args)
		return true
	}
	if !f.fn.Short || w.inArena(args) {
		return false
	}
	if w.shortInside(f, args, m) {
		return true
	}
	at, memory := w.lane.Request()
	for i := range args {
		if args[i].Kind == frame.Bytes {
			w.lane.Claim(len(args[i].Bytes))
		}
	}
	bytes, ok := f.fn.EncodeShort(args, memory, &m.Words)
	if !ok {
		return false
	}
	w.lane.TakeRequest(bytes)
	m.Verb, m.Tag, m.Count = lane.CallShort, f.id, 1+len(f.fn.F.Params)
	m.Words[0] = lane.Place(at, bytes)
	return true
}

// shortInside lays out a simple call whose arrays are small enough to travel inside the mail.
func (w *worker) shortInside(f *function, args []frame.Value, m *lane.Message) bool {
	if len(f.fn.F.Params) >= lane.InsideWord {
		return false
	}
	for i := range args {
		if args[i].Kind == frame.Bytes && len(args[i].Bytes) > lane.InsideBytes || args[i].Kind == frame.Other {
			return false
		}
	}
	w.inside = [len(w.inside)]byte{}
	bytes, ok := f.fn.EncodeShort(args, w.inside[:], &m.Words)
	if !ok || bytes > lane.InsideBytes {
		return false
	}
	for i := lane.InsideWord; i < lane.Words; i++ {
		m.Words[i] = binary.LittleEndian.Uint64(w.inside[8*(i-lane.InsideWord):])
	}
	m.Verb, m.Tag, m.Count = lane.CallShort, f.id, lane.Words
	m.Words[0] = lane.Place(0, bytes)
	return true
}
