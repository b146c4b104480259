// SPDX-License-Identifier: Apache-2.0

// Package plan reads plans: prototypes compiled to bytes, which say all that an encoder needs to know of a function
// (docs/protocol/plan.md). Parse judges them completely, in time proportional to their size, and copies: what it
// returns cannot be wrong in itself, and never changes.
package plan

import "fmt"

// Limits that a plan keeps.
const (
	BytesMax     = 1 << 20
	ParamsMax    = 64
	WordsMax     = 66
	MailboxWords = 6
	typeSizeMax  = 1 << 30
	depthMax     = 16
	casesMax     = 256
	codeBytesMax = 512
	codeStackMax = 16
)

// None stands for no type, no code, no function; NoWord for no word.
const (
	None   = 0xffffffff
	NoWord = 0xffff
)

const (
	magic   = 0x4e4c5043
	version = 1

	headerBytes     = 80
	functionBytes   = 96
	paramBytes      = 32
	typeBytes       = 56
	fieldBytes      = 24
	enumeratorBytes = 16
)

// Kind is what a type is.
type Kind uint8

const (
	Void Kind = iota
	Bool
	I8
	U8
	I16
	U16
	I32
	U32
	I64
	U64
	F32
	F64
	Struct
	Array
	Pointer
	String
	Handle
	Callback
	Token
	Within
	Varargs
	Union
	kindCount
)

var kindNames = [kindCount]string{"void", "bool", "int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t",
	"int64_t", "uint64_t", "float", "double", "struct", "array", "pointer", "string", "handle", "callback", "void *",
	"pointer into an argument", "...", "union"}

func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// IsInteger: bool too.
func (k Kind) IsInteger() bool { return k >= Bool && k <= U64 }

// IsScalar: a number.
func (k Kind) IsScalar() bool { return k >= Bool && k <= F64 }

// IsSigned: an integer that can be negative.
func (k Kind) IsSigned() bool { return k == I8 || k == I16 || k == I32 || k == I64 }

// Size of a scalar, in bytes.
func (k Kind) Size() uint32 {
	return [kindCount]uint32{Bool: 1, I8: 1, U8: 1, I16: 2, U16: 2, I32: 4, U32: 4, I64: 8, U64: 8, F32: 4, F64: 8}[k]
}

// Direction is seen from the function.
type Direction uint8

const (
	In    Direction = 1
	Out   Direction = 2
	InOut Direction = 3
)

// Flags of types.
const (
	Nullable  = 1 << 0
	Secret    = 1 << 1
	Owned     = 1 << 2
	Release   = 1 << 3
	Static    = 1 << 4
	Borrowed  = 1 << 5
	Kept      = 1 << 6
	Resident  = 1 << 7
	Text      = 1 << 8
	NullEnded = 1 << 9
	VaList    = 1 << 10
	Enum      = 1 << 11
	Const     = 1 << 12
	Escape    = 1 << 13

	typeFlagsAll = Escape<<1 - 1
)

const (
	keepCall    = 0
	keepRelease = 2
	keepSession = 3
)

// Type is one record of the table of types. Those that it refers to have lower indices.
type Type struct {
	Kind       Kind
	Direction  Direction
	keep       uint8
	Flags      uint32
	Size       uint32
	Align      uint32
	Target     uint32
	First      uint32
	Count      uint32
	Code       uint32
	Within     uint32
	releaser   uint32
	name       uint32
	Tag        uint32
	LengthCode uint32
}

// Has reports whether it has one of the flags.
func (t *Type) Has(flags uint32) bool { return t.Flags&flags != 0 }

// CodeAfter is the code of its length after the call.
func (t *Type) CodeAfter() uint32 {
	if t.LengthCode != None {
		return t.LengthCode
	}
	return t.Code
}

// ElementBytes is how much one element of what points to t takes.
func (t *Type) ElementBytes() uint32 {
	if t.Kind == Void || t.Size == 0 {
		return 1
	}
	return t.Size
}

// Flags of fields.
const (
	FieldFilled  = 1 << 0
	FieldCase    = 1 << 1
	FieldDefault = 1 << 2
)

// Field is a member of a struct, or a case of a union.
type Field struct {
	Name      string
	Type      uint32
	Offset    uint32
	Flags     uint32
	FilledBy  uint32
	ValueHigh uint32
}

// Enumerator is a name of a number.
type Enumerator struct {
	Name  string
	Value int64
}

// Passing is how a value travels.
type Passing uint16

const (
	PassNothing Passing = iota
	PassWord
	PassBytes
	PassDynamic
	PassVarargs
)

const paramFilled = 1 << 0

// Param is a parameter, or a function's result.
type Param struct {
	Name     string
	Type     uint32
	Filled   bool // it only gives the length of FilledBy: callers do not pass it
	FilledBy uint32
	Passing  Passing
	InWord   uint16
	OutWord  uint16
	Position uint16
}

// Flags of functions.
const (
	Variadic  = 1 << 0
	Stateless = 1 << 1
	Fails     = 1 << 2
	Mailbox   = 1 << 3
	NoReturn  = 1 << 4
	AnyThread = 1 << 5

	functionFlagsAll = AnyThread<<1 - 1
)

// Function is the plan's own (0), or the shape of a callback.
type Function struct {
	Name     string
	Symbol   string
	Comment  string
	Params   []Param
	Passed   int
	Flags    uint32
	InWords  int
	OutWords int
	Outer    uint32 // of a callback: the function whose parameters are in scope, or None
	Fails    int64
	Result   Param
}

// Has reports whether it has one of the flags.
func (f *Function) Has(flags uint32) bool { return f.Flags&flags != 0 }

// Plan is a judged one.
type Plan struct {
	Bytes       []byte // a copy of what was parsed
	Hash        uint64
	RootType    uint32 // of a plan that only describes a type; else None
	Functions   []Function
	Types       []Type
	Fields      []Field
	Enumerators []Enumerator
	code        []byte
	names       []byte
}

// Type returns the type with an index.
func (p *Plan) Type(index uint32) *Type { return &p.Types[index] }

// byteType is what a pointer without a target points to.
var byteType = Type{Kind: U8, Direction: In, Size: 1, Align: 1, Target: None, Code: None, LengthCode: None, Within: None}

// Target is what a pointer or array has as elements.
func (p *Plan) Target(t *Type) *Type {
	if t.Target == None {
		return &byteType
	}
	return &p.Types[t.Target]
}

// FieldsOf returns the members of a struct or the cases of a union.
func (p *Plan) FieldsOf(t *Type) []Field { return p.Fields[t.First : t.First+t.Count] }

// EnumeratorsOf returns the names of an enum's numbers.
func (p *Plan) EnumeratorsOf(t *Type) []Enumerator {
	return p.Enumerators[t.First : t.First+t.Count]
}

// TypeName returns the tag, typedef or spelled-out name.
func (p *Plan) TypeName(t *Type) string { return p.text(t.name) }

// Pointee is the integer that a parameter points to, if it travels as bytes and lengths may name it; or nil.
func (p *Plan) Pointee(param *Param) *Type {
	t := p.Type(param.Type)
	if param.Passing != PassBytes || t.Kind != Pointer || t.Code != None || t.Flags&NullEnded != 0 {
		return nil
	}
	if target := p.Target(t); target.Kind.IsInteger() {
		return target
	}
	return nil
}

func (p *Plan) text(at uint32) string {
	end := at
	for p.names[end] != 0 {
		end++
	}
	return string(p.names[at:end])
}
