// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/plan"
)

// A Handle is a native object that stays in its worker. It is passed to functions that want such an object; a pointer of the
// library's is never given out. Calls that name it go to its worker, and once that has ended they are a *StaleError.
type Handle struct {
	worker   *worker
	lease    uint64
	word     uint64 // generation << 32 | index
	tag      uint32
	kind     string
	released atomic.Bool
}

var handleType = reflect.TypeOf((*Handle)(nil))

func init() {
	frame.IsHandle = func(v any) bool {
		_, is := v.(*Handle)
		return is
	}
}

// String names the object's type.
func (h *Handle) String() string {
	if h == nil {
		return "no handle"
	}
	return fmt.Sprintf("handle of %s (%d in worker %d)", h.kind, uint32(h.word), h.lease)
}

// Equal reports whether both name the same object.
func (h *Handle) Equal(other *Handle) bool {
	return h == other || h != nil && other != nil && h.worker == other.worker && h.lease == other.lease && h.word == other.word
}

func (c *active) NewHandle(p *plan.Plan, t *plan.Type, word uint64) any {
	c.w.handles++
	return &Handle{worker: c.w, lease: c.w.lease, word: word, tag: t.Tag, kind: p.TypeName(t)}
}

func (c *active) HandleWord(p *plan.Plan, t *plan.Type, value any) (uint64, error) {
	h, ok := value.(*Handle)
	if value == nil || ok && h == nil {
		return 0, nil
	}
	switch {
	case !ok:
		return 0, fmt.Errorf("is a %T, but must be a handle of %s", value, p.TypeName(t))
	case t.Tag != 0 && h.tag != 0 && h.tag != t.Tag:
		return 0, fmt.Errorf("is a %v, but must be one of %s", h, p.TypeName(t))
	case h.released.Load():
		return 0, &StaleError{Func: c.f.name, Text: fmt.Sprintf("the %v was released", h)}
	case h.worker != c.w || h.lease != c.w.lease:
		return 0, &StaleError{Func: c.f.name, Text: fmt.Sprintf("the %v is gone: its worker has ended", h)}
	}
	return h.word, nil
}

// Close ends the object: by the function of the interface that releases one, the first that takes nothing else; if there is
// none it is only forgotten in its worker. Closing it again, or after its worker has ended, does nothing.
func (h *Handle) Close() error {
	if h == nil || h.released.Swap(true) {
		return nil
	}
	cell := h.worker.cell
	for _, f := range cell.funcs {
		if f.why == nil && f.releases(h.tag) {
			h.released.Store(false)
			_, err := (&Func{f: f}).Call(context.Background(), h)
			h.released.Store(true)
			if _, stale := err.(*StaleError); stale {
				return nil
			}
			return err
		}
	}
	return h.forget()
}

// releases: it takes such a handle alone, and ends it.
func (f *function) releases(tag uint32) bool {
	if !f.release || len(f.fn.Takes) != 1 || f.fn.Variadic() {
		return false
	}
	t := f.fn.Plan.Type(f.fn.F.Params[f.fn.Takes[0]].Type)
	return t.Kind == plan.Handle && t.Has(plan.Release) && t.Tag == tag
}

// forget has the worker forget the object.
func (h *Handle) forget() error {
	w := h.worker
	limit := lane.Limit{After: deadlineLeast}
	taken, err := w.pool.take(context.Background(), &limit, w)
	if err != nil {
		return err
	}
	defer w.pool.give(taken)
	if w.lane == nil || w.lease != h.lease || w.lane.Ended() {
		return nil
	}
	m := lane.Message{Verb: lane.Call, Tag: verbDrop, Count: 1}
	m.Words[0] = h.word
	seq, err := w.lane.Submit(&m, true)
	if err != nil {
		return nil // gone with its worker
	}
	w.executeOwn()
	var event lane.Event
	if status := w.lane.Await(seq, &limit, nil, &event); status != lane.Came || event.Verb != lane.Return {
		call := &active{w: w, f: &function{name: "release"}, seq: seq, until: limit.At(), ctx: context.Background()}
		_, err = call.end(status, &event)
		return err
	}
	w.lane.Collect(seq)
	w.handles--
	return nil
}
