// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const libcText = `library "libc.so.6"; int abs(int j); int raise(int signal); unsigned sleep(unsigned seconds); char *getenv(const char *name);`

// alone fails the test if something of a private daemon is left at its end.
func alone(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		ours.mu.Lock()
		defer ours.mu.Unlock()
		if ours.conn != nil || ours.users != 0 {
			t.Errorf("%d cells are still open", ours.users)
		}
	})
}

func openLibc(t *testing.T, with ...OpenOption) *Cell {
	t.Helper()
	reports := t.TempDir()
	cell, err := Open(context.Background(), "", append([]OpenOption{WithInterface(libcText), WithReports(reports)}, with...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cell.Close() })
	return cell
}

func absolute(t *testing.T, cell *Cell, of int) {
	t.Helper()
	abs, err := cell.Func("abs")
	if err != nil {
		t.Fatal(err)
	}
	result, err := abs.Call(context.Background(), -of)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(result.Value()); got != fmt.Sprint(of) {
		t.Fatalf("abs(-%d) = %v", of, got)
	}
}

func daemonPid(t *testing.T) int {
	t.Helper()
	ours.mu.Lock()
	defer ours.mu.Unlock()
	if ours.conn == nil {
		return 0
	}
	return ours.conn.transport.(own).daemon.(interface{ Pid() int }).Pid()
}

func TestOpen(t *testing.T) {
	alone(t)
	cell := openLibc(t)
	absolute(t, cell, 7)
	if fmt.Sprint(cell.Functions()) != "[abs getenv raise sleep]" {
		t.Error(cell.Functions())
	}
	for i := 0; i < 2; i++ {
		if cell.Close() != nil {
			t.Error("closing twice")
		}
	}
	abs, err := cell.Func("abs")
	if err == nil {
		_, err = abs.Call(context.Background(), 1)
	}
	if !errors.Is(err, ErrClosed) {
		t.Errorf("a closed cell: %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	alone(t)
	for _, wrong := range []struct {
		library string
		with    []OpenOption
		says    string
	}{
		{"libnone.so.9", []OpenOption{WithInterface("int f(void);")}, "libnone.so.9"},
		{"libc.so.6", []OpenOption{WithInterface("int abs(;")}, "expected a type"},
		{"libc.so.6", nil, "interface"},
		{"libc.so.6", []OpenOption{WithInterfaceFile("/nowhere")}, "/nowhere"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithPolicy("stern")}, "strict"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithPolicy("strict", "icon")}, "icon"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithSetting("memory", 1)}, "memory"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithRequire("survives-everything")}, "require"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithWorkers(0)}, "0 workers"},
		{"libc.so.6", []OpenOption{WithInterface(libcText), WithProgram("/nowhere")}, "/nowhere"},
	} {
		cell, err := Open(context.Background(), wrong.library, wrong.with...)
		if err == nil {
			cell.Close()
			t.Errorf("%v: opened", wrong)
		} else if !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%q is not in: %v", wrong.says, err)
		}
	}
	var start *StartError
	_, err := Open(context.Background(), "libnone.so.9", WithInterface("int f(void);"))
	if !errors.As(err, &start) || start.Errno != syscall.ENOENT || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%#v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ended, "libc.so.6", WithInterface(libcText)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}

func TestOpenPolicy(t *testing.T) {
	alone(t)
	cell := openLibc(t, WithPolicy("strict", "env:CORDON_GO=granted"))
	getenv, err := cell.Func("getenv")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"CORDON_GO": "granted", "PATH": "<nil>"} {
		result, err := getenv.Call(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(result.Value()) != want {
			t.Errorf("getenv(%q) = %v", name, result.Value())
		}
	}
}

func TestOpenCrashHasAReport(t *testing.T) {
	alone(t)
	reports := t.TempDir()
	cell := openLibc(t, WithReports(reports))
	raise, err := cell.Func("raise")
	if err != nil {
		t.Fatal(err)
	}
	_, err = raise.Call(context.Background(), int(syscall.SIGSEGV))
	var crash *CrashError
	if !errors.As(err, &crash) || crash.Signal != syscall.SIGSEGV || crash.Report == 0 {
		t.Fatalf("%#v", err)
	}
	absolute(t, cell, 3)
	await(t, "the report is there", func() bool {
		files, _ := os.ReadDir(reports)
		for _, file := range files {
			text, _ := os.ReadFile(reports + "/" + file.Name())
			if json.Valid(text) && strings.Contains(string(text), crash.Report.String()) {
				return true
			}
		}
		return false
	})
}

func TestOpenSharesOneDaemon(t *testing.T) {
	alone(t)
	const cells = 20
	var wait sync.WaitGroup
	pids := make([]int, cells)
	for i := 0; i < cells; i++ {
		cell := openLibc(t, WithWorkers(1))
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			absolute(t, cell, i+1)
			pids[i] = daemonPid(t)
		}(i)
	}
	wait.Wait()
	for _, pid := range pids {
		if pid == 0 || pid != pids[0] {
			t.Fatal(pids)
		}
	}
}

func TestOpenDaemonKilled(t *testing.T) {
	alone(t)
	cell := openLibc(t)
	other := openLibc(t)
	absolute(t, cell, 1)
	for i := 0; i < 5; i++ {
		before := daemonPid(t)
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "a call is answered again", func() bool {
			abs, err := cell.Func("abs")
			if err != nil {
				t.Fatal(err)
			}
			_, err = abs.Call(context.Background(), -1)
			return err == nil && daemonPid(t) != before // a worker may answer once more before it ends
		})
	}
	absolute(t, cell, 2)
	await(t, "the other cell is opened again", func() bool {
		abs, _ := other.Func("abs")
		_, err := abs.Call(context.Background(), -1)
		return err == nil
	})
}

func TestOpenEndsWithTheLastCell(t *testing.T) {
	alone(t)
	first := openLibc(t)
	pid := daemonPid(t)
	second := openLibc(t)
	first.Close()
	absolute(t, second, 5)
	second.Close()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the daemon is still there: %v", err)
	}
}

func TestOpenDeadline(t *testing.T) {
	alone(t)
	cell := openLibc(t)
	sleep, err := cell.Func("sleep")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := sleep.Call(ctx, 60); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	absolute(t, cell, 4)
}

func TestOpenWaitsNotForEver(t *testing.T) {
	alone(t)
	first := openLibc(t)
	stopped := daemonPid(t)
	if err := syscall.Kill(stopped, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	openTimeout = 300 * time.Millisecond
	_, err := Open(context.Background(), "", WithInterface(libcText), WithReports(""))
	openTimeout = 10 * time.Second
	var start *StartError
	if !errors.As(err, &start) || start.Errno != syscall.ETIMEDOUT {
		t.Errorf("a daemon that is stopped: %v", err)
	}
	second := openLibc(t)
	if now := daemonPid(t); now == stopped || now == 0 {
		t.Errorf("the daemon is still %d", now)
	}
	absolute(t, second, 6)
	await(t, "the first cell is opened again", func() bool {
		abs, _ := first.Func("abs")
		_, err := abs.Call(context.Background(), -1)
		return err == nil
	})
}

func ExampleOpen() {
	ctx := context.Background()
	zlib, err := Open(ctx, "libz.so.1", WithInterface("uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer zlib.Close()
	crc32, err := zlib.Func("crc32")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := crc32.Call(ctx, 0, []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Value())
	// Output: 907060870
}
