// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon"
	"cordon.internal/cordon/inproc"
)

// Each fault happens in a process of its own, which is this program run again: what is broken may stay broken.
const faultVariable = "CORDON_INPROC_FAULT"

func TestMain(m *testing.M) {
	if name, level, is := strings.Cut(os.Getenv(faultVariable), "@"); is {
		os.Exit(suffer(name, inproc.WithLevel(inproc.Level(level))))
	}
	os.Exit(m.Run())
}

var hangs = map[string]bool{"spin": true, "spin_blocked": true, "pause": true, "deadlock": true, "sleep": true, "thread_exit": true}

var inside = map[string]bool{"null_read": true, "exit7": true}

// suffer has one fault happen, and says how the call ended and whether the program goes on.
func suffer(name string, level cordon.OpenOption) int {
	t := &teller{}
	faults := open(t, faultsInterface(t, name), cordon.WithWorkers(2), level)
	misdeed := function(t, faults, "fault_"+name)
	call(t, function(t, faults, "fault_none"), 1) // a thread is there, so that the time is the misdeed's
	ctx, cancel := context.Background(), func() {}
	if hangs[name] {
		ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
	}
	defer cancel()
	var err error
	if inside[name] { // of a callback: there is native code around it
		storm := function(t, faults, "fault_storm")
		_, err = storm.Call(ctx, func(ctx context.Context, value int) (int, error) {
			_, err := misdeed.Call(ctx, 1)
			fmt.Println("inside: " + outcome(err))
			return 0, err
		}, 1)
	} else {
		_, err = misdeed.Call(ctx, 1)
	}
	fmt.Println(outcome(err))
	_, err = function(t, faults, "fault_none").Call(context.Background(), 1)
	fmt.Println(outcome(err))
	again := open(t, faultsInterface(t), level)
	_, err = function(t, again, "fault_none").Call(context.Background(), 1)
	fmt.Println(outcome(err))
	fmt.Println(goesOn())
	return 0
}

// teller is what open() and the like want of a test.
type teller struct{ testing.TB }

func (t *teller) Helper()        {}
func (t *teller) Cleanup(func()) {}
func (t *teller) Fatal(what ...any) {
	fmt.Println(what...)
	os.Exit(3)
}

func outcome(err error) string {
	var crash *cordon.CrashError
	var late *cordon.TimeoutError
	var open *cordon.OpenError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &crash) && crash.Signal != 0:
		return fmt.Sprintf("crashed %d", int(crash.Signal))
	case errors.As(err, &crash):
		return fmt.Sprintf("exit %d", crash.ExitStatus)
	case errors.As(err, &late):
		return "timeout"
	case errors.As(err, &open):
		return "poisoned"
	}
	return err.Error()
}

// goesOn: nil dereferences are panics, stacks grow, the collector runs, loops are preempted.
func goesOn() (word string) {
	defer func() {
		if value := recover(); value != "the loop was preempted" {
			word = fmt.Sprint("unexpected: ", value)
		} else {
			word = "goes on"
		}
	}()
	func() {
		defer func() {
			if err, is := recover().(runtime.Error); !is || !strings.Contains(err.Error(), "nil pointer") {
				panic("a nil dereference is no panic")
			}
		}()
		var nothing *cordon.CrashError
		_ = nothing.Signal
	}()
	deep(1000)
	runtime.GC()
	spinning := true
	go func() {
		for spinning {
		}
	}()
	for i := 0; i < 10; i++ {
		debug.FreeOSMemory() // stops the world
	}
	panic("the loop was preempted")
}

func deep(n int) int {
	var room [512]byte
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%len(room)])
}

func TestFaultsAreErrors(t *testing.T) {
	sigsegv, sigabrt := int(syscall.SIGSEGV), int(syscall.SIGABRT)
	crashed := func(signal int) [2]string { return [2]string{fmt.Sprintf("crashed %d", signal), "poisoned"} }
	late := [2]string{"timeout", "done"}
	for name, want := range map[string][2]string{
		"null_read":    crashed(sigsegv),
		"null_write":   crashed(sigsegv),
		"wild_write":   crashed(sigsegv),
		"wild_jump":    crashed(sigsegv),
		"code_write":   crashed(sigsegv),
		"overflow":     crashed(sigsegv),
		"raise_segv":   crashed(sigsegv),
		"bus":          crashed(int(syscall.SIGBUS)),
		"fpe":          crashed(int(syscall.SIGFPE)),
		"ill":          crashed(int(syscall.SIGILL)),
		"abort":        crashed(sigabrt),
		"assertion":    crashed(sigabrt),
		"double_free":  crashed(sigabrt),
		"exit7":        {"exit 7", "poisoned"},
		"quick_exit7":  {"exit 7", "poisoned"},
		"spin":         late,
		"spin_blocked": late,
		"pause":        late,
		"deadlock":     late,
		"sleep":        late,
		"thread_exit":  late,
	} {
		name, want := name, want
		for _, level := range []inproc.Level{inproc.Thread, inproc.Inline} {
			if level == inproc.Inline && hangs[name] {
				continue // there it would, and nobody could end it
			}
			what := name + "@" + string(level)
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				command := exec.Command(os.Args[0])
				command.Env = append(os.Environ(), faultVariable+"="+what, "CORDON_TEST_FAULTS="+faultsPath(t))
				said, err := command.CombinedOutput()
				wanted := want[0] + "\n" + want[1] + "\ndone\ngoes on\n"
				if err != nil || !strings.HasSuffix(string(said), wanted) {
					t.Errorf("%v: it said\n%s, not\n%s", err, said, wanted)
				}
			})
		}
	}
}

// A callback's fault is the program's own, although native code stands below it.
func TestAFaultOfGosInsideOfACallbackIsAPanic(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		libc := open(t, libcInterface, level)
		func() {
			defer func() {
				if err, is := recover().(runtime.Error); !is || !strings.Contains(err.Error(), "nil pointer") {
					t.Errorf("it is %v", err)
				}
			}()
			_, _ = function(t, libc, "qsort").Call(context.Background(), []byte("ba"), 2, 1, func(a, b []byte) int {
				var nothing *cordon.CrashError
				return int(nothing.Signal)
			})
		}()
		if got := call(t, function(t, libc, "abs"), -5).Int(); got != 5 {
			t.Fatalf("abs(-5) is %d", got)
		}
	})
}

// A callback that never ends is ended by the deadline, as any call.
func TestAStormOfCallbacksEndsByItsDeadline(t *testing.T) {
	clean(t)
	faults := open(t, faultsInterface(t), cordon.WithWorkers(1))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := function(t, faults, "fault_storm").Call(ctx, func(value int) int { return value }, 1)
	if got := outcome(err); got != "timeout" {
		t.Fatalf("it is %s", got)
	}
	if got := call(t, function(t, faults, "fault_none"), 1).Int(); got != 1 {
		t.Fatalf("behind it comes %d", got)
	}
}

// A callback that fails, of a prototype that declares no failure value, ends its worker; so does one that ends its goroutine.
func TestCallbacksThatFail(t *testing.T) {
	onEachLevel(t, func(t *testing.T, level cordon.OpenOption) {
		faults := open(t, faultsInterface(t), level)
		storm := function(t, faults, "fault_storm")
		failed := errors.New("that will do")
		_, err := storm.Call(context.Background(), func(int) (int, error) { return 0, failed }, 1)
		var aborted *cordon.AbortedError
		if !errors.As(err, &aborted) || !errors.Is(err, failed) {
			t.Fatalf("the error is %v", err)
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, err := storm.Call(context.Background(), func(int) int { runtime.Goexit(); return 0 }, 1)
			t.Errorf("it came back: %v", err)
		}()
		<-gone
		if got := call(t, function(t, faults, "fault_none"), 1).Int(); got != 1 {
			t.Fatalf("behind it comes %d", got)
		}
	})
}
