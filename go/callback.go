// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"syscall"

	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/plan"
)

const callbacksMax = 256

// canceled is the status of a callback that failed: -ECANCELED, in the upper half.
const canceled = (1<<32 - uint64(syscall.ECANCELED)) << 32

// callbacks are a worker's: functions that it may call back, by number.
type callbacks struct {
	entries []callback
}

type callback struct {
	function reflect.Value
	shape    *frame.Func
	outer    *frame.Outer
	kept     bool // the library keeps it beyond the call
}

func (c *callbacks) add(entry callback) (uint32, error) {
	for i := range c.entries {
		e := &c.entries[i]
		if entry.kept && e.kept && e.shape == entry.shape && e.function.IsValid() && e.function.Pointer() == entry.function.Pointer() {
			*e = entry
			return uint32(i) + 1, nil
		}
	}
	for i := range c.entries {
		if !c.entries[i].function.IsValid() {
			c.entries[i] = entry
			return uint32(i) + 1, nil
		}
	}
	if len(c.entries) == callbacksMax {
		return 0, fmt.Errorf("more than %d callbacks in one worker", callbacksMax)
	}
	c.entries = append(c.entries, entry)
	return uint32(len(c.entries)), nil
}

func (c *callbacks) find(id uint32) *callback {
	if id == 0 || uint64(id) > uint64(len(c.entries)) || !c.entries[id-1].function.IsValid() {
		return nil
	}
	return &c.entries[id-1]
}

// end forgets those of a call that is over, unless the library keeps them: then the call's words are kept as well.
func (c *callbacks) end(passed []uint32) {
	for _, id := range passed {
		if e := c.find(id); e != nil && !e.kept {
			*e = callback{}
		} else if e != nil && e.outer != nil {
			words := *e.outer
			words.Words, words.Request = append([]uint64(nil), words.Words...), nil
			e.outer = &words
		}
	}
}

// CallbackWord, HandleWord and NewHandle are what a frame asks.

func (c *active) CallbackWord(p *plan.Plan, t *plan.Type, value any) (uint64, error) {
	function := reflect.ValueOf(value)
	if function.Kind() != reflect.Func {
		return 0, fmt.Errorf("is a %T, but must be a function", value)
	}
	shape := c.f.shapes[t.Target]
	if shape == nil {
		fn, err := frame.Prepare(p, t.Target)
		if err == nil {
			err = fn.Callable()
		}
		return 0, fmt.Errorf("cannot be passed: %w", err)
	}
	if err := fits(shape, function.Type()); err != nil {
		return 0, err
	}
	entry := callback{function: function, shape: shape, kept: t.Has(plan.Kept)}
	if shape.F.Outer == 0 {
		_, memory := c.w.lane.Request()
		entry.outer = &frame.Outer{Fn: c.f.fn, Words: c.request.Words[:], Request: memory}
	}
	id, err := c.w.callbacks.add(entry)
	if err == nil {
		c.passed = append(c.passed, id)
	}
	return uint64(id), err
}

var (
	contextType = reflect.TypeOf((*context.Context)(nil)).Elem()
	errorType   = reflect.TypeOf((*error)(nil)).Elem()
)

func takesContext(t reflect.Type) bool { return t.NumIn() > 0 && t.In(0) == contextType }

// fits: as many arguments as the callback has, perhaps a context before them; its result, perhaps an error behind it.
func fits(shape *frame.Func, t reflect.Type) error {
	takes := 0
	for i := range shape.F.Params {
		if !shape.F.Params[i].Filled {
			takes++
		}
	}
	in, out := t.NumIn(), t.NumOut()
	if takesContext(t) {
		in--
	}
	if out > 0 && t.Out(out-1) == errorType {
		out--
	}
	gives := 0
	if shape.F.Result.OutWord != plan.NoWord {
		gives = 1
	}
	if in != takes || out != gives || t.IsVariadic() {
		return fmt.Errorf("is a %v, but must take %d and return %d value%s (a context may stand before, an error behind)",
			t, takes, gives, map[bool]string{true: "", false: "s"}[gives == 1])
	}
	return nil
}

// panicked is what a callback panicked with: it goes on in the caller, once the call has ended.
type panicked struct {
	value any
	is    bool
}

func (p *panicked) raise() {
	if p.is {
		panic(p.value)
	}
}

// answer answers a callback. An error is the call's: the worker has been ended.
func (c *active) answer(event *lane.Event) error {
	w := c.w
	entry := w.callbacks.find(event.Tag)
	if entry == nil {
		w.condemn(lane.CallbackFailed, c.seq)
		return &AbortedError{Func: c.f.name, Text: "the worker called back a function that was not passed; it has been ended"}
	}
	held := *entry // calls from inside may move the table
	mark := w.lane.Mark()
	message, err := c.perform(&held, event)
	if errors.Is(err, frame.ErrLie) {
		w.condemn(lane.Lied, c.seq)
		return &CrashError{Func: c.f.name, Text: "the worker broke the protocol and has been ended"}
	}
	if w.lane.Ended() {
		return w.endedBy(c.f.name, c.seq)
	}
	if err != nil {
		if c.failed == nil {
			c.failed = err
		}
		if !held.shape.F.Has(plan.Fails) {
			w.condemn(lane.CallbackFailed, c.seq)
			return &AbortedError{Func: c.f.name, Err: err, Text: "a callback failed and its prototype declares no failure value, fails(...): " +
				err.Error() + "; the worker has been ended"}
		}
		message = &lane.Message{Verb: lane.CallbackReturn, Count: lane.Words, StatusBytes: canceled}
	}
	err = w.lane.Continue(c.seq, message)
	w.lane.Release(mark) // the worker reads the answer before it sends anything else, and what is sent next stands behind it
	if err != nil {
		return w.endedBy(c.f.name, c.seq)
	}
	return nil
}

// perform runs the function that is called back, and makes the message that answers.
func (c *active) perform(entry *callback, event *lane.Event) (*lane.Message, error) {
	w, shape := c.w, entry.shape
	at, bytes := uint32(event.Words[0]), uint32(event.Words[0]>>32)
	count, replyMax := uint32(event.Words[1]>>32), uint32(event.Words[1])
	words := append([]uint64(nil), event.Words[2:2+count]...)
	var sent []byte
	if bytes > 0 {
		sent = append([]byte(nil), w.lane.Reply(at, bytes)...)
		var err error
		if words, err = frame.WordsOf(sent); err != nil {
			return nil, err
		}
	}
	in, err := shape.Accept(words, sent, replyMax, entry.outer, c)
	if err != nil {
		return nil, err
	}
	result, err := c.run(entry, in)
	if err != nil {
		return nil, err
	}
	replyAt, memory := w.lane.Request()
	answered, size, err := in.Answer(result, memory, c)
	if err != nil {
		return nil, err
	}
	m := &lane.Message{Verb: lane.CallbackReturn, Count: lane.Words, StatusBytes: uint64(size)}
	copy(m.Words[:], answered[:lane.Words])
	if size > 0 {
		if shape.F.OutWords == lane.Words {
			return nil, errors.New("its answer has as many words as a mail, and bytes as well")
		}
		w.lane.TakeRequest(size)
		m.Words[lane.Words-1] = lane.Place(replyAt, size)
	}
	return m, nil
}

// run calls the Go function. It runs on the goroutine that made the call; what it panics with goes on there, later.
func (c *active) run(entry *callback, in *frame.Incoming) (result any, err error) {
	t := entry.function.Type()
	args := make([]reflect.Value, 0, len(in.Args)+1)
	ctx := context.WithValue(c.ctx, valuesKey{}, &values{outer: c})
	if takesContext(t) {
		args = append(args, reflect.ValueOf(ctx))
	}
	first := len(args)
	for i := range in.Args {
		arg, err := argumentOf(&in.Args[i], t.In(first+i))
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		args = append(args, arg)
	}
	results, err := c.protected(entry.function, args)
	if err != nil {
		return nil, err
	}
	for i := range in.Args {
		if in.Args[i].Back {
			in.Args[i].Value = args[first+i].Interface()
			if isPointee(&in.Args[i], args[first+i].Type()) {
				in.Args[i].Value = args[first+i].Elem().Interface()
			}
		}
	}
	if n := len(results); n > 0 && t.Out(n-1) == errorType {
		err, _ = results[n-1].Interface().(error)
		results = results[:n-1]
	}
	if len(results) > 0 {
		result = results[0].Interface()
	}
	return result, err
}

// isPointee: what comes back is what a pointer points to.
func isPointee(arg *frame.Arg, t reflect.Type) bool {
	return arg.Back && t.Kind() == reflect.Ptr && t != handleType
}

func argumentOf(arg *frame.Arg, t reflect.Type) (reflect.Value, error) {
	if !isPointee(arg, t) {
		return frame.Convert(arg.Value, t)
	}
	pointee := reflect.New(t.Elem())
	if arg.Value == nil {
		return pointee, nil
	}
	return pointee, frame.Assign(pointee.Elem(), arg.Value)
}

func (c *active) protected(function reflect.Value, args []reflect.Value) (results []reflect.Value, err error) {
	c.nest.enter()
	returned := false
	defer func() {
		c.nest.leave()
		if returned {
			return
		}
		value := recover()
		if value == nil && !c.panicked.is { // runtime.Goexit: nobody comes back to end the call
			c.w.condemn(lane.CallbackFailed, c.seq)
			return
		}
		c.panicked = panicked{value: value, is: true}
		err = fmt.Errorf("panic: %v", value)
	}()
	results = function.Call(args)
	returned = true
	return results, nil
}

// ---- Calls from inside of callbacks ------------------------------------------------------------

type (
	valuesKey struct{}
	// values are what a context holds for calls that are made with it.
	values struct {
		outer *active        // the call from inside of which they come, or nil
		errno *syscall.Errno // where they put it, or nil
	}
)

func valuesOf(ctx context.Context) *values {
	v, _ := ctx.Value(valuesKey{}).(*values)
	return v
}

// WithErrno has calls that are made with the context put into a variable what they left in errno, as Result.Errno does: for
// functions that give no Result, typed and generated ones. It means something if the function says so.
func WithErrno(ctx context.Context, errno *syscall.Errno) context.Context {
	with := &values{errno: errno}
	if v := valuesOf(ctx); v != nil {
		with.outer = v.outer
	}
	return context.WithValue(ctx, valuesKey{}, with)
}

// nest lets calls from inside a callback go to the worker that waits for it: those made with the context that the function
// was passed, as long as it runs, one at a time.
type nest struct {
	mu   sync.Mutex
	open bool
}

func (n *nest) enter() {
	n.mu.Lock()
	n.open = true
	n.mu.Unlock()
}

func (n *nest) leave() {
	n.mu.Lock()
	n.open = false
	n.mu.Unlock()
}

func (v *values) nested(cell *Cell) *active {
	if v != nil && v.outer != nil && v.outer.w.cell == cell {
		return v.outer
	}
	return nil
}

// call makes a call from inside a callback. It is not handled if the callback has returned.
func (c *active) call(ctx context.Context, f *Func, args []frame.Value, until int64, a *answer) (handled bool, err error) {
	c.nest.mu.Lock()
	defer c.nest.mu.Unlock()
	if !c.nest.open {
		return false, nil
	}
	if c.until < until {
		until = c.until // the outer call's deadline
	}
	w := c.w
	a.worker = w
	mark := w.lane.Mark()
	defer w.lane.Release(mark)
	if clock.Now() >= until {
		return true, &TimeoutError{Func: f.f.name, Text: "the deadline passed before it was called"}
	}
	_, err = w.general(ctx, f, args, until, c, a)
	return true, err
}
