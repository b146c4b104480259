// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"cordon.internal/cordon"
)

func TestADeadlineLeavesTheThreadBehind(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface, cordon.WithWorkers(1))
	call(t, function(t, libc, "abs"), 1)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := function(t, libc, "sleep").Call(ctx, 2)
	var late *cordon.TimeoutError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the error is %v", err)
	}
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
	if n := threads("cordon-worker"); n != 2 {
		t.Fatalf("there are %d threads, not one that sleeps and one that serves", n)
	}
}

func TestACancelledContextEndsTheCall(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface)
	ctx, cancel := context.WithCancel(context.Background())
	began := make(chan struct{})
	go func() {
		<-began
		await(t, "a thread is at it", func() bool { return threads("cordon-worker") > 0 })
		cancel()
	}()
	close(began)
	if _, err := function(t, libc, "sleep").Call(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	clean(t)
	libc := open(t, libcInterface)
	sleep := function(t, libc, "sleep")
	errs := make(chan error)
	go func() {
		_, err := sleep.Call(context.Background(), 1)
		errs <- err
	}()
	await(t, "a thread is at it", func() bool { return threads("cordon-worker") > 0 })
	libc.Close()
	var aborted *cordon.AbortedError
	if err := <-errs; !errors.As(err, &aborted) && !errors.Is(err, cordon.ErrClosed) {
		t.Fatalf("the error is %v", err)
	}
	if _, err := sleep.Call(context.Background(), 0); !errors.Is(err, cordon.ErrClosed) {
		t.Fatalf("behind it the error is %v", err)
	}
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
	const calls = 9 // LIMIT_QUARANTINED_THREADS is 8
	libc := open(t, libcInterface, cordon.WithWorkers(calls))
	sleep := function(t, libc, "sleep")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	errs := make(chan error, calls)
	for i := 0; i < calls; i++ {
		go func() {
			_, err := sleep.Call(ctx, 3)
			errs <- err
		}()
	}
	for i := 0; i < calls; i++ {
		var late *cordon.TimeoutError
		if err := <-errs; !errors.As(err, &late) {
			t.Errorf("the error is %v", err)
		}
	}
	var busy *cordon.BusyError
	if _, err := function(t, libc, "abs").Call(context.Background(), 1); !errors.As(err, &busy) {
		t.Fatalf("the error is %v", err)
	}
	await(t, "they have come back", func() bool { return threads("cordon-worker") == 0 })
	if got := call(t, function(t, libc, "abs"), -7).Int(); got != 7 {
		t.Fatalf("abs(-7) is %v", got)
	}
}
