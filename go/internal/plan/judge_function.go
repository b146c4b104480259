// SPDX-License-Identifier: Apache-2.0

package plan

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
