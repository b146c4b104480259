// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
)

// abi is this machine's.
func abi() uint16 {
	if runtime.GOARCH == "arm64" {
		return 2
	}
	return 1
}

// FNV-1a 64.
func hashOf(hash uint64, bytes []byte) uint64 {
	for _, b := range bytes {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	return hash
}

func layoutHash(bytes []byte) uint64 {
	var none [8]byte
	hash := hashOf(14695981039346656037, bytes[:16])
	hash = hashOf(hash, none[:])
	return hashOf(hash, bytes[24:])
}

// ErrVersion: the plan is of another version, or for another machine.
var ErrVersion = errors.New("plan: of another version, or for another machine")

func damaged(what string) error { return errors.New("plan: damaged: " + what) }

func damagedAt(table string, index int, what string) error {
	return fmt.Errorf("plan: damaged: %s %d: %s", table, index, what)
}

var le = binary.LittleEndian

// reader takes a record apart, number by number.
type reader struct {
	bytes []byte
}

func (r *reader) u16() uint16 {
	v := le.Uint16(r.bytes)
	r.bytes = r.bytes[2:]
	return v
}

func (r *reader) u32() uint32 {
	v := le.Uint32(r.bytes)
	r.bytes = r.bytes[4:]
	return v
}

func (r *reader) u64() uint64 {
	v := le.Uint64(r.bytes)
	r.bytes = r.bytes[8:]
	return v
}

// table is where records lie, and how many.
type table struct{ at, count uint32 }

func (r *reader) table() table { return table{r.u32(), r.u32()} }

// cut returns the bytes of a table, if it lies inside.
func (t table) cut(bytes []byte, size uint64) ([]byte, bool) {
	end := uint64(t.at) + uint64(t.count)*size
	if t.at < headerBytes || t.at%8 != 0 || end > uint64(len(bytes)) {
		return nil, false
	}
	return bytes[t.at:end], true
}

// Parse judges the bytes and returns what they say.
func Parse(bytes []byte) (*Plan, error) {
	if len(bytes) < headerBytes || len(bytes) > BytesMax {
		return nil, damaged("its length is impossible")
	}
	p := &Plan{Bytes: append([]byte(nil), bytes...)}
	r := &reader{p.Bytes}
	if r.u32() != magic {
		return nil, damaged("it does not begin with the magic number")
	}
	if r.u16() != version || r.u16() != abi() {
		return nil, ErrVersion
	}
	if int(r.u32()) != len(bytes) {
		return nil, damaged("its length is not what its header says")
	}
	p.RootType = r.u32()
	if p.Hash = r.u64(); p.Hash != layoutHash(p.Bytes) {
		return nil, damaged("its hash is wrong")
	}
	if err := p.readTables(r); err != nil {
		return nil, err
	}
	j := judge{plan: p, facts: make([]facts, len(p.Types))}
	if err := j.types(); err != nil {
		return nil, err
	}
	if err := j.functions(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) readTables(r *reader) error {
	functions, params, types := r.table(), r.table(), r.table()
	fields, enumerators, code, names := r.table(), r.table(), r.table(), r.table()
	var raw [7][]byte
	for i, part := range []struct {
		table
		size uint64
	}{{functions, functionBytes}, {params, paramBytes}, {types, typeBytes}, {fields, fieldBytes},
		{enumerators, enumeratorBytes}, {code, 1}, {names, 1}} {
		inside := false
		if raw[i], inside = part.cut(p.Bytes, part.size); !inside {
			return damaged("a table lies outside")
		}
	}
	p.code, p.names = raw[5], raw[6]
	if len(p.names) == 0 || p.names[0] != 0 || p.names[len(p.names)-1] != 0 {
		return damaged("its names do not begin and end with NUL")
	}
	if p.RootType != None && p.RootType >= types.count || p.RootType == None && functions.count == 0 {
		return damaged("it describes neither a function nor a type")
	}
	if err := p.readTypes(raw[2], types.count); err != nil {
		return err
	}
	if err := p.readFields(raw[3], fields.count); err != nil {
		return err
	}
	if err := p.readEnumerators(raw[4], enumerators.count); err != nil {
		return err
	}
	return p.readFunctions(raw[0], functions.count, raw[1], params.count)
}

func (p *Plan) isName(at uint32) bool { return at < uint32(len(p.names)) }

func (p *Plan) readTypes(raw []byte, count uint32) error {
	p.Types = make([]Type, count)
	r := &reader{raw}
	for i := range p.Types {
		t := &p.Types[i]
		shape := r.u32()
		t.Kind, t.Direction, t.keep = Kind(shape), Direction(shape>>8), uint8(shape>>16)
		for _, field := range []*uint32{&t.Flags, &t.Size, &t.Align, &t.Target, &t.First, &t.Count, &t.Code,
			&t.Within, &t.releaser, &t.name, &t.Tag} {
			*field = r.u32()
		}
		fails := r.u32()
		t.LengthCode = r.u32()
		if shape>>24 != 0 || fails != 0 {
			return damagedAt("type", i, "a byte has an impossible value")
		}
		if !p.isName(t.name) || !p.isName(t.releaser) {
			return damagedAt("type", i, "a name lies outside")
		}
	}
	return nil
}

func (p *Plan) readFields(raw []byte, count uint32) error {
	p.Fields = make([]Field, count)
	r := &reader{raw}
	for i := range p.Fields {
		name := r.u32()
		if !p.isName(name) {
			return damagedAt("field", i, "a name lies outside")
		}
		p.Fields[i] = Field{Name: p.text(name), Type: r.u32(), Offset: r.u32(), Flags: r.u32(),
			FilledBy: r.u32(), ValueHigh: r.u32()}
	}
	return nil
}

func (p *Plan) readEnumerators(raw []byte, count uint32) error {
	p.Enumerators = make([]Enumerator, count)
	r := &reader{raw}
	for i := range p.Enumerators {
		name := r.u32()
		if !p.isName(name) {
			return damagedAt("enumerator", i, "a name lies outside")
		}
		r.u32()
		p.Enumerators[i] = Enumerator{Name: p.text(name), Value: int64(r.u64())}
	}
	return nil
}

// readParam returns "" or what is wrong with it.
func (p *Plan) readParam(r *reader, param *Param) string {
	name := r.u32()
	param.Type = r.u32()
	flags := r.u32()
	param.FilledBy = r.u32()
	param.Passing = Passing(r.u16())
	param.InWord, param.OutWord, param.Position = r.u16(), r.u16(), r.u16()
	if !p.isName(name) || param.Type >= uint32(len(p.Types)) || flags&^paramFilled != 0 || r.u64() != 0 {
		return "it is malformed"
	}
	param.Filled = flags != 0
	param.Name = p.text(name)
	return ""
}

func (p *Plan) readFunctions(raw []byte, count uint32, params []byte, paramCount uint32) error {
	p.Functions = make([]Function, count)
	r := &reader{raw}
	for i := range p.Functions {
		if wrong := p.readFunction(r, &p.Functions[i], params, paramCount); wrong != "" {
			return damagedAt("function", i, wrong)
		}
	}
	return nil
}

func (p *Plan) readFunction(r *reader, f *Function, params []byte, paramCount uint32) string {
	name, symbol, first, count := r.u32(), r.u32(), r.u32(), r.u32()
	f.Passed = int(r.u32())
	f.Flags = r.u32()
	f.InWords, f.OutWords = int(r.u16()), int(r.u16())
	f.Outer = r.u32()
	comment, reserved := r.u32(), r.u32()
	f.Fails = int64(r.u64())
	wrong := p.readParam(r, &f.Result)
	more, andMore := r.u64(), r.u64()
	if more|andMore|uint64(reserved) != 0 || !p.isName(name) || !p.isName(symbol) || !p.isName(comment) {
		return "it is malformed"
	}
	if wrong != "" || f.Result.Filled || f.Result.FilledBy != 0 || f.Result.Name != "" {
		return "its result is malformed"
	}
	if count > ParamsMax || first > paramCount || count > paramCount-first {
		return "its parameters lie outside"
	}
	f.Name, f.Symbol, f.Comment = p.text(name), p.text(symbol), p.text(comment)
	f.Params = make([]Param, count)
	pr := &reader{params[first*paramBytes : (first+count)*paramBytes]}
	for i := range f.Params {
		if wrong := p.readParam(pr, &f.Params[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}
