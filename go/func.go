// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"fmt"
	"reflect"
	"syscall"

	"cordon.internal/cordon/internal/frame"
)

// A Func is a function of a native library. It may be used by many goroutines.
type Func struct {
	f       *function
	session *Session
}

// Name returns the function's name.
func (f *Func) Name() string { return f.f.name }

// Params returns the names of the parameters that Call takes, in order. Parameters that only come back, or only give the
// length of an array, are not passed.
func (f *Func) Params() []string {
	names := make([]string, 0, len(f.f.fn.Takes)+1)
	for _, i := range f.f.fn.Takes {
		names = append(names, f.f.fn.F.Params[i].Name)
	}
	if f.f.fn.Variadic() {
		names = append(names, "...")
	}
	return names
}

// Outs returns the names of the parameters that come back, in order.
func (f *Func) Outs() []string {
	names := make([]string, 0, len(f.f.fn.Gives))
	for _, i := range f.f.fn.Gives {
		names = append(names, f.f.fn.F.Params[i].Name)
	}
	return names
}

// Call calls the function, and waits until it has ended, or the context has. Arguments are converted by the prototype:
//
//	C                               Go
//	integers, enums                 any integer that fits; the name of an enum's constant as a string
//	bool, float, double             bool; float32, float64 or any integer
//	const char *                    string, []byte; nil for NULL where that fits
//	arrays of bytes                 []byte, string; *Memory, which is not copied
//	arrays                          slices; of structs too; of numbers also in a Memory (NumbersOf)
//	structs, pointers to them       a struct, a pointer to one, map[string]any: members by the tag `cordon:"name"`, or by
//	                                their names without regard to case and underscores
//	objects of the library          *Handle; nil for NULL where that fits
//	callbacks                       a func, which may take a context.Context before its arguments, and return an error
//	                                behind its result; it is called on the goroutine that calls Call
//	void * without a length         an integer: a token, never a pointer
//	...                             integers, floats, strings, handles, as they are
//
// What the function writes comes back in the Result, and in the slices and pointers that were passed.
//
// The call ends once. It is an error if it does not end as the function's return: *CrashError, *TimeoutError,
// *AbortedError, *DeniedError; or if it was not made: *BusyError, *OpenError, *StaleError, *StartError, *CallError. A
// context that is cancelled ends the call's worker, and its error is wrapped.
//
// A panic of a callback goes on in Call, when the call has ended.
func (f *Func) Call(ctx context.Context, args ...any) (*Result, error) {
	var few [8]frame.Value
	values := few[:0]
	for i := range args {
		values = append(values, frame.ValueOf(args[i]))
	}
	var a answer
	if err := f.invoke(ctx, values, &a); err != nil {
		return nil, err
	}
	return f.result(&a)
}

func (f *Func) result(a *answer) (*Result, error) {
	r := &Result{f: f.f, Errno: a.errno, Violations: a.violations}
	if !a.simple {
		r.value, r.outs = a.result.Value, a.result.Outs
		return r, nil
	}
	var err error
	if r.value, err = f.f.fn.Scalar(a.word); err != nil {
		return nil, &CrashError{Func: f.f.name, Text: err.Error()}
	}
	return r, nil
}

// A Result is what a call came to.
type Result struct {
	// Errno is what the call left in errno, which was 0 before. It means something if the function says so.
	Errno syscall.Errno
	// Violations are what the library tried, in this call or since the last one of its worker, and its policy forbids. The
	// library was answered an error, and went on.
	Violations []Violation

	f     *function
	value any
	outs  []any
}

// Value returns what the function returned: integers, bool and floats as the Go type of the same size, texts as string,
// arrays of bytes as []byte, of numbers as slices of them, other arrays as []any, structs as map[string]any, objects as
// *Handle, pointers into an argument as an int, the offset. nil is void, or NULL.
func (r *Result) Value() any { return r.value }

// Int returns an integer result; 0 if it is none.
func (r *Result) Int() int64 {
	if v := frame.ValueOf(r.value); v.Kind == frame.Int || v.Kind == frame.Uint || v.Kind == frame.Boolean {
		return int64(v.Word)
	}
	return 0
}

// Out returns what came back in a parameter, in the form of Value; nil is NULL, and a name that there is not.
func (r *Result) Out(name string) any {
	for n, i := range r.f.fn.Gives {
		if r.f.fn.F.Params[i].Name == name {
			return r.outs[n]
		}
	}
	return nil
}

// Outs returns what came back, in the order of Func.Outs.
func (r *Result) Outs() []any { return r.outs }

// Scan puts what the function returned, if it returns anything, and then what came back in its parameters, into variables:
// numbers if they fit, structs by member. A nil takes nothing.
func (r *Result) Scan(to ...any) error {
	from := r.outs
	if r.f.fn.F.Result.OutWord != noWord {
		from = append([]any{r.value}, r.outs...)
	}
	if len(to) > len(from) {
		return &CallError{Func: r.f.name, Text: fmt.Sprintf("'%s' gives %d values, %d are wanted", r.f.name, len(from), len(to))}
	}
	for i := range to {
		if to[i] == nil {
			continue
		}
		rv := reflect.ValueOf(to[i])
		if rv.Kind() != reflect.Ptr || rv.IsNil() {
			return &CallError{Func: r.f.name, Text: fmt.Sprintf("value %d: a %T is no pointer to a variable", i+1, to[i])}
		}
		if err := frame.Assign(rv.Elem(), from[i]); err != nil {
			return &CallError{Func: r.f.name, Err: err, Text: fmt.Sprintf("value %d: %v", i+1, err)}
		}
	}
	return nil
}

const noWord = 0xffff

// An Answer is what Go sends.
type Answer struct {
	*Result
	Err error
}

// Go calls a function on a goroutine of its own, and sends what it came to. The channel holds it: nobody has to receive.
func (c *Cell) Go(ctx context.Context, f *Func, args ...any) <-chan Answer {
	answers := make(chan Answer, 1)
	go func() {
		result, err := f.Call(ctx, args...)
		answers <- Answer{result, err}
	}()
	return answers
}
