// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon/internal/arena"
)

func TestMemorySurvivesItsWorker(t *testing.T) {
	clean(t)
	cell := withMemory(t, faultsInterface(t), WithWorkers(1))
	m := alloc(t, cell, 1<<20)
	fill(m.Bytes())
	own := append([]byte(nil), m.Bytes()...)
	var crashed *CrashError
	for i := 0; i < 3; i++ {
		if _, err := funcOf(t, cell, "fault_null_write").Call(context.Background(), 1); !errors.As(err, &crashed) {
			t.Fatalf("no crash: %v", err)
		}
		if !bytes.Equal(own, m.Bytes()) {
			t.Fatal("the memory has changed with its worker's end")
		}
		invoke(t, funcOf(t, cell, "fault_none"), 7)
		other := alloc(t, cell, 100)
		other.Bytes()[0] = 1
		other.Close()
	}
	m.Close()
}

// The next worker has the same memory: what does not fit a call is not copied.
func TestMemoryIsLentAgain(t *testing.T) {
	clean(t)
	libc := withMemory(t, libcInterface, WithCallBytes(64<<10), WithWorkers(1))
	compare := funcOf(t, libc, "memcmp")
	m := alloc(t, libc, 1<<20)
	one, two := fill(m.Bytes()[:400<<10]), fill(m.Bytes()[512<<10:912<<10])
	var crashed *CrashError
	for i := 0; i < 3; i++ {
		if got := invoke(t, compare, one, two).Value(); got != int32(0) {
			t.Errorf("worker %d finds a difference of %v", i, got)
		}
		if _, err := funcOf(t, libc, "raise").Call(context.Background(), int(syscall.SIGSEGV)); !errors.As(err, &crashed) {
			t.Errorf("no crash: %v", err)
		}
	}
	m.Close()
}

// A call that has memory keeps it; closing it is closing it once.
func TestMemoryOfACallUnderWay(t *testing.T) {
	clean(t)
	libc := withMemory(t, libcInterface+"int nanosleep(const int64_t request[2], nullable out int64_t remaining[2]);\n", WithWorkers(1))
	m := alloc(t, libc, arenaBytes-4096)
	nanoseconds := NumbersOf[int64](m)[:2]
	nanoseconds[0], nanoseconds[1] = 0, int64(300*time.Millisecond)
	block := m.block
	done := libc.Go(context.Background(), funcOf(t, libc, "nanosleep"), nanoseconds)
	await(t, "the call holds the memory", block.Held)
	m.Close()
	m.Close()
	if m.Bytes() != nil {
		t.Error("closed memory is given out")
	}
	if again, err := libc.Alloc(arenaBytes - 4096); err == nil {
		t.Error("memory of a call under way was given out again")
		again.Close()
	}
	var refused *CallError
	if _, err := funcOf(t, libc, "strlen").Call(context.Background(), nanoseconds); !errors.As(err, &refused) {
		t.Errorf("a slice of closed memory was taken: %v", err)
	}
	if answer := <-done; answer.Err != nil || answer.Value() != int32(0) {
		t.Errorf("the call that had it: %v, %v", answer.Result, answer.Err)
	}
	again := alloc(t, libc, arenaBytes-4096)
	if again.Bytes()[0] != 0 || again.Bytes()[8] != 0 {
		t.Error("fresh memory is not zero")
	}
	again.Close()
}

// Slices of what is closed can be read and written, though they are refused.
func TestClosedMemoryIsNoFault(t *testing.T) {
	clean(t)
	zlib := withMemory(t, zlibInterface)
	crc := funcOf(t, zlib, "crc32")
	m := alloc(t, zlib, 100000)
	left := fill(m.Bytes())
	m.Close()
	for what, argument := range map[string]any{"owner": m, "slice": left, "part": left[10:20]} {
		var refused *CallError
		if _, err := crc.Call(context.Background(), 0, argument); !errors.As(err, &refused) || !errors.Is(err, syscall.EFAULT) {
			t.Errorf("%s of closed memory: %v", what, err)
		}
	}
	zlib.Close()
	left[0]++
	sum := 0
	for _, b := range left {
		sum += int(b)
	}
	other := withMemory(t, zlibInterface)
	var refused *CallError
	if _, err := funcOf(t, other, "crc32").Call(context.Background(), 0, left); !errors.As(err, &refused) {
		t.Errorf("a slice of a closed cell's closed memory: %v (%d)", err, sum)
	}
	if _, err := zlib.Alloc(1); !errors.Is(err, ErrClosed) {
		t.Errorf("Alloc of a closed cell: %v", err)
	}
}

// Memory of a cell that is closed stays its owner's.
func TestMemoryOutlivesItsCell(t *testing.T) {
	clean(t)
	first := withMemory(t, zlibInterface)
	second := withMemory(t, zlibInterface)
	m := alloc(t, first, 100000)
	want := crc32.ChecksumIEEE(fill(m.Bytes()))
	crc := funcOf(t, second, "crc32")
	for i := 0; i < 2; i++ {
		if got := invoke(t, crc, 0, m).Value(); got != want {
			t.Errorf("memory of another cell: %v, not %v", got, want)
		}
		first.Close()
	}
	if crc32.ChecksumIEEE(m.Bytes()) != want {
		t.Error("the memory has changed with its cell's end")
	}
	m.Close()
}

// A daemon's cell has an arena if its configuration says so.
func TestMemoryOfADaemonsCell(t *testing.T) {
	clean(t)
	d, conn := dial(t, map[string]string{"zlib": zlibInterface, "cordon.yaml": `cells:
- name: zlib
  interface: zlib.cordon
  arena_bytes: 8MiB
  limits: {memory_bytes: 256MiB}
  functions: all
`})
	zlib, err := conn.Cell(context.Background(), "zlib", WithCallBytes(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	crc := funcOf(t, zlib, "crc32")
	m := alloc(t, zlib, 1<<20)
	want := crc32.ChecksumIEEE(fill(m.Bytes()))
	if got := invoke(t, crc, 0, m).Value(); got != want {
		t.Errorf("crc32 is %v", got)
	}
	d.kill()
	d.start()
	await(t, "a call is answered again", func() bool {
		_, err := crc.Call(context.Background(), 0, m.Bytes()[:100])
		return err == nil
	})
	if crc32.ChecksumIEEE(m.Bytes()) != want {
		t.Error("the memory has changed with the daemon's end")
	}
	m.Close()
	fresh := alloc(t, zlib, 1<<20)
	if got := invoke(t, crc, 0, fresh).Value(); got != crc32.ChecksumIEEE(fresh.Bytes()) {
		t.Errorf("fresh memory: crc32 is %v", got)
	}
	fresh.Close()
}

func TestForgottenMemoryIsTold(t *testing.T) {
	clean(t)
	told := make(chan *Leak, 10)
	OnLeak(func(l *Leak) { told <- l })
	defer OnLeak(nil)
	zlib := withMemory(t, zlibInterface)
	kept := func() []byte {
		m, err := zlib.Alloc(12345)
		if err != nil {
			t.Fatal(err)
		}
		return m.Bytes()
	}()
	alloc(t, zlib, 54321).Close()
	var leak *Leak
	await(t, "the leak is told", func() bool {
		runtime.GC()
		select {
		case leak = <-told:
			return true
		default:
			return false
		}
	})
	if text := leak.String(); leak.Bytes != 12345 || !strings.Contains(text, "memory_end_test.go:") || !strings.Contains(text, "12345") {
		t.Errorf("told was %q, of %d bytes", text, leak.Bytes)
	}
	fill(kept)
	if got := invoke(t, funcOf(t, zlib, "crc32"), 0, kept).Value(); got != crc32.ChecksumIEEE(kept) {
		t.Errorf("a slice of it: %v", got)
	}
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	if len(told) != 0 {
		t.Errorf("also told: %v", <-told)
	}
	// Nobody can close it any more: its place is left to the next test, as it is to a program.
	if b, _ := arena.Find(kept); b != nil {
		b.Close()
	}
}

// Workers that are killed while calls have their memory: each call ends once, and memory keeps what the program has written.
func TestMemoryOfKilledWorkers(t *testing.T) {
	clean(t)
	cell := withMemory(t, faultsInterface(t), WithWorkers(2))
	crash, none := funcOf(t, cell, "fault_null_write"), funcOf(t, cell, "fault_none")
	var work sync.WaitGroup
	for g := 0; g < 2; g++ {
		work.Add(1)
		go func(g int) {
			defer work.Done()
			m, err := cell.Alloc(10000)
			if err != nil {
				t.Error(err)
				return
			}
			defer m.Close()
			for i := 0; i < 20; i++ {
				want := fmt.Sprintf("%d of %d", i, g)
				copy(m.Bytes(), want)
				_, err := crash.Call(context.Background(), 1)
				var open *OpenError
				if err == nil {
					t.Error("it did not crash")
				} else if errors.As(err, &open) {
					return
				}
				_, _ = none.Call(context.Background(), 1)
				if !bytes.HasPrefix(m.Bytes(), []byte(want)) {
					t.Errorf("%q has become %q", want, m.Bytes()[:len(want)])
				}
			}
		}(g)
	}
	work.Wait()
}
