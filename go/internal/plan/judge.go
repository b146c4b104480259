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

// ---- Functions ---------------------------------------------------------------------------------

// bits are a function's parameters by what they can be used for.
type bits struct {
	integers, words, integerPointers, memory, handles uint64
}

func (j *judge) bitsOf(f *Function) (b bits) {
	for i := range f.Params {
		index := f.Params[i].Type
		t := &j.plan.Types[index]
		bit := uint64(1) << i
		if j.isInteger(index) {
			b.integers |= bit
		}
		if t.Kind == Handle || t.Kind == Token || j.isInteger(index) {
			b.words |= bit
		}
		if t.Kind == Pointer && t.Code == None && j.isInteger(t.Target) {
			b.integerPointers |= bit
		}
		if t.Kind == Pointer || t.Kind == String || t.Kind == Within {
			b.memory |= bit
		}
		if t.Kind == Handle || t.Kind == Pointer && j.plan.Types[t.Target].Kind == Handle {
			b.handles |= bit
		}
	}
	return b
}

func (j *judge) functions() error {
	for i := range j.plan.Functions {
		if wrong := j.functionShape(uint32(i)); wrong != "" {
			return damagedAt("function", i, wrong)
		}
	}
	for i := range j.plan.Functions {
		if wrong := j.function(&j.plan.Functions[i]); wrong != "" {
			return damagedAt("function", i, wrong)
		}
	}
	return nil
}

func (j *judge) functionShape(self uint32) string {
	f := &j.plan.Functions[self]
	if f.Flags&^functionFlagsAll != 0 {
		return "it is malformed"
	}
	if f.Outer != None && (self == 0 || f.Outer >= self) {
		return "it is inside of what does not stand before it"
	}
	const unpassed = "nothing of this type is passed"
	if kind := j.plan.Types[f.Result.Type].Kind; kind == Varargs || kind == Array || kind == Union {
		return unpassed
	}
	for i := range f.Params {
		t := &j.plan.Types[f.Params[i].Type]
		if t.Kind == Void || t.Kind == Array || t.Kind == Union {
			return unpassed
		}
		dots := t.Kind == Varargs && !t.Has(VaList)
		if dots != (f.Has(Variadic) && i+1 == len(f.Params)) {
			return "`...` stands elsewhere than at the end"
		}
	}
	if f.Has(Variadic) && len(f.Params) == 0 {
		return "`...` stands elsewhere than at the end"
	}
	return ""
}

func (j *judge) function(f *Function) string {
	own := j.bitsOf(f)
	outer := bits{}
	if f.Outer != None {
		outer = j.bitsOf(&j.plan.Functions[f.Outer])
	}
	if wrong := j.usesFit(f, f.Result.Type, &own, &outer); wrong != "" {
		return wrong
	}
	for i := range f.Params {
		if wrong := j.usesFit(f, f.Params[i].Type, &own, &outer); wrong != "" {
			return wrong
		}
		if wrong := j.filled(f, uint32(i)); wrong != "" {
			return wrong
		}
	}
	return j.numbering(f)
}

func (j *judge) usesFit(f *Function, index uint32, own, outer *bits) string {
	u := &j.facts[index].uses
	if u.field {
		return "a length names a member outside of a struct"
	}
	if u.values&^own.integers|u.derefs&^own.integerPointers|u.arguments&^own.words|u.outerValues&^outer.integers|
		u.outerDerefs&^outer.integerPointers|u.within&^own.memory|u.handles&^own.handles != 0 {
		return "it names a parameter that is none, or of another kind"
	}
	if u.result && !j.isInteger(f.Result.Type) {
		return "a length names a result that is no integer"
	}
	return ""
}

func (j *judge) filled(f *Function, index uint32) string {
	param := &f.Params[index]
	if !param.Filled {
		if param.FilledBy != 0 {
			return "it is filled by what does not fill it"
		}
		return ""
	}
	if param.FilledBy >= uint32(len(f.Params)) || !j.isInteger(param.Type) {
		return "nothing fills it"
	}
	array := &j.plan.Types[f.Params[param.FilledBy].Type]
	if array.Kind != Pointer || array.Code == None || array.Direction == Out || j.plan.PlainParam(array.Code) != index {
		return "it is filled by what does not have its length"
	}
	return ""
}

func (j *judge) pointerPassing(t *Type) Passing {
	if t.Code != None || t.Has(NullEnded) {
		return PassBytes
	}
	switch j.plan.Types[t.Target].Kind {
	case String, Pointer:
		if t.Direction&Out != 0 {
			return PassDynamic
		}
		return PassBytes
	case Void, Struct, Array:
		return PassBytes
	}
	// A word cannot tell NULL from zero, nor stay where it is after the call.
	if t.Has(Nullable | Kept) {
		return PassBytes
	}
	return PassWord
}

func (j *judge) passing(index uint32, isResult bool) Passing {
	t := &j.plan.Types[index]
	switch t.Kind {
	case Void:
		return PassNothing
	case Struct, Array:
		return PassBytes
	case String:
		if isResult {
			return PassDynamic
		}
		return PassBytes
	case Pointer:
		if isResult {
			return PassDynamic
		}
		return j.pointerPassing(t)
	case Varargs:
		return PassVarargs
	}
	return PassWord
}

// numbering computes passings, words and positions, and compares.
func (j *judge) numbering(f *Function) string {
	const wrong = "its words are not numbered as its types want"
	in, out, passed := uint16(0), uint16(0), uint16(0)
	isWord := func(p Passing) bool { return p == PassWord || p == PassNothing }
	take := func(count *uint16, wanted bool) uint16 {
		if !wanted {
			return NoWord
		}
		*count++
		return *count - 1
	}
	result := Param{Type: f.Result.Type, Passing: j.passing(f.Result.Type, true), InWord: NoWord, Position: NoWord}
	result.OutWord = take(&out, result.Passing != PassNothing)
	if result != f.Result {
		return wrong
	}
	wordsOnly := isWord(result.Passing)
	for i := range f.Params {
		param := f.Params[i]
		t := &j.plan.Types[param.Type]
		pass := j.passing(param.Type, false)
		param.Passing = pass
		goesIn := pass == PassBytes || pass == PassVarargs ||
			pass != PassNothing && (t.Kind != Pointer || t.Direction&In != 0)
		param.InWord = take(&in, goesIn)
		param.OutWord = take(&out, t.Kind == Pointer && t.Direction&Out != 0 && (pass == PassWord || pass == PassDynamic))
		param.Position = take(&passed, !param.Filled)
		wordsOnly = wordsOnly && isWord(pass)
		if param != f.Params[i] {
			return wrong
		}
	}
	mailbox := wordsOnly && in <= MailboxWords && out <= MailboxWords
	if f.InWords != int(in) || f.OutWords != int(out) || f.Passed != int(passed) || f.Has(Mailbox) != mailbox {
		return wrong
	}
	return ""
}
