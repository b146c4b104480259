// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"cordon.internal/cordon/internal/plan"
)

// Go's side of arguments: what a value holds, how many elements it has, which of its fields is which member.

// pointeeOf is what a pointer in a value points to; Nil for a nil one, the value itself for what is no pointer.
func pointeeOf(v *Value) Value {
	if v.Kind != Other {
		return *v
	}
	rv := reflect.ValueOf(v.Any)
	if rv.Kind() != reflect.Ptr || isOwnType(rv) {
		return *v
	}
	if rv.IsNil() {
		return Value{}
	}
	return ValueOf(rv.Elem().Interface())
}

// IsHandle tells handles from pointers to the caller's memory. Set once, by who has them.
var IsHandle = func(any) bool { return false }

func isOwnType(rv reflect.Value) bool { return IsHandle(rv.Interface()) }

func textOf(v *Value) (string, bool) {
	switch v.Kind {
	case Text:
		return v.Text, true
	case Bytes:
		return string(v.Bytes), true
	case Other:
		if pointee := pointeeOf(v); pointee.Kind == Text || pointee.Kind == Bytes {
			return textOf(&pointee)
		}
	}
	return "", false
}

// numbersOf is the memory of a slice of numbers of exactly the kind, and the size of one; 0: it is none.
func numbersOf(kind plan.Kind, slice any) ([]byte, uint32) {
	switch s := slice.(type) {
	case []int16:
		return memoryOf(s, kind == plan.I16)
	case []uint16:
		return memoryOf(s, kind == plan.U16)
	case []int32:
		return memoryOf(s, kind == plan.I32)
	case []uint32:
		return memoryOf(s, kind == plan.U32)
	case []int64:
		return memoryOf(s, kind == plan.I64)
	case []uint64:
		return memoryOf(s, kind == plan.U64)
	case []float32:
		return memoryOf(s, kind == plan.F32)
	case []float64:
		return memoryOf(s, kind == plan.F64)
	case []int8:
		return memoryOf(s, kind == plan.I8)
	}
	return nil, 0
}

// Memory is that of a value whose elements are bytes or numbers; nil of all others.
func (v *Value) Memory() []byte {
	switch v.Kind {
	case Bytes:
		return v.Bytes
	case Other:
		switch s := v.Any.(type) {
		case []int8:
			return memoryIn(s)
		case []int16:
			return memoryIn(s)
		case []uint16:
			return memoryIn(s)
		case []int32:
			return memoryIn(s)
		case []uint32:
			return memoryIn(s)
		case []int64:
			return memoryIn(s)
		case []uint64:
			return memoryIn(s)
		case []float32:
			return memoryIn(s)
		case []float64:
			return memoryIn(s)
		}
	}
	return nil
}

func memoryIn[T any](s []T) []byte {
	memory, _ := memoryOf(s, true)
	return memory
}

func memoryOf[T any](s []T, fits bool) ([]byte, uint32) {
	if !fits {
		return nil, 0
	}
	size := unsafe.Sizeof(*new(T))
	if len(s) == 0 {
		return nil, uint32(size)
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), uintptr(len(s))*size), uint32(size)
}

// elementsOf is the memory of a value whose elements lie in Go as in C, and the size of one; 0: it has to be converted.
func elementsOf(p *plan.Plan, target *plan.Type, v *Value) ([]byte, uint32) {
	switch {
	case isBytes(target) && v.Kind == Bytes:
		return v.Bytes, 1
	case isBytes(target) && v.Kind == Text && len(v.Text) > 0:
		data := (*struct { // read, never written: a string's header is its bytes and their number
			bytes  unsafe.Pointer
			length int
		})(unsafe.Pointer(&v.Text))
		return unsafe.Slice((*byte)(data.bytes), data.length), 1
	case isBytes(target) && v.Kind == Text:
		return nil, 1
	case v.Kind == Other && target.Kind.IsScalar():
		return numbersOf(target.Kind, v.Any)
	}
	return nil, 0
}

// countOf is how many elements of the type a value has: one, unless it is a slice, an array, bytes or a text.
func (e *encoder) countOf(target *plan.Type, v *Value) (uint64, error) {
	if v == nil {
		return 0, nil
	}
	switch v.Kind {
	case Nil:
		return 0, nil
	case Bytes:
		if isBytes(target) {
			return uint64(len(v.Bytes)), nil
		}
		return uint64(len(v.Bytes)), nil
	case Text:
		if isBytes(target) {
			return uint64(len(v.Text)), nil
		}
		return 1, nil
	case Other:
		rv := reflect.ValueOf(v.Any)
		if rv.Kind() == reflect.Ptr && !isOwnType(rv) && rv.Elem().Kind() == reflect.Slice {
			rv = rv.Elem()
		}
		if target.Kind == plan.Void {
			return 0, fmt.Errorf("is %s, but must be bytes", v.describe())
		}
		if kind := rv.Kind(); kind == reflect.Slice || kind == reflect.Array && target.Kind != plan.Array {
			return uint64(rv.Len()), nil
		}
	}
	if target.Kind == plan.Void {
		return 0, fmt.Errorf("is %s, but must be bytes", v.describe())
	}
	return 1, nil
}

// each calls do for the first elements of a value.
func (e *encoder) each(v *Value, count uint64, do func(i uint64, element any) error) error {
	switch v.Kind {
	case Bytes:
		for i := uint64(0); i < count; i++ {
			if err := do(i, v.Bytes[i]); err != nil {
				return err
			}
		}
		return nil
	case Other:
		rv := reflect.ValueOf(v.Any)
		if rv.Kind() == reflect.Ptr && !isOwnType(rv) && rv.Elem().Kind() == reflect.Slice {
			rv = rv.Elem()
		}
		if rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array {
			for i := uint64(0); i < count; i++ {
				if err := do(i, rv.Index(int(i)).Interface()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if count == 0 {
		return nil
	}
	return do(0, v.unbox())
}

func (v *Value) unbox() any {
	switch v.Kind {
	case Int:
		return int64(v.Word)
	case Uint:
		return v.Word
	case Float:
		return goScalar(plan.F64, v.Word)
	case Boolean:
		return v.Word != 0
	case Bytes:
		return v.Bytes
	case Text:
		return v.Text
	}
	return v.Any
}

// object encodes one value as an object of the type into an image of it, which is all zero. owner is the struct that it
// is a member of, with its image.
func (e *encoder) object(t *plan.Type, value any, image []byte, owner *plan.Type, ownerImage []byte) error {
	v := ValueOf(value)
	switch {
	case t.Kind.IsScalar():
		word, err := e.scalar(t, &v)
		store(t.Kind, image, word)
		return err
	case t.Kind == plan.Struct:
		return e.structObject(t, &v, image)
	case t.Kind == plan.Array:
		return e.arrayObject(t, &v, image, owner, ownerImage)
	case t.Kind == plan.Union:
		field := unionField(e.fn.Plan, t, owner, ownerImage)
		if field == nil {
			return e.refuse("has a union whose selector is none of its cases")
		}
		chosen := e.fn.Plan.Type(field.Type)
		if v.Kind == Nil || chosen.Kind == plan.Void {
			return nil
		}
		if members, isStruct := membersOf(&v); isStruct { // the case by its name, as a reply has it
			if named, given := members.get(field.Name); given {
				value = named
			}
		}
		return e.object(chosen, value, image[:chosen.Size], owner, ownerImage)
	}
	word, err := e.spot(t, &v, owner, ownerImage)
	le.PutUint64(image, word)
	return err
}

// spot encodes what takes a pointer's room.
func (e *encoder) spot(t *plan.Type, v *Value, owner *plan.Type, ownerImage []byte) (uint64, error) {
	switch t.Kind {
	case plan.Pointer:
		if v.Kind == Nil && t.Direction&plan.In != 0 {
			return 0, nil
		}
		if v.Kind == Nil {
			v = nil // room, as much as the length says
		}
		s := &e.scope
		if owner != nil {
			s = e.scope.in(owner, ownerImage)
		}
		return e.pointer(t, v, s, owner)
	case plan.String:
		if v.Kind == Nil {
			return 0, nil
		}
		text, isText := textOf(v)
		if !isText {
			return 0, e.refuse("has a member that is %s, but must be a string", v.describe())
		}
		capacity := uint64(len(text)) + 1
		if t.Code != plan.None {
			var err error
			if capacity, err = e.scope.in(owner, ownerImage).evaluate(t.Code); err != nil {
				return 0, e.refuse("has a length that %w", err)
			}
		}
		return e.string(t, text, capacity)
	case plan.Within, plan.Varargs:
		return 0, nil // only comes back
	}
	nullable := *t
	nullable.Flags |= plan.Nullable
	return e.opaque(&nullable, v)
}

func (e *encoder) arrayObject(t *plan.Type, v *Value, image []byte, owner *plan.Type, ownerImage []byte) error {
	target := e.fn.Plan.Target(t)
	if v.Kind == Nil {
		return nil
	}
	count, err := e.countOf(target, v)
	if err != nil {
		return e.refuse("%w", err)
	}
	if count > uint64(t.Count) {
		return e.refuse("has a member of %d elements, but %d are given", t.Count, count)
	}
	if source, size := elementsOf(e.fn.Plan, target, v); size != 0 {
		copy(image, source)
		return nil
	}
	return e.each(v, count, func(i uint64, element any) error {
		at := uint32(i) * target.Size
		return e.object(target, element, image[at:at+target.Size], owner, ownerImage)
	})
}

// structObject encodes members by name: numbers first, since lengths and unions name them.
func (e *encoder) structObject(t *plan.Type, v *Value, image []byte) error {
	members, isStruct := membersOf(v)
	if !isStruct {
		return e.refuse("is %s, but must be a struct or a map", v.describe())
	}
	fields := e.fn.Plan.FieldsOf(t)
	for _, numbers := range [2]bool{true, false} {
		for i := range fields {
			field := &fields[i]
			ft := e.fn.Plan.Type(field.Type)
			if ft.Kind.IsInteger() != numbers {
				continue
			}
			value, given := members.get(field.Name)
			if field.Flags&plan.FieldFilled != 0 {
				array, _ := members.get(fields[field.FilledBy].Name)
				arrayValue := ValueOf(array)
				count, err := e.countOf(e.fn.Plan.Target(e.fn.Plan.Type(fields[field.FilledBy].Type)), &arrayValue)
				if err != nil {
					return e.refuse("%w", err)
				}
				value, given = count, true
			}
			if !given && (numbers || ft.Kind != plan.Pointer || ft.Direction != plan.Out) {
				continue // zero
			}
			if err := e.object(ft, value, image[field.Offset:field.Offset+ft.Size], t, image); err != nil {
				return err
			}
		}
	}
	return members.unknown(e, fields)
}

// members are a Go struct's fields, or a map's values, by the C member's name.
type members struct {
	byName map[string]any // keys of maps, tags of fields
	byFold map[string]any // other fields: letters and digits count, and case does not
}

func (m *members) get(name string) (v any, given bool) {
	if v, given = m.byName[name]; !given {
		v, given = m.byFold[fold(name)]
	}
	return v, given
}

// unknown refuses what is given and is no member.
func (m *members) unknown(e *encoder, fields []plan.Field) error {
	known := 0
	for i := range fields {
		if _, given := m.get(fields[i].Name); given {
			known++
		}
	}
	if known >= len(m.byName)+len(m.byFold) {
		return nil
	}
next:
	for name := range m.byName {
		for i := range fields {
			if fields[i].Name == name {
				continue next
			}
		}
		return e.refuse("has no member '%s'", name)
	}
	return e.refuse("is of a Go type with more fields than it has members: mark them with `cordon:\"-\"`")
}

func membersOf(v *Value) (*members, bool) {
	if v.Kind != Other {
		return nil, false
	}
	rv := reflect.ValueOf(v.Any)
	for rv.Kind() == reflect.Ptr && !rv.IsNil() {
		rv = rv.Elem()
	}
	m := &members{byName: map[string]any{}, byFold: map[string]any{}}
	switch rv.Kind() {
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			return nil, false
		}
		for _, key := range rv.MapKeys() {
			m.byName[key.String()] = rv.MapIndex(key).Interface()
		}
		return m, true
	case reflect.Struct:
		for i := 0; i < rv.NumField(); i++ {
			field := rv.Type().Field(i)
			if name, tagged := memberName(field); name == "" {
				continue
			} else if tagged {
				m.byName[name] = rv.Field(i).Interface()
			} else {
				m.byFold[name] = rv.Field(i).Interface()
			}
		}
		return m, true
	}
	return nil, false
}

// memberName is the name of the C member that a field of a Go struct stands for: its tag `cordon:"name"`, or its own
// name folded. Empty: it stands for none.
func memberName(f reflect.StructField) (name string, tagged bool) {
	if f.PkgPath != "" {
		return "", false
	}
	if tag, tagged := f.Tag.Lookup("cordon"); tagged {
		if tag == "-" {
			return "", false
		}
		return tag, true
	}
	return fold(f.Name), false
}

// fold makes TmSec and tm_sec the same.
func fold(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}
