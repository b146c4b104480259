// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"

	"cordon.internal/cordon/internal/plan"
)

// What the worker alone knew the length of.

// dynamicPointer makes a value of a word of offset and count; 0 is NULL.
func (d *decoder) dynamicPointer(t *plan.Type, word uint64) (any, error) {
	if word == 0 {
		return nil, nil
	}
	count := word >> 32
	if t.Kind == plan.String {
		if count > stringMax {
			return nil, lie(d.fn.F, "holds a string that is too long")
		}
		text, err := d.dynamicBytes(word, count)
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil, lie(d.fn.F, "holds a string with a NUL inside")
		}
		return string(text), nil
	}
	single := t.Code == plan.None && t.LengthCode == plan.None && !t.Has(plan.NullEnded)
	if single && count != 1 {
		return nil, lie(d.fn.F, "holds another number of elements than one")
	}
	return d.dynamicElements(d.fn.Plan.Target(t), word, single, t.Has(plan.Text))
}

func (d *decoder) dynamicBytes(word, count uint64) ([]byte, error) {
	at := uint64(uint32(word))
	if at < uint64(d.fixed) || at > uint64(d.replyMax) || count > uint64(d.replyMax)-at {
		return nil, lie(d.fn.F, "holds memory that is not there")
	}
	if err := d.charge(count); err != nil {
		return nil, err
	}
	return d.copyOut(at, count), nil
}

func (d *decoder) dynamicElements(target *plan.Type, word uint64, single, text bool) (any, error) {
	size := uint64(target.ElementBytes())
	count := word >> 32
	image, err := d.dynamicBytes(word, count*size)
	if err != nil {
		return nil, err
	}
	if isPlain(d.fn.Plan, target) {
		return d.plain(target, image, single, text), nil
	}
	if d.depth >= depthMax {
		return nil, lie(d.fn.F, "nests too many pointers")
	}
	d.depth++
	was := d.dynamic
	d.dynamic = true
	defer func() { d.depth--; d.dynamic = was }()
	values := make([]any, 0, count)
	for i := uint64(0); i < count; i++ {
		value, err := d.object(target, image[i*size:(i+1)*size], nil, true, &d.before, &d.after, nil, nil)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	if single {
		return values[0], nil
	}
	return values, nil
}
