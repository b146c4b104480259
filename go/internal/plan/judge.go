// SPDX-License-Identifier: Apache-2.0

package plan

// How it works. A type's target, and the types of its fields, stand before the type itself: one pass in the order of
// the table judges each type by what is known of earlier ones, so nothing can be cyclic and nothing recurses. Of each
// type the pass keeps how deep it nests and which parameters its lengths name; a function then only has to compare those
// bits with its own parameters. Words and positions follow from the types, so they are computed again and compared.

// uses are parameters by bit: ParamsMax is 64.
type uses struct {
	values      uint64 // PARAM
	arguments   uint64 // PARAM, in code that calls: handles are fine there
	derefs      uint64
	outerValues uint64
	outerDerefs uint64
	within      uint64 // that WITHIN types name
	handles     uint64 // likewise BORROWED, and kept until release
	field       bool
	result      bool
	call        bool
}

func (u *uses) join(more uses) {
	u.values |= more.values
	u.arguments |= more.arguments
	u.derefs |= more.derefs
	u.outerValues |= more.outerValues
	u.outerDerefs |= more.outerDerefs
	u.within |= more.within
	u.handles |= more.handles
	u.field = u.field || more.field
	u.result = u.result || more.result
	u.call = u.call || more.call
}

func (u *uses) parameters() bool {
	return u.values|u.arguments|u.derefs|u.outerValues|u.outerDerefs|u.within|u.handles != 0 || u.result || u.call
}

type facts struct {
	height int
	uses   uses
}

type judge struct {
	plan  *Plan
	facts []facts
}

func (j *judge) isInteger(index uint32) bool { return j.plan.Types[index].Kind.IsInteger() }

func outside(first, count uint32, total int) bool {
	return uint64(first)+uint64(count) > uint64(total)
}

func (j *judge) types() error {
	p := j.plan
	for i := range p.Types {
		if wrong := j.typeAt(uint32(i)); wrong != "" {
			return damagedAt("type", i, wrong)
		}
	}
	if p.RootType != None {
		u := &j.facts[p.RootType].uses
		if j.isUnion(p.RootType) {
			return damagedAt("type", int(p.RootType), "a union lies outside of a struct")
		}
		if u.parameters() || u.field {
			return damagedAt("type", int(p.RootType), "it stands alone and names parameters")
		}
	}
	return nil
}

func (j *judge) typeAt(self uint32) string {
	t := &j.plan.Types[self]
	j.facts[self].height = 1
	if wrong := j.shape(t); wrong != "" {
		return wrong
	}
	if wrong := j.codes(self, t); wrong != "" {
		return wrong
	}
	if wrong := j.noteWithin(self, t); wrong != "" {
		return wrong
	}
	if t.Has(Enum) && outside(t.First, t.Count, len(j.plan.Enumerators)) {
		return "names records that are not there"
	}
	wrong := ""
	switch t.Kind {
	case Struct:
		wrong = j.structAt(self, t)
	case Union:
		if t.Target != None {
			return "it has a target, and needs none"
		}
		wrong = j.unionAt(self, t)
	case Pointer, Array, Handle:
		wrong = j.target(self, t)
	case Callback:
		first := uint32(1)
		if j.plan.RootType != None {
			first = 0
		}
		if t.Target < first || uint64(t.Target) >= uint64(len(j.plan.Functions)) {
			return "a callback has no shape"
		}
	default:
		if t.Target != None {
			return "it has a target, and needs none"
		}
	}
	if wrong == "" && j.facts[self].height > depthMax {
		return "types nest too deep"
	}
	return wrong
}

func (j *judge) shape(t *Type) string {
	if t.Kind >= kindCount || t.Direction < In || t.Direction > InOut || t.keep > keepSession || t.Flags&^typeFlagsAll != 0 {
		return "a byte has an impossible value"
	}
	if t.Has(Kept) != (t.keep != keepCall) || t.Has(Owned) != (t.releaser != 0) {
		return "its flags contradict it"
	}
	if t.Has(Enum) && (t.Kind < I8 || t.Kind > U64) {
		return "an enum is no integer"
	}
	if t.Has(NullEnded) && t.Kind != Pointer {
		return "its flags contradict it"
	}
	size, align := uint32(8), uint32(8)
	switch {
	case t.Kind == Struct || t.Kind == Union || t.Kind == Array:
		if t.Size == 0 || t.Size > typeSizeMax || t.Align == 0 || t.Align > 4096 || t.Align&(t.Align-1) != 0 {
			return "a size or an alignment is impossible"
		}
		return ""
	case t.Kind == Void:
		size, align = 0, 1
	case t.Kind.IsScalar():
		size = t.Kind.Size()
		align = size
	}
	if t.Size != size || t.Align != align {
		return "a size is not that of its kind"
	}
	return ""
}

func (j *judge) codes(self uint32, t *Type) string {
	sized := t.Kind == Pointer || t.Kind == String
	if t.Code != None && !sized || t.LengthCode != None && t.Code == None || t.Has(NullEnded) && t.Code != None {
		return "a length stands where none belongs"
	}
	for _, at := range [2]uint32{t.Code, t.LengthCode} {
		if at == None {
			continue
		}
		u, wrong := j.plan.codeUses(at)
		if wrong != "" {
			return wrong
		}
		j.facts[self].uses.join(u)
	}
	return ""
}

// noteWithin notes parameters that a type names outside of lengths.
func (j *judge) noteWithin(self uint32, t *Type) string {
	within := t.Kind == Within
	handle := t.Has(Borrowed) || t.keep == keepRelease
	if t.Kind == Union && !handle {
		return "" // names a field: judged with the struct
	}
	if !within && !handle {
		if t.Within != None {
			return "it names a parameter for nothing"
		}
		return ""
	}
	if t.Within >= ParamsMax {
		return "it names no parameter"
	}
	if within {
		j.facts[self].uses.within |= 1 << t.Within
	} else {
		j.facts[self].uses.handles |= 1 << t.Within
	}
	return ""
}

// isUnion: it is one, or its elements are.
func (j *judge) isUnion(index uint32) bool {
	for j.plan.Types[index].Kind == Array {
		index = j.plan.Types[index].Target
	}
	return j.plan.Types[index].Kind == Union
}

func (j *judge) target(self uint32, t *Type) string {
	if t.Target == None && t.Kind == Handle {
		if t.Has(Resident) {
			return "a resident handle has no fields"
		}
		return ""
	}
	if t.Target >= self {
		return "a target does not stand before what points to it"
	}
	target := &j.plan.Types[t.Target]
	switch {
	case t.Kind == Handle && target.Kind != Struct:
		return "a handle's target is no struct"
	case t.Kind != Array && j.isUnion(t.Target):
		return "a union lies outside of a struct"
	case target.Kind == Varargs || target.Kind == Void && (t.Kind != Pointer || t.Code == None):
		return "a target has no size"
	case t.Has(NullEnded) && target.Size != 8:
		return "only pointers can end with NULL"
	case t.Kind == Array && (t.Count == 0 || uint64(t.Count)*uint64(target.Size) != uint64(t.Size) || t.Align != target.Align):
		return "an array's size is not that of its elements"
	}
	j.facts[self].height = j.facts[t.Target].height + 1
	j.facts[self].uses.join(j.facts[t.Target].uses)
	return ""
}

func (j *judge) structAt(self uint32, t *Type) string {
	if outside(t.First, t.Count, len(j.plan.Fields)) {
		return "names records that are not there"
	}
	if t.Count == 0 || t.Size%t.Align != 0 {
		return "a struct has no fields, or its size is no multiple of its alignment"
	}
	used, below := uint64(0), 0
	fields := j.plan.FieldsOf(t)
	for i := range fields {
		f := &fields[i]
		if f.ValueHigh != 0 || f.Flags&^FieldFilled != 0 {
			return "a field is malformed"
		}
		if f.Type >= self || j.plan.Types[f.Type].Kind == Void || j.plan.Types[f.Type].Kind == Varargs {
			return "a field's type does not stand before it"
		}
		end := uint64(f.Offset) + uint64(j.plan.Types[f.Type].Size)
		if uint64(f.Offset) < used || end > uint64(t.Size) {
			return "fields overlap or lie outside"
		}
		used = end
		if j.facts[f.Type].uses.parameters() {
			return "a member's length names a parameter"
		}
		if f.Flags == FieldFilled && (f.FilledBy >= t.Count || !j.isInteger(f.Type)) || f.Flags == 0 && f.FilledBy != 0 {
			return "a field is filled by nothing"
		}
		if j.facts[f.Type].height > below {
			below = j.facts[f.Type].height
		}
	}
	// Once all fields are known to be sound, since lengths name later ones too.
	for i := range fields {
		if wrong := j.fieldLengths(t, fields[i].Type); wrong != "" {
			return wrong
		}
	}
	j.facts[self].height = below + 1
	return ""
}

func (j *judge) unionAt(self uint32, t *Type) string {
	if outside(t.First, t.Count, len(j.plan.Fields)) {
		return "names records that are not there"
	}
	if t.Count == 0 || t.Count > casesMax || t.Size%t.Align != 0 {
		return "a union is malformed"
	}
	below := 0
	fields := j.plan.FieldsOf(t)
	for i := range fields {
		f := &fields[i]
		isDefault := f.Flags == FieldDefault
		if f.Offset != 0 || isDefault && (i+1 != len(fields) || f.FilledBy != 0 || f.ValueHigh != 0) ||
			!isDefault && f.Flags != FieldCase {
			return "a case is malformed"
		}
		if f.Type >= self || j.plan.Types[f.Type].Kind == Varargs || j.plan.Types[f.Type].Size > t.Size {
			return "a case's type does not fit"
		}
		if j.facts[f.Type].uses.parameters() {
			return "a member's length names a parameter"
		}
		if j.facts[f.Type].height > below {
			below = j.facts[f.Type].height
		}
	}
	j.facts[self].height = below + 1
	return ""
}

// fieldLengths judges members named by lengths of pointers behind a field, through pointers and arrays.
func (j *judge) fieldLengths(owner *Type, index uint32) string {
	for index != None && j.plan.Types[index].Kind != Struct {
		t := &j.plan.Types[index]
		if t.Kind == Union {
			return j.inStruct(owner, t)
		}
		for _, at := range [2]uint32{t.Code, t.LengthCode} {
			if at == None {
				continue
			}
			for _, field := range j.plan.codeFields(at) {
				if uint32(field) >= owner.Count || !j.isInteger(j.plan.FieldsOf(owner)[field].Type) {
					return "a length names no integer member"
				}
			}
		}
		if t.Kind != Pointer && t.Kind != Array {
			return ""
		}
		index = t.Target
	}
	return ""
}

// inStruct judges what a union takes from the struct that it lies in.
func (j *judge) inStruct(owner, t *Type) string {
	if t.Within >= owner.Count || !j.isInteger(j.plan.FieldsOf(owner)[t.Within].Type) {
		return "no integer member selects the union's"
	}
	for _, field := range j.plan.FieldsOf(t) {
		if wrong := j.fieldLengths(owner, field.Type); wrong != "" {
			return wrong
		}
	}
	return ""
}
