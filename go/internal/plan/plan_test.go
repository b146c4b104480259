// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// vectors reads a file of docs/protocol/vectors. They are of x86-64.
func vectors(t testing.TB, name string, to any) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the vectors are of x86-64")
	}
	text, err := os.ReadFile(filepath.Join("../../../docs/protocol/vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

type vectorFile struct {
	Format int
	Plans  []struct {
		What, Error, Plan string
		Functions         []struct {
			Name        string
			Symbol      string
			PassedCount int    `json:"passed_count"`
			Flags       uint32 `json:"flags"`
			InWords     int    `json:"in_words"`
			OutWords    int    `json:"out_words"`
			Parameters  []struct {
				Name    string
				Type    uint32
				Passing int
				InWord  int `json:"in_word"`
				OutWord int `json:"out_word"`
			}
		}
		Types []struct {
			Kind, Direction   int
			Flags, Size       uint32
			Target            *uint32
			Align             uint32
			First, Count, Tag uint32
		}
	}
}

func TestVectorsAreReadAsTheySay(t *testing.T) {
	var file vectorFile
	vectors(t, "plan/plans.json", &file)
	if file.Format != 1 || len(file.Plans) < 50 {
		t.Fatalf("format %d, %d plans", file.Format, len(file.Plans))
	}
	for _, v := range file.Plans {
		bytes, _ := hex.DecodeString(v.Plan)
		p, err := Parse(bytes)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if len(p.Functions) != len(v.Functions) || len(p.Types) != len(v.Types) {
			t.Fatalf("%d functions and %d types, wanted %d and %d", len(p.Functions), len(p.Types), len(v.Functions), len(v.Types))
		}
		for i, want := range v.Functions {
			f := &p.Functions[i]
			if f.Name != want.Name || f.Symbol != want.Symbol || f.Flags != want.Flags || f.Passed != want.PassedCount ||
				f.InWords != want.InWords || f.OutWords != want.OutWords || len(f.Params) != len(want.Parameters) {
				t.Fatalf("function %d is %+v, wanted %+v", i, f, want)
			}
			for n, param := range want.Parameters {
				got := &f.Params[n]
				if got.Name != param.Name || got.Type != param.Type || int(got.Passing) != param.Passing ||
					int(got.InWord) != param.InWord || int(got.OutWord) != param.OutWord {
					t.Errorf("%s: parameter %d is %+v, wanted %+v", f.Name, n, got, param)
				}
			}
		}
		for i, want := range v.Types {
			got := &p.Types[i]
			target := uint32(None)
			if want.Target != nil {
				target = *want.Target
			}
			if int(got.Kind) != want.Kind || int(got.Direction) != want.Direction || got.Flags != want.Flags ||
				got.Size != want.Size || got.Align != want.Align || got.Target != target || got.Tag != want.Tag {
				t.Errorf("%s: type %d is %+v, wanted %+v", p.Functions[0].Name, i, got, want)
			}
		}
	}
}

func TestDamagedVectorsAreRefused(t *testing.T) {
	var file vectorFile
	vectors(t, "plan/refused.json", &file)
	for _, v := range file.Plans {
		bytes, _ := hex.DecodeString(v.Plan)
		_, err := Parse(bytes)
		if err == nil || errors.Is(err, ErrVersion) != (v.Error == "ENOTSUP") {
			t.Errorf("%s: %v, wanted %s", v.What, err, v.Error)
		}
	}
	if len(file.Plans) < 10 {
		t.Errorf("%d plans", len(file.Plans))
	}
}

// seal puts the right hash into bytes, so that judging goes on behind it.
func seal(bytes []byte) []byte {
	bytes = append([]byte(nil), bytes...)
	if len(bytes) >= headerBytes {
		le.PutUint64(bytes[16:], layoutHash(bytes))
	}
	return bytes
}

func seeds(t testing.TB) (plans [][]byte) {
	var file vectorFile
	vectors(t, "plan/plans.json", &file)
	for _, v := range file.Plans {
		bytes, _ := hex.DecodeString(v.Plan)
		plans = append(plans, bytes)
	}
	return plans
}

// What is accepted can be evaluated and walked without a check.
func exercise(p *Plan) {
	for i := range p.Types {
		t := &p.Types[i]
		for _, code := range []uint32{t.Code, t.CodeAfter()} {
			if code != None {
				_, _ = p.Evaluate(code, ones{})
				_ = p.PlainParam(code)
				_ = p.PlainField(code)
			}
		}
		if t.Kind == Struct || t.Kind == Union {
			for _, f := range p.FieldsOf(t) {
				_ = p.Type(f.Type)
			}
		}
		if t.Has(Enum) {
			_ = p.EnumeratorsOf(t)
		}
		_ = p.TypeName(t)
	}
	for i := range p.Functions {
		for n := range p.Functions[i].Params {
			_ = p.Pointee(&p.Functions[i].Params[n])
		}
	}
}

type ones struct{}

func (ones) Param(uint32) (int64, error)      { return 1, nil }
func (ones) Deref(uint32) (int64, error)      { return -1, nil }
func (ones) Field(uint32) (int64, error)      { return 1 << 62, nil }
func (ones) Outer(uint32) (int64, error)      { return 0, nil }
func (ones) OuterDeref(uint32) (int64, error) { return 0, ErrUnknown }
func (ones) Result() (int64, error)           { return 3, nil }

func TestEveryChangedByteIsSurvived(t *testing.T) {
	accepted := 0
	for _, bytes := range seeds(t) {
		if p, err := Parse(bytes); err != nil {
			t.Fatal(err)
		} else {
			exercise(p)
		}
		for i := range bytes {
			for _, change := range []byte{1, 0x80, 0xff} {
				damaged := append([]byte(nil), bytes...)
				damaged[i] ^= change
				if p, err := Parse(seal(damaged)); err == nil {
					accepted++
					exercise(p)
				}
			}
			if _, err := Parse(seal(bytes[:i])); err == nil {
				t.Fatalf("%d of %d bytes are a plan", i, len(bytes))
			}
		}
	}
	t.Logf("%d changes make another plan", accepted)
}

func FuzzParse(f *testing.F) {
	for _, bytes := range seeds(f) {
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		if p, err := Parse(seal(bytes)); err == nil {
			exercise(p)
		}
	})
}

func FuzzParseLent(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, bytes []byte) { _, _ = ParseLent(bytes) })
}

func TestArithmeticIsChecked(t *testing.T) {
	const most, least = 1<<63 - 1, -1 << 63
	for _, c := range []struct {
		op   byte
		a, b int64
		want int64
		err  error
	}{
		{opAdd, 1, 2, 3, nil}, {opAdd, most, 1, 0, ErrOverflow}, {opAdd, least, -1, 0, ErrOverflow}, {opAdd, most, 0, most, nil},
		{opSub, 1, 2, -1, nil}, {opSub, least, 1, 0, ErrOverflow}, {opSub, 0, least, 0, ErrOverflow}, {opSub, 5, 0, 5, nil},
		{opMul, 1 << 32, 1 << 31, 0, ErrOverflow}, {opMul, -1, least, 0, ErrOverflow}, {opMul, least, -1, 0, ErrOverflow},
		{opMul, 1 << 31, 1 << 31, 1 << 62, nil}, {opMul, least, 1, least, nil}, {opMul, 0, least, 0, nil},
		{opDiv, 7, 2, 3, nil}, {opDiv, 7, 0, 0, ErrDivision}, {opDiv, least, -1, 0, ErrOverflow}, {opMod, 7, 4, 3, nil}, {opMod, 7, 0, 0, ErrDivision},
		{opShl, 1, 62, 1 << 62, nil}, {opShl, 2, 62, 0, ErrOverflow}, {opShl, 1, 63, 0, ErrOverflow}, {opShl, 1, -1, 0, ErrOverflow}, {opShl, -1, 62, -1 << 62, nil},
		{opShr, -8, 1, -4, nil}, {opShr, 8, 63, 0, ErrOverflow},
	} {
		if got, err := apply(c.op, c.a, c.b); err != c.err || err == nil && got != c.want {
			t.Errorf("operation %d of %d and %d: %d, %v", c.op, c.a, c.b, got, err)
		}
	}
}

func TestCodeKeepsToItsStack(t *testing.T) {
	push := []byte{opPush, 1, 0, 0, 0, 0, 0, 0, 0}
	push = push[:len(push):len(push)]
	many := []byte{}
	for i := 0; i <= codeStackMax; i++ {
		many = append(many, push...)
	}
	for name, code := range map[string][]byte{
		"a negation of nothing": append([]byte{opNeg}, append(push, opEnd)...), "a sum of nothing": {opAdd, opEnd}, "nothing": {opEnd}, "no end": push,
		"a sum of one": append(append([]byte{}, push...), opAdd, opEnd), "two values": append(append(append([]byte{}, push...), push...), opEnd),
		"too many values": append(many, opEnd), "no such operation": {opCount, opEnd}, "half an operand": {opPush, 1, 2},
		"a call of nothing": {opCall, 0, 0, 0, 0, 0, opEnd}, "a call of what it has not": {opCall, 1, 0, 0, 0, 2, opEnd},
		"a call outside of names": {opCall, 9, 0, 0, 0, 0, opEnd}, "parameter 64": {opParam, 64, 0, opEnd}, "none": {},
	} {
		p := &Plan{code: code, names: []byte{0, 'f', 0}}
		if _, wrong := p.codeUses(0); wrong == "" {
			t.Errorf("%s is accepted", name)
		}
	}
}
