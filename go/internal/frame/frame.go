// SPDX-License-Identifier: Apache-2.0

// Package frame marshals calls: Go values to request words and bytes, reply words and bytes to Go values, by the plan of
// the function (docs/protocol/frame.md), and the same in the other direction for callbacks.
//
// A request is laid out where the worker can read it, and it may look at any moment; nothing but what the callee may
// know is ever written there. Nothing of a reply is believed: words are private copies, each byte is copied out once, and
// the copy is judged. What comes out of a reply is made of new memory; the caller's is written when all of it is known.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cordon.internal/cordon/internal/plan"
)

const (
	magic       = 0x4d524643
	version     = 1
	headerBytes = 48
	align       = 16
	inArena     = 1 << 63
	offsetMask  = 0x7fffffff

	depthMax    = 64       // pointers inside pointers
	stringMax   = 16 << 20 // LIMIT_STRING_BYTES
	dynamicRoom = 1 << 20  // LIMIT_DYNAMIC_ROOM
)

var le = binary.LittleEndian

// ErrLie is wrapped by errors about replies that cannot be: the worker is not to be used any more.
var ErrLie = errors.New("the worker's reply cannot be")

func lie(f *plan.Function, what string) error {
	return fmt.Errorf("%w: reply of '%s' %s", ErrLie, f.Name, what)
}

// ErrTooLarge is wrapped by errors about arguments that do not fit a frame or a limit.
var ErrTooLarge = errors.New("too large")

// Hooks are what a frame does not know of: handles and callbacks. Each error is a sentence about the value.
type Hooks interface {
	// HandleWord returns the word of a handle for the type; nil is 0.
	HandleWord(p *plan.Plan, t *plan.Type, value any) (uint64, error)
	// NewHandle makes a handle of a word that is not 0.
	NewHandle(p *plan.Plan, t *plan.Type, word uint64) any
	// Arena lends the worker's arena, at the address that the worker has it at, too; nil: it has none. The worker may
	// write there at any moment.
	Arena() []byte
	// CallbackWord returns the number by which the worker will call a function back.
	CallbackWord(p *plan.Plan, t *plan.Type, value any) (uint64, error)
}

// Request is what a call's sender keeps until the reply is decoded.
type Request struct {
	Words      [plan.WordsMax]uint64
	Bytes      uint32 // 0: only words
	ReplyFixed uint32
	ReplyMax   uint32

	inArena []lent // parameters whose memory did not travel
}

// lent is an argument that lies in the arena.
type lent struct {
	param int
	value Value
}

func (r *Request) lent(param int) *Value {
	for i := range r.inArena {
		if r.inArena[i].param == param {
			return &r.inArena[i].value
		}
	}
	return nil
}

// Func is a function, or a callback's shape, made ready: what would be found out for each call anew.
type Func struct {
	Plan  *plan.Plan
	F     *plan.Function
	Index uint32
	Takes []int // parameters that a Go caller passes, in order; `...` is not among them
	Gives []int // parameters of which something comes back
	Short bool  // its request is words and plain arrays without a frame
	// Scalars: it takes nothing but numbers, in the order of its words, and gives at most one.
	Scalars bool

	Result plan.Kind // of the function

	kinds    []plan.Kind  // of the parameters
	short    []shortParam // of Takes, if it is Short
	variadic int          // index of `...`, or -1
	dynamic  bool         // the worker alone knows how long the reply gets
	pointees uint64       // parameters that lengths may look into
}

// Prepare makes function index of a plan ready. An error says what of it cannot be called from Go.
func Prepare(p *plan.Plan, index uint32) (*Func, error) {
	f := &p.Functions[index]
	fn := &Func{Plan: p, F: f, Index: index, Result: p.Type(f.Result.Type).Kind, variadic: -1}
	for i := range f.Params {
		fn.kinds = append(fn.kinds, p.Type(f.Params[i].Type).Kind)
	}
	fn.dynamic = f.Result.Passing == plan.PassDynamic || f.Result.Passing == plan.PassBytes
	for i := range f.Params {
		param := &f.Params[i]
		t := p.Type(param.Type)
		fn.dynamic = fn.dynamic || param.Passing == plan.PassDynamic
		if param.Passing == plan.PassVarargs {
			fn.variadic = i
			continue
		}
		if p.Pointee(param) != nil {
			fn.pointees |= 1 << i
		}
		if !param.Filled && !isOutOnly(t) {
			fn.Takes = append(fn.Takes, i)
		}
		if givesBack(p, t) {
			fn.Gives = append(fn.Gives, i)
		}
		if t.Kind == plan.String && t.Direction == plan.Out && t.Code == plan.None ||
			t.Kind == plan.Pointer && t.Direction == plan.Out && t.Has(plan.NullEnded) {
			return nil, fmt.Errorf("'%s': parameter '%s' only comes back, and nothing says how long it may get", f.Name, param.Name)
		}
	}
	fn.Scalars = fn.isScalars()
	if fn.Short = fn.isShort(); fn.Short {
		fn.short = fn.shortParams()
	}
	return fn, nil
}

// isOutOnly: it only comes back, so a Go caller does not pass it.
func isOutOnly(t *plan.Type) bool {
	return (t.Kind == plan.Pointer || t.Kind == plan.String) && t.Direction == plan.Out
}

// givesBack: something behind a pointer is written by the function.
func givesBack(p *plan.Plan, t *plan.Type) bool {
	switch t.Kind {
	case plan.String:
		return t.Direction&plan.Out != 0
	case plan.Pointer:
		return t.Direction&plan.Out != 0 || givesBack(p, p.Target(t))
	case plan.Array:
		return givesBack(p, p.Target(t))
	case plan.Struct, plan.Union:
		fields := p.FieldsOf(t)
		for i := range fields {
			if givesBack(p, p.Type(fields[i].Type)) {
				return true
			}
		}
	}
	return false
}

// isPlain: an object of the type can be copied as it is.
func isPlain(p *plan.Plan, t *plan.Type) bool {
	switch t.Kind {
	case plan.Struct:
		fields := p.FieldsOf(t)
		for i := range fields {
			if !isPlain(p, p.Type(fields[i].Type)) {
				return false
			}
		}
		return true
	case plan.Array:
		return isPlain(p, p.Target(t))
	case plan.Void, plan.Token:
		return true
	}
	return t.Kind.IsScalar()
}

// isBytes: elements that are bytes in Go.
func isBytes(t *plan.Type) bool {
	return t.Kind == plan.Void || t.Kind == plan.U8 || t.Kind == plan.I8 && !t.Has(plan.Enum)
}

func (fn *Func) isScalars() bool {
	f := fn.F
	if !f.Has(plan.Mailbox) || f.Passed != len(f.Params) || f.OutWords > 1 {
		return false
	}
	result := fn.Plan.Type(f.Result.Type).Kind
	if result != plan.Void && !result.IsScalar() {
		return false
	}
	for i := range f.Params {
		if !fn.Plan.Type(f.Params[i].Type).Kind.IsScalar() {
			return false
		}
	}
	return true
}

// plainArray: constant, for the call only, elements numbers but not bool, as long as one other parameter says.
func (fn *Func) plainArray(param *plan.Param) (length uint32, ok bool) {
	t := fn.Plan.Type(param.Type)
	if param.Passing != plan.PassBytes || t.Kind != plan.Pointer || t.Direction != plan.In ||
		t.Flags&(plan.Const|plan.Kept|plan.NullEnded|plan.Owned) != plan.Const {
		return 0, false
	}
	length = fn.Plan.PlainParam(t.Code)
	element := fn.Plan.Target(t)
	if element.Kind != plan.Void && (!element.Kind.IsScalar() || element.Kind == plan.Bool) {
		return 0, false
	}
	return length, uint64(length) < uint64(len(fn.F.Params))
}

// shortParam is what a call that is Short does with one argument.
type shortParam struct {
	param  int
	kind   plan.Kind  // of a number
	target *plan.Type // of an array's elements; nil: a number
	length int        // the parameter that says how many there are
	most   uint64     // that it can say
}

func (fn *Func) shortParams() (list []shortParam) {
	for _, i := range fn.Takes {
		p := shortParam{param: i, kind: fn.kinds[i]}
		if t := fn.Plan.Type(fn.F.Params[i].Type); fn.F.Params[i].Passing == plan.PassBytes {
			p.target, p.length = fn.Plan.Target(t), int(fn.Plan.PlainParam(t.Code))
			p.most = ranges[fn.kinds[p.length]].max
		}
		list = append(list, p)
	}
	return list
}

func (fn *Func) isShort() bool {
	f := fn.F
	result := fn.Plan.Type(f.Result.Type).Kind
	if f.Has(plan.Variadic) || len(f.Params) > 5 || f.OutWords > 1 || result != plan.Void && !result.IsScalar() {
		return false
	}
	arrays := false
	for i := range f.Params {
		param := &f.Params[i]
		if int(param.InWord) != i || param.OutWord != plan.NoWord {
			return false
		}
		if param.Passing == plan.PassBytes {
			length, ok := fn.plainArray(param)
			if !ok || !f.Params[length].Filled || f.Params[length].FilledBy != uint32(i) {
				return false
			}
			arrays = true
		} else if param.Passing != plan.PassWord || !fn.Plan.Type(param.Type).Kind.IsScalar() {
			return false
		}
	}
	return arrays
}

// ResultFits judges the word that a function of Scalars or Short has returned.
func (fn *Func) ResultFits(word uint64) bool { return fn.Result == plan.Void || Fits(fn.Result, word) }

// Variadic reports whether it ends with `...`.
func (fn *Func) Variadic() bool { return fn.variadic >= 0 }

func (fn *Func) requestStart() uint32 { return roundUp(headerBytes + uint32(fn.F.InWords)*8) }

// replyStart is the first byte of a reply that a buffer may take: behind its words, and never 0.
func (fn *Func) replyStart() uint32 {
	if fn.F.OutWords > plan.MailboxWords {
		return roundUp(uint32(fn.F.OutWords) * 8)
	}
	return align
}

func roundUp(n uint32) uint32 { return (n + align - 1) &^ (align - 1) }

func requestOf(place uint64) uint32 { return uint32(place & offsetMask) }
func replyOf(place uint64) uint32   { return uint32(place >> 32 & offsetMask) }
