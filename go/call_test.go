// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"cordon.internal/cordon/internal/lane"
)

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

// Up to 16 bytes travel inside the mail, more beside it; a worker's first call takes another way than the next.
func TestBytesOfEverySmallLengthArrive(t *testing.T) {
	clean(t)
	_, zlib := openCell(t, "zlib", zlibInterface)
	crc, err := Bind2[uint32, []byte, uint32](zlib, "crc32")
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; round < 2; round++ {
		for length := 1; length <= 40; length++ {
			bytes := make([]byte, length)
			for i := range bytes {
				bytes[i] = byte(i + round)
			}
			got, err := crc.Call(context.Background(), 0, bytes)
			if want := crc32.ChecksumIEEE(bytes); err != nil || got != want {
				t.Fatalf("%d bytes: %v, %v, not %v", length, got, err, want)
			}
		}
	}
}
