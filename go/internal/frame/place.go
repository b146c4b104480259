// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"

	arenas "cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/plan"
)

func (e *encoder) frame(functionID uint32) error {
	fn, space := e.fn, e.space
	e.limit = uint32(len(space.Request))
	if len(space.Request) > offsetMask {
		e.limit = offsetMask
	}
	if space.ReplyLimit > offsetMask {
		space.ReplyLimit = offsetMask
	}
	e.at, e.replyAt = fn.requestStart(), fn.replyStart()
	if e.at > e.limit || e.replyAt > space.ReplyLimit {
		return fmt.Errorf("'%s': its words do not fit a frame of %d bytes: %w", fn.F.Name, e.limit, ErrTooLarge)
	}
	e.scope.request = space.Request
	zero(space.Request[:e.at])
	// What lengths may name goes first, wherever it stands: the others' are computed from what was sent.
	for _, first := range [2]bool{true, false} {
		for i := range fn.F.Params {
			if fn.pointees>>i&1 != 0 == first {
				if err := e.place(i); err != nil {
					return err
				}
			}
		}
	}
	e.finish(functionID)
	return nil
}

func zero(memory []byte) {
	for i := range memory {
		memory[i] = 0
	}
}

func (e *encoder) finish(functionID uint32) {
	r, space := e.request, e.space
	r.Bytes = e.at
	r.ReplyFixed = roundUp(e.replyAt)
	if r.ReplyFixed > space.ReplyLimit {
		r.ReplyFixed = e.replyAt
	}
	room := space.ReplyLimit - r.ReplyFixed
	more := uint32(0)
	if e.fn.dynamic {
		more = dynamicRoom
	} else if r.ReplyFixed < space.ReplyLeast {
		more = space.ReplyLeast - r.ReplyFixed
	}
	if more > room {
		more = room
	}
	r.ReplyMax = r.ReplyFixed + more
	h := space.Request
	le.PutUint32(h, magic)
	le.PutUint16(h[4:], version)
	le.PutUint16(h[6:], uint16(e.fn.F.InWords))
	le.PutUint32(h[8:], r.Bytes)
	le.PutUint32(h[12:], functionID)
	le.PutUint64(h[16:], e.fn.Plan.Hash)
	le.PutUint32(h[24:], e.fn.Index)
	le.PutUint32(h[28:], r.ReplyFixed)
	le.PutUint32(h[32:], r.ReplyMax)
	for i := 0; i < e.fn.F.InWords; i++ {
		le.PutUint64(h[headerBytes+8*i:], r.Words[i])
	}
}

func (e *encoder) place(i int) error {
	param := &e.fn.F.Params[i]
	t := e.fn.Plan.Type(param.Type)
	e.param = i
	var place uint64
	var err error
	switch param.Passing {
	case plan.PassVarargs:
		place, err = e.varargs()
	case plan.PassBytes:
		place, err = e.bytes(t, e.argument(i))
	case plan.PassDynamic:
		if param.InWord == plan.NoWord {
			return nil
		}
		place, err = e.owned(t, e.argument(i))
	default:
		return nil
	}
	if err == nil {
		e.request.Words[param.InWord] = place
	}
	return err
}

// bytes encodes a parameter that is memory; v is nil if it only comes back.
func (e *encoder) bytes(t *plan.Type, v *Value) (uint64, error) {
	switch {
	case v != nil && v.Kind == Nil && t.Kind != plan.Struct:
		return e.null(t)
	case t.Kind == plan.String:
		return e.stringArgument(t, v)
	case t.Kind == plan.Pointer:
		return e.pointer(t, v, &e.scope, nil)
	}
	if v == nil || v.Kind != Other {
		return 0, e.refuse("is %s, but a struct is needed", v.describe())
	}
	at, err := e.reserveRequest(uint64(t.Size))
	if err != nil {
		return 0, err
	}
	return uint64(at), e.image(t, v.Any, at)
}

// null: declared so, or to no elements, as another argument says.
func (e *encoder) null(t *plan.Type) (uint64, error) {
	if t.Has(plan.Nullable) {
		return 0, nil
	}
	if index := e.fn.Plan.PlainParam(t.Code); t.Code != plan.None && (index == plan.None || !e.fn.F.Params[index].Filled) {
		if needed, err := e.scope.evaluate(t.Code); err == nil && needed == 0 {
			return 0, nil
		}
	}
	return 0, e.refuse("is nil, but must not be (not nullable)")
}

func (e *encoder) reserve(what string, bytes uint64, limit uint32, cursor *uint32) (uint32, error) {
	at := uint64(roundUp(*cursor))
	if at > uint64(limit) || bytes > uint64(limit)-at {
		return 0, e.refuse("needs %d bytes of the %s, which holds %d in all: %w", bytes, what, limit, ErrTooLarge)
	}
	*cursor = uint32(at + bytes)
	return uint32(at), nil
}

func (e *encoder) reserveRequest(bytes uint64) (uint32, error) {
	before := e.at
	at, err := e.reserve("request", bytes, e.limit, &e.at)
	if err == nil {
		zero(e.space.Request[before:at]) // nothing of an earlier call shows between the parts of this one
	}
	return at, err
}

func (e *encoder) reserveReply(bytes uint64) (uint32, error) {
	return e.reserve("reply", bytes, e.space.ReplyLimit, &e.replyAt)
}

func (e *encoder) stringArgument(t *plan.Type, v *Value) (uint64, error) {
	text, isText := "", false
	if v != nil {
		if text, isText = textOf(v); !isText {
			return 0, e.refuse("is %s, but must be a string", v.describe())
		}
	}
	capacity := uint64(len(text)) + 1
	if t.Code != plan.None {
		var err error
		if capacity, err = e.scope.evaluate(t.Code); err != nil {
			return 0, e.refuse("has a length that %w", err)
		}
	}
	return e.string(t, text, capacity)
}

// string encodes a text; capacity is what comes back at most, with the NUL.
func (e *encoder) string(t *plan.Type, text string, capacity uint64) (uint64, error) {
	in, out := t.Direction&plan.In != 0, t.Direction&plan.Out != 0
	if len(text) > stringMax || out && capacity > stringMax+1 {
		return 0, e.refuse("is a string of more than %d bytes: %w", stringMax, ErrTooLarge)
	}
	for i := 0; in && i < len(text); i++ {
		if text[i] == 0 {
			return 0, e.refuse("is a string with a NUL inside its %d bytes", len(text))
		}
	}
	if in && out && capacity <= uint64(len(text)) {
		return 0, e.refuse("is a string of %d bytes, and has room for %d with its NUL", len(text), capacity)
	}
	var place uint64
	if out {
		at, err := e.reserveReply(capacity)
		if err != nil {
			return 0, err
		}
		place = uint64(at) << 32
	}
	if in {
		at, err := e.reserveRequest(uint64(len(text)) + 1)
		if err != nil {
			return 0, err
		}
		copy(e.space.Request[at:], text)
		e.space.Request[at+uint32(len(text))] = 0
		place |= uint64(at)
	}
	return place, nil
}

// owned encodes `inout owned(free) char **`: what the pointer points to goes as bytes.
func (e *encoder) owned(t *plan.Type, v *Value) (uint64, error) {
	target := *e.fn.Plan.Target(t)
	if v == nil || v.Kind == Nil {
		return 0, nil
	}
	target.Direction = plan.In
	if target.Kind == plan.String {
		text, isText := textOf(v)
		if !isText {
			return 0, e.refuse("is %s, but must be a string", v.describe())
		}
		return e.string(&target, text, 0)
	}
	return e.pointer(&target, v, &e.scope, nil)
}

// pointer encodes what t points to: v's elements, as many as its length says. v is nil if it only comes back.
func (e *encoder) pointer(t *plan.Type, v *Value, s *scope, owner *plan.Type) (uint64, error) {
	target := e.fn.Plan.Target(t)
	needed := uint64(1)
	if t.Code != plan.None {
		var err error
		if needed, err = s.evaluate(t.Code); err != nil {
			return 0, e.refuse("has a length that %w", err)
		}
	}
	if v != nil {
		given, err := e.countOf(target, v)
		if err != nil {
			return 0, e.refuse("%w", err)
		}
		if t.Has(plan.NullEnded) {
			needed = given
		}
		if given < needed || given != needed && t.Code != plan.None && e.isFilled(t, owner) {
			return 0, e.refuse("holds %d element%s, but its length is %d", given, plural(int(given)), needed)
		}
	}
	if place := e.arenaPlace(t, target, v, needed); place != 0 {
		return place, nil
	}
	size := uint64(target.ElementBytes())
	if needed > offsetMask/size {
		return 0, e.refuse("takes %d elements of %d bytes: %w", needed, size, ErrTooLarge)
	}
	return e.block(t, target, v, needed)
}

// arenaPlace is the place of an argument whose numbers lie in the worker's arena: they stay there. 0: it is to be copied, as
// all is that the library keeps, and lengths are that others name.
func (e *encoder) arenaPlace(t, target *plan.Type, v *Value, count uint64) uint64 {
	param := &e.fn.F.Params[e.param]
	arena := e.space.Hooks.Arena()
	if arena == nil || v == nil || t != e.fn.Plan.Type(param.Type) || param.Passing != plan.PassBytes ||
		t.Has(plan.NullEnded|plan.Kept|plan.Owned) || e.fn.pointees>>e.param&1 != 0 || !liesAsInC(target) {
		return 0
	}
	memory, element := elementsOf(e.fn.Plan, target, v)
	if element == 0 || count*uint64(element) > uint64(len(memory)) || !arenas.Holds(arena, memory) {
		return 0
	}
	e.request.inArena = append(e.request.inArena, lent{e.param, *v})
	return inArena | arenas.Address(memory)
}

// liesAsInC: elements that are the same bytes in Go, whatever bytes they are.
func liesAsInC(target *plan.Type) bool {
	return target.Kind == plan.Void || target.Kind.IsScalar() && target.Kind != plan.Bool
}

// isFilled: the length is nothing but a parameter, or a member, that is filled in: then counts must be equal.
func (e *encoder) isFilled(t, owner *plan.Type) bool {
	if index := e.fn.Plan.PlainParam(t.Code); index != plan.None {
		return e.fn.F.Params[index].Filled
	}
	if index := e.fn.Plan.PlainField(t.Code); index != plan.None && owner != nil {
		return e.fn.Plan.FieldsOf(owner)[index].Flags&plan.FieldFilled != 0
	}
	return false
}

func (e *encoder) block(t, target *plan.Type, v *Value, count uint64) (uint64, error) {
	bytes := count * uint64(target.ElementBytes())
	if t.Has(plan.NullEnded) {
		bytes += 8
	}
	var place uint64
	if t.Direction&plan.Out != 0 {
		at, err := e.reserveReply(bytes)
		if err != nil {
			return 0, err
		}
		place = uint64(at) << 32
	}
	if t.Direction&plan.In == 0 {
		return place, nil
	}
	at, err := e.reserveRequest(bytes)
	if err != nil {
		return 0, err
	}
	place |= uint64(at)
	if t.Has(plan.NullEnded) {
		zero(e.space.Request[uint64(at)+bytes-8 : uint64(at)+bytes])
	}
	return place, e.elements(target, v, count, at)
}

func (e *encoder) elements(target *plan.Type, v *Value, count uint64, at uint32) error {
	if v == nil {
		zero(e.space.Request[at : uint64(at)+count*uint64(target.ElementBytes())])
		return nil
	}
	if source, element := elementsOf(e.fn.Plan, target, v); element != 0 {
		copy(e.space.Request[at:uint64(at)+count*uint64(element)], source)
		return nil
	}
	if e.depth >= depthMax {
		return e.refuse("nests more than %d pointers: %w", depthMax, ErrTooLarge)
	}
	e.depth++
	defer func() { e.depth-- }()
	return e.each(v, count, func(i uint64, element any) error {
		return e.image(target, element, at+uint32(i)*target.Size)
	})
}

// image encodes one object at its place: beside it first, since its pointers become places on the way.
func (e *encoder) image(t *plan.Type, v any, at uint32) error {
	var small [256]byte
	image := small[:]
	if int(t.Size) > len(small) {
		image = make([]byte, t.Size)
	}
	image = image[:t.Size]
	if err := e.object(t, v, image, nil, nil); err != nil {
		return err
	}
	copy(e.space.Request[at:], image)
	return nil
}
