// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// tickerInterface is of a library with threads of its own.
func tickerInterface(t *testing.T) string {
	library := os.Getenv("CORDON_TEST_TICKER")
	if library == "" {
		t.Skip("CORDON_TEST_TICKER is not set: tools/test sets it")
	}
	const tick = "kept anythread int (*callback)(void *context, const char *text, int n) fails(-1), void *context"
	return fmt.Sprintf("library \"%s\";\nint ticker_start(%s, int times);\nint ticker_crowd(%s, int threads);\nint ticker_wait(int answers);\n"+
		"int ticker_join(void);\nint ticker_call(%s);\n", library, tick, tick, tick)
}

func tickerSession(t *testing.T) *Session {
	_, cell := openCell(t, "ticker", tickerInterface(t), WithDeadline(20*time.Second))
	s, err := cell.Session()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestOwnThreadsAreDispatched(t *testing.T) {
	clean(t)
	s := tickerSession(t)
	if _, err := s.Dispatch(soon(t)); !errors.As(err, new(*AbortedError)) {
		t.Errorf("without a worker: %v", err)
	}
	var texts []string
	tick := func(ctx context.Context, token uint64, text string, n int) (int, error) {
		if token != 77 {
			return 0, errors.New("another token")
		}
		texts = append(texts, text)
		if n == 3 { // the session's own functions are there
			inner, err := funcOf(t, s, "ticker_call").Call(ctx, func(uint64, string, int) int { return 5 }, 77)
			if err != nil || inner.Value() != int32(5) {
				return 0, fmt.Errorf("inside: %v, %v", inner, err)
			}
			if _, err := s.Dispatch(ctx); !errors.Is(err, syscall.EDEADLK) {
				return 0, fmt.Errorf("dispatched inside: %v", err)
			}
		}
		return 2 * n, nil
	}
	invoke(t, funcOf(t, s, "ticker_start"), tick, 77, 20)
	for count := 0; count < 20; {
		n, err := s.Dispatch(soon(t))
		if err != nil || n == 0 {
			t.Fatalf("after %d: %d, %v", count, n, err)
		}
		count += n
	}
	if sum := invoke(t, funcOf(t, s, "ticker_join")).Value(); sum != int32(2*210) || len(texts) != 20 || texts[19] != "tick" {
		t.Errorf("the sum is %v, of %q", sum, texts)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if n, err := s.Dispatch(ctx); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with nothing there: %d, %v", n, err)
	}
	canceled, stop := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, stop)
	if n, err := s.Dispatch(canceled); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %d, %v", n, err)
	}
	if sum := invoke(t, funcOf(t, s, "ticker_join")); sum == nil {
		t.Error("the worker is gone")
	}
}

// Calls of the session do not wait for the one who listens.
func TestCallsGoOnWhileDispatching(t *testing.T) {
	clean(t)
	s := tickerSession(t)
	var ticks atomic.Int32
	tick := func(token uint64, text string, n int) int { ticks.Add(1); return n }
	invoke(t, funcOf(t, s, "ticker_call"), tick, 77)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Dispatch(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	call := funcOf(t, s, "ticker_call")
	for i := 0; i < 200; i++ {
		in, end := context.WithTimeout(context.Background(), 8*time.Second) // far less than the one who listens would wait
		r, err := call.Call(in, tick, 77)
		end()
		if err != nil || r.Value() != int32(100) {
			t.Fatalf("call %d: %v, %v", i, r, err)
		}
	}
	before := ticks.Load()
	invoke(t, funcOf(t, s, "ticker_crowd"), tick, 77, 30)
	await(t, "the crowd is answered", func() bool { return ticks.Load() >= before+30 })
	if good := invoke(t, funcOf(t, s, "ticker_wait"), 30).Value(); good != int32(1) {
		t.Errorf("not all of the crowd were answered: %v", good)
	}
	before = ticks.Load()
	invoke(t, funcOf(t, s, "ticker_start"), tick, 77, 50)
	await(t, "the ticks come", func() bool { return ticks.Load() >= before+50 })
	if sum := invoke(t, funcOf(t, s, "ticker_join")).Value(); sum != int32(50*51/2) {
		t.Errorf("the sum is %v", sum)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
}

func TestDispatchedCallbacksThatFail(t *testing.T) {
	clean(t)
	s := tickerSession(t)
	broken := errors.New("broken")
	invoke(t, funcOf(t, s, "ticker_start"), func(token uint64, text string, n int) (int, error) { return n, broken }, 77, 1)
	if _, err := s.Dispatch(soon(t)); !errors.Is(err, broken) || !errors.As(err, new(*AbortedError)) {
		t.Errorf("a failed callback: %v", err)
	}
	if sum := invoke(t, funcOf(t, s, "ticker_join")).Value(); sum != int32(-1) {
		t.Errorf("the thread was answered %v", sum)
	}
	invoke(t, funcOf(t, s, "ticker_start"), func(token uint64, text string, n int) int { panic("oh") }, 77, 1)
	func() {
		defer func() {
			if v := recover(); v != "oh" {
				t.Errorf("it panicked with %v", v)
			}
		}()
		n, err := s.Dispatch(soon(t))
		t.Errorf("no panic: %d, %v", n, err)
	}()
	if sum := invoke(t, funcOf(t, s, "ticker_join")).Value(); sum != int32(-1) {
		t.Errorf("the thread was answered %v", sum)
	}
}

// A worker that dies while somebody listens.
func TestDispatchEndsWithItsWorker(t *testing.T) {
	clean(t)
	d, cell := openCell(t, "ticker", tickerInterface(t))
	s, err := cell.Session()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	invoke(t, funcOf(t, s, "ticker_call"), func(uint64, string, int) int { return 1 }, 77)
	ended := make(chan error)
	go func() {
		_, err := s.Dispatch(soon(t))
		ended <- err
	}()
	await(t, "it listens", func() bool { return s.pool.listens.Load() != nil })
	for _, pid := range d.workers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := <-ended; err == nil || strings.Contains(err.Error(), "deadline") {
		t.Errorf("the worker was killed: %v", err)
	}
	go func() {
		_, err := s.Dispatch(soon(t))
		ended <- err
	}()
	invoke(t, funcOf(t, s, "ticker_call"), func(uint64, string, int) int { return 1 }, 77)
	s.Close()
	if err := <-ended; err == nil {
		t.Error("the session was closed, and it went on")
	}
}
