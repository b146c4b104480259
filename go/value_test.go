// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
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
	var errno syscall.Errno
	typed, err := Bind2[string, int, int](cell, "open")
	if err != nil {
		t.Fatal(err)
	}
	if fd, err := typed.Call(WithErrno(context.Background(), &errno), "/no/such/file", 0); err != nil || fd != -1 || errno != r.Errno {
		t.Errorf("typed open is %v, %v, errno %v, not %v", fd, err, errno, r.Errno)
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
