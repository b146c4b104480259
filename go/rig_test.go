// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Tests call a real daemon, found by these: the program, and the library of what misbehaves.
const (
	programVariable = "CORDON_PROGRAM"
	faultsVariable  = "CORDON_TEST_FAULTS"
)

func fromEnvironment(t testing.TB, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Fatalf("%s is not set: tools/test sets it", name)
	}
	return path
}

// daemon is `cordon serve` with interfaces of a test's own, by cell's name.
type daemon struct {
	t       testing.TB
	path    string
	dir     string
	command *exec.Cmd
	log     *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts a daemon, which ends with the test. A name with a dot is another file's: cordon.yaml.
func serve(t testing.TB, interfaces map[string]string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "cordon-go-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{t: t, dir: dir, path: filepath.Join(dir, "socket")}
	for name, text := range interfaces {
		if filepath.Ext(name) == "" {
			name += ".cordon"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(d.stop)
	d.start()
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	arguments := []string{"serve", "--socket", d.path}
	if config := filepath.Join(d.dir, "cordon.yaml"); exists(config) {
		arguments = append(arguments, "--config", config)
	} else {
		files, _ := filepath.Glob(filepath.Join(d.dir, "*.cordon"))
		for _, file := range files {
			arguments = append(arguments, "--interface", file)
		}
	}
	d.log = &syncBuffer{}
	d.command = exec.Command(fromEnvironment(d.t, programVariable), arguments...)
	d.command.Stderr = d.log
	d.command.Env = append(os.Environ(), "XDG_STATE_HOME="+d.dir)
	d.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.command.Start(); err != nil {
		d.t.Fatal(err)
	}
	await(d.t, "the daemon listens", func() bool {
		conn, err := Dial(context.Background(), d.path)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d *daemon) stop() {
	if d.command == nil {
		return
	}
	_ = d.command.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = d.command.Process.Kill()
		}
	}()
	_ = d.command.Wait()
	close(ended)
	d.command = nil
	if d.t.Failed() {
		d.t.Logf("the daemon said:\n%s", d.log)
	}
}

// kill ends it as if it had crashed.
func (d *daemon) kill() {
	_ = d.command.Process.Kill()
	_ = d.command.Wait()
	d.command = nil
}

// workers are the processes of the daemon's keeper.
func (d *daemon) workers() (pids []int) {
	parents := map[int]int{}
	keepers := map[int]bool{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
		if strings.Contains(string(stat), "(cordon-keeper)") && d.isKeeper(pid) {
			keepers[pid] = true
		}
	}
	for found := true; found; {
		found = false
		for pid, parent := range parents {
			if keepers[parent] && !keepers[pid] {
				keepers[pid], found = true, true
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// isKeeper: it holds a pidfd of its host.
func (d *daemon) isKeeper(pid int) bool {
	if d.command == nil {
		return false
	}
	infos, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, info := range infos {
		text, _ := os.ReadFile(info)
		if strings.Contains(string(text), fmt.Sprintf("\nPid:\t%d\n", d.command.Process.Pid)) {
			return true
		}
	}
	return false
}

func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("in 30 s it did not come about that %s", what)
		}
	}
}

// clean fails a test that leaves goroutines, descriptors or mappings behind. To be called first.
func clean(t *testing.T) {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has its descriptors from then on
		r.Close()
		w.Close()
	}
	goroutines, fds, maps := runtime.NumGoroutine(), count("/proc/self/fd"), lanes()
	t.Cleanup(func() {
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			g, f, m := runtime.NumGoroutine(), count("/proc/self/fd"), lanes()
			if g <= goroutines && f <= fds && m <= maps {
				return
			}
			if time.Now().After(until) {
				stacks := make([]byte, 1<<20)
				stacks = stacks[:runtime.Stack(stacks, true)]
				t.Errorf("left behind: goroutines %d -> %d, descriptors %d -> %d, lanes %d -> %d\n%s", goroutines, g, fds, f, maps, m, stacks)
				return
			}
		}
	})
}

func count(dir string) int {
	entries, _ := os.ReadDir(dir)
	return len(entries)
}

func lanes() int {
	maps, _ := os.ReadFile("/proc/self/maps")
	return strings.Count(string(maps), "/memfd:cordon-")
}

const libcInterface = `library "libc.so.6";
int abs(int j);
long labs(long j);
size_t strlen(const char *s);
int getpid(void);
int usleep(unsigned microseconds);
unsigned sleep(unsigned seconds);
int raise(int signal);
char *getenv(const char *name);
long strtol(const char *text, nullable out within(text) char **end, int base);
within(s) char *strchr(const char *s, int c);
owned(free) char *strdup(const char *s);
struct div { int quot; int rem; };
struct div div(int numerator, int denominator);
void qsort(inout void base[n * size], size_t n, size_t size,
           int (*compare)(const void a[size], const void b[size]));
int snprintf(out char s[n], size_t n, const char *format, ...);
within(s) void *memset(out void s[n], int c, size_t n);

int memcmp(const void a[n], const void b[n], size_t n);
int open(const char *path, int flags);
struct tm { int tm_sec; int tm_min; int tm_hour; int tm_mday; int tm_mon; int tm_year;
            int tm_wday; int tm_yday; int tm_isdst; long tm_gmtoff; const char *tm_zone; };
long timegm(const struct tm *tm);
struct tm *gmtime_r(const long *timep, out struct tm *result);
int getpagesize(void);
FILE *fmemopen(nullable void *buf, size_t size, const char *mode);
int fputs(const char *s, FILE *stream);
long ftell(FILE *stream);
int fclose(release FILE *stream);
`

const libmInterface = `library "libm.so.6";
double fabs(double x);
float fabsf(float x);
double modf(double x, out double *integral);
`

const zlibInterface = `library "libz.so.1";
uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);
int compress2(out uint8_t dest[*destLen], inout unsigned long *destLen, const uint8_t source[sourceLen], unsigned long sourceLen, int level);
int uncompress(out uint8_t dest[*destLen], inout unsigned long *destLen, const uint8_t source[sourceLen], unsigned long sourceLen);
unsigned long compressBound(unsigned long sourceLen);
const char *zlibVersion(void);
`

func faultsInterface(t testing.TB) string {
	return fmt.Sprintf(`library "%s";
int fault_none(int value);
int fault_null_write(int value);
int fault_abort(int value);
int fault_exit7(int value);
int fault_spin(int value);
int fault_pause(int value);
int fault_storm(int (*callback)(int value), int value);
`, fromEnvironment(t, faultsVariable))
}

// dial connects to a daemon of the test's own.
func dial(t testing.TB, interfaces map[string]string) (*daemon, *Conn) {
	t.Helper()
	d := serve(t, interfaces)
	conn, err := Dial(context.Background(), d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return d, conn
}

// openCell is dial and a cell.
func openCell(t testing.TB, name, text string, with ...Option) (*daemon, *Cell) {
	t.Helper()
	d, conn := dial(t, map[string]string{name: text})
	cell, err := conn.Cell(context.Background(), name, with...)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log)
	}
	return d, cell
}

// openTwo is dial and two cells.
func openTwo(t testing.TB, oneName, one, twoName, two string) (*Cell, *Cell) {
	t.Helper()
	d, conn := dial(t, map[string]string{oneName: one, twoName: two})
	var cells [2]*Cell
	for i, name := range []string{oneName, twoName} {
		var err error
		if cells[i], err = conn.Cell(context.Background(), name); err != nil {
			t.Fatalf("%v\n%s", err, d.log)
		}
	}
	return cells[0], cells[1]
}

func funcOf(t testing.TB, from Binder, name string) *Func {
	t.Helper()
	f, err := from.Func(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func invoke(t testing.TB, f *Func, args ...any) *Result {
	t.Helper()
	r, err := f.Call(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
