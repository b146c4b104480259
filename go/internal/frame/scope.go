// SPDX-License-Identifier: Apache-2.0

package frame

import "cordon.internal/cordon/internal/plan"

// Outer is the call that a callback was passed to, as it was sent: lengths of the callback may name its parameters.
type Outer struct {
	Fn      *Func
	Words   []uint64
	Request []byte
}

// scope is where a length's code finds its values.
type scope struct {
	p       *plan.Plan
	f       *plan.Function
	outer   *Outer
	words   []uint64 // of the request
	request []byte   // which the other side cannot write, or a private copy

	replyWords []uint64                // after the call; nil: before
	known      uint64                  // pointees that were read out of the reply, by parameter
	came       *[plan.ParamsMax]uint64 // and what they are

	owner *plan.Type // the struct whose members Field means
	image []byte     // its bytes
}

func lengthOf(kind plan.Kind, word uint64) (int64, error) {
	if !kind.IsInteger() {
		return 0, plan.ErrUnknown
	}
	if kind == plan.U64 && int64(word) < 0 {
		return 0, plan.ErrOverflow
	}
	return int64(word), nil
}

func (s *scope) Param(index uint32) (int64, error) {
	if uint64(index) >= uint64(len(s.f.Params)) || s.f.Params[index].InWord == plan.NoWord {
		return 0, plan.ErrUnknown
	}
	param := &s.f.Params[index]
	return lengthOf(s.p.Type(param.Type).Kind, s.words[param.InWord])
}

func (s *scope) Deref(index uint32) (int64, error) {
	if uint64(index) >= uint64(len(s.f.Params)) {
		return 0, plan.ErrUnknown
	}
	param := &s.f.Params[index]
	t := s.p.Type(param.Type)
	if t.Kind != plan.Pointer {
		return 0, plan.ErrUnknown
	}
	kind := s.p.Target(t).Kind
	if !kind.IsInteger() {
		return 0, plan.ErrUnknown
	}
	if param.Passing == plan.PassWord {
		if s.replyWords != nil && param.OutWord != plan.NoWord {
			return lengthOf(kind, s.replyWords[param.OutWord])
		}
		if param.InWord == plan.NoWord {
			return 0, plan.ErrUnknown
		}
		return lengthOf(kind, s.words[param.InWord])
	}
	if param.InWord == plan.NoWord {
		return 0, plan.ErrUnknown
	}
	if s.known>>index&1 != 0 {
		return lengthOf(kind, s.came[index])
	}
	place := s.words[param.InWord]
	if place == 0 {
		return 0, nil
	}
	at, size := requestOf(place), kind.Size()
	if place&inArena != 0 || at == 0 || uint64(at)+uint64(size) > uint64(len(s.request)) {
		return 0, plan.ErrUnknown
	}
	return lengthOf(kind, load(kind, s.request[at:]))
}

func (s *scope) Field(index uint32) (int64, error) {
	if s.owner == nil || s.image == nil || index >= s.owner.Count {
		return 0, plan.ErrUnknown
	}
	field := &s.p.FieldsOf(s.owner)[index]
	kind := s.p.Type(field.Type).Kind
	if !kind.IsInteger() {
		return 0, plan.ErrUnknown
	}
	return lengthOf(kind, load(kind, s.image[field.Offset:]))
}

func (s *scope) outerScope() *scope {
	if s.outer == nil {
		return nil
	}
	return &scope{p: s.outer.Fn.Plan, f: s.outer.Fn.F, words: s.outer.Words, request: s.outer.Request}
}

func (s *scope) Outer(index uint32) (int64, error) {
	if outer := s.outerScope(); outer != nil {
		return outer.Param(index)
	}
	return 0, plan.ErrUnknown
}

func (s *scope) OuterDeref(index uint32) (int64, error) {
	if outer := s.outerScope(); outer != nil {
		return outer.Deref(index)
	}
	return 0, plan.ErrUnknown
}

func (s *scope) Result() (int64, error) {
	result := &s.f.Result
	if s.replyWords == nil || result.OutWord == plan.NoWord {
		return 0, plan.ErrUnknown
	}
	return lengthOf(s.p.Type(result.Type).Kind, s.replyWords[result.OutWord])
}

func (s *scope) evaluate(code uint32) (uint64, error) { return s.p.Evaluate(code, s) }

// in returns the scope inside of a struct.
func (s *scope) in(owner *plan.Type, image []byte) *scope {
	inner := *s
	inner.owner, inner.image = owner, image
	return &inner
}

// unionField is the case that the selector in the owner's image tells, or nil.
func unionField(p *plan.Plan, t, owner *plan.Type, image []byte) *plan.Field {
	selector := &p.FieldsOf(owner)[t.Within]
	value := load(p.Type(selector.Type).Kind, image[selector.Offset:])
	fields := p.FieldsOf(t)
	for i := range fields {
		f := &fields[i]
		if f.Flags == plan.FieldDefault || uint64(f.ValueHigh)<<32|uint64(f.FilledBy) == value {
			return f
		}
	}
	return nil
}
