// SPDX-License-Identifier: Apache-2.0

package frame

import "cordon.internal/cordon/internal/plan"

// What an argument of `...` is in C (enum cordon_type).
const (
	cInt     = 1
	cLong    = 3
	cUlong   = 4
	cDouble  = 8
	cString  = 9
	cPointer = 10

	isHandle = 1 << 32
)

// varargs encodes the block behind `...`: each argument with the type that it has in Go.
func (e *encoder) varargs() (uint64, error) {
	rest := e.args[len(e.fn.Takes):]
	if len(rest) > plan.ParamsMax {
		return 0, e.refuse("takes at most %d arguments: %w", plan.ParamsMax, ErrTooLarge)
	}
	block, err := e.reserveRequest(8 + 16*uint64(len(rest)))
	if err != nil {
		return 0, err
	}
	le.PutUint64(e.space.Request[block:], uint64(len(rest)))
	for i := range rest {
		kind, word, err := e.variadic(&rest[i])
		if err != nil {
			return 0, err
		}
		at := block + 8 + 16*uint32(i)
		le.PutUint64(e.space.Request[at:], kind)
		le.PutUint64(e.space.Request[at+8:], word)
	}
	return uint64(block), nil
}

func (e *encoder) variadic(v *Value) (kind, word uint64, err error) {
	switch v.Kind {
	case Nil:
		return cPointer, 0, nil
	case Int:
		return cLong, v.Word, nil // extended to a register: right for %d as for %ld
	case Uint:
		return cUlong, v.Word, nil
	case Boolean:
		return cInt, v.Word, nil
	case Float:
		return cDouble, v.Word, nil
	case Text, Bytes:
		text, _ := textOf(v)
		in := plan.Type{Kind: plan.String, Direction: plan.In, Code: plan.None}
		word, err = e.string(&in, text, 0)
		return cString, word, err
	}
	if IsHandle(v.Any) {
		t := plan.Type{Kind: plan.Handle, Direction: plan.In, Target: plan.None, Code: plan.None, Flags: plan.Nullable}
		if word, err = e.space.Hooks.HandleWord(e.fn.Plan, &t, v.Any); err != nil {
			return 0, 0, e.refuse("%w", err)
		}
		return cPointer | isHandle, word, nil
	}
	return 0, 0, e.refuse("has %s among its arguments: only numbers, strings and handles pass there", v.describe())
}
