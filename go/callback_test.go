// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCallbacksRunHere(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	qsort, abs := funcOf(t, cell, "qsort"), funcOf(t, cell, "abs")
	numbers := []int32{9, -3, 7, 1, 5, -100, 42}
	raw := make([]byte, 4*len(numbers))
	for i, n := range numbers {
		binary.LittleEndian.PutUint32(raw[4*i:], uint32(n))
	}
	calls := 0
	compare := func(ctx context.Context, a, b []byte) (int32, error) {
		calls++
		x, y := int32(binary.LittleEndian.Uint32(a)), int32(binary.LittleEndian.Uint32(b))
		r, err := abs.Call(ctx, x-y) // from inside: to the same worker
		if err != nil {
			return 0, err
		}
		if x < y {
			return -int32(r.Int()), nil
		}
		return int32(r.Int()), nil
	}
	r := invoke(t, qsort, raw, len(numbers), 4, compare)
	want := []int32{-100, -3, 1, 5, 7, 9, 42}
	for i := range want {
		if got := int32(binary.LittleEndian.Uint32(raw[4*i:])); got != want[i] {
			t.Fatalf("sorted number %d is %d, wanted %d", i, got, want[i])
		}
	}
	if !bytes.Equal(r.Out("base").([]byte), raw) || calls < len(numbers)-1 {
		t.Errorf("%d calls back, %v", calls, r.Out("base"))
	}
}

func TestCallbacksThatFailEndTheCall(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	qsort := funcOf(t, cell, "qsort")
	mine := errors.New("mine")
	_, err := qsort.Call(context.Background(), []byte{2, 1}, 2, 1, func(a, b []byte) (int, error) { return 0, mine })
	var aborted *AbortedError
	if !errors.As(err, &aborted) || !errors.Is(err, mine) {
		t.Errorf("a callback that failed: %v", err)
	}
	func() {
		defer func() {
			if value := recover(); value != "mine" {
				t.Errorf("recovered %v", value)
			}
		}()
		_, _ = qsort.Call(context.Background(), []byte{2, 1}, 2, 1, func(a, b []byte) int { panic("mine") })
		t.Error("the panic of a callback is lost")
	}()
	for _, bad := range []any{7.5, "no", func() {}, func(a []byte) int { return 0 }, func(a, b []byte) {}, func(a, b []byte) (int, int) { return 0, 0 }} {
		if _, err := qsort.Call(context.Background(), []byte{2, 1}, 2, 1, bad); err == nil {
			t.Errorf("%T was passed", bad)
		}
	}
	if got := invoke(t, funcOf(t, cell, "abs"), -1).Int(); got != 1 {
		t.Errorf("afterwards abs is %d", got)
	}
}

const expatInterface = `library "libexpat.so.1";
typedef struct XML_ParserStruct *XML_Parser;
XML_Parser XML_ParserCreate(nullable const char *encoding);
void XML_ParserFree(release XML_Parser parser);
void XML_SetElementHandler(XML_Parser parser,
                           kept(until next) void (*start)(void *userData, const char *name, const char *atts[null]),
                           kept(until next) void (*end)(void *userData, const char *name));
int XML_Parse(XML_Parser parser, const char s[len], int len, int isFinal);
`

func TestKeptCallbacksAreCalledLater(t *testing.T) {
	clean(t)
	libc, expat := openTwo(t, "libc", libcInterface+"void (*signal(int signum, kept void (*handler)(int signum)))(int);\n", "expat", expatInterface)
	parser := invoke(t, funcOf(t, expat, "XML_ParserCreate"), nil).Value().(*Handle)
	var seen []string
	invoke(t, funcOf(t, expat, "XML_SetElementHandler"), parser,
		func(user uint64, name string, attributes []any) {
			seen = append(seen, "<"+name)
			for _, a := range attributes {
				seen = append(seen, a.(string))
			}
		},
		func(user uint64, name string) { seen = append(seen, name+">") })
	r := invoke(t, funcOf(t, expat, "XML_Parse"), parser, `<a x="1"><b/></a>`, 1)
	if got := strings.Join(seen, " "); r.Int() != 1 || got != "<a x 1 <b b> a>" {
		t.Errorf("expat is %v, called back with %q", r.Value(), got)
	}
	if err := parser.Close(); err != nil {
		t.Error(err)
	}
	// A call of numbers alone, during which something is called back that was passed before.
	session, err := libc.Session()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	raised := 0
	invoke(t, funcOf(t, session, "signal"), int(syscall.SIGUSR1), func(number int) { raised += number })
	for i := 0; i < 3; i++ {
		if r := invoke(t, funcOf(t, session, "raise"), int(syscall.SIGUSR1)); r.Int() != 0 {
			t.Fatalf("raise is %v, errno %v", r.Value(), r.Errno)
		}
	}
	if raised != 3*int(syscall.SIGUSR1) {
		t.Errorf("raised %d", raised)
	}
}

// A goroutine that ends in a callback holds nothing.
func TestAGoroutineMayEndInACallback(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface, WithWorkers(1))
	qsort := funcOf(t, cell, "qsort")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = qsort.Call(context.Background(), []byte{2, 1}, 2, 1, func(a, b []byte) int {
			runtime.Goexit()
			return 0
		})
		t.Error("it went on")
	}()
	<-done
	if got := invoke(t, funcOf(t, cell, "abs"), -1).Int(); got != 1 {
		t.Errorf("afterwards abs is %d", got)
	}
}

func TestCallbacksAreCounted(t *testing.T) {
	var table callbacks
	for i := 0; i < callbacksMax; i++ {
		if id, err := table.add(callback{function: reflect.ValueOf(func() {})}); err != nil || id != uint32(i)+1 {
			t.Fatalf("callback %d: %d, %v", i, id, err)
		}
	}
	if _, err := table.add(callback{function: reflect.ValueOf(func() {})}); err == nil {
		t.Error("one more than may be was added")
	}
	table.end([]uint32{7})
	if id, err := table.add(callback{function: reflect.ValueOf(func() {})}); err != nil || id != 7 {
		t.Errorf("the place of one that ended: %d, %v", id, err)
	}
	for _, id := range []uint32{0, callbacksMax + 1, ^uint32(0)} {
		if table.find(id) != nil {
			t.Errorf("callback %d was found", id)
		}
	}
}

// Structs are what a callback can give the library, and change where it gives one; pointers in them stay.
func TestCallbacksGiveStructs(t *testing.T) {
	clean(t)
	text := tickerInterface(t) + `struct pair { int left; double right; };
double ticker_pair(struct pair (*ask)(int n), int n);
struct named { const char *name; int value; };
int ticker_named(void (*fill)(inout struct named *named), const char *name);
`
	_, cell := openCell(t, "ticker", text, WithDeadline(20*time.Second))
	pair := funcOf(t, cell, "ticker_pair")
	type pairOf struct {
		Left  int32
		Right float64
	}
	for _, ask := range []any{
		func(n int) pairOf { return pairOf{int32(n), 0.5} },
		func(n int) map[string]any { return map[string]any{"left": n, "right": 0.5} },
		func(n int) (*pairOf, error) { return &pairOf{int32(n), 0.5}, nil },
	} {
		if got := invoke(t, pair, ask, 7).Value(); got != 7.5 {
			t.Errorf("%T: the sum is %v", ask, got)
		}
	}
	var aborted *AbortedError
	for _, ask := range []any{
		func(n int) int { return n },
		func(n int) map[string]any { return map[string]any{"left": 1 << 40} },
		func(n int) map[string]any { return map[string]any{"other": 1} },
	} {
		if r, err := pair.Call(context.Background(), ask, 7); !errors.As(err, &aborted) {
			t.Errorf("%T: %v, %v", ask, r, err)
		}
	}
	named := funcOf(t, cell, "ticker_named")
	type namedOf struct {
		Name  string
		Value int32
	}
	for _, fill := range []any{
		func(n *namedOf) { n.Value += int32(len(n.Name)) },
		func(n *namedOf) { n.Value, n.Name = 5, "another" },
		func(n map[string]any) { n["value"] = n["value"].(int32) + 4 },
	} {
		if got := invoke(t, named, fill, "name").Value(); got != int32(9) {
			t.Errorf("%T: %v", fill, got)
		}
	}
}
