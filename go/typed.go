// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/plan"
)

// Typed functions. A Typed2[int32, int32, int32] takes two numbers and gives one; what it takes and gives was compared with
// the prototype when it was bound. Where a function takes only numbers and arrays of numbers, and gives at most one number,
// a call makes no garbage.

// A Binder has functions: a Cell, or a Session.
type Binder interface {
	Func(name string) (*Func, error)
}

// Void is the result of functions that give nothing.
type Void = struct{}

// bind compares a function with the Go types that it is to have.
func bind(from Binder, name string, result reflect.Type, args ...reflect.Type) (*Func, error) {
	f, err := from.Func(name)
	if err != nil {
		return nil, err
	}
	fn := f.f.fn
	if len(args) != len(fn.Takes) || fn.Variadic() {
		return nil, &CallError{Func: name, Text: fmt.Sprintf("'%s' takes %d arguments %v, bound with %d", name, len(fn.Takes), f.Params(), len(args))}
	}
	for n, i := range fn.Takes {
		param := &fn.F.Params[i]
		if why := mismatch(fn.Plan, fn.Plan.Type(param.Type), args[n]); why != "" {
			return nil, &CallError{Func: name, Text: fmt.Sprintf("'%s': argument %d '%s' is a %v, but %s", name, n+1, param.Name, args[n], why)}
		}
	}
	gives := len(fn.Gives)
	if fn.F.Result.OutWord != noWord {
		gives++
	}
	switch {
	case gives == 0 && result != reflect.TypeOf(Void{}):
		return nil, &CallError{Func: name, Text: fmt.Sprintf("'%s' gives nothing: its result is Void, not %v", name, result)}
	case gives > 1 && result.Kind() != reflect.Struct:
		return nil, &CallError{Func: name, Text: fmt.Sprintf("'%s' gives %d values: its result is a struct with a field `cordon:\"return\"` and %v, not %v",
			name, gives, f.Outs(), result)}
	case gives == 1 && fn.F.Result.OutWord != noWord:
		if why := mismatch(fn.Plan, fn.Plan.Type(fn.F.Result.Type), result); why != "" {
			return nil, &CallError{Func: name, Text: fmt.Sprintf("'%s': its result is a %v, but %s", name, result, why)}
		}
	}
	return f, nil
}

// mismatch says why a Go type cannot be a C type's, as far as that is clear; "" if it can.
func mismatch(p *plan.Plan, t *plan.Type, to reflect.Type) string {
	kind := to.Kind()
	integer := kind >= reflect.Int && kind <= reflect.Uintptr
	float := kind == reflect.Float32 || kind == reflect.Float64
	switch {
	case kind == reflect.Interface || kind == reflect.Ptr:
		return ""
	case t.Kind == plan.Bool && kind != reflect.Bool, t.Kind.IsInteger() && t.Kind != plan.Bool && !integer && !(t.Has(plan.Enum) && kind == reflect.String),
		(t.Kind == plan.F32 || t.Kind == plan.F64) && !float && !integer,
		t.Kind == plan.String && kind != reflect.String && to != reflect.TypeOf([]byte(nil)),
		t.Kind == plan.Handle, t.Kind == plan.Callback && kind != reflect.Func && !integer:
		return fmt.Sprintf("the prototype has a %v", t.Kind)
	}
	return ""
}

// argument makes a value without garbage, unless it is of a type that has to be looked at.
func argument[T any](v T) frame.Value {
	switch v := any(v).(type) {
	case int:
		return frame.Value{Kind: frame.Int, Word: uint64(v)}
	case int8:
		return frame.Value{Kind: frame.Int, Word: uint64(v)}
	case int16:
		return frame.Value{Kind: frame.Int, Word: uint64(v)}
	case int32:
		return frame.Value{Kind: frame.Int, Word: uint64(v)}
	case int64:
		return frame.Value{Kind: frame.Int, Word: uint64(v)}
	case uint:
		return frame.Value{Kind: frame.Uint, Word: uint64(v)}
	case uint8:
		return frame.Value{Kind: frame.Uint, Word: uint64(v)}
	case uint16:
		return frame.Value{Kind: frame.Uint, Word: uint64(v)}
	case uint32:
		return frame.Value{Kind: frame.Uint, Word: uint64(v)}
	case uint64:
		return frame.Value{Kind: frame.Uint, Word: v}
	case float32:
		return frame.Value{Kind: frame.Float, Word: math.Float64bits(float64(v))}
	case float64:
		return frame.Value{Kind: frame.Float, Word: math.Float64bits(v)}
	case []byte:
		if v != nil {
			return frame.Value{Kind: frame.Bytes, Bytes: v}
		}
	case string:
		return frame.Value{Kind: frame.Text, Text: v}
	}
	return boxed(v)
}

func boxed[T any](v T) frame.Value { return frame.ValueOf(v) }

// resultOf makes the typed result of an answer.
func resultOf[R any](f *function, a *answer) (r R, err error) {
	if a.simple && simple(&r, f.fn.Result, a.word) {
		return r, nil
	}
	result, err := (&Func{f: f}).result(a)
	if err != nil {
		return r, err
	}
	return assigned[R](result)
}

// simple puts a word that fits C's type into a Go variable, and reports false if it is to be looked at more closely.
func simple[R any](r *R, kind plan.Kind, word uint64) bool {
	if kind == plan.F64 {
		if r, is := any(r).(*float64); is {
			*r = math.Float64frombits(word)
			return true
		}
	}
	if !kind.IsInteger() {
		_, is := any(r).(*Void)
		return is && kind == plan.Void
	}
	negative := int64(word) < 0 // or too large for a signed one
	switch r := any(r).(type) {
	case *int32:
		*r = int32(word)
		return uint64(int64(*r)) == word && (kind.IsSigned() || !negative)
	case *int64:
		*r = int64(word)
		return kind.IsSigned() || !negative
	case *int:
		*r = int(word)
		return kind.IsSigned() || !negative
	case *uint32:
		*r = uint32(word)
		return uint64(*r) == word
	case *uint64:
		*r = word
		return !kind.IsSigned() || !negative
	}
	return false
}

// assigned makes it of what the general way has decoded.
func assigned[R any](result *Result) (R, error) {
	fresh := new(R)
	to := reflect.ValueOf(fresh).Elem()
	fn := result.f.fn
	var err error
	switch returns := fn.F.Result.OutWord != noWord; {
	case returns && len(fn.Gives) == 0:
		err = frame.Assign(to, result.value)
	case !returns && len(fn.Gives) == 1:
		err = frame.Assign(to, result.outs[0])
	case returns || len(fn.Gives) > 0:
		all := map[string]any{}
		if returns {
			all["return"] = result.value
		}
		for n, i := range fn.Gives {
			all[fn.F.Params[i].Name] = result.outs[n]
		}
		err = frame.Assign(to, all)
	}
	if err != nil {
		return *fresh, &CallError{Func: result.f.name, Err: err, Text: fmt.Sprintf("'%s': what came back: %v", result.f.name, err)}
	}
	return *fresh, nil
}

func typeOf[T any]() reflect.Type { return reflect.TypeOf((*T)(nil)).Elem() }

func call[R any](ctx context.Context, f *Func, args []frame.Value) (r R, err error) {
	var a answer
	if err := f.invoke(ctx, args, &a); err != nil {
		return r, err
	}
	return resultOf[R](f.f, &a)
}

func collected[R any](b *Batch, i int) (r R, err error) {
	e, err := b.entry(i)
	if err != nil {
		return r, err
	}
	return resultOf[R](e.f, &e.answer)
}

// Typed0 is a native function of no argument.
type Typed0[R any] struct{ f *Func }

// Bind0 binds a function of no argument. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind0[R any](from Binder, name string) (Typed0[R], error) {
	f, err := bind(from, name, typeOf[R]())
	return Typed0[R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed0[R]) Call(ctx context.Context) (R, error) {
	return call[R](ctx, t.f, nil)
}

// Add sends a call with a batch, and returns its number there.
func (t Typed0[R]) Add(batch *Batch) (int, error) {
	return batch.add(t.f, nil)
}

// Result returns what call i of a batch came to.
func (t Typed0[R]) Result(batch *Batch, i int) (R, error) { return collected[R](batch, i) }

// Typed1 is a native function of one argument.
type Typed1[A, R any] struct{ f *Func }

// Bind1 binds a function of one argument. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind1[A, R any](from Binder, name string) (Typed1[A, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A]())
	return Typed1[A, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed1[A, R]) Call(ctx context.Context, a A) (R, error) {
	args := [...]frame.Value{argument(a)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed1[A, R]) Add(batch *Batch, a A) (int, error) {
	args := [...]frame.Value{argument(a)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed1[A, R]) Result(batch *Batch, i int) (R, error) { return collected[R](batch, i) }

// Typed2 is a native function of 2 arguments.
type Typed2[A, B, R any] struct{ f *Func }

// Bind2 binds a function of 2 arguments. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind2[A, B, R any](from Binder, name string) (Typed2[A, B, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A](), typeOf[B]())
	return Typed2[A, B, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed2[A, B, R]) Call(ctx context.Context, a A, b B) (R, error) {
	args := [...]frame.Value{argument(a), argument(b)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed2[A, B, R]) Add(batch *Batch, a A, b B) (int, error) {
	args := [...]frame.Value{argument(a), argument(b)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed2[A, B, R]) Result(batch *Batch, i int) (R, error) { return collected[R](batch, i) }

// Typed3 is a native function of 3 arguments.
type Typed3[A, B, C, R any] struct{ f *Func }

// Bind3 binds a function of 3 arguments. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind3[A, B, C, R any](from Binder, name string) (Typed3[A, B, C, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C]())
	return Typed3[A, B, C, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed3[A, B, C, R]) Call(ctx context.Context, a A, b B, c C) (R, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed3[A, B, C, R]) Add(batch *Batch, a A, b B, c C) (int, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed3[A, B, C, R]) Result(batch *Batch, i int) (R, error) { return collected[R](batch, i) }

// Typed4 is a native function of 4 arguments.
type Typed4[A, B, C, D, R any] struct{ f *Func }

// Bind4 binds a function of 4 arguments. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind4[A, B, C, D, R any](from Binder, name string) (Typed4[A, B, C, D, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D]())
	return Typed4[A, B, C, D, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed4[A, B, C, D, R]) Call(ctx context.Context, a A, b B, c C, d D) (R, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed4[A, B, C, D, R]) Add(batch *Batch, a A, b B, c C, d D) (int, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed4[A, B, C, D, R]) Result(batch *Batch, i int) (R, error) { return collected[R](batch, i) }

// Typed5 is a native function of 5 arguments.
type Typed5[A, B, C, D, E, R any] struct{ f *Func }

// Bind5 binds a function of 5 arguments. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind5[A, B, C, D, E, R any](from Binder, name string) (Typed5[A, B, C, D, E, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E]())
	return Typed5[A, B, C, D, E, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed5[A, B, C, D, E, R]) Call(ctx context.Context, a A, b B, c C, d D, e E) (R, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d), argument(e)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed5[A, B, C, D, E, R]) Add(batch *Batch, a A, b B, c C, d D, e E) (int, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d), argument(e)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed5[A, B, C, D, E, R]) Result(batch *Batch, i int) (R, error) {
	return collected[R](batch, i)
}

// Typed6 is a native function of 6 arguments.
type Typed6[A, B, C, D, E, F, R any] struct{ f *Func }

// Bind6 binds a function of 6 arguments. More values than one come back in a struct: `cordon:"return"` is the function's
// own, the others have the names of the parameters.
func Bind6[A, B, C, D, E, F, R any](from Binder, name string) (Typed6[A, B, C, D, E, F, R], error) {
	f, err := bind(from, name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E](), typeOf[F]())
	return Typed6[A, B, C, D, E, F, R]{f}, err
}

// Call calls it, as Func.Call does.
func (t Typed6[A, B, C, D, E, F, R]) Call(ctx context.Context, a A, b B, c C, d D, e E, f F) (R, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d), argument(e), argument(f)}
	return call[R](ctx, t.f, args[:])
}

// Add sends a call with a batch, and returns its number there.
func (t Typed6[A, B, C, D, E, F, R]) Add(batch *Batch, a A, b B, c C, d D, e E, f F) (int, error) {
	args := [...]frame.Value{argument(a), argument(b), argument(c), argument(d), argument(e), argument(f)}
	return batch.add(t.f, args[:])
}

// Result returns what call i of a batch came to.
func (t Typed6[A, B, C, D, E, F, R]) Result(batch *Batch, i int) (R, error) {
	return collected[R](batch, i)
}
