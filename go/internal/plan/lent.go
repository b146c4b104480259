// SPDX-License-Identifier: Apache-2.0

package plan

// What a daemon lends, as one memory of records (docs/protocol/attach.md).

const (
	lentMagic   = 0x56525043
	lentVersion = 1
	lentBind    = 1
	lentType    = 2

	// LentBytesMax is how large it may be.
	LentBytesMax  = 128 << 20
	lentRecordMax = 4096 + 4096 // functions, types
)

// Lent is what may be called, and what may be made.
type Lent struct {
	Functions [][]byte          // plans; the index is the function's id
	Types     map[string][]byte // plans by name
}

// ParseLent judges the records, whose plans it does not look into: Parse does.
func ParseLent(memory []byte) (*Lent, error) {
	if len(memory) < 16 || le.Uint32(memory) != lentMagic || le.Uint32(memory[4:]) != lentVersion ||
		uint64(le.Uint32(memory[8:])) > uint64(len(memory)) {
		return nil, damaged("what is lent is not of this version")
	}
	count := le.Uint32(memory[12:])
	memory = memory[:le.Uint32(memory[8:])]
	if count > lentRecordMax {
		return nil, damaged("more is lent than can be")
	}
	lent := &Lent{Types: map[string][]byte{}}
	at := uint64(16)
	for i := uint32(0); i < count; i++ {
		next, err := lent.record(memory, at)
		if err != nil {
			return nil, err
		}
		at = next
	}
	return lent, nil
}

func (l *Lent) record(memory []byte, at uint64) (next uint64, err error) {
	round := func(n uint64) uint64 { return (n + 15) &^ 15 }
	size := uint64(len(memory))
	if at+32 > size {
		return 0, damaged("what is lent ends too early")
	}
	r := &reader{memory[at:]}
	kind, id, words, nameBytes, bytes := r.u32(), r.u32(), r.u32(), r.u32(), r.u32()
	if words > WordsMax {
		return 0, damaged("what is lent has a record of too many words")
	}
	name := at + 32 + 8*uint64(words)
	plan := round(name + uint64(nameBytes))
	end := plan + uint64(bytes)
	if name+uint64(nameBytes) > size || end > size {
		return 0, damaged("what is lent ends too early")
	}
	switch {
	case kind == lentBind && int(id) == len(l.Functions) && len(l.Types) == 0:
		l.Functions = append(l.Functions, memory[plan:end:end])
	case kind == lentType && nameBytes > 1 && memory[name+uint64(nameBytes)-1] == 0:
		l.Types[string(memory[name:name+uint64(nameBytes)-1])] = memory[plan:end:end]
	default:
		return 0, damaged("what is lent has a record that clients do not get")
	}
	return round(end), nil
}
