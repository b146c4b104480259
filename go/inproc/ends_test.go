// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon"
)

// nothing is a descriptor from which nothing can be read until it is released.
func nothing(t *testing.T) (fd int, release func()) {
	t.Helper()
	var pipe [2]int // a blocking one
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	release = func() { once.Do(func() { syscall.Close(pipe[1]) }) }
	t.Cleanup(func() {
		release()
		syscall.Close(pipe[0])
	})
	return pipe[0], release
}

func TestADeadlineLeavesTheThreadBehind(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface, cordon.WithWorkers(1))
	call(t, function(t, libc, "abs"), 1)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fd, release := nothing(t)
	_, err := function(t, libc, "read").Call(ctx, fd, 1)
	var late *cordon.TimeoutError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the error is %v", err)
	}
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
	if n := threads("cordon-worker"); n != 2 {
		t.Fatalf("there are %d threads, not one that waits and one that serves", n)
	}
	release()
	await(t, "it has come back", func() bool { return threads("cordon-worker") == 1 })
}

func TestACancelledContextEndsTheCall(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface)
	fd, release := nothing(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		await(t, "a thread is at it", func() bool { return threads("cordon-worker") > 0 })
		cancel()
	}()
	if _, err := function(t, libc, "read").Call(ctx, fd, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
	release()
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface)
	fd, release := nothing(t)
	read := function(t, libc, "read")
	errs := make(chan error)
	go func() {
		_, err := read.Call(context.Background(), fd, 1)
		errs <- err
	}()
	await(t, "a thread is at it", func() bool { return threads("cordon-worker") > 0 })
	libc.Close()
	var aborted *cordon.AbortedError
	if err := <-errs; !errors.As(err, &aborted) && !errors.Is(err, cordon.ErrClosed) {
		t.Fatalf("the error is %v", err)
	}
	if _, err := read.Call(context.Background(), fd, 1); !errors.Is(err, cordon.ErrClosed) {
		t.Fatalf("behind it the error is %v", err)
	}
	release()
}

// 500 calls that sleep are as many threads as there are workers.
func TestPendingCallsCostNoThreads(t *testing.T) {
	clean(t)
	const workers, calls = 5, 500
	libc := open(t, libcInterface, cordon.WithWorkers(workers))
	usleep := function(t, libc, "usleep")
	var group sync.WaitGroup
	most := 0
	for i := 0; i < calls; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := usleep.Call(context.Background(), 20000); err != nil {
				t.Error(err)
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	for counting := true; counting; {
		select {
		case <-done:
			counting = false
		case <-time.After(5 * time.Millisecond):
			if n := threads(""); n > most {
				most = n
			}
		}
	}
	if limit := workers + runtime.GOMAXPROCS(0) + 10; most > limit {
		t.Fatalf("%d calls took %d threads, more than %d", calls, most, limit)
	}
	t.Logf("%d calls took %d threads", calls, most)
}

func TestTooManyCallsInLineAreRefused(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface, cordon.WithWorkers(1), cordon.WithQueue(0))
	usleep := function(t, libc, "usleep")
	errs := make(chan error, 20)
	for i := 0; i < cap(errs); i++ {
		go func() {
			_, err := usleep.Call(context.Background(), 100000)
			errs <- err
		}()
	}
	refused := 0
	for i := 0; i < cap(errs); i++ {
		var busy *cordon.BusyError
		if err := <-errs; errors.As(err, &busy) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused == 0 {
		t.Fatal("nothing was refused")
	}
}

// Threads that were left behind are limited, and those that come back count no more.
func TestRunawayThreadsAreCounted(t *testing.T) {
	clean(t)
	fd, release := nothing(t)
	libc := open(t, libcInterface, cordon.WithSetting("breaker_percent", nil))
	read := function(t, libc, "read")
	var busy *cordon.BusyError
	var err error
	late := 0
	for i := 0; i < 100 && !errors.As(err, &busy); i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if _, err = read.Call(ctx, fd, 1); errors.Is(err, context.DeadlineExceeded) {
			late++
		}
		cancel()
	}
	if !errors.As(err, &busy) || late < 8 { // LIMIT_QUARANTINED_THREADS
		t.Errorf("after %d threads the error is %v", late, err)
	}
	release()
	await(t, "they have come back", func() bool { return threads("cordon-worker") == 0 })
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
}
