// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"reflect"

	"cordon.internal/cordon/internal/plan"
)

// Incoming is a callback of the library: the worker is the sender, its frame a private copy that is judged here.
type Incoming struct {
	Args []Arg // what the function is passed, in order

	fn         *Func
	sent       []byte
	replyFixed uint32
	replyMax   uint32
}

// Arg is one of a callback's arguments.
type Arg struct {
	Value any  // decoded; where Back is true it is replaced by what the function has made of it
	Back  bool // the library gets it back

	param *plan.Param
	t     *plan.Type
	place uint64
	count uint64
	room  []byte // in the arena, where it comes back
}

// Callable reports what of a callback's shape a Go function cannot serve.
func (fn *Func) Callable() error {
	p := fn.Plan
	if fn.variadic >= 0 {
		return fmt.Errorf("a callback with '...' cannot be a Go function")
	}
	if fn.F.Has(plan.NoReturn) {
		return fmt.Errorf("a callback that does not return cannot be a Go function")
	}
	if result := p.Type(fn.F.Result.Type); fn.F.Result.Passing != plan.PassWord && fn.F.Result.Passing != plan.PassNothing &&
		(result.Kind != plan.Struct || !isPlain(p, result)) {
		return fmt.Errorf("a callback that returns memory cannot be a Go function")
	}
	for i := range fn.F.Params {
		param := &fn.F.Params[i]
		t := p.Type(param.Type)
		back := t.Kind == plan.Pointer && t.Direction&plan.Out != 0
		if param.Passing == plan.PassDynamic || t.Kind == plan.String && t.Direction&plan.Out != 0 ||
			back && param.Passing == plan.PassBytes && hasUnion(p, p.Target(t)) && !isPlain(p, p.Target(t)) {
			return fmt.Errorf("parameter '%s' gives the library memory that a Go function cannot make", param.Name)
		}
	}
	return nil
}

// Accept judges a callback's request: its words and, if bytes travel, its frame, of which replyMax bytes may be answered.
func (fn *Func) Accept(words []uint64, frame []byte, replyMax uint32, outer *Outer, hooks Hooks) (*Incoming, error) {
	f := fn.F
	if len(words) < f.InWords {
		return nil, lie(f, "has too few words")
	}
	in := &Incoming{fn: fn, sent: frame, replyMax: replyMax}
	d := decoder{fn: fn, hooks: hooks, request: &Request{}, sent: frame, budget: budgetOf(len(frame))}
	d.budget += arenaBudget(hooks.Arena())
	copy(d.request.Words[:], words)
	if !f.Has(plan.Mailbox) {
		if err := in.header(frame, replyMax); err != nil {
			return nil, err
		}
		d.budget += 8 * uint64(in.replyFixed)
	}
	d.before = scope{p: fn.Plan, f: f, outer: outer, words: d.request.Words[:], request: frame}
	d.after = d.before
	for i := range f.Params {
		param := &f.Params[i]
		if param.Filled {
			continue
		}
		arg := Arg{param: param, t: fn.Plan.Type(param.Type)}
		if err := in.accept(&d, &arg); err != nil {
			return nil, err
		}
		in.Args = append(in.Args, arg)
	}
	return in, nil
}

// arenaBudget is the work that memory of the arena may cause, which does not travel.
func arenaBudget(arena []byte) uint64 {
	const most = 64 << 20
	if len(arena) > most {
		return most
	}
	return uint64(len(arena))
}

func (in *Incoming) header(frame []byte, replyMax uint32) error {
	fn := in.fn
	if uint32(len(frame)) < fn.requestStart() || le.Uint32(frame) != magic || le.Uint16(frame[4:]) != version ||
		int(le.Uint16(frame[6:])) != fn.F.InWords || uint64(le.Uint32(frame[8:])) > uint64(len(frame)) ||
		le.Uint64(frame[16:]) != fn.Plan.Hash || le.Uint32(frame[24:]) != fn.Index {
		return lie(fn.F, "is no frame, or of another plan")
	}
	in.replyFixed = le.Uint32(frame[28:])
	if in.replyFixed > replyMax || replyMax > 0 && in.replyFixed < fn.replyStart() {
		return lie(fn.F, "has no room for its answer")
	}
	return nil
}

func (in *Incoming) accept(d *decoder, arg *Arg) (err error) {
	p, t := in.fn.Plan, arg.t
	word := uint64(0)
	if arg.param.InWord != plan.NoWord {
		word = d.request.Words[arg.param.InWord]
	}
	if arg.param.Passing == plan.PassWord {
		if t.Kind != plan.Pointer {
			arg.Value, err = d.word(t, word)
			return err
		}
		arg.Back = t.Direction&plan.Out != 0
		arg.Value, err = d.word(p.Target(t), word)
		return err
	}
	arg.place = word
	if word == 0 {
		return nil
	}
	if err := in.place(d, arg); err != nil {
		return err
	}
	if t.Kind == plan.Struct {
		image := d.sent[requestOf(word) : requestOf(word)+t.Size]
		arg.Value, err = d.object(t, image, image, false, &d.before, &d.after, nil, nil)
		return err
	}
	if arg.Back = t.Kind == plan.Pointer && t.Direction&plan.Out != 0; arg.Back && word&inArena != 0 {
		arg.room = d.arenaFrom(word)
	}
	if t.Direction == plan.Out {
		target := p.Target(t)
		single := t.Code == plan.None
		arg.Value = d.plain(target, make([]byte, arg.count*uint64(target.ElementBytes())), single, t.Has(plan.Text))
		return nil
	}
	incoming := *t
	incoming.Direction = plan.In
	arg.Value, err = d.sentPointer(&incoming, word, 0, &d.before, &d.after)
	return err
}

// place judges a place that the worker has written: both halves as its direction says, and inside.
func (in *Incoming) place(d *decoder, arg *Arg) error {
	p, t, word := in.fn.Plan, arg.t, arg.place
	direction := t.Direction
	if t.Kind == plan.Struct {
		direction = plan.In
	}
	size := uint64(t.Size)
	if t.Kind == plan.Pointer {
		arg.count = d.sentCount(t, word, &d.before)
		size = uint64(p.Target(t).ElementBytes())
		if arg.count > offsetMask/size {
			return lie(in.fn.F, "has a parameter that is too long")
		}
		size *= arg.count
	} else if t.Kind == plan.String {
		size = 1
	}
	if word&inArena != 0 {
		if uint64(len(d.arenaFrom(word))) < size || t.Kind == plan.Struct {
			return lie(in.fn.F, "has a place outside of the arena")
		}
		return d.charge(size)
	}
	request, reply := uint64(requestOf(word)), uint64(replyOf(word))
	if word&(1<<31) != 0 || (request != 0) != (direction&plan.In != 0) || (reply != 0) != (direction&plan.Out != 0) {
		return lie(in.fn.F, "has a place that its direction does not allow")
	}
	if request != 0 && (request < uint64(in.fn.requestStart()) || request%align != 0 || request+size > uint64(len(d.sent))) {
		return lie(in.fn.F, "has a place outside of its request")
	}
	if reply != 0 && (reply < uint64(in.fn.replyStart()) || reply%align != 0 || reply+size > uint64(in.replyFixed)) {
		return lie(in.fn.F, "has a place outside of its answer")
	}
	return d.charge(size)
}

// Convert makes a value for a parameter of a Go function.
func Convert(value any, to reflect.Type) (reflect.Value, error) {
	rv := reflect.New(to).Elem()
	if err := Assign(rv, value); err != nil {
		return rv, err
	}
	return rv, nil
}

// WordsOf reads the words of a callback's frame, a private copy.
func WordsOf(frame []byte) ([]uint64, error) {
	if len(frame) < headerBytes {
		return nil, fmt.Errorf("%w: a callback's frame of %d bytes", ErrLie, len(frame))
	}
	count := int(le.Uint16(frame[6:]))
	if count > plan.WordsMax || headerBytes+8*count > len(frame) {
		return nil, fmt.Errorf("%w: a callback's frame of %d words", ErrLie, count)
	}
	words := make([]uint64, count)
	for i := range words {
		words[i] = le.Uint64(frame[headerBytes+8*i:])
	}
	return words, nil
}
