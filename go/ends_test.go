// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestACrashIsAnErrorAndTheNextCallWorks(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "faults", faultsInterface(t))
	none := funcOf(t, cell, "fault_none")
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		exit   int
	}{{"fault_null_write", syscall.SIGSEGV, 0}, {"fault_abort", syscall.SIGABRT, 0}, {"fault_exit7", 0, 7}} {
		_, err := funcOf(t, cell, c.name).Call(context.Background(), 1)
		var crash *CrashError
		if !errors.As(err, &crash) || crash.Signal != c.signal || crash.ExitStatus != c.exit || crash.Func != c.name {
			t.Fatalf("%s: %#v (%v)", c.name, err, err)
		}
		if c.name == "fault_null_write" && !strings.Contains(crash.Text, "writing address 0x") {
			t.Errorf("%s: %s", c.name, crash.Text)
		}
		if id, err := ParseReportID(crash.Report.String()); crash.Report != 0 && (err != nil || id != crash.Report) {
			t.Errorf("report %v: %v, %v", crash.Report, id, err)
		}
		if got := invoke(t, none, 5).Int(); got != 5 {
			t.Errorf("after %s: %d", c.name, got)
		}
	}
}

func TestADeadlineEndsTheCallInTime(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "faults", faultsInterface(t), WithDeadline(200*time.Millisecond))
	none := funcOf(t, cell, "fault_none")
	for _, name := range []string{"fault_spin", "fault_pause"} {
		for _, own := range []bool{false, true} {
			invoke(t, none, 1)
			ctx, cancel := context.Background(), func() {}
			if own {
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			}
			began := time.Now()
			_, err := funcOf(t, cell, name).Call(ctx, 1)
			took := time.Since(began)
			cancel()
			var timeout *TimeoutError
			if !errors.As(err, &timeout) || !errors.Is(err, context.DeadlineExceeded) || !timeout.Timeout() {
				t.Errorf("%s: %v", name, err)
			}
			if took < 90*time.Millisecond || took > 2*time.Second {
				t.Errorf("%s took %v", name, took)
			}
		}
	}
	invoke(t, none, 1)
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "faults", faultsInterface(t))
	none := funcOf(t, cell, "fault_none")
	for _, name := range []string{"fault_spin", "fault_pause"} {
		invoke(t, none, 1)
		ctx, cancel := context.WithCancel(context.Background())
		began := time.Now()
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := funcOf(t, cell, name).Call(ctx, 1)
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took > time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := none.Call(ctx, 1); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	invoke(t, none, 1)
}

func TestCallsWaitInLineForWorkers(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface, WithWorkers(2), WithQueue(3))
	usleep := funcOf(t, cell, "usleep")
	var group sync.WaitGroup
	var busy, done atomic.Int32
	for i := 0; i < 10; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			_, err := usleep.Call(context.Background(), 200_000)
			var full *BusyError
			switch {
			case err == nil:
				done.Add(1)
			case errors.As(err, &full):
				busy.Add(1)
			default:
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if done.Load() != 5 || busy.Load() != 5 {
		t.Errorf("%d done, %d busy", done.Load(), busy.Load())
	}
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		_, _ = usleep.Call(context.Background(), 300_000)
	}()
	other := make(chan struct{})
	go func() {
		defer close(other)
		_, _ = usleep.Call(context.Background(), 300_000)
	}()
	await(t, "both workers are at work", func() bool {
		return cell.pool.resting() == 0
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := usleep.Call(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in line: %v", err)
	}
	<-blocked
	<-other
}

func TestMoreWorkersThanAreLentAreShared(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface, WithWorkers(9)) // the daemon lends 5
	usleep := funcOf(t, cell, "usleep")
	var group sync.WaitGroup
	for i := 0; i < 40; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := usleep.Call(context.Background(), 20_000); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if cell.pool.live > 5 {
		t.Errorf("%d workers", cell.pool.live)
	}
}

func TestClosingEndsCallsUnderWay(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "faults", faultsInterface(t), WithWorkers(2))
	invoke(t, funcOf(t, cell, "fault_none"), 1)
	pause := funcOf(t, cell, "fault_pause")
	ended := make(chan error, 4)
	for i := 0; i < 4; i++ {
		go func() {
			_, err := pause.Call(context.Background(), 1)
			ended <- err
		}()
	}
	await(t, "two run and two wait", func() bool {
		resting := cell.pool.resting()
		cell.pool.mu.Lock()
		defer cell.pool.mu.Unlock()
		return resting == 0 && cell.pool.waiting == 2 && cell.pool.live == 2
	})
	began := time.Now()
	cell.Close()
	for i := 0; i < 4; i++ {
		err := <-ended
		var aborted *AbortedError
		if !errors.As(err, &aborted) && !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
	if _, err := pause.Call(context.Background(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestADaemonThatDiesIsFoundAgain(t *testing.T) {
	clean(t)
	d, cell := openCell(t, "libc", libcInterface)
	sleep, abs := funcOf(t, cell, "sleep"), funcOf(t, cell, "abs")
	invoke(t, abs, -1)
	ended := make(chan error, 1)
	go func() {
		_, err := sleep.Call(context.Background(), 2)
		ended <- err
	}()
	await(t, "the call runs", func() bool {
		return cell.pool.resting() == workersDefault-1
	})
	time.Sleep(20 * time.Millisecond)
	killed := time.Now()
	d.kill()
	var aborted *AbortedError
	if err := <-ended; !errors.As(err, &aborted) || time.Since(killed) > time.Second {
		t.Errorf("the daemon was killed: %v after %v", err, time.Since(killed))
	}
	if _, err := abs.Call(context.Background(), -1); err == nil {
		t.Error("a call was made without a daemon")
	}
	d.start()
	if got := invoke(t, abs, -2).Int(); got != 2 {
		t.Errorf("by the next daemon: %d", got)
	}
}

func TestAnOpenBreakerRefuses(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "faults", faultsInterface(t))
	crash := funcOf(t, cell, "fault_null_write")
	var open *OpenError
	for i := 0; i < 200; i++ {
		if _, err := crash.Call(context.Background(), 1); errors.As(err, &open) {
			break
		}
	}
	if open == nil || open.RetryAfter <= 0 {
		t.Fatalf("after 200 crashes the breaker is not open: %v", open)
	}
	await(t, "it closes again", func() bool {
		_, err := funcOf(t, cell, "fault_none").Call(context.Background(), 1)
		return err == nil
	})
}

// Workers are killed at random, 500 times, while many call.
func TestWorkersKilledUnderLoad(t *testing.T) {
	clean(t)
	kills := 500
	if testing.Short() {
		kills = 50
	}
	d, cell := openCell(t, "libc", libcInterface)
	abs, usleep, strdup := funcOf(t, cell, "abs"), funcOf(t, cell, "usleep"), funcOf(t, cell, "strdup")
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var done, crashed, other atomic.Int64
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func(seed int64) {
			defer group.Done()
			random := rand.New(rand.NewSource(seed))
			for n := int32(1); ctx.Err() == nil; n++ {
				var err error
				switch random.Intn(3) {
				case 0:
					var r *Result
					if r, err = abs.Call(context.Background(), -n); err == nil && r.Value() != n {
						t.Errorf("abs(%d) is %v", -n, r.Value())
					}
				case 1:
					text := fmt.Sprint("text of call ", n)
					var r *Result
					if r, err = strdup.Call(context.Background(), text); err == nil && r.Value() != text {
						t.Errorf("strdup is %v", r.Value())
					}
				default:
					_, err = usleep.Call(context.Background(), random.Intn(2000))
				}
				var crash *CrashError
				var open *OpenError
				switch {
				case err == nil:
					done.Add(1)
				case errors.As(err, &crash):
					crashed.Add(1)
					if crash.Signal != syscall.SIGKILL {
						t.Errorf("killed: %v", err)
					}
				case errors.As(err, &open):
					other.Add(1)
					time.Sleep(open.RetryAfter)
				default:
					var aborted *AbortedError
					var start *StartError
					if !errors.As(err, &aborted) && !errors.As(err, &start) {
						t.Errorf("killed: %v", err)
					}
					other.Add(1)
				}
			}
		}(int64(i))
	}
	random := rand.New(rand.NewSource(1))
	killed := 0
	for until := time.Now().Add(100 * time.Second); killed < kills && time.Now().Before(until); {
		if pids := d.workers(); len(pids) > 0 && syscall.Kill(pids[random.Intn(len(pids))], syscall.SIGKILL) == nil {
			killed++
		}
		time.Sleep(time.Duration(random.Intn(10)) * time.Millisecond)
	}
	stop()
	group.Wait()
	t.Logf("%d killed: %d calls done, %d crashed, %d refused or aborted", killed, done.Load(), crashed.Load(), other.Load())
	if killed < kills || done.Load() < int64(kills) {
		t.Errorf("%d of %d killed, %d calls done", killed, kills, done.Load())
	}
	await(t, "a call is made again", func() bool {
		r, err := abs.Call(context.Background(), -7)
		return err == nil && r.Int() == 7
	})
}

// Each of 100 cells has 5 workers, all of them in a C call that sleeps; 10,000 calls more wait. None costs a thread.
func TestPendingCallsCostNoThreads(t *testing.T) {
	clean(t)
	cells, workers, queued := 100, 5, 100
	if testing.Short() {
		cells = 10
	}
	daemons := 1 // a keeper has 2,048 workers at most (WARDS_MAX), those included that the daemon keeps ready itself
	conns := map[string]*Conn{}
	for i := 0; i < daemons; i++ {
		interfaces := map[string]string{}
		for n := i * cells / daemons; n < (i+1)*cells/daemons; n++ {
			name := fmt.Sprintf("c%03d", n)
			interfaces[name] = fmt.Sprintf("library \"libc.so.6\";\nsymbol(\"usleep\") int %s(unsigned microseconds);\n", name)
		}
		_, conn := dial(t, interfaces)
		for name := range interfaces {
			conns[name] = conn
		}
	}
	const long = 50 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	var group sync.WaitGroup
	var opened []*Cell
	var running, waiting, failed atomic.Int64
	defer func() { t.Logf("%d run, %d wait, %d ended early", running.Load(), waiting.Load(), failed.Load()) }()
	for name, conn := range conns {
		cell, err := conn.Cell(ctx, name, WithWorkers(workers))
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, cell)
		usleep := funcOf(t, cell, name)
		for i := 0; i < workers+queued; i++ {
			group.Add(1)
			microseconds := 2
			if i < workers {
				microseconds = int(long / time.Microsecond)
			}
			go func() {
				defer group.Done()
				if _, err := usleep.Call(ctx, microseconds); err != nil && ctx.Err() == nil && failed.Add(1) < 5 {
					t.Error(err)
				}
			}()
			if i < workers { // the sleeping ones first, one after the other
				await(t, "a worker was started", func() bool { return liveOf(cell) == i+1 })
			}
		}
	}
	most := 0
	await(t, "all sleep, and all others wait", func() bool {
		running.Store(0)
		waiting.Store(0)
		for _, cell := range opened {
			cell.pool.mu.Lock()
			running.Add(int64(cell.pool.live))
			waiting.Add(int64(cell.pool.waiting))
			cell.pool.mu.Unlock()
		}
		if n := count("/proc/self/task"); n > most {
			most = n
		}
		return running.Load() == int64(cells*workers) && waiting.Load() == int64(cells*queued)
	})
	for i := 0; i < 50; i++ { // and for a while
		if n := count("/proc/self/task"); n > most {
			most = n
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("%d calls in C, %d in line: %d threads, GOMAXPROCS %d", running.Load(), waiting.Load(), most, runtime.GOMAXPROCS(0))
	if most > runtime.GOMAXPROCS(0)+10 {
		t.Errorf("%d threads", most)
	}
	cancel()
	group.Wait()
}

func liveOf(cell *Cell) int {
	cell.pool.mu.Lock()
	defer cell.pool.mu.Unlock()
	return cell.pool.live
}

func TestOneProcessorIsShared(t *testing.T) {
	clean(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, cell := openCell(t, "libc", libcInterface)
	abs := funcOf(t, cell, "abs")
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var calls [4]atomic.Int64
	for i := range calls {
		group.Add(1)
		go func(calls *atomic.Int64) {
			defer group.Done()
			for ctx.Err() == nil {
				if _, err := abs.Call(context.Background(), -1); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		}(&calls[i])
	}
	ticks := 0
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); ticks++ {
		time.Sleep(time.Millisecond)
	}
	cancel()
	group.Wait()
	if ticks < 20 {
		t.Errorf("a goroutine that sleeps a millisecond did so %d times in 300 ms", ticks)
	}
	for i := range calls {
		if calls[i].Load() < 100 {
			t.Errorf("caller %d made %d calls", i, calls[i].Load())
		}
	}
}

func TestForbiddenActsAreListed(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface, WithWorkers(1))
	open := funcOf(t, cell, "open")
	if list := invoke(t, funcOf(t, cell, "abs"), -1).Violations; list != nil {
		t.Errorf("abs tried %v", list)
	}
	for i := 0; i < 3; i++ {
		r := invoke(t, open, "/etc/shadow", 0)
		if r.Int() != -1 || r.Errno != syscall.EACCES {
			t.Fatalf("open is %v, errno %v", r.Value(), r.Errno)
		}
		if len(r.Violations) != 1 || !strings.Contains(r.Violations[0].Act, "/etc/shadow") ||
			r.Violations[0].Grant != "read:/etc/shadow" || r.Violations[0].Errno != syscall.EACCES {
			t.Fatalf("call %d: %+v", i, r.Violations)
		}
	}
	if list := invoke(t, funcOf(t, cell, "abs"), -1).Violations; list != nil {
		t.Errorf("told twice: %v", list)
	}
}

func TestAReportTellsOfACrash(t *testing.T) {
	clean(t)
	d, conn := dial(t, map[string]string{"faults": faultsInterface(t)})
	cell, err := conn.Cell(context.Background(), "faults")
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log)
	}
	var crash *CrashError
	if _, err := funcOf(t, cell, "fault_null_write").Call(context.Background(), 1); !errors.As(err, &crash) || crash.Report == 0 {
		t.Fatalf("%v, report %v", err, crash)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	report, err := conn.Report(ctx, crash.Report)
	if err != nil || !strings.Contains(string(report), "fault_null_write") {
		t.Errorf("%v: %.500s", err, report)
	}
}

// What a library can do to the lane that it is called through: write anything into it, unmap it, forge answers, fill the
// eventfd, orphan processes that write on. Each costs it its worker, at most, and the caller nothing but an error.
func TestHostileLibrariesAreSurvived(t *testing.T) {
	clean(t)
	names := []string{"fault_lane_request", "fault_lane_scan", "fault_lane_shrink", "fault_lane_punch", "fault_lane_unmap",
		"fault_lane_scribble", "fault_lane_twice", "fault_lane_before", "fault_lane_lengths", "fault_lane_offsets", "fault_lane_states",
		"fault_lane_verbs", "fault_lane_silence", "fault_lane_callback", "fault_lane_death", "fault_lane_orphan",
		"fault_doorbell", "fault_stop", "fault_kill_self", "fault_thread_exit", "fault_close_all", "fault_spin_blocked", "fault_overflow"}
	text := fmt.Sprintf("library %q;\nint fault_none(int value);\n", fromEnvironment(t, faultsVariable))
	for _, name := range names {
		text += fmt.Sprintf("int %s(int value);\n", name)
	}
	text += "int fault_lane_rewrite(inout uint8_t bytes[count], size_t count, int value);\n"
	_, cell := openCell(t, "faults", text, WithDeadline(400*time.Millisecond))
	none := funcOf(t, cell, "fault_none")
	outcomes := map[string]int{}
	survive := func(name string, args ...any) {
		began := time.Now()
		_, err := funcOf(t, cell, name).Call(context.Background(), args...)
		var crash *CrashError
		var timeout *TimeoutError
		var aborted *AbortedError
		var denied *DeniedError
		var refused *CallError
		var open *OpenError
		switch {
		case err == nil:
			outcomes["done"]++
		case errors.As(err, &crash):
			outcomes["crashed"]++
		case errors.As(err, &timeout):
			outcomes["timeout"]++
		case errors.As(err, &aborted), errors.As(err, &denied), errors.As(err, &refused), errors.As(err, &open):
			outcomes["other"]++
		default:
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		await(t, "the next call is answered after "+name, func() bool {
			r, err := none.Call(context.Background(), 5)
			return err == nil && r.Int() == 5
		})
	}
	for _, name := range names {
		for value := 0; value < 3; value++ {
			survive(name, value)
		}
	}
	for value := 0; value < 8; value++ {
		survive("fault_lane_death", value)
		survive("fault_lane_rewrite", make([]byte, 4096), value)
	}
	t.Logf("%v", outcomes)
	if outcomes["crashed"] < 10 || outcomes["timeout"] < 3 {
		t.Errorf("%v", outcomes)
	}
}
