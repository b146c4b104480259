// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cordon.internal/cordon"
	"cordon.internal/cordon/inproc"
)

func TestNumbersAndBytes(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		zlib := open(t, zlibInterface, level)
		if got := call(t, function(t, zlib, "crc32"), 0, []byte("hello")).Value(); got != uint32(0x3610a686) {
			t.Fatalf("crc32 is %#x", got)
		}
		version, ok := call(t, function(t, zlib, "zlibVersion")).Value().(string)
		if !ok || !strings.HasPrefix(version, "1.") {
			t.Fatalf("the version is %q", version)
		}
		var whole float64
		var part float64
		if err := call(t, function(t, open(t, libmInterface, level), "modf"), 2.75).Scan(&part, &whole); err != nil || whole != 2 || part != 0.75 {
			t.Fatalf("2.75 is %v and %v, %v", whole, part, err)
		}
	})
}

func TestOutParameters(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		zlib := open(t, zlibInterface, level)
		text := bytes.Repeat([]byte("all work and no play makes Jack a dull boy\n"), 1000)
		var length uint64
		var packed []byte
		if err := call(t, function(t, zlib, "compress2"), uint64(len(text)), text, 9).Scan(nil, &packed, &length); err != nil {
			t.Fatal(err)
		}
		if len(packed) >= len(text) || uint64(len(packed)) != length {
			t.Fatalf("%d bytes were packed into %d", len(text), len(packed))
		}
		var again []byte
		if err := call(t, function(t, zlib, "uncompress"), uint64(len(text)), packed).Scan(nil, &again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, text) {
			t.Fatal("what came back is not what went in")
		}
	})
}

func TestStructsErrnoAndVariadicArguments(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level)
		var quotient struct{ Quot, Rem int }
		if err := call(t, function(t, libc, "div"), 17, 5).Scan(&quotient); err != nil || quotient.Quot != 3 || quotient.Rem != 2 {
			t.Fatalf("17 by 5 is %v, %v", quotient, err)
		}
		if got := call(t, function(t, libc, "timegm"), map[string]any{"tm_year": 70, "tm_mday": 2}).Int(); got != 86400 {
			t.Fatalf("the second of January 1970 is %d", got)
		}
		if got := call(t, function(t, libc, "open"), "/nonexistent/file", 0); got.Int() != -1 || got.Errno != syscall.ENOENT {
			t.Fatalf("it is %d, %v", got.Int(), got.Errno)
		}
		if got := call(t, function(t, libc, "snprintf"), 100, "%d %s", 42, "is it"); got.Out("s") != "42 is it" {
			t.Fatalf("it is %q", got.Out("s"))
		}
		if got := call(t, function(t, libc, "strtol"), "12 monkeys", 10); got.Int() != 12 || got.Out("end") != 2 {
			t.Fatalf("it is %d, and %v", got.Int(), got.Out("end"))
		}
	})
}

func TestTypedFunctionsAndBatches(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		zlib := open(t, zlibInterface, level)
		crc32, err := cordon.Bind2[uint32, []byte, uint32](zlib, "crc32")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := crc32.Call(context.Background(), 0, []byte("hello")); err != nil || got != 0x3610a686 {
			t.Fatalf("crc32 is %#x, %v", got, err)
		}
		batch, err := zlib.Batch(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Close()
		for i := 0; i < 40; i++ {
			if _, err := crc32.Add(batch, 0, []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Wait(); err != nil {
			t.Fatal(err)
		}
		if got, err := crc32.Result(batch, 39); err != nil || got != 0x3610a686 {
			t.Fatalf("the last is %#x, %v", got, err)
		}
	})
}

func TestArgumentsThatDoNotFitAreRefused(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		var wrong *cordon.CallError
		if _, err := function(t, open(t, libcInterface, level), "abs").Call(context.Background(), "text"); !errors.As(err, &wrong) {
			t.Fatalf("the error is %v", err)
		}
		if _, err := open(t, libcInterface, level).Func("nothing"); !errors.As(err, &wrong) {
			t.Fatalf("the error is %v", err)
		}
	})
}

func TestCallbacksRunOnTheCallingGoroutine(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		qsort := function(t, open(t, libcInterface, level), "qsort")
		numbers := rand.Perm(500)
		memory := make([]byte, 4*len(numbers))
		for i, n := range numbers {
			binary.LittleEndian.PutUint32(memory[4*i:], uint32(n))
		}
		compared := 0 // of this goroutine alone: the race detector looks
		compare := func(a, b []byte) int {
			compared++
			return int(binary.LittleEndian.Uint32(a)) - int(binary.LittleEndian.Uint32(b))
		}
		call(t, qsort, memory, len(numbers), 4, compare)
		if compared < len(numbers) {
			t.Fatalf("%d comparisons", compared)
		}
		for i := range numbers {
			if got := binary.LittleEndian.Uint32(memory[4*i:]); got != uint32(i) {
				t.Fatalf("at %d stands %d", i, got)
			}
		}
	})
}

func TestCallsFromInsideOfCallbacks(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level)
		abs := function(t, libc, "abs")
		compare := func(ctx context.Context, a, b []byte) (int, error) {
			result, err := abs.Call(ctx, int(a[0])-int(b[0]))
			if err != nil {
				return 0, err
			}
			if a[0] < b[0] {
				return -int(result.Int()), nil
			}
			return int(result.Int()), nil
		}
		letters := []byte("sphinx of black quartz")
		call(t, function(t, libc, "qsort"), letters, len(letters), 1, compare)
		if !sort.SliceIsSorted(letters, func(i, j int) bool { return letters[i] < letters[j] }) {
			t.Fatalf("sorted they are %q", letters)
		}
	})
}

func TestAPanicOfACallbackGoesOnInTheCaller(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level)
		func() {
			defer func() {
				if got := recover(); got != "enough" {
					t.Errorf("it panicked with %v", got)
				}
			}()
			_, _ = function(t, libc, "qsort").Call(context.Background(), []byte("ba"), 2, 1, func(a, b []byte) int { panic("enough") })
		}()
		if got := call(t, function(t, libc, "abs"), -5).Int(); got != 5 {
			t.Fatalf("abs(-5) is %d", got)
		}
	})
}

func TestHandlesBelongToTheirWorker(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level, cordon.WithWorkers(2))
		stream, ok := call(t, function(t, libc, "fmemopen"), nil, 100, "w").Value().(*cordon.Handle)
		if !ok {
			t.Fatal("there is no stream")
		}
		call(t, function(t, libc, "fputs"), "hello", stream)
		if got := call(t, function(t, libc, "ftell"), stream).Int(); got != 5 {
			t.Fatalf("it stands at %d", got)
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		var stale *cordon.StaleError
		if _, err := function(t, libc, "ftell").Call(context.Background(), stream); !errors.As(err, &stale) {
			t.Fatalf("the error is %v", err)
		}
	})
}

func TestASessionHasAWorkerOfItsOwn(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level, cordon.WithWorkers(2))
		session, err := libc.Session()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		stream := call(t, function(t, session, "fmemopen"), nil, 100, "w").Value()
		call(t, function(t, session, "fputs"), "hello", stream)
		if got := call(t, function(t, session, "ftell"), stream).Int(); got != 5 {
			t.Fatalf("it stands at %d", got)
		}
	})
}

const sqliteInterface = `library "libsqlite3.so.0";
typedef struct sqlite3 sqlite3;
int sqlite3_open(const char *filename, out sqlite3 **ppDb);
int sqlite3_close(release sqlite3 *db);
int sqlite3_exec(sqlite3 *db, const char *sql,
                 nullable int (*callback)(void *context, int columns, const char *values[columns],
                                          const char *names[columns]) fails(1),
                 void *context, nullable out owned(sqlite3_free) char **errmsg);
`

func TestAQueryOfSQLite(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		session, err := open(t, sqliteInterface, level).Session()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		db := call(t, function(t, session, "sqlite3_open"), ":memory:").Out("ppDb")
		rows := []string{}
		each := func(_ uint64, values, names []string) int {
			rows = append(rows, names[0]+"="+strings.Join(values, ","))
			return 0
		}
		exec := function(t, session, "sqlite3_exec")
		call(t, exec, db, "create table t (n, name); insert into t values (1, 'one'), (2, 'two')", nil, 0)
		call(t, exec, db, "select n, name from t order by n", each, 0)
		if got := strings.Join(rows, ";"); got != "n=1,one;n=2,two" {
			t.Fatalf("the rows are %s", got)
		}
		failed := errors.New("that will do")
		var aborted *cordon.AbortedError
		_, err = exec.Call(context.Background(), db, "select n, name from t", func(uint64, []string, []string) (int, error) { return 0, failed }, 0)
		if !errors.As(err, &aborted) || !errors.Is(err, failed) {
			t.Fatalf("the error is %v", err)
		}
		call(t, function(t, session, "sqlite3_close"), db)
	})
}

func TestManyGoroutines(t *testing.T) {
	clean(t)
	zlib := open(t, zlibInterface, cordon.WithWorkers(3))
	crc32 := function(t, zlib, "crc32")
	var group sync.WaitGroup
	for g := 0; g < 20; g++ {
		group.Add(1)
		go func(seed int64) {
			defer group.Done()
			text := make([]byte, 1+rand.New(rand.NewSource(seed)).Intn(2000))
			for i := 0; i < 50; i++ {
				result, err := crc32.Call(context.Background(), 0, text)
				if err != nil {
					t.Error(err)
					return
				}
				if again, _ := crc32.Call(context.Background(), 0, text); again == nil || again.Value() != result.Value() {
					t.Errorf("twice the same is %v and %v", result.Value(), again)
				}
			}
		}(int64(g))
	}
	group.Wait()
	if n := threads("cordon-worker"); n > 3 {
		t.Fatalf("%d threads serve", n)
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	clean(t)
	var start *cordon.StartError
	_, err := inproc.Open(context.Background(), "libnosuch.so.1", cordon.WithInterface("int f(void);"))
	if !errors.As(err, &start) || start.Errno != syscall.ENOENT {
		t.Fatalf("the error is %v", err)
	}
	for _, option := range []cordon.OpenOption{
		inproc.WithLevel("bunker"),
		cordon.WithPolicy("lenient"),
		cordon.WithRequire("immortality"),
		cordon.WithSetting("colour", "blue"),
		cordon.WithInterface("int f("),
	} {
		_, err := inproc.Open(context.Background(), "libc.so.6", cordon.WithInterface("int abs(int j);"), option)
		if !errors.As(err, &start) || start.Errno != syscall.EINVAL {
			t.Errorf("the error is %v", err)
		}
	}
	_, err = inproc.Open(context.Background(), "libc.so.6", cordon.WithInterface("int abs(int j);"), cordon.WithRequire("separate-memory"))
	if !errors.As(err, &start) || start.Errno != syscall.ENOTSUP {
		t.Errorf("the error is %v", err)
	}
}

func TestLevelProcessIsThereToo(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface, inproc.WithLevel(inproc.Process), cordon.WithRequire("separate-memory"))
	if got := call(t, function(t, libc, "abs"), -3).Int(); got != 3 {
		t.Fatalf("abs(-3) is %d", got)
	}
}

// A call of numbers alone calls back what an earlier one has left there. Threads of libcordon's take no such signal.
func TestASimpleCallMayCallBack(t *testing.T) {
	clean(t)
	const number = 62
	session, err := open(t, `library "libc.so.6";
void (*signal(int signum, kept void (*handler)(int signum)))(int);
int raise(int signal);
`, inproc.WithLevel(inproc.Inline)).Session()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	came := 0
	call(t, function(t, session, "signal"), number, func(signal int) { came += signal })
	raise := function(t, session, "raise")
	if got := call(t, raise, number).Int(); got != 0 || came != number {
		t.Fatalf("raise() returned %d, and %d came", got, came)
	}
	if got := call(t, raise, 0).Int(); got != 0 {
		t.Fatalf("behind it raise() returned %d", got)
	}
}

// Memory of an arena is the worker's as it is the program's: nothing is copied.
func TestMemoryIsShared(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		zlib := open(t, zlibInterface, level, cordon.WithArena(4<<20))
		memory, err := zlib.Alloc(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer memory.Close()
		for i := range memory.Bytes() {
			memory.Bytes()[i] = byte(i * 7)
		}
		if got := call(t, function(t, zlib, "crc32"), 0, memory).Value(); got != crc32.ChecksumIEEE(memory.Bytes()) {
			t.Fatalf("crc32 is %v", got)
		}
	})
}

// Callbacks of a library's own threads wait for Dispatch.
func TestOwnThreadsAreDispatched(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		library := os.Getenv("CORDON_TEST_TICKER")
		if library == "" {
			t.Skip("CORDON_TEST_TICKER is not set: tools/test sets it")
		}
		session, err := open(t, "library \""+library+`";
int ticker_start(kept anythread int (*callback)(void *context, const char *text, int n) fails(-1), void *context, int times);
int ticker_join(void);
`, level).Session()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		ctx, cancel := context.WithTimeout(context.Background(), far)
		defer cancel()
		ticks := 0 // of this goroutine alone
		call(t, function(t, session, "ticker_start"), func(token uint64, text string, n int) int { ticks++; return 2 * n }, 77, 20)
		for count := 0; count < 20; {
			n, err := session.Dispatch(ctx)
			if err != nil || n == 0 {
				t.Fatalf("after %d: %d, %v", count, n, err)
			}
			count += n
		}
		if sum := call(t, function(t, session, "ticker_join")).Int(); sum != 2*210 || ticks != 20 {
			t.Fatalf("the sum is %d, of %d ticks", sum, ticks)
		}
	})
}
