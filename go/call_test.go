// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon/internal/lane"
)

func TestNumbersAreConvertedAndJudged(t *testing.T) {
	clean(t)
	cell, libm := openTwo(t, "libc", libcInterface, "libm", libmInterface)
	abs, labs := funcOf(t, cell, "abs"), funcOf(t, cell, "labs")
	type number int16
	for _, c := range []struct {
		f    *Func
		arg  any
		want any
	}{
		{abs, -7, int32(7)}, {abs, int8(-8), int32(8)}, {abs, uint16(9), int32(9)}, {abs, number(-10), int32(10)},
		{abs, math.MaxInt32, int32(math.MaxInt32)}, {abs, uint64(5), int32(5)},
		{labs, int64(math.MinInt64 + 1), int64(math.MaxInt64)},
		{funcOf(t, libm, "fabs"), -2.5, 2.5}, {funcOf(t, libm, "fabs"), -2, 2.0}, {funcOf(t, libm, "fabs"), math.Inf(-1), math.Inf(1)},
		{funcOf(t, libm, "fabsf"), float32(-1.5), float32(1.5)}, {funcOf(t, libm, "fabsf"), -0.25, float32(0.25)},
	} {
		if got := invoke(t, c.f, c.arg).Value(); got != c.want {
			t.Errorf("%s(%v) is %v (%T), wanted %v (%T)", c.f.Name(), c.arg, got, got, c.want, c.want)
		}
	}
	if got := invoke(t, funcOf(t, libm, "fabs"), math.NaN()).Value().(float64); !math.IsNaN(got) {
		t.Errorf("fabs(NaN) is %v", got)
	}
	for _, bad := range []any{math.MaxInt32 + 1, int64(math.MinInt32) - 1, uint64(math.MaxUint64), 1.0, "1", nil, []byte{1}, struct{}{}} {
		_, err := abs.Call(context.Background(), bad)
		var refused *CallError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "argument 1 'j'") {
			t.Errorf("abs(%#v): %v", bad, err)
		}
	}
	if _, err := funcOf(t, libm, "fabsf").Call(context.Background(), 1e300); err == nil {
		t.Error("a double that no float holds was passed")
	}
	if _, err := abs.Call(context.Background()); err == nil || !strings.Contains(err.Error(), "takes 1 argument, 0 given") {
		t.Errorf("without arguments: %v", err)
	}
	if got := invoke(t, abs, -1).Value(); got != int32(1) {
		t.Errorf("after refusals: %v", got)
	}
}

func TestTextsAndBytesTravel(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	strlen := funcOf(t, cell, "strlen")
	for _, arg := range []any{"hello", []byte("hello"), strings.Repeat("x", 1<<20), ""} {
		want := uint64(reflect.ValueOf(arg).Len())
		if got := invoke(t, strlen, arg).Value(); got != want {
			t.Errorf("strlen is %v, wanted %d", got, want)
		}
	}
	for _, bad := range []any{"a\x00b", nil, 7} {
		if _, err := strlen.Call(context.Background(), bad); err == nil {
			t.Errorf("strlen(%#v) was called", bad)
		}
	}
	if got := invoke(t, funcOf(t, cell, "strdup"), "copied").Value(); got != "copied" {
		t.Errorf("strdup is %v", got)
	}
	if got := invoke(t, funcOf(t, cell, "getenv"), "CORDON_NO_SUCH_VARIABLE").Value(); got != nil {
		t.Errorf("NULL is %v", got)
	}
	if got := invoke(t, funcOf(t, cell, "memcmp"), []byte("abc"), "abd").Int(); got >= 0 {
		t.Errorf("memcmp is %d", got)
	}
	if _, err := funcOf(t, cell, "memcmp").Call(context.Background(), []byte("abc"), []byte("ab")); err == nil {
		t.Error("two arrays of one length had two")
	}
}

func TestWhatComesBackIsAResult(t *testing.T) {
	clean(t)
	cell, libm := openTwo(t, "libc", libcInterface, "libm", libmInterface)
	r := invoke(t, funcOf(t, cell, "strtol"), "42 apples", 10)
	if r.Int() != 42 || r.Out("end") != 2 {
		t.Errorf("strtol is %v, end %v", r.Value(), r.Out("end"))
	}
	if got := invoke(t, funcOf(t, cell, "strchr"), "hello", 'l').Value(); got != 2 {
		t.Errorf("strchr is %v", got)
	}
	if got := invoke(t, funcOf(t, cell, "strchr"), "hello", 'z').Value(); got != nil {
		t.Errorf("strchr of what is not there is %v", got)
	}
	r = invoke(t, funcOf(t, libm, "modf"), 3.75)
	if r.Value() != 0.75 || r.Out("integral") != 3.0 {
		t.Errorf("modf is %v and %v", r.Value(), r.Outs())
	}
	r = invoke(t, funcOf(t, cell, "memset"), 7, 5)
	if !bytes.Equal(r.Out("s").([]byte), []byte{7, 7, 7, 7, 7}) || r.Value() != 0 {
		t.Errorf("memset is %v, %v", r.Value(), r.Outs())
	}
	r = invoke(t, funcOf(t, cell, "snprintf"), 32, "%s %d %ld %.2f %c", "text", 42, int64(-7), 1.5, 'x')
	if r.Out("s") != "text 42 -7 1.50 x" || r.Int() != 17 {
		t.Errorf("snprintf is %v, %q", r.Value(), r.Out("s"))
	}
	r = invoke(t, funcOf(t, cell, "snprintf"), 5, "%s", "truncated")
	if r.Out("s") != "trun" || r.Int() != 9 {
		t.Errorf("snprintf is %v, %q", r.Value(), r.Out("s"))
	}
	r = invoke(t, funcOf(t, cell, "open"), "/no/such/file", 0)
	if r.Int() != -1 || r.Errno != syscall.ENOENT && r.Errno != syscall.EACCES {
		t.Errorf("open is %v, errno %v", r.Value(), r.Errno)
	}
}

func TestStructsTravelByMember(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	r := invoke(t, funcOf(t, cell, "div"), 17, 5)
	if want := map[string]any{"quot": int32(3), "rem": int32(2)}; !reflect.DeepEqual(r.Value(), want) {
		t.Errorf("div is %v", r.Value())
	}
	var quotient struct{ Quot, Rem int }
	if err := r.Scan(&quotient); err != nil || quotient.Quot != 3 || quotient.Rem != 2 {
		t.Errorf("scanned: %v, %v", quotient, err)
	}
	type tm struct {
		Second int    `cordon:"tm_sec"`
		Minute int    `cordon:"tm_min"`
		TmHour int32  // by its name
		Day    int8   `cordon:"tm_mday"`
		Month  uint   `cordon:"tm_mon"`
		Year   int64  `cordon:"tm_year"`
		Zone   string `cordon:"tm_zone"`
		Mine   string `cordon:"-"`
	}
	timegm := funcOf(t, cell, "timegm")
	when := time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)
	at := tm{Second: 56, Minute: 34, TmHour: 12, Day: 23, Month: 10, Year: 126, Mine: "no member"}
	for _, arg := range []any{at, &at, map[string]any{"tm_sec": 56, "tm_min": 34, "tm_hour": 12, "tm_mday": 23, "tm_mon": 10, "tm_year": 126}} {
		if got := invoke(t, timegm, arg).Int(); got != when.Unix() {
			t.Errorf("timegm(%v) is %d, wanted %d", arg, got, when.Unix())
		}
	}
	for _, bad := range []any{map[string]any{"tm_second": 1}, struct{ Nothing int }{1}, map[string]any{"tm_sec": 1 << 40}, 7} {
		if _, err := timegm.Call(context.Background(), bad); err == nil {
			t.Errorf("timegm(%v) was called", bad)
		}
	}
}

func TestArraysAreBytesOrSlices(t *testing.T) {
	clean(t)
	d, conn := dial(t, map[string]string{"zlib": zlibInterface})
	cell, err := conn.Cell(context.Background(), "zlib")
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log)
	}
	crc := funcOf(t, cell, "crc32")
	for _, size := range []int{1, 15, 16, 17, 1024, 65536, 3 << 20} {
		data := bytes.Repeat([]byte("cordon!"), size/7+1)[:size]
		if got, want := invoke(t, crc, 0, data).Value(), crc32.ChecksumIEEE(data); got != want {
			t.Errorf("crc32 of %d bytes is %v, wanted %d", size, got, want)
		}
	}
	if got := invoke(t, crc, 0, "text").Value(); got != crc32.ChecksumIEEE([]byte("text")) {
		t.Errorf("crc32 of a string is %v", got)
	}
	text := bytes.Repeat([]byte("what repeats is short "), 1000)
	bound := invoke(t, funcOf(t, cell, "compressBound"), len(text)).Value()
	r := invoke(t, funcOf(t, cell, "compress2"), bound, text, 9)
	packed := r.Out("dest").([]byte)
	if r.Int() != 0 || uint64(len(packed)) != r.Out("destLen") || len(packed) >= len(text)/10 {
		t.Fatalf("compress2 is %v: %d bytes, %v", r.Value(), len(packed), r.Out("destLen"))
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(reader); err != nil || !bytes.Equal(back, text) {
		t.Errorf("Go unpacks %d bytes, %v", len(back), err)
	}
	length := uint64(len(text))
	r = invoke(t, funcOf(t, cell, "uncompress"), &length, packed) // written through the pointer as well
	if !bytes.Equal(r.Out("dest").([]byte), text) || length != uint64(len(text)) {
		t.Errorf("uncompress is %v, %d", r.Value(), length)
	}
	if version := invoke(t, funcOf(t, cell, "zlibVersion")).Value().(string); !strings.HasPrefix(version, "1.") {
		t.Errorf("zlibVersion is %q", version)
	}
}

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

func TestHandlesStayWithTheirWorker(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	fmemopen, fputs, ftell := funcOf(t, cell, "fmemopen"), funcOf(t, cell, "fputs"), funcOf(t, cell, "ftell")
	r := invoke(t, fmemopen, nil, 128, "w+")
	file, ok := r.Value().(*Handle)
	if !ok {
		t.Fatalf("fmemopen is %v (%T), errno %v", r.Value(), r.Value(), r.Errno)
	}
	invoke(t, fputs, "hello", file)
	if got := invoke(t, ftell, file).Int(); got != 5 {
		t.Errorf("ftell is %d", got)
	}
	if _, err := ftell.Call(context.Background(), nil); err == nil {
		t.Error("nil was passed for a handle")
	}
	if err := file.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	var stale *StaleError
	if _, err := ftell.Call(context.Background(), file); !errors.As(err, &stale) {
		t.Errorf("a released handle: %v", err)
	}
	other := invoke(t, fmemopen, nil, 128, "w+").Value().(*Handle)
	session, err := cell.Session()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := funcOf(t, session, "ftell").Call(context.Background(), other); !errors.As(err, &stale) {
		t.Errorf("a handle of another worker: %v", err)
	}
	other.worker.condemn(lane.Closed, 0) // its worker ends
	if _, err := ftell.Call(context.Background(), other); !errors.As(err, &stale) {
		t.Errorf("a handle of a worker that ended: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Errorf("closing it: %v", err)
	}
}

func TestSessionsKeepTheirWorker(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	first, err := cell.Session()
	if err != nil {
		t.Fatal(err)
	}
	second, err := cell.Session()
	if err != nil {
		t.Fatal(err)
	}
	a, b := funcOf(t, first, "getpid"), funcOf(t, second, "getpid")
	session := invoke(t, funcOf(t, first, "strchr"), "x", 'x').Value() // another function of it
	pid := a.f.fn
	_ = pid
	if session != 0 {
		t.Errorf("strchr is %v", session)
	}
	for i := 0; i < 5; i++ {
		invoke(t, a)
		invoke(t, b)
	}
	if first.pool.live != 1 || second.pool.live != 1 || cell.pool.live != 0 {
		t.Errorf("workers: %d, %d and %d", first.pool.live, second.pool.live, cell.pool.live)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := a.Call(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed session: %v", err)
	}
	invoke(t, b)
}

func TestTypedFunctions(t *testing.T) {
	clean(t)
	cell, libm := openTwo(t, "libc", libcInterface, "libm", libmInterface)
	ctx := context.Background()
	abs, err := Bind1[int32, int32](cell, "abs")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := abs.Call(ctx, -5); got != 5 || err != nil {
		t.Errorf("abs is %d, %v", got, err)
	}
	fabs, err := Bind1[float64, float64](libm, "fabs")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fabs.Call(ctx, -2.5); got != 2.5 || err != nil {
		t.Errorf("fabs is %v, %v", got, err)
	}
	labs, err := Bind1[int64, int8](cell, "labs")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := labs.Call(ctx, -100); got != 100 || err != nil {
		t.Errorf("labs is %v, %v", got, err)
	}
	if _, err := labs.Call(ctx, 1000); err == nil {
		t.Error("1000 fitted an int8")
	}
	type parsed struct {
		Value int64 `cordon:"return"`
		End   int
	}
	strtol, err := Bind2[string, int, parsed](cell, "strtol")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := strtol.Call(ctx, "0x1F!", 16); got != (parsed{31, 4}) || err != nil {
		t.Errorf("strtol is %v, %v", got, err)
	}
	for _, wrong := range []error{
		second(Bind1[string, int32](cell, "abs")), second(Bind2[int32, int32, int32](cell, "abs")),
		second(Bind1[int32, string](cell, "abs")), second(Bind1[int32, Void](cell, "abs")),
		second(Bind2[string, int, int64](cell, "strtol")), second(Bind1[int32, int32](cell, "no_such_function")),
	} {
		if wrong == nil {
			t.Error("types that do not fit were bound")
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestScalarsMakeNoGarbage(t *testing.T) {
	clean(t)
	ctx := context.Background()
	libc, zlib := openTwo(t, "libc", libcInterface, "zlib", zlibInterface)
	abs, _ := Bind1[int32, int32](libc, "abs")
	crc, err := Bind2[uint32, []byte, uint32](zlib, "crc32")
	if err != nil {
		t.Fatal(err)
	}
	usleep, _ := Bind1[uint32, int32](libc, "usleep")
	data := make([]byte, 1024)
	deadline, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for name, call := range map[string]func(){
		"numbers":            func() { _, _ = abs.Call(ctx, -5) },
		"with a deadline":    func() { _, _ = abs.Call(deadline, -5) },
		"arrays":             func() { _, _ = crc.Call(ctx, 0, data) },
		"one that is parked": func() { _, _ = usleep.Call(ctx, 300) },
	} {
		call()
		if n := testing.AllocsPerRun(200, call); n != 0 {
			t.Errorf("%s: %v allocations a call", name, n)
		}
	}
}

func TestBatches(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	ctx := context.Background()
	abs, err := Bind1[int32, int32](cell, "abs")
	if err != nil {
		t.Fatal(err)
	}
	b, err := cell.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; round < 3; round++ {
		for i := 0; i < 500; i++ {
			if n, err := abs.Add(b, int32(-i)); n != i || err != nil {
				t.Fatalf("call %d is number %d, %v", i, n, err)
			}
		}
		if err := b.Wait(); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 500; i++ {
			if got, err := abs.Result(b, i); got != int32(i) || err != nil {
				t.Fatalf("call %d: %d, %v", i, got, err)
			}
		}
		if err := b.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	strdup := funcOf(t, cell, "strdup")
	for i := 0; i < 200; i++ { // of which bytes travel
		if _, err := b.Add(strdup, strings.Repeat("x", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Add(strdup, 7); err == nil || b.Len() != 200 {
		t.Errorf("a call that does not fit: %v, %d calls", err, b.Len())
	}
	for i := 199; i >= 0; i-- {
		r, err := b.Result(i)
		if err != nil || len(r.Value().(string)) != i {
			t.Fatalf("call %d: %v, %v", i, r, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1, func() {}); got != 0 {
		t.Error(got)
	}
	if _, err := b.Add(strdup, "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed batch: %v", err)
	}
}

func TestShippedInterfacesCanBeCalled(t *testing.T) {
	clean(t)
	dir := fromEnvironment(t, "CORDON_TEST_INTERFACES")
	interfaces := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(dir, "*.cordon"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		interfaces[strings.TrimSuffix(filepath.Base(file), ".cordon")] = string(text)
	}
	_, conn := dial(t, interfaces)
	all, refused := 0, 0
	for name := range interfaces {
		cell, err := conn.Cell(context.Background(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range cell.Functions() {
			all++
			if _, err := cell.Func(f); err != nil {
				t.Logf("%s: %v", name, err)
				refused++
			}
		}
	}
	if all < 100 || refused > all/20 {
		t.Errorf("of %d functions %d cannot be called from Go", all, refused)
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
