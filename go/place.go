// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"

	"cordon.internal/cordon/internal/lane"
)

// A placer is a Daemon that has workers without a thread: what was sent to them is executed by who has sent it.
type placer interface {
	// Place has serve execute the oldest call that was sent, and call relay when that has called back: the answer is there
	// when relay returns. nil: it has a thread. leave is the end of it.
	Place(worker uint32) (serve func(relay func()), leave func())
}

// place is where a worker's calls are executed, if it is one of those: on the goroutine that calls.
type place struct {
	serve func(relay func())
	leave func()

	relay func() // of simple calls, made once
	short short  // the one that is executed
}

// short is a simple call; it becomes another one when it calls back.
type short struct {
	ctx   context.Context
	f     *function
	seq   uint32
	limit lane.Limit
	call  *active
	err   error
}

// takePlace asks for the place of the worker that has just been leased.
func (w *worker) takePlace() {
	t, _ := w.cell.conn.transport.(own)
	if p, is := t.daemon.(placer); is {
		if serve, leave := p.Place(w.leased.Worker); serve != nil {
			w.place = &place{serve: serve, leave: leave}
			w.place.relay = w.relayShort
		}
	}
}

func (w *worker) leavePlace() {
	if w.place != nil {
		w.place.leave()
		w.place = nil
	}
}

// relay answers the callback that is there. An error has ended the worker.
func (c *active) relay() error {
	var event lane.Event
	limit := lane.Limit{Until: 1} // a look
	if status := c.w.lane.Await(c.seq, &limit, nil, &event); status == lane.Came && event.Verb == lane.Callback {
		return c.answer(&event)
	}
	return nil
}

// executeHere executes a call that was sent. An error is that of a callback, which has ended the worker.
func (c *active) executeHere() (err error) {
	c.w.place.serve(func() {
		if err == nil {
			err = c.relay()
		}
	})
	return err
}

// executeShort executes a simple call that was sent, without garbage unless it calls back: then it is another one, and that
// is returned.
func (w *worker) executeShort(ctx context.Context, f *function, seq uint32, limit *lane.Limit) (*active, error) {
	p := w.place
	p.short = short{ctx: ctx, f: f, seq: seq, limit: *limit}
	p.serve(p.relay)
	call, err := p.short.call, p.short.err
	p.short = short{}
	return call, err
}

func (w *worker) relayShort() {
	s := &w.place.short
	if s.call == nil {
		s.call = &active{w: w, f: s.f, seq: s.seq, until: s.limit.At(), ctx: s.ctx, deadline: deadlineOf(s.ctx)}
	}
	if s.err == nil {
		s.err = s.call.relay()
	}
}

// executeOwn executes a request to the worker itself, where it has no thread.
func (w *worker) executeOwn() {
	if w.place != nil {
		w.place.serve(func() {})
	}
}
