// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/plan"
)

// active is a call that is under way, and may call back.
type active struct {
	w     *worker
	f     *function
	seq   uint32
	until int64
	ctx   context.Context
	// deadline says whether until is the context's own.
	deadline bool
	outer    *active // the call from whose callback this one was made

	request frame.Request
	sent    []byte // the request's bytes
	replyAt uint32
	passed  []uint32 // callbacks that it passed, by number
	failed  error    // what a callback of it failed with
	panicked
	nest nest // of calls from inside its callbacks
}

func deadlineOf(ctx context.Context) bool {
	_, limited := ctx.Deadline()
	return limited
}

// general encodes any call, sends it and waits for it. outer is the call from whose callback it is made.
func (w *worker) general(ctx context.Context, f *Func, args []frame.Value, until int64, outer *active, a *answer) (unbegun bool, err error) {
	own := append([]frame.Value(nil), args...) // the caller's may lie on its stack
	call := &active{w: w, f: f.f, until: until, ctx: ctx, deadline: deadlineOf(ctx), outer: outer}
	defer func() { w.callbacks.end(call.passed) }()
	if unbegun, err := call.begin(own, true); err != nil {
		return unbegun, err
	}
	return call.await(own, a)
}

// begin encodes a call and sends it.
func (c *active) begin(args []frame.Value, ring bool) (unbegun bool, err error) {
	message, err := c.encode(args)
	if err != nil {
		return false, err
	}
	if c.outer != nil {
		c.seq = c.outer.seq
		err = c.w.lane.Continue(c.seq, message)
	} else {
		c.seq, err = c.w.lane.Submit(message, ring)
	}
	if err != nil {
		return c.outer == nil, c.w.endedBy(c.f.name, 0)
	}
	return false, nil
}

// await waits for a call's end, and answers its callbacks meanwhile.
func (c *active) await(args []frame.Value, a *answer) (unbegun bool, err error) {
	if c.w.place != nil {
		if err := c.executeHere(); err != nil {
			a.panicked = c.panicked
			return false, err
		}
	}
	var event lane.Event
	limit := lane.Limit{Until: c.until}
	status := c.w.lane.Await(c.seq, &limit, c.ctx.Done(), &event)
	return c.goOn(status, &event, args, a)
}

// goOn is await behind the first event.
func (c *active) goOn(status lane.Status, event *lane.Event, args []frame.Value, a *answer) (unbegun bool, err error) {
	w, limit := c.w, lane.Limit{Until: c.until}
	defer func() { a.panicked = c.panicked }()
	for status == lane.Came && event.Verb == lane.Callback {
		if err := c.answer(event); err != nil {
			return false, err
		}
		status = lane.Expired // a worker that never stops calling back must not keep us from looking at the clock
		if clock.Now() < c.until {
			status = w.lane.Await(c.seq, &limit, c.ctx.Done(), event)
		}
	}
	if status != lane.Came || event.Verb != lane.Return || event.Status != 0 {
		return c.end(status, event)
	}
	a.errno = syscall.Errno(event.Tag)
	err = c.finish(args, event, a)
	if c.outer == nil {
		w.lane.Collect(c.seq)
	}
	return false, err
}

// encode lays out a call in the lane.
func (c *active) encode(args []frame.Value) (*lane.Message, error) {
	w, fn := c.w, c.f.fn
	at, memory := w.lane.Request()
	space := frame.Space{Request: memory, ReplyLimit: w.lane.ReplyLeft(), ReplyLeast: sentenceBytes, Hooks: c}
	if err := fn.Encode(args, c.f.id, &space, &c.request); err != nil {
		var stale *StaleError
		if errors.As(err, &stale) {
			return nil, stale
		}
		return nil, &CallError{Func: c.f.name, Text: err.Error(), Err: err}
	}
	m := &lane.Message{Verb: lane.Call, Tag: c.f.id}
	if c.request.Bytes == 0 {
		m.Count = fn.F.InWords
		copy(m.Words[:], c.request.Words[:fn.F.InWords])
		return m, nil
	}
	w.lane.TakeRequest(c.request.Bytes)
	c.sent = memory[:c.request.Bytes]
	c.replyAt = w.lane.TakeReply(c.request.ReplyMax)
	m.Verb, m.Count = lane.CallBytes, 2
	m.Words[0] = lane.Place(at, c.request.Bytes)
	m.Words[1] = lane.Place(c.replyAt, c.request.ReplyMax)
	return m, nil
}

// finish decodes a reply.
func (c *active) finish(args []frame.Value, event *lane.Event, a *answer) error {
	if c.failed != nil {
		return &AbortedError{Func: c.f.name, Text: "a callback failed: " + c.failed.Error(), Err: c.failed}
	}
	fn := c.f.fn
	reply := frame.Reply{Words: append([]uint64(nil), event.Words[:]...)}
	if c.request.ReplyMax > 0 {
		reply.Memory = c.w.lane.Reply(c.replyAt, c.request.ReplyMax)
	}
	if out := fn.F.OutWords; out > lane.Words {
		if int(event.ReplyBytes) < 8*out || len(reply.Memory) < 8*out {
			return c.w.lied(c.f.name, c.seq)
		}
		reply.Words = wordsOf(append([]byte(nil), reply.Memory[:8*out]...))
	}
	result, err := fn.Decode(&c.request, c.sent, &reply, nil, c)
	if err != nil {
		return c.w.lied(c.f.name, c.seq)
	}
	a.result = result
	if c.f.release {
		for i := range args {
			c.released(fn, args, i)
		}
	}
	for n, i := range fn.Gives {
		for at, taken := range fn.Takes {
			if taken == i && args[at].Kind >= frame.Bytes {
				arg := args[at].Any
				if args[at].Kind == frame.Bytes {
					arg = args[at].Bytes
				}
				if err := frame.WriteBack(arg, result.Outs[n]); err != nil {
					return &CallError{Func: c.f.name, Err: err,
						Text: fmt.Sprintf("'%s': what came back in argument %d: %v", c.f.name, at+1, err)}
				}
			}
		}
	}
	return nil
}

// released notes that a call has ended a handle.
func (c *active) released(fn *frame.Func, args []frame.Value, i int) {
	if i < len(fn.Takes) && args[i].Kind == frame.Other && fn.Plan.Type(fn.F.Params[fn.Takes[i]].Type).Has(plan.Release) {
		if h, ok := args[i].Any.(*Handle); ok && h != nil {
			if !h.released.Swap(true) {
				c.w.handles--
			}
		}
	}
}

// lied ends a worker whose answer cannot be.
func (w *worker) lied(name string, seq uint32) error {
	w.condemn(lane.Lied, seq)
	return &CrashError{Func: name, Text: "the worker broke the protocol and has been ended"}
}

// end ends a call to which something else came than an answer, or nothing.
func (c *active) end(status lane.Status, event *lane.Event) (unbegun bool, err error) {
	w := c.w
	switch status {
	case lane.Came:
		if event.Verb == lane.Return {
			err = c.refusal(event)
			if c.outer == nil {
				w.lane.Collect(c.seq)
			}
			return false, err
		}
		if event.Verb == lane.Alarm {
			w.lane.CondemnCrashed(c.seq, event)
		} else { // a callback where no function was passed
			w.condemn(lane.Lied, c.seq)
		}
	case lane.Expired:
		w.condemn(lane.Deadline, c.seq)
	case lane.Canceled:
		if c.deadline && clock.Now() >= c.until-int64(time.Millisecond) {
			w.condemn(lane.Deadline, c.seq)
			break
		}
		w.condemn(lane.Closed, c.seq)
		if verdict, _, _ := w.lane.Verdict(); verdict == lane.Closed {
			err = fmt.Errorf("cordon: %s: %w", c.f.name, c.ctx.Err())
		}
	}
	if err == nil {
		unbegun = c.outer == nil && status == lane.Over && w.lane.Unbegun(c.seq)
		err = w.endedBy(c.f.name, c.seq)
	}
	return unbegun, err
}

// refusal is what a worker says that could not make the call.
func (c *active) refusal(event *lane.Event) error {
	errno := syscall.Errno(-event.Status)
	if event.Status >= 0 || event.Status < -4095 {
		errno = syscall.EBADMSG
	}
	text := ""
	if event.ReplyBytes > 0 && event.ReplyBytes <= c.request.ReplyMax {
		sentence := append([]byte(nil), c.w.lane.Reply(c.replyAt, event.ReplyBytes)...)
		text = lane.Printable(string(sentence))
	}
	if errno == syscall.ESTALE {
		if text == "" {
			text = "the object behind a handle is gone"
		}
		return &StaleError{Func: c.f.name, Text: text}
	}
	if text == "" {
		text = fmt.Sprintf("the worker refused %s: %v", c.f.name, errno)
	}
	return &CallError{Func: c.f.name, Text: text, Errno: errno}
}

func wordsOf(bytes []byte) []uint64 {
	words := make([]uint64, len(bytes)/8)
	for i := range words {
		for b := 7; b >= 0; b-- {
			words[i] = words[i]<<8 | uint64(bytes[8*i+b])
		}
	}
	return words
}
