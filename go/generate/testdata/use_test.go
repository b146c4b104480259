// SPDX-License-Identifier: Apache-2.0

// Package used calls what was generated.
package used

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"syscall"
	"testing"

	"cordon.internal/cordon"

	"generated/libm"
	"generated/shapes"
	"generated/sqlite3"
	"generated/zlib"
)

var ctx = context.Background()

// opened is what a generated Open returned.
func opened[L interface{ Close() error }](t *testing.T, library L, err error) L {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = library.Close() })
	return library
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrno(t *testing.T) {
	l, err := libm.Open(ctx, cordon.WithReports(""))
	l = opened(t, l, err)
	var errno syscall.Errno
	for x, want := range map[float64]syscall.Errno{2: syscall.EDOM, 1: 0} {
		_, err := l.Acos(cordon.WithErrno(ctx, &errno), x)
		check(t, err)
		if errno != want {
			t.Errorf("acos(%v) leaves errno %v, not %v", x, errno, want)
		}
	}
}

func TestZlib(t *testing.T) {
	l, err := zlib.Open(ctx, cordon.WithReports(""))
	l = opened(t, l, err)
	data := []byte("what repeats is short, what repeats is short, what repeats is short")
	sum, err := l.Crc32(ctx, 0, data)
	check(t, err)
	if want := crc32.ChecksumIEEE(data); sum != uint64(want) {
		t.Errorf("crc32 is %d, wanted %d", sum, want)
	}
	bound, err := l.CompressBound(ctx, uint64(len(data)))
	check(t, err)
	code, packed, length, err := l.Compress(ctx, bound, data)
	check(t, err)
	if code != 0 || uint64(len(packed)) != length || len(packed) >= len(data) {
		t.Fatalf("compress is %d: %d bytes, %d", code, len(packed), length)
	}
	code, back, _, err := l.Uncompress(ctx, uint64(len(data)), packed)
	check(t, err)
	if code != 0 || string(back) != string(data) {
		t.Errorf("uncompress is %d: %q", code, back)
	}
}

func TestLibm(t *testing.T) {
	l, err := libm.Open(ctx, cordon.WithReports(""))
	l = opened(t, l, err)
	root, err := l.Sqrt(ctx, 2)
	check(t, err)
	if root != math.Sqrt2 {
		t.Errorf("sqrt(2) is %v", root)
	}
	sine, cosine, err := l.Sincos(ctx, 0)
	check(t, err)
	if sine != 0 || cosine != 1 {
		t.Errorf("sincos(0) is %v, %v", sine, cosine)
	}
	if allocations := testing.AllocsPerRun(100, func() { _, _ = l.Pow(ctx, 2, 3) }); allocations != 0 {
		t.Errorf("a call of numbers makes %v allocations", allocations)
	}
}

func TestSqlite(t *testing.T) {
	library, err := sqlite3.Open(ctx, cordon.WithReports(""))
	library = opened(t, library, err)
	l, err := library.Session()
	l = opened(t, l, err)
	code, db, err := l.Sqlite3Open(ctx, ":memory:")
	check(t, err)
	if code != 0 || db.Handle == nil {
		t.Fatalf("sqlite3_open is %d, %v", code, db)
	}
	var rows []string
	each := func(_ context.Context, _ uint64, values, names []*string) (int32, error) {
		if values[1] != nil {
			t.Errorf("%s is %q", *names[1], *values[1])
		}
		rows = append(rows, *values[0])
		return 0, nil
	}
	code, message, err := l.Sqlite3Exec(ctx, db, "select 'a', null union all select 'b', null", each, 0)
	check(t, err)
	if code != 0 || message != "" || strings.Join(rows, " ") != "a b" {
		t.Errorf("sqlite3_exec is %d, %q: %v", code, message, rows)
	}
	code, message, err = l.Sqlite3Exec(ctx, db, "selec", nil, 0)
	check(t, err)
	if code != 1 || !strings.Contains(message, "syntax error") {
		t.Errorf("sqlite3_exec is %d, %q", code, message)
	}
	failed := errors.New("mine")
	_, _, err = l.Sqlite3Exec(ctx, db, "select 1, null", func(context.Context, uint64, []*string, []*string) (int32, error) { return 0, failed }, 0)
	if !errors.Is(err, failed) {
		t.Errorf("a callback that fails: %v", err)
	}
	_, stmt, _, err := l.Sqlite3PrepareV2(ctx, db, "select ? || '!'", -1)
	check(t, err)
	_, err = l.Sqlite3BindText(ctx, stmt, 1, "hello", -1)
	check(t, err)
	_, err = l.Sqlite3Step(ctx, stmt)
	check(t, err)
	text, err := l.Sqlite3ColumnText(ctx, stmt, 0)
	check(t, err)
	if text != "hello!" {
		t.Errorf("the column is %q", text)
	}
	check(t, stmt.Close())
	check(t, db.Close())
	var stale *cordon.StaleError
	if _, err := l.Sqlite3Errmsg(ctx, db); !errors.As(err, &stale) {
		t.Errorf("a closed database: %v", err)
	}
}

func TestShapes(t *testing.T) {
	l, err := shapes.Open(ctx, cordon.WithReports(""))
	l = opened(t, l, err)
	quotient, err := l.Div(ctx, 17, 5)
	check(t, err)
	if quotient != (shapes.Div{Quot: 3, Rem: 2}) {
		t.Errorf("div is %v", quotient)
	}
	seconds, err := l.Timegm(ctx, shapes.Tm{TmMday: 2, TmYear: 70})
	check(t, err)
	if seconds != 86400 {
		t.Errorf("timegm is %d", seconds)
	}
	_, tm, err := l.GmtimeR(ctx, 86400)
	check(t, err)
	if tm.TmMday != 2 || tm.TmYear != 70 {
		t.Errorf("gmtime_r is %v", tm)
	}
	number, end, err := l.Strtol(ctx, "42 apples", 10)
	check(t, err)
	if number != 42 || end != 2 {
		t.Errorf("strtol is %d, %d", number, end)
	}
	numbers := []byte{9, 0, 3, 0, 5, 0}
	check(t, l.Qsort(ctx, numbers, 3, 2, func(_ context.Context, a, b []byte) (int32, error) {
		return int32(binary.LittleEndian.Uint16(a)) - int32(binary.LittleEndian.Uint16(b)), nil
	}))
	if string(numbers) != "\x03\x00\x05\x00\x09\x00" {
		t.Errorf("sorted: %v", numbers)
	}
	length, text, err := l.Snprintf(ctx, 32, "%s %d", "text", 42)
	check(t, err)
	if length != 7 || text != "text 42" {
		t.Errorf("snprintf is %d, %q", length, text)
	}
	copied, err := l.Strdup(ctx, "copied")
	check(t, err)
	if copied != "copied" {
		t.Errorf("strdup is %q", copied)
	}
	file, err := l.Fmemopen(ctx, 0, 64, "w+")
	check(t, err)
	_, err = l.Fputs(ctx, "hello", file)
	check(t, err)
	_, err = l.Fseek(ctx, file, -1, shapes.SEEK_END)
	check(t, err)
	check(t, file.Close())
	capital, err := l.Toupper(ctx, 'a')
	check(t, err)
	if capital != 'A' {
		t.Errorf("toupper is %c", capital)
	}
}
