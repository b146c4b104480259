// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"cordon.internal/cordon"
	"cordon.internal/cordon/inproc"
)

const zlibInterface = `library "libz.so.1";
uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);
int compress2(out uint8_t dest[*destLen], inout unsigned long *destLen, const uint8_t source[sourceLen], unsigned long sourceLen, int level);
int uncompress(out uint8_t dest[*destLen], inout unsigned long *destLen, const uint8_t source[sourceLen], unsigned long sourceLen);
const char *zlibVersion(void);
`

const libcInterface = `library "libc.so.6";
int abs(int j);
int usleep(unsigned microseconds);
unsigned sleep(unsigned seconds);
int open(const char *path, int flags);
ssize_t read(int fd, out void buf[count], size_t count);
struct div { int quot; int rem; };
struct div div(int numerator, int denominator);
void qsort(inout void base[n * size], size_t n, size_t size,
           int (*compare)(const void a[size], const void b[size]));
long strtol(const char *text, nullable out within(text) char **end, int base);
int snprintf(out char s[n], size_t n, const char *format, ...);
struct tm { int tm_sec; int tm_min; int tm_hour; int tm_mday; int tm_mon; int tm_year;
            int tm_wday; int tm_yday; int tm_isdst; long tm_gmtoff; const char *tm_zone; };
long timegm(const struct tm *tm);
FILE *fmemopen(nullable void *buf, size_t size, const char *mode);
int fputs(const char *s, FILE *stream);
long ftell(FILE *stream);
int fclose(release FILE *stream);
`

const libmInterface = `library "libm.so.6";
double modf(double x, out double *integral);
`

// far is further away than any test takes.
const far = 30 * time.Second

func faultsPath(t testing.TB) string {
	t.Helper()
	path := os.Getenv("CORDON_TEST_FAULTS")
	if path == "" {
		t.Fatal("CORDON_TEST_FAULTS is not set: tools/test sets it")
	}
	return path
}

func faultsInterface(t testing.TB, names ...string) string {
	t.Helper()
	text := fmt.Sprintf("library \"%s\";\nint fault_none(int value);\nint fault_storm(int (*callback)(int value), int value);\n", faultsPath(t))
	for _, name := range names {
		text += fmt.Sprintf("int fault_%s(int value);\n", name)
	}
	return text
}

func open(t testing.TB, text string, with ...cordon.OpenOption) *cordon.Cell {
	t.Helper()
	with = append([]cordon.OpenOption{cordon.WithInterface(text), cordon.WithReports(""), cordon.WithDeadline(far)}, with...)
	cell, err := inproc.Open(context.Background(), "", with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cell.Close() })
	return cell
}

// onEachLevel has a test happen in threads, and where it calls.
func onEachLevel(t *testing.T, test func(t *testing.T, level cordon.OpenOption)) {
	for _, level := range []inproc.Level{inproc.Thread, inproc.Inline} {
		t.Run(string(level), func(t *testing.T) {
			clean(t)
			test(t, inproc.WithLevel(level))
		})
	}
}

func function(t testing.TB, from cordon.Binder, name string) *cordon.Func {
	t.Helper()
	f, err := from.Func(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func call(t testing.TB, f *cordon.Func, args ...any) *cordon.Result {
	t.Helper()
	result, err := f.Call(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// threads are those of this process with a name, or with any.
func threads(name string) (n int) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		comm, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if name == "" || strings.TrimSpace(string(comm)) == name {
			n++
		}
	}
	return n
}

func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("in 30 s it did not come about that %s", what)
		}
	}
}

func count(dir string) int {
	entries, _ := os.ReadDir(dir)
	return len(entries)
}

// lanes are mappings of lanes' memories. What a faulted engine was made of is kept, for ever, and does not count.
func lanes() int {
	maps, _ := os.ReadFile("/proc/self/maps")
	return bytes.Count(maps, []byte("/memfd:cordon-h")) + bytes.Count(maps, []byte("/memfd:cordon-w"))
}

// clean fails a test that leaves goroutines, descriptors, mappings or worker threads behind. To be called first.
func clean(t *testing.T) {
	t.Helper()
	// What a process has for good is there before anything is counted.
	once := open(t, libcInterface)
	call(t, function(t, once, "abs"), 1)
	once.Close()
	state := func() [4]int {
		return [4]int{runtime.NumGoroutine(), count("/proc/self/fd"), lanes(), threads("cordon-worker")}
	}
	before := state()
	t.Cleanup(func() {
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			now, more := state(), false
			for i := range now {
				more = more || now[i] > before[i]
			}
			if !more {
				return
			}
			if time.Now().After(until) {
				stacks := make([]byte, 1<<20)
				stacks = stacks[:runtime.Stack(stacks, true)]
				t.Errorf("left behind: goroutines, descriptors, lanes, threads %v -> %v\n%s", before, now, stacks)
				return
			}
		}
	})
}
