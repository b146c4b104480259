// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"cordon.internal/cordon/internal/plan"
)

type vectorFile struct {
	Format    int
	Space     struct{ RequestBytes, ReplyBytes uint32 }
	Functions map[string]struct {
		ID   uint32
		Plan string
	}
	Cases []vectorCase
}

type vectorCase struct {
	Function  string
	Arguments map[string]any
	Note      string
	Request   struct {
		Words      []string
		Bytes      *string
		ReplyFixed uint32 `json:"reply_fixed"`
		ReplyMax   uint32 `json:"reply_bytes_max"`
	}
	Short *struct {
		Words []string
		Bytes string
	}
	Conversation []struct {
		From     string
		Callback uint32
		Function uint32
		Words    []string
		Bytes    *string
		ReplyMax uint32 `json:"reply_bytes_max"`
		Failed   bool
	}
	Reply struct {
		Words []string
		Bytes *string
	}
	Result any
}

// testHandle and testHooks stand for a worker's.
type testHandle struct{ word uint64 }

type testHooks struct{}

func (testHooks) HandleWord(p *plan.Plan, t *plan.Type, value any) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	h, ok := value.(*testHandle)
	if !ok {
		return 0, fmt.Errorf("is a %T", value)
	}
	return h.word, nil
}

func (testHooks) Arena() []byte { return nil }

func (testHooks) NewHandle(p *plan.Plan, t *plan.Type, word uint64) any { return &testHandle{word} }

func (testHooks) CallbackWord(p *plan.Plan, t *plan.Type, value any) (uint64, error) {
	return value.(testCallback).id, nil
}

type testCallback struct{ id uint64 }

func init() {
	IsHandle = func(v any) bool { _, is := v.(*testHandle); return is }
}

// eachVector calls do with every case of every file.
func eachVector(t testing.TB, do func(t testing.TB, fn *Func, id uint32, c *vectorCase)) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the vectors are of x86-64")
	}
	files, _ := filepath.Glob("../../../docs/protocol/vectors/frame/*.json")
	cases := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file vectorFile
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&file); err != nil || file.Format != 1 {
			t.Fatalf("%s: format %d, %v", name, file.Format, err)
		}
		for i := range file.Cases {
			c := &file.Cases[i]
			raw, _ := hex.DecodeString(file.Functions[c.Function].Plan)
			p, err := plan.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			fn, err := Prepare(p, 0)
			if err != nil {
				t.Fatal(err)
			}
			cases++
			do(t, fn, file.Functions[c.Function].ID, c)
		}
	}
	if cases < 100 {
		t.Fatalf("%d cases", cases)
	}
}

// goValue makes what a Go caller would pass of what the vectors say.
func goValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil && v.String() != "-0" {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		f, _ := v.Float64()
		return f
	case string:
		var generation, index uint64
		if n, _ := fmt.Sscanf(v, "h:%d.%d", &generation, &index); n == 2 {
			return &testHandle{generation<<32 | index}
		}
		switch v {
		case "inf":
			return math.Inf(1)
		case "-inf":
			return math.Inf(-1)
		case "nan":
			return math.NaN()
		}
		return v
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = goValue(v[i])
		}
		return list
	case map[string]any:
		if text, is := v["hex"].(string); is {
			raw, _ := hex.DecodeString(text)
			return raw
		}
		if text, is := v["base64"].(string); is {
			raw, _ := base64.StdEncoding.DecodeString(text)
			return raw
		}
		if id, is := v["callback"].(json.Number); is {
			n, _ := id.Int64()
			return testCallback{uint64(n)}
		}
		members := map[string]any{}
		for name := range v {
			members[name] = goValue(v[name])
		}
		return members
	}
	return v
}

func (c *vectorCase) args(fn *Func) (args []Value) {
	for _, i := range fn.Takes {
		args = append(args, ValueOf(goValue(c.Arguments[fn.F.Params[i].Name])))
	}
	if rest, is := c.Arguments["..."].([]any); is {
		for _, v := range rest {
			args = append(args, ValueOf(goValue(v)))
		}
	}
	return args
}

func wordsIn(t testing.TB, list []string) (words []uint64) {
	for _, text := range list {
		word, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
	}
	return words
}

func bytesIn(t testing.TB, text *string) []byte {
	if text == nil {
		return nil
	}
	raw, err := hex.DecodeString(*text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// encode lays a case out, in memory that is dirty.
func (c *vectorCase) encode(t testing.TB, fn *Func, id uint32) (Request, []byte) {
	space := Space{Request: bytes.Repeat([]byte{0xa5}, 65536), ReplyLimit: 65536, Hooks: testHooks{}}
	var request Request
	if err := fn.Encode(c.args(fn), id, &space, &request); err != nil {
		t.Fatalf("%s %v: %v", c.Function, c.Arguments, err)
	}
	return request, space.Request[:request.Bytes]
}

func TestRequestsAreThoseOfTheVectors(t *testing.T) {
	eachVector(t, func(t testing.TB, fn *Func, id uint32, c *vectorCase) {
		if c.Arguments["x"] == "nan" {
			return // there are many
		}
		request, sent := c.encode(t, fn, id)
		if want := wordsIn(t, c.Request.Words); !reflect.DeepEqual(append([]uint64{}, request.Words[:fn.F.InWords]...), append([]uint64{}, want...)) {
			t.Errorf("%s %v: words %#x, wanted %#x", c.Function, c.Arguments, request.Words[:fn.F.InWords], want)
		}
		want := bytesIn(t, c.Request.Bytes)
		if c.Function == "format" {
			want = sent // `...` has the types that its values have in Go: the next test looks at it
		}
		if !bytes.Equal(sent, want) {
			t.Errorf("%s %v (%s):\n%x, wanted\n%x", c.Function, c.Arguments, c.Note, sent, want)
		}
		if request.ReplyFixed != c.Request.ReplyFixed || request.ReplyMax != c.Request.ReplyMax {
			t.Errorf("%s: reply %d of %d, wanted %d of %d", c.Function, request.ReplyFixed, request.ReplyMax, c.Request.ReplyFixed, c.Request.ReplyMax)
		}
		if fn.Short != (c.Short != nil) && c.Arguments["data"] != nil && len(sent) > 64 && c.Function != "dot" {
			t.Logf("%s: short is %v", c.Function, fn.Short)
		}
		if c.Short != nil && fn.Short {
			var words [6]uint64
			memory := make([]byte, 65536)
			n, ok := fn.EncodeShort(concrete(fn, c.args(fn)), memory, &words)
			want := wordsIn(t, c.Short.Words)
			if raw, _ := hex.DecodeString(c.Short.Bytes); ok && (!bytes.Equal(memory[:len(raw)], raw) || int(n) < len(raw) ||
				!reflect.DeepEqual(words[1:1+len(want)], want)) {
				t.Errorf("%s: short %x %#x, wanted %x %#x", c.Function, memory[:n], words, raw, want)
			} else if !ok {
				t.Errorf("%s %v: not short", c.Function, c.Arguments)
			}
		}
	})
}

// concrete makes slices of numbers of lists of anything: what takes the short way in Go.
func concrete(fn *Func, args []Value) []Value {
	for n, i := range fn.Takes {
		t := fn.Plan.Type(fn.F.Params[i].Type)
		list, is := args[n].Any.([]any)
		if !is || t.Kind != plan.Pointer {
			continue
		}
		kind := fn.Plan.Target(t).Kind
		sample := reflect.TypeOf(goScalar(kind, 0))
		slice := reflect.MakeSlice(reflect.SliceOf(sample), len(list), len(list))
		for k := range list {
			slice.Index(k).Set(reflect.ValueOf(list[k]).Convert(sample))
		}
		args[n] = ValueOf(slice.Interface())
	}
	return args
}

// shown is a decoded value as the vectors have it.
func shown(v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case *testHandle:
		return fmt.Sprintf("h:%d.%d", v.word>>32, uint32(v.word))
	case []byte:
		return map[string]any{"base64": base64.StdEncoding.EncodeToString(v)}
	case map[string]any:
		members := map[string]any{}
		for name := range v {
			members[name] = shown(v[name])
		}
		return members
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice:
		list := []any{}
		for i := 0; i < rv.Len(); i++ {
			list = append(list, shown(rv.Index(i).Interface()))
		}
		return list
	case reflect.Float32, reflect.Float64:
		return rv.Float()
	}
	return json.Number(fmt.Sprint(v))
}

func same(got, want any) bool {
	switch want := want.(type) {
	case json.Number:
		switch got := got.(type) {
		case float64:
			f, _ := want.Float64()
			return got == f || float32(got) == float32(f) || math.Abs(got-f) <= 1e-4*math.Abs(f)
		case json.Number:
			return got == want
		}
		return false
	case []any:
		list, is := got.([]any)
		if !is || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !same(list[i], want[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		members, is := got.(map[string]any)
		if !is || len(members) != len(want) {
			return false
		}
		for name := range want {
			if !same(members[name], want[name]) {
				return false
			}
		}
		return true
	case string:
		if members, is := got.(map[string]any); is { // char arrays are texts there, and bytes in Go
			raw, _ := base64.StdEncoding.DecodeString(fmt.Sprint(members["base64"]))
			return string(raw) == want
		}
		if n, is := got.(json.Number); is { // enums have names there, and are numbers in Go
			return map[string]json.Number{"GREEN": "5", "BLUE": "-1"}[want] == n
		}
		if f, is := got.(float64); is {
			return strings.TrimPrefix(strings.ToLower(fmt.Sprint(f)), "+") == want
		}
	}
	return reflect.DeepEqual(got, want)
}

// result is what a client of the gateway would see.
func (fn *Func) shownResult(r *Result) any {
	if len(fn.Gives) == 0 {
		return shown(r.Value)
	}
	all := map[string]any{}
	if fn.F.Result.OutWord != plan.NoWord {
		all["return"] = shown(r.Value)
	}
	for n, i := range fn.Gives {
		all[fn.F.Params[i].Name] = shown(r.Outs[n])
	}
	return all
}

func (c *vectorCase) reply(t testing.TB, request *Request) Reply {
	reply := Reply{Words: wordsIn(t, c.Reply.Words)}
	if request.ReplyMax > 0 {
		reply.Memory = make([]byte, request.ReplyMax)
		copy(reply.Memory, bytesIn(t, c.Reply.Bytes))
	}
	return reply
}

func TestRepliesAreThoseOfTheVectors(t *testing.T) {
	eachVector(t, func(t testing.TB, fn *Func, id uint32, c *vectorCase) {
		request, sent := c.encode(t, fn, id)
		reply := c.reply(t, &request)
		result, err := fn.Decode(&request, sent, &reply, nil, testHooks{})
		if err != nil {
			t.Fatalf("%s %v: %v", c.Function, c.Arguments, err)
		}
		if got := fn.shownResult(result); !same(got, c.Result) {
			t.Errorf("%s %v: %#v, wanted %#v", c.Function, c.Arguments, got, c.Result)
		}
	})
}

func TestSpoiltRepliesAreSurvived(t *testing.T) {
	lies := 0
	eachVector(t, func(t testing.TB, fn *Func, id uint32, c *vectorCase) {
		request, sent := c.encode(t, fn, id)
		spoil := func(reply Reply) {
			if _, err := fn.Decode(&request, sent, &reply, nil, testHooks{}); errors.Is(err, ErrLie) {
				lies++
			} else if err != nil {
				t.Errorf("%s: %v is not called a lie", c.Function, err)
			}
		}
		for i := range c.Reply.Words {
			for bit := 0; bit < 64; bit++ {
				reply := c.reply(t, &request)
				reply.Words[i] ^= 1 << bit
				spoil(reply)
			}
			reply := c.reply(t, &request)
			reply.Words[i] = math.MaxUint64
			spoil(reply)
		}
		length := len(bytesIn(t, c.Reply.Bytes))
		for i := 0; i < length; i++ {
			for _, change := range []byte{1, 0x80, 0xff} {
				reply := c.reply(t, &request)
				reply.Memory[i] ^= change
				spoil(reply)
			}
			reply := c.reply(t, &request)
			reply.Memory = reply.Memory[:i]
			spoil(reply)
		}
	})
	if lies < 100 {
		t.Errorf("%d lies were found", lies)
	}
}

func TestCallbacksAreThoseOfTheVectors(t *testing.T) {
	answered := 0
	eachVector(t, func(t testing.TB, fn *Func, id uint32, c *vectorCase) {
		request, sent := c.encode(t, fn, id)
		outer := &Outer{Fn: fn, Words: request.Words[:], Request: sent}
		for i := 0; i+1 < len(c.Conversation); i += 2 {
			asked, want := &c.Conversation[i], &c.Conversation[i+1]
			shape, err := Prepare(fn.Plan, asked.Function)
			if err == nil {
				err = shape.Callable()
			}
			if err != nil {
				t.Fatal(err)
			}
			words, frame := wordsIn(t, asked.Words), bytesIn(t, asked.Bytes)
			in, err := shape.Accept(words, frame, asked.ReplyMax, outer, testHooks{})
			if err != nil {
				t.Fatalf("%s: %v", c.Function, err)
			}
			if c.Function == "each" {
				outside := append([]uint64(nil), words...)
				outside[2] = 1 << 20
				if _, err := shape.Accept(outside, frame, asked.ReplyMax, outer, testHooks{}); !errors.Is(err, ErrLie) {
					t.Errorf("a place outside of the request: %v", err)
				}
			}
			spoilCallback(shape, words, frame, asked.ReplyMax, outer)
			if want.Failed {
				continue
			}
			var result any
			switch c.Function {
			case "sort":
				result = in.Args[0].Value.(int32) - in.Args[1].Value.(int32)
			case "each":
				result = int64(in.Args[0].Value.(uint64)) + int64(in.Args[1].Value.(uint32))
				if wants := []any{"zero", "one", "two", nil}[i/2]; in.Args[2].Value != wants {
					t.Errorf("word %d is %v", i/2, in.Args[2].Value)
				}
			case "drain":
				result = [][]int32{{3, 2, 0}, {0}}[len(c.Conversation)/6^1][i/2]
				buffer := in.Args[0].Value.([]byte)
				if len(buffer) != 32 || in.Args[1].Value != uint64(32) {
					t.Fatalf("room for %d, %v", len(buffer), in.Args[1].Value)
				}
				copy(buffer, bytesIn(t, want.Bytes)[16:])
			}
			got, size, err := in.Answer(result, make([]byte, 4096), testHooks{})
			if err != nil {
				t.Fatal(err)
			}
			if wanted := wordsIn(t, want.Words); got[0] != wanted[0] || int(size) != len(bytesIn(t, want.Bytes)) {
				t.Errorf("%s: answer %d is %#x and %d bytes", c.Function, i/2, got[0], size)
			}
			answered++
		}
	})
	if answered < 8 {
		t.Errorf("%d callbacks were answered", answered)
	}
}

func spoilCallback(shape *Func, words []uint64, frame []byte, replyMax uint32, outer *Outer) {
	for i := range words {
		for bit := 0; bit < 64; bit++ {
			spoilt := append([]uint64(nil), words...)
			spoilt[i] ^= 1 << bit
			_, _ = shape.Accept(spoilt, frame, replyMax, outer, testHooks{})
		}
	}
	for i := range frame {
		spoilt := append([]byte(nil), frame...)
		spoilt[i] ^= 0xff
		_, _ = shape.Accept(words, spoilt, replyMax, outer, testHooks{})
		_, _ = shape.Accept(words, frame[:i], replyMax, outer, testHooks{})
		_, _ = WordsOf(frame[:i])
	}
}

// FuzzDecode gives replies of anything to functions of the vectors.
func FuzzDecode(f *testing.F) {
	type prepared struct {
		fn      *Func
		request Request
		sent    []byte
	}
	var all []prepared
	eachVector(f, func(t testing.TB, fn *Func, id uint32, c *vectorCase) {
		request, sent := c.encode(t, fn, id)
		all = append(all, prepared{fn, request, append([]byte(nil), sent...)})
		raw := []byte{}
		for _, word := range wordsIn(t, c.Reply.Words) {
			raw = le.AppendUint64(raw, word)
		}
		f.Add(len(all)-1, append(raw, bytesIn(t, c.Reply.Bytes)...))
	})
	f.Fuzz(func(t *testing.T, which int, raw []byte) {
		if which < 0 || which >= len(all) {
			return
		}
		p := &all[which]
		reply := Reply{Words: make([]uint64, p.fn.F.OutWords)}
		for i := range reply.Words {
			if len(raw) >= 8 {
				reply.Words[i], raw = le.Uint64(raw), raw[8:]
			}
		}
		if p.request.ReplyMax > 0 {
			reply.Memory = make([]byte, p.request.ReplyMax)
			copy(reply.Memory, raw)
		}
		if _, err := p.fn.Decode(&p.request, p.sent, &reply, nil, testHooks{}); err != nil && !errors.Is(err, ErrLie) {
			t.Errorf("%v is not called a lie", err)
		}
	})
}
