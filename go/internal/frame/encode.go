// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"

	"cordon.internal/cordon/internal/plan"
)

// Space is where a request may be laid out, and how much reply may be asked for.
type Space struct {
	Request    []byte // aligned to 16
	ReplyLimit uint32
	ReplyLeast uint32 // asked for in any case: the sentence of a refusal comes where the reply would
	Hooks      Hooks
	Outer      *Outer
}

// encoder is one call on its way out.
type encoder struct {
	fn      *Func
	args    []Value
	space   *Space
	request *Request
	scope   scope
	limit   uint32 // of the request
	at      uint32 // where the next part of the request goes
	replyAt uint32
	param   int // the one at work, for sentences
	depth   int
}

// Words encodes a call that takes nothing but numbers (Scalars), and reports false if it is to be looked at more closely.
func (fn *Func) Words(args []Value, words *[plan.MailboxWords]uint64) bool {
	if len(args) != len(fn.kinds) || len(args) > len(words) {
		return false
	}
	for i := range args {
		word, ok := args[i].Scalar(fn.kinds[i])
		if !ok {
			return false
		}
		words[i] = word
	}
	return true
}

// EncodeShort lays out the arrays of a call that is Short, and its words: words[0] is left to the lane. It reports false
// if the call is to be encoded in general.
func (fn *Func) EncodeShort(args []Value, memory []byte, words *[6]uint64) (bytes uint32, ok bool) {
	if len(args) != len(fn.Takes) {
		return 0, false
	}
	at := uint32(0)
	for n := range fn.short {
		p := &fn.short[n]
		if p.target == nil {
			if words[1+p.param], ok = args[n].Scalar(p.kind); !ok {
				return 0, false
			}
			continue
		}
		source, element := elementsOf(fn.Plan, p.target, &args[n])
		if len(source) == 0 || len(source) > len(memory)-int(at)-align {
			return 0, false
		}
		count := uint64(len(source))
		if element > 1 {
			count /= uint64(element)
		}
		if count > p.most {
			return 0, false
		}
		words[1+p.param], words[1+p.length] = uint64(at), count
		copy(memory[at:], source)
		at = roundUp(at + uint32(len(source)))
	}
	return at, at > 0
}

// Encode lays out a call. args are one value for each of Takes, and then those of `...`. A function whose request is only
// words leaves the space as it is.
func (fn *Func) Encode(args []Value, functionID uint32, space *Space, request *Request) error {
	e := encoder{fn: fn, args: args, space: space, request: request}
	e.scope = scope{p: fn.Plan, f: fn.F, outer: space.Outer, words: request.Words[:], request: nil}
	*request = Request{}
	if len(args) < len(fn.Takes) || len(args) > len(fn.Takes) && fn.variadic < 0 {
		least := ""
		if fn.variadic >= 0 {
			least = "at least "
		}
		return fmt.Errorf("'%s' takes %s%d argument%s, %d given", fn.F.Name, least, len(fn.Takes), plural(len(fn.Takes)), len(args))
	}
	if err := e.words(); err != nil {
		return err
	}
	if fn.F.Has(plan.Mailbox) {
		return nil
	}
	return e.frame(functionID)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// refuse makes a sentence about the parameter at work.
func (e *encoder) refuse(format string, args ...any) error {
	if e.args == nil && len(e.fn.Takes) > 0 || len(e.fn.F.Params) == 0 { // what a callback gives
		return fmt.Errorf(format, args...)
	}
	param := &e.fn.F.Params[e.param]
	what := "parameter"
	for n, i := range e.fn.Takes {
		if i == e.param {
			what = fmt.Sprintf("argument %d", n+1)
		}
	}
	if param.Name != "" {
		what += " '" + param.Name + "'"
	}
	return fmt.Errorf("'%s': %s %w", e.fn.F.Name, what, fmt.Errorf(format, args...))
}

// argument is the value of parameter i; nil if it is not passed.
func (e *encoder) argument(i int) *Value {
	for n, taken := range e.fn.Takes {
		if taken == i {
			return &e.args[n]
		}
	}
	return nil
}

// words encodes what is no place: lengths of the others are computed from these.
func (e *encoder) words() error {
	f := e.fn.F
	for i := range f.Params {
		param := &f.Params[i]
		if param.Passing != plan.PassWord || param.InWord == plan.NoWord {
			continue
		}
		e.param = i
		var word uint64
		var err error
		if param.Filled {
			word, err = e.filled(param)
		} else {
			word, err = e.word(e.fn.Plan.Type(param.Type), e.argument(i))
		}
		if err != nil {
			return err
		}
		e.request.Words[param.InWord] = word
	}
	return nil
}

func (e *encoder) filled(param *plan.Param) (uint64, error) {
	array := &e.fn.F.Params[param.FilledBy]
	kind := e.fn.Plan.Type(param.Type).Kind
	count, err := e.countOf(e.fn.Plan.Target(e.fn.Plan.Type(array.Type)), e.argument(int(param.FilledBy)))
	if err != nil {
		e.param = int(param.FilledBy)
		return 0, e.refuse("%w", err)
	}
	if count > ranges[kind].max {
		e.param = int(param.FilledBy)
		return 0, e.refuse("holds %d elements, more than its length '%s' (%v) can say: %w", count, param.Name, kind, ErrTooLarge)
	}
	return count, nil
}

// word encodes a value that travels in a word: a number, or what a pointer to one points to.
func (e *encoder) word(t *plan.Type, v *Value) (uint64, error) {
	if v == nil {
		return 0, nil
	}
	if t.Kind == plan.Pointer {
		target := e.fn.Plan.Target(t)
		pointee := *v
		if v.Kind == Other {
			pointee = pointeeOf(v)
		}
		if pointee.Kind == Nil && target.Kind != plan.Handle && target.Kind != plan.Callback && target.Kind != plan.Within {
			return 0, e.refuse("is nil, but must point to one %v", target.Kind)
		}
		return e.opaque(target, &pointee)
	}
	return e.opaque(t, v)
}

// opaque encodes numbers, handles, tokens, callbacks and offsets.
func (e *encoder) opaque(t *plan.Type, v *Value) (uint64, error) {
	if t.Kind.IsScalar() {
		return e.scalar(t, v)
	}
	switch t.Kind {
	case plan.Handle:
		if v.Kind != Nil && v.Kind != Other {
			return 0, e.refuse("is %s, but must be a handle of %s", v.describe(), e.fn.Plan.TypeName(t))
		}
		word, err := e.space.Hooks.HandleWord(e.fn.Plan, t, v.Any)
		if err != nil {
			return 0, e.refuse("%w", err)
		}
		if word == 0 && !t.Has(plan.Nullable) {
			return 0, e.refuse("is nil, but must not be (not nullable)")
		}
		return word, nil
	case plan.Callback:
		return e.callback(t, v)
	case plan.Token:
		if v.Kind == Nil {
			return 0, nil
		}
		if v.Kind == Int || v.Kind == Uint {
			return v.Word, nil
		}
		return 0, e.refuse("is %s, but must be a number: no pointer of this process is given away", v.describe())
	case plan.Within:
		if v.Kind == Nil {
			return 0, nil
		}
		if (v.Kind == Int || v.Kind == Uint) && v.Word < 1<<32 {
			return v.Word + 1, nil
		}
		return 0, e.refuse("is %s, but must be an offset in bytes, or nil", v.describe())
	}
	return 0, e.refuse("is of a kind that does not travel in a word: %v", t.Kind)
}

func (e *encoder) callback(t *plan.Type, v *Value) (uint64, error) {
	switch v.Kind {
	case Nil:
		if !t.Has(plan.Nullable) {
			return 0, e.refuse("is nil, but must not be (not nullable)")
		}
		return 0, nil
	case Int, Uint: // a constant such as SIG_IGN
		return 1<<63 | v.Word&(1<<62-1), nil
	case Other:
		word, err := e.space.Hooks.CallbackWord(e.fn.Plan, t, v.Any)
		if err != nil {
			return 0, e.refuse("%w", err)
		}
		return word, nil
	}
	return 0, e.refuse("is %s, but must be a function", v.describe())
}

func (e *encoder) scalar(t *plan.Type, v *Value) (uint64, error) {
	word, ok := v.Scalar(t.Kind)
	if ok {
		return word, nil
	}
	if v.Kind == Text && t.Has(plan.Enum) {
		for _, enumerator := range e.fn.Plan.EnumeratorsOf(t) {
			if enumerator.Name == v.Text {
				return uint64(enumerator.Value), nil
			}
		}
		return 0, e.refuse("is %q, which is no name of %s", v.Text, e.fn.Plan.TypeName(t))
	}
	if v.Kind == Other { // a pointer to a number stands for it
		if pointee := pointeeOf(v); pointee.Kind != Nil && pointee.Kind != Other {
			return e.scalar(t, &pointee)
		}
	}
	return 0, e.refuse("is %s; %s", v.describe(), rangeText(t.Kind))
}
