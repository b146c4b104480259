// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"math"
	"reflect"
)

// Assign puts a decoded value into a Go variable of a type of the caller's: numbers if they fit, structs by member,
// slices by element. NULL is the zero value; for integers, which are offsets then, it is -1 where they can say it.
func Assign(to reflect.Value, from any) error {
	if from == nil {
		return assignNull(to)
	}
	fv := reflect.ValueOf(from)
	if fv.Type().AssignableTo(to.Type()) {
		to.Set(fv)
		return nil
	}
	switch to.Kind() {
	case reflect.Ptr:
		fresh := reflect.New(to.Type().Elem())
		if err := Assign(fresh.Elem(), from); err != nil {
			return err
		}
		to.Set(fresh)
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return assignInteger(to, from)
	case reflect.Float32, reflect.Float64:
		if v := ValueOf(from); v.Kind == Float {
			to.SetFloat(math.Float64frombits(v.Word))
			return nil
		}
	case reflect.Bool:
		if v := ValueOf(from); v.Kind == Boolean || v.Kind == Int || v.Kind == Uint {
			to.SetBool(v.Word != 0)
			return nil
		}
	case reflect.String:
		switch from := from.(type) {
		case string:
			to.SetString(from)
			return nil
		case []byte:
			to.SetString(string(from))
			return nil
		}
	case reflect.Slice:
		return assignSlice(to, fv)
	case reflect.Array:
		return assignArray(to, fv)
	case reflect.Struct:
		if members, ok := from.(map[string]any); ok {
			return assignStruct(to, members)
		}
	}
	return fmt.Errorf("a %T does not fit a %v", from, to.Type())
}

func assignNull(to reflect.Value) error {
	switch to.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		to.SetInt(-1)
	default:
		to.Set(reflect.Zero(to.Type()))
	}
	return nil
}

func assignInteger(to reflect.Value, from any) error {
	v := ValueOf(from)
	if v.Kind != Int && v.Kind != Uint && v.Kind != Boolean {
		return fmt.Errorf("a %T does not fit a %v", from, to.Type())
	}
	negative := v.Kind == Int && int64(v.Word) < 0
	switch to.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if !negative && v.Word > math.MaxInt64 || to.OverflowInt(int64(v.Word)) {
			return fmt.Errorf("%s does not fit a %v", v.describe(), to.Type())
		}
		to.SetInt(int64(v.Word))
	default:
		if negative || to.OverflowUint(v.Word) {
			return fmt.Errorf("%s does not fit a %v", v.describe(), to.Type())
		}
		to.SetUint(v.Word)
	}
	return nil
}

func assignSlice(to, from reflect.Value) error {
	if text, ok := from.Interface().(string); ok && to.Type().Elem().Kind() == reflect.Uint8 {
		to.SetBytes([]byte(text))
		return nil
	}
	if from.Kind() != reflect.Slice {
		return fmt.Errorf("a %v does not fit a %v", from.Type(), to.Type())
	}
	fresh := reflect.MakeSlice(to.Type(), from.Len(), from.Len())
	for i := 0; i < from.Len(); i++ {
		if err := Assign(fresh.Index(i), from.Index(i).Interface()); err != nil {
			return err
		}
	}
	to.Set(fresh)
	return nil
}

func assignArray(to, from reflect.Value) error {
	if from.Kind() != reflect.Slice || from.Len() > to.Len() {
		return fmt.Errorf("a %v of %d does not fit a %v", from.Type(), from.Len(), to.Type())
	}
	to.Set(reflect.Zero(to.Type()))
	for i := 0; i < from.Len(); i++ {
		if err := Assign(to.Index(i), from.Index(i).Interface()); err != nil {
			return err
		}
	}
	return nil
}

func assignStruct(to reflect.Value, members map[string]any) error {
	for i := 0; i < to.NumField(); i++ {
		field := to.Type().Field(i)
		name, tagged := memberName(field)
		if name == "" {
			continue
		}
		found := false
		for member, value := range members {
			if tagged && member == name || !tagged && fold(member) == name {
				if err := Assign(to.Field(i), value); err != nil {
					return fmt.Errorf("member '%s': %w", member, err)
				}
				found = true
				break
			}
		}
		if !found && tagged {
			return fmt.Errorf("there is no member '%s' for field %s", name, field.Name)
		}
	}
	return nil
}

// WriteBack puts what came back into the memory that the caller gave as an argument: a slice or a pointer.
func WriteBack(arg, out any) error {
	if out == nil {
		return nil
	}
	rv := reflect.ValueOf(arg)
	switch rv.Kind() {
	case reflect.Slice:
		ov := reflect.ValueOf(out)
		if text, ok := out.(string); ok {
			ov = reflect.ValueOf([]byte(text))
		}
		if ov.Kind() != reflect.Slice {
			if rv.Len() > 0 {
				return Assign(rv.Index(0), out)
			}
			return nil
		}
		if ov.Type().Elem() == rv.Type().Elem() {
			reflect.Copy(rv, ov)
			return nil
		}
		for i := 0; i < ov.Len() && i < rv.Len(); i++ {
			if err := Assign(rv.Index(i), ov.Index(i).Interface()); err != nil {
				return err
			}
		}
	case reflect.Ptr:
		if !rv.IsNil() && !isOwnType(rv) {
			return Assign(rv.Elem(), out)
		}
	}
	return nil
}
