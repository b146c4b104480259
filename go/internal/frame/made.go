// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"unsafe"

	"cordon.internal/cordon/internal/plan"
)

// Go values, made of private images of C's.

// plain makes Go values of private memory without pointers: bytes, slices of numbers, structs. single: one of them. text:
// what is char in C.
func (d *decoder) plain(target *plan.Type, image []byte, single, text bool) any {
	size := target.ElementBytes()
	if single {
		if len(image) < int(size) {
			return nil
		}
		return d.plainObject(target, image[:size])
	}
	if isBytes(target) && (target.Kind != plan.I8 || text) {
		return image
	}
	count := len(image) / int(size)
	switch target.Kind {
	case plan.Bool:
		values := make([]bool, count)
		for i, b := range image {
			values[i] = b != 0
		}
		return values
	case plan.I8:
		return numbersFrom[int8](image)
	case plan.I16:
		return numbersFrom[int16](image)
	case plan.U16:
		return numbersFrom[uint16](image)
	case plan.I32:
		return numbersFrom[int32](image)
	case plan.U32:
		return numbersFrom[uint32](image)
	case plan.I64:
		return numbersFrom[int64](image)
	case plan.U64, plan.Token:
		return numbersFrom[uint64](image)
	case plan.F32:
		return numbersFrom[float32](image)
	case plan.F64:
		return numbersFrom[float64](image)
	}
	values := make([]any, count)
	for i := range values {
		values[i] = d.plainObject(target, image[i*int(size):(i+1)*int(size)])
	}
	return values
}

// numbersFrom copies, since the bytes need not be aligned as numbers.
func numbersFrom[T any](image []byte) []T {
	size := int(unsafe.Sizeof(*new(T)))
	values := make([]T, len(image)/size)
	if len(values) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*size), image)
	}
	return values
}

func (d *decoder) plainObject(t *plan.Type, image []byte) any {
	value, _ := d.object(t, image, nil, false, &d.before, &d.after, nil, nil)
	return value
}

// object makes a value of a private image. sent is the image as it was sent, with places in it, or nil; fresh: the image
// came back, and its pointers say where the function has moved what was sent. owner and ownerImage are the struct around.
func (d *decoder) object(t *plan.Type, image, sent []byte, fresh bool, before, after *scope, owner *plan.Type, ownerImage []byte) (any, error) {
	p := d.fn.Plan
	switch t.Kind {
	case plan.Struct:
		return d.structObject(t, image, sent, fresh, before, after)
	case plan.Array:
		target := p.Target(t)
		if isPlain(p, target) {
			return d.plain(target, image, false, t.Has(plan.Text)), nil
		}
		values := make([]any, 0, t.Count)
		for i := uint32(0); i < t.Count; i++ {
			from, to := i*target.Size, (i+1)*target.Size
			value, err := d.object(target, image[from:to], cut(sent, from, to), fresh, before, after, owner, ownerImage)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return values, nil
	case plan.Union:
		field := unionField(p, t, owner, ownerImage)
		if field == nil || p.Type(field.Type).Kind == plan.Void {
			return nil, nil
		}
		chosen := p.Type(field.Type)
		if before.image != nil && fresh {
			if was := unionField(p, t, owner, before.image); was == nil || was.Type != field.Type {
				sent = nil // another field than was sent: there is no place for its pointers
			}
		}
		value, err := d.object(chosen, image[:chosen.Size], cut(sent, 0, chosen.Size), fresh, before, after, owner, ownerImage)
		return map[string]any{field.Name: value}, err
	case plan.Pointer, plan.String:
		return d.spot(t, le.Uint64(image), sent, fresh, before, after)
	case plan.Handle:
		return d.handle(t, le.Uint64(image)), nil
	case plan.Within:
		if word := le.Uint64(image); word != 0 && d.isWithin(t, word) {
			return Offset(word - 1), nil
		}
		return nil, nil
	case plan.Token:
		return le.Uint64(image), nil
	case plan.Callback, plan.Varargs, plan.Void:
		return nil, nil
	}
	return goScalar(t.Kind, load(t.Kind, image)), nil
}

func cut(memory []byte, from, to uint32) []byte {
	if memory == nil {
		return nil
	}
	return memory[from:to]
}

// spot makes a value of a pointer inside an image.
func (d *decoder) spot(t *plan.Type, word uint64, sent []byte, fresh bool, before, after *scope) (any, error) {
	if d.dynamic {
		return d.dynamicPointer(t, word)
	}
	place := uint64(0)
	if sent != nil {
		place = le.Uint64(sent)
	}
	moved := uint64(0)
	if fresh {
		if word == 0 || place == 0 {
			return nil, nil
		}
		if word-1 <= d.sentBytes(t, place, before) {
			moved = word - 1
		}
	}
	if place == 0 {
		return nil, nil
	}
	return d.sentPointer(t, place, moved, before, after)
}

func (d *decoder) structObject(t *plan.Type, image, sent []byte, fresh bool, before, after *scope) (any, error) {
	p := d.fn.Plan
	fields := p.FieldsOf(t)
	value := make(map[string]any, len(fields))
	innerBefore, innerAfter := before, after
	if !isPlain(p, t) {
		innerBefore, innerAfter = before.in(t, sent), after.in(t, image)
	}
	for i := range fields {
		field := &fields[i]
		ft := p.Type(field.Type)
		from, to := field.Offset, field.Offset+ft.Size
		member, err := d.object(ft, image[from:to], cut(sent, from, to), fresh, innerBefore, innerAfter, t, image)
		if err != nil {
			return nil, err
		}
		value[field.Name] = member
	}
	return value, nil
}
