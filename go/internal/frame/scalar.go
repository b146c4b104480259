// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"math"
	"reflect"

	"cordon.internal/cordon/internal/plan"
)

// Value is one argument. Numbers, bytes and texts are held in it, so that passing them makes no garbage; everything
// else is Any.
type Value struct {
	Kind  ValueKind
	Word  uint64 // Int, Uint, Float, Bool
	Bytes []byte
	Text  string
	Any   any
}

// ValueKind says which of Value's fields counts.
type ValueKind uint8

const (
	Nil ValueKind = iota
	Int
	Uint
	Float
	Boolean
	Bytes
	Text
	Other
)

// ValueOf makes a value of anything.
func ValueOf(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case int:
		return Value{Kind: Int, Word: uint64(v)}
	case int8:
		return Value{Kind: Int, Word: uint64(v)}
	case int16:
		return Value{Kind: Int, Word: uint64(v)}
	case int32:
		return Value{Kind: Int, Word: uint64(v)}
	case int64:
		return Value{Kind: Int, Word: uint64(v)}
	case uint:
		return Value{Kind: Uint, Word: uint64(v)}
	case uint8:
		return Value{Kind: Uint, Word: uint64(v)}
	case uint16:
		return Value{Kind: Uint, Word: uint64(v)}
	case uint32:
		return Value{Kind: Uint, Word: uint64(v)}
	case uint64:
		return Value{Kind: Uint, Word: v}
	case uintptr:
		return Value{Kind: Uint, Word: uint64(v)}
	case float32:
		return Value{Kind: Float, Word: math.Float64bits(float64(v))}
	case float64:
		return Value{Kind: Float, Word: math.Float64bits(v)}
	case bool:
		if v {
			return Value{Kind: Boolean, Word: 1}
		}
		return Value{Kind: Boolean}
	case []byte:
		if v == nil {
			return Value{}
		}
		return Value{Kind: Bytes, Bytes: v}
	case string:
		return Value{Kind: Text, Text: v}
	}
	return valueOfReflect(reflect.ValueOf(v), v)
}

// valueOfReflect looks at named types.
func valueOfReflect(rv reflect.Value, v any) Value {
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Value{Kind: Int, Word: uint64(rv.Int())}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return Value{Kind: Uint, Word: rv.Uint()}
	case reflect.Float32, reflect.Float64:
		return Value{Kind: Float, Word: math.Float64bits(rv.Float())}
	case reflect.Bool:
		return ValueOf(rv.Bool())
	case reflect.String:
		return Value{Kind: Text, Text: rv.String()}
	case reflect.Slice:
		if rv.IsNil() {
			return Value{}
		}
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return Value{Kind: Bytes, Bytes: rv.Bytes()}
		}
	case reflect.Ptr, reflect.Map, reflect.Func, reflect.Interface:
		if rv.IsNil() {
			return Value{}
		}
	}
	return Value{Kind: Other, Any: v}
}

func (v *Value) describe() string {
	switch v.Kind {
	case Nil:
		return "nil"
	case Int:
		return fmt.Sprint(int64(v.Word))
	case Uint:
		return fmt.Sprint(v.Word)
	case Float:
		return fmt.Sprint(math.Float64frombits(v.Word))
	case Boolean:
		return fmt.Sprint(v.Word != 0)
	case Bytes:
		return "bytes"
	case Text:
		return "a string"
	}
	return fmt.Sprintf("a %T", v.Any)
}

type intRange struct {
	min int64
	max uint64
}

var ranges = [...]intRange{
	plan.Bool: {0, 1}, plan.I8: {math.MinInt8, math.MaxInt8}, plan.U8: {0, math.MaxUint8},
	plan.I16: {math.MinInt16, math.MaxInt16}, plan.U16: {0, math.MaxUint16},
	plan.I32: {math.MinInt32, math.MaxInt32}, plan.U32: {0, math.MaxUint32},
	plan.I64: {math.MinInt64, math.MaxInt64}, plan.U64: {0, math.MaxUint64},
}

// Fits reports whether a word is what a number of the kind is extended to.
func Fits(kind plan.Kind, word uint64) bool {
	if kind.IsInteger() {
		r := &ranges[kind]
		if r.min < 0 {
			return int64(word) >= r.min && int64(word) <= int64(r.max)
		}
		return word <= r.max
	}
	return kind != plan.F32 || word <= math.MaxUint32
}

// Scalar returns a value as a word of a kind, or false if it does not fit.
func (v *Value) Scalar(kind plan.Kind) (uint64, bool) {
	if kind.IsInteger() {
		r := &ranges[kind]
		switch v.Kind {
		case Int:
			if i := int64(v.Word); i < 0 {
				return v.Word, i >= r.min
			}
			return v.Word, v.Word <= r.max
		case Uint:
			return v.Word, v.Word <= r.max
		case Boolean:
			return v.Word, true
		}
		return 0, false
	}
	number := 0.0
	switch v.Kind {
	case Float:
		number = math.Float64frombits(v.Word)
	case Int:
		number = float64(int64(v.Word))
	case Uint:
		number = float64(v.Word)
	default:
		return 0, false
	}
	if kind == plan.F64 {
		return math.Float64bits(number), true
	}
	if math.Abs(number) > math.MaxFloat32 && !math.IsInf(number, 0) {
		return 0, false
	}
	return uint64(math.Float32bits(float32(number))), true
}

// load reads a number of a kind out of memory in C's layout, as a word.
func load(kind plan.Kind, memory []byte) uint64 {
	switch kind {
	case plan.Bool:
		if memory[0] != 0 {
			return 1
		}
		return 0
	case plan.I8:
		return uint64(int8(memory[0]))
	case plan.U8:
		return uint64(memory[0])
	case plan.I16:
		return uint64(int16(le.Uint16(memory)))
	case plan.U16:
		return uint64(le.Uint16(memory))
	case plan.I32:
		return uint64(int32(le.Uint32(memory)))
	case plan.U32, plan.F32:
		return uint64(le.Uint32(memory))
	}
	return le.Uint64(memory)
}

func store(kind plan.Kind, memory []byte, word uint64) {
	switch kind.Size() {
	case 1:
		memory[0] = byte(word)
	case 2:
		le.PutUint16(memory, uint16(word))
	case 4:
		le.PutUint32(memory, uint32(word))
	default:
		le.PutUint64(memory, word)
	}
}

// goScalar is a fitting word as the Go type that is C's.
func goScalar(kind plan.Kind, word uint64) any {
	switch kind {
	case plan.Bool:
		return word != 0
	case plan.I8:
		return int8(word)
	case plan.U8:
		return uint8(word)
	case plan.I16:
		return int16(word)
	case plan.U16:
		return uint16(word)
	case plan.I32:
		return int32(word)
	case plan.U32:
		return uint32(word)
	case plan.I64:
		return int64(word)
	case plan.U64:
		return word
	case plan.F32:
		return math.Float32frombits(uint32(word))
	case plan.F64:
		return math.Float64frombits(word)
	}
	return nil
}

func rangeText(kind plan.Kind) string {
	if !kind.IsInteger() {
		return fmt.Sprintf("%v wants a number", kind)
	}
	return fmt.Sprintf("%v holds %d to %d", kind, ranges[kind].min, ranges[kind].max)
}
