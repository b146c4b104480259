// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
)

// A Batch is many calls that are sent one behind the other, to one worker, without waiting for each: what a call costs
// beside its work is then a fraction of what it costs alone. One goroutine uses it. Closing the cell waits for it.
type Batch struct {
	cell    *Cell
	pool    *pool
	ctx     context.Context
	w       *worker
	mark    lane.Mark
	entries []entry
	settled int   // the entries before it have ended
	limit   int64 // of the calls that are added next
}

// deadlineEvery calls have one deadline, for one reading of the clock.
const deadlineEvery = 16

// entry is one call.
type entry struct {
	f      *function
	seq    uint32
	until  int64
	call   *active // nil: a simple one
	args   []frame.Value
	held   pins
	answer answer
	err    error
}

// Batch takes a worker, which it keeps until Close. The context is that of its calls.
func (c *Cell) Batch(ctx context.Context) (*Batch, error) { return c.batch(ctx, c.pool) }

// Batch takes the session's worker, which it keeps until Close. The context is that of its calls.
func (s *Session) Batch(ctx context.Context) (*Batch, error) { return s.cell.batch(ctx, s.pool) }

func (c *Cell) batch(ctx context.Context, p *pool) (*Batch, error) {
	b := &Batch{cell: c, pool: p, ctx: ctx}
	limit := lane.Limit{Until: b.until()}
	f := &Func{f: &function{name: "batch"}}
	w, err := p.take(ctx, &limit, nil)
	if err != nil {
		return nil, f.notBegun(ctx, err)
	}
	if err := w.ready(ctx, &limit); err != nil {
		var starts *unstarted
		if errors.As(err, &starts) {
			return nil, f.notBegun(ctx, starts.why)
		}
		w.settle()
		p.give(w)
		return nil, err
	}
	b.w, b.mark = w, w.lane.Mark()
	return b, nil
}

func (b *Batch) until() int64 {
	now := clock.Now()
	until := clock.After(now, time.Duration(b.cell.deadline.Load()))
	if deadline, limited := b.ctx.Deadline(); limited {
		if until = clock.After(now, time.Duration(b.cell.longest.Load())); clock.Of(now, deadline) < until {
			until = clock.Of(now, deadline)
		}
	}
	return until
}

// Add sends a call. It returns the call's number in the batch, from 0. Its own outcome is told by Result; an error of Add is
// about the batch, or about arguments that do not fit: then nothing was sent.
func (b *Batch) Add(f *Func, args ...any) (int, error) {
	var few [8]frame.Value
	values := few[:0]
	for i := range args {
		values = append(values, frame.ValueOf(args[i]))
	}
	return b.add(f, values)
}

func (b *Batch) add(f *Func, args []frame.Value) (int, error) {
	if b.w == nil {
		return 0, fmt.Errorf("cordon: batch: %w", ErrClosed)
	}
	if f.f.cell != b.cell {
		return 0, &CallError{Func: f.f.name, Text: "the function is of another cell than the batch"}
	}
	var held pins
	if arena.Any() {
		var err error
		if held, err = f.f.pin(args); err != nil {
			return 0, err
		}
	}
	if b.w.lane.InFlight() == lane.Slots {
		b.settle(1)
	}
	n := len(b.entries)
	if n < cap(b.entries) {
		b.entries = b.entries[:n+1]
		b.entries[n] = entry{}
	} else {
		b.entries = append(b.entries, entry{})
	}
	e := &b.entries[n]
	if n%deadlineEvery == 0 {
		b.limit = b.until()
	}
	e.f, e.until, e.held = f.f, b.limit, held
	e.answer.worker = b.w
	err := b.send(f, e, args)
	if err != nil && errors.Is(err, frame.ErrTooLarge) && b.settled < n {
		b.settle(n - b.settled) // what they held is free now
		err = b.send(f, e, args)
	}
	if err != nil {
		held.release()
		b.entries = b.entries[:n]
		return 0, err
	}
	return n, nil
}

func (b *Batch) send(f *Func, e *entry, args []frame.Value) error {
	var message lane.Message
	if b.w.place == nil && b.w.short(f.f, args, &message) {
		seq, err := b.w.lane.Submit(&message, false)
		if err != nil {
			e.err = b.w.endedBy(f.f.name, 0)
			return nil
		}
		e.seq = seq
		b.w.lane.SetDeadline(seq, e.until)
		return nil
	}
	e.args = append([]frame.Value(nil), args...)
	e.call = &active{w: b.w, f: f.f, until: e.until, ctx: b.ctx, deadline: deadlineOf(b.ctx)}
	unbegun, err := e.call.begin(e.args, false)
	if unbegun {
		e.err = err
		return nil
	}
	if err == nil {
		b.w.lane.SetDeadline(e.call.seq, e.until)
	}
	return err
}

// settle waits for the next n calls.
func (b *Batch) settle(n int) {
	for ; n > 0 && b.settled < len(b.entries); n-- {
		e := &b.entries[b.settled]
		b.settled++
		if e.err == nil {
			b.await(e)
		}
		e.held.release()
		e.held = nil
	}
	if b.w.lane.InFlight() == 0 {
		b.w.lane.Release(b.mark)
	}
}

func (b *Batch) await(e *entry) {
	l := b.w.lane
	if e.call != nil {
		_, e.err = e.call.await(e.args, &e.answer)
		b.w.callbacks.end(e.call.passed)
		return
	}
	var event lane.Event
	status := l.Await(e.seq, &lane.Limit{Until: e.until}, b.ctx.Done(), &event)
	if status == lane.Came && event.Verb == lane.Return && event.Status == 0 {
		l.Collect(e.seq)
		e.answer.simple, e.answer.word, e.answer.errno = true, event.Words[0], syscall.Errno(event.Tag)
		if !e.f.fn.ResultFits(e.answer.word) {
			e.err = b.w.lied(e.f.name, e.seq)
		}
		return
	}
	call := &active{w: b.w, f: e.f, seq: e.seq, until: e.until, ctx: b.ctx, deadline: deadlineOf(b.ctx)}
	_, e.err = call.goOn(status, &event, nil, &e.answer)
}

// Wait waits until all calls have ended, and returns the first of their errors.
func (b *Batch) Wait() error {
	if b.w == nil {
		return fmt.Errorf("cordon: batch: %w", ErrClosed)
	}
	b.w.lane.Ring()
	b.settle(len(b.entries))
	for i := range b.entries {
		if b.entries[i].err != nil {
			return b.entries[i].err
		}
	}
	return nil
}

// Len returns how many calls were added.
func (b *Batch) Len() int { return len(b.entries) }

// Result returns what call i came to, and waits for it if it has to.
func (b *Batch) Result(i int) (*Result, error) {
	e, err := b.entry(i)
	if err != nil {
		return nil, err
	}
	return (&Func{f: e.f}).result(&e.answer)
}

func (b *Batch) entry(i int) (*entry, error) {
	if i < 0 || i >= len(b.entries) {
		return nil, fmt.Errorf("cordon: batch: no call %d", i)
	}
	if b.w != nil && i >= b.settled {
		b.w.lane.Ring()
		b.settle(i + 1 - b.settled)
	}
	e := &b.entries[i]
	e.answer.raise()
	return e, e.err
}

// Reset waits for all calls and forgets them: the batch is as it was at first, with its memory. A worker that has ended is
// replaced.
func (b *Batch) Reset() error {
	if b.w == nil {
		return fmt.Errorf("cordon: batch: %w", ErrClosed)
	}
	b.settle(len(b.entries))
	b.entries, b.settled = b.entries[:0], 0
	if !b.w.lane.Ended() {
		return nil
	}
	w := b.w
	b.w = nil
	w.settle()
	b.pool.give(w)
	fresh, err := b.cell.batch(b.ctx, b.pool)
	if err != nil {
		return err
	}
	b.w, b.mark = fresh.w, fresh.mark
	return nil
}

// Close waits for all calls and gives the worker back. Results can still be asked for.
func (b *Batch) Close() error {
	if b.w == nil {
		return nil
	}
	b.w.lane.Ring()
	b.settle(len(b.entries))
	w := b.w
	b.w = nil
	w.settle()
	b.pool.give(w)
	return nil
}
