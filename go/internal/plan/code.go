// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"math"
)

// Operations of a length's postfix code.
const (
	opEnd = iota
	opPush
	opParam
	opDeref
	opField
	opOuter
	opOuterDeref
	opResult
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opShl
	opShr
	opNeg
	opCall
	opCount
)

// operands in bytes, values taken from the stack and left on it. Call takes as many as it says.
var ops = [opCount]struct{ operands, takes, leaves uint32 }{
	opPush: {8, 0, 1}, opParam: {2, 0, 1}, opDeref: {2, 0, 1}, opField: {2, 0, 1}, opOuter: {2, 0, 1},
	opOuterDeref: {2, 0, 1}, opResult: {0, 0, 1}, opAdd: {0, 2, 1}, opSub: {0, 2, 1}, opMul: {0, 2, 1},
	opDiv: {0, 2, 1}, opMod: {0, 2, 1}, opShl: {0, 2, 1}, opShr: {0, 2, 1}, opNeg: {0, 1, 1}, opCall: {5, 0, 1},
}

// codeUses judges the code at an offset and says what it names.
func (p *Plan) codeUses(at uint32) (u uses, wrong string) {
	size := uint32(len(p.code))
	height := uint32(0)
	for start := at; ; {
		if at >= size || at-start >= codeBytesMax {
			return u, "a length's code has no end"
		}
		op := p.code[at]
		at++
		if op == opEnd {
			break
		}
		if op >= opCount || ops[op].operands > size-at {
			return u, "a length's code has an unknown operation"
		}
		operand := p.code[at : at+ops[op].operands]
		takes := ops[op].takes
		if op == opCall {
			if name := le.Uint32(operand); name == 0 || !p.isName(name) {
				return u, "a length's code calls what has no name"
			}
			takes = uint32(operand[4])
		}
		if takes > height || height-takes+ops[op].leaves > codeStackMax {
			return u, "a length's code does not keep to its stack"
		}
		height = height - takes + ops[op].leaves
		if !u.note(op, operand) {
			return u, "a length's code names no parameter"
		}
		at += ops[op].operands
	}
	if height != 1 {
		return u, "a length's code does not leave one value"
	}
	if u.call {
		u.arguments, u.values = u.values, 0
	}
	return u, ""
}

func (u *uses) note(op byte, operand []byte) bool {
	var bits *uint64
	switch op {
	case opParam:
		bits = &u.values
	case opDeref:
		bits = &u.derefs
	case opOuter:
		bits = &u.outerValues
	case opOuterDeref:
		bits = &u.outerDerefs
	case opField:
		u.field = true
	case opResult:
		u.result = true
	case opCall:
		u.call = true
	}
	if bits == nil {
		return true
	}
	index := le.Uint16(operand)
	if index >= ParamsMax {
		return false
	}
	*bits |= 1 << index
	return true
}

// codeFields lists the members that judged code names.
func (p *Plan) codeFields(at uint32) (fields []uint16) {
	for p.code[at] != opEnd {
		op := p.code[at]
		if op == opField {
			fields = append(fields, le.Uint16(p.code[at+1:]))
		}
		at += 1 + ops[op].operands
	}
	return fields
}

// PlainParam is the parameter that a length names and nothing else, or None.
func (p *Plan) PlainParam(at uint32) uint32 {
	if at == None || p.code[at] != opParam || p.code[at+3] != opEnd {
		return None
	}
	return uint32(le.Uint16(p.code[at+1:]))
}

// PlainField is the member that a length names and nothing else, or None.
func (p *Plan) PlainField(at uint32) uint32 {
	if at == None || p.code[at] != opField || p.code[at+3] != opEnd {
		return None
	}
	return uint32(le.Uint16(p.code[at+1:]))
}

var (
	// ErrUnknown: what a length names is not known (yet).
	ErrUnknown = errors.New("cannot be computed here")
	// ErrNegative: a length came out negative.
	ErrNegative = errors.New("is negative")
	// ErrOverflow: it does not fit 63 bits.
	ErrOverflow = errors.New("overflows")
	// ErrDivision by zero.
	ErrDivision = errors.New("divides by zero")
)

// Scope is where a length's code finds its values.
type Scope interface {
	Param(index uint32) (int64, error)
	Deref(index uint32) (int64, error)
	Field(index uint32) (int64, error)
	Outer(index uint32) (int64, error)
	OuterDeref(index uint32) (int64, error)
	Result() (int64, error)
}

// Evaluate computes the length whose code stands at an offset.
func (p *Plan) Evaluate(at uint32, scope Scope) (uint64, error) {
	var stack [codeStackMax]int64
	height := 0
	for {
		op := p.code[at]
		at++
		if op == opEnd {
			break
		}
		operand := p.code[at : at+ops[op].operands]
		at += ops[op].operands
		var err error
		switch op {
		case opPush:
			stack[height] = int64(le.Uint64(operand))
			height++
		case opParam, opDeref, opField, opOuter, opOuterDeref, opResult:
			stack[height], err = lookUp(scope, op, operand)
			height++
		case opCall:
			err = ErrUnknown // known in the worker alone
		case opNeg:
			stack[height-1], err = apply(opSub, 0, stack[height-1])
		default:
			height--
			stack[height-1], err = apply(op, stack[height-1], stack[height])
		}
		if err != nil {
			return 0, err
		}
	}
	if stack[0] < 0 {
		return 0, ErrNegative
	}
	return uint64(stack[0]), nil
}

func lookUp(scope Scope, op byte, operand []byte) (int64, error) {
	if op == opResult {
		return scope.Result()
	}
	index := uint32(le.Uint16(operand))
	switch op {
	case opParam:
		return scope.Param(index)
	case opDeref:
		return scope.Deref(index)
	case opField:
		return scope.Field(index)
	case opOuter:
		return scope.Outer(index)
	}
	return scope.OuterDeref(index)
}

func apply(op byte, a, b int64) (int64, error) {
	switch op {
	case opAdd:
		if sum := a + b; (sum > a) == (b > 0) {
			return sum, nil
		}
	case opSub:
		if difference := a - b; (difference < a) == (b > 0) {
			return difference, nil
		}
	case opMul:
		if a == 0 || b == 0 {
			return 0, nil
		}
		product := a * b
		if product/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64) {
			return product, nil
		}
	case opDiv, opMod:
		if b == 0 {
			return 0, ErrDivision
		}
		if a == math.MinInt64 && b == -1 {
			return 0, ErrOverflow
		}
		if op == opDiv {
			return a / b, nil
		}
		return a % b, nil
	case opShl:
		if b >= 0 && b <= 62 && a<<b>>b == a {
			return a << b, nil
		}
	case opShr:
		if b >= 0 && b <= 62 {
			return a >> b, nil
		}
	}
	return 0, ErrOverflow
}
