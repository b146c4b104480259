// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/frame"
)

const arenaBytes = 8 << 20

func withMemory(t testing.TB, text string, with ...OpenOption) *Cell {
	t.Helper()
	with = append([]OpenOption{WithInterface(text), WithArena(arenaBytes), WithReports(""), WithDeadline(20 * time.Second)}, with...)
	cell, err := Open(context.Background(), "", with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cell.Close() })
	return cell
}

func alloc(t testing.TB, from interface {
	Alloc(int) (*Memory, error)
}, n int) *Memory {
	t.Helper()
	m, err := from.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func fill(b []byte) []byte {
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestMemoryIsSharedWithAWorker(t *testing.T) {
	clean(t)
	zlib := withMemory(t, zlibInterface)
	crc := funcOf(t, zlib, "crc32")
	for _, n := range []int{1, 63, 64, 4096, copiedBelow, 1 << 20} {
		m := alloc(t, zlib, n)
		want := crc32.ChecksumIEEE(fill(m.Bytes()))
		for _, arg := range []any{m, m.Bytes(), m.Bytes()[:n:n]} {
			if got := invoke(t, crc, 0, arg).Value(); got != want {
				t.Errorf("%d bytes as %T: crc32 is %v, not %v", n, arg, got, want)
			}
		}
		if n > 2 {
			if got := invoke(t, crc, 0, m.Bytes()[1:n-1]).Value(); got != crc32.ChecksumIEEE(m.Bytes()[1:n-1]) {
				t.Errorf("a part of %d bytes: crc32 is %v", n, got)
			}
		}
		typed, err := Bind2[uint32, *Memory, uint32](zlib, "crc32")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := typed.Call(context.Background(), 0, m); err != nil || got != want {
			t.Errorf("typed: %v, %v", got, err)
		}
		m.Close()
	}
}

// What does not travel can be larger than what may travel.
func TestMemoryDoesNotTravel(t *testing.T) {
	clean(t)
	zlib := withMemory(t, zlibInterface, WithCallBytes(64<<10))
	m := alloc(t, zlib, 4<<20)
	crc := funcOf(t, zlib, "crc32")
	if got := invoke(t, crc, 0, fill(m.Bytes())).Value(); got != crc32.ChecksumIEEE(m.Bytes()) {
		t.Errorf("crc32 of 4 MiB is %v", got)
	}
	var refused *CallError
	if _, err := crc.Call(context.Background(), 0, append([]byte(nil), m.Bytes()...)); !errors.As(err, &refused) {
		t.Errorf("4 MiB of other memory travelled in 64 KiB: %v", err)
	}
	m.Close()
}

func TestMemoryIsWrittenInPlace(t *testing.T) {
	clean(t)
	libc := withMemory(t, libcInterface)
	m := alloc(t, libc, 4*100)
	numbers := NumbersOf[int32](m)
	for i := range numbers {
		numbers[i] = int32(len(numbers) - i)
	}
	seen := 0
	result := invoke(t, funcOf(t, libc, "qsort"), m, 100, 4, func(a, b []byte) int {
		seen++
		x, y := le32(a), le32(b)
		return int(x) - int(y)
	})
	for i := range numbers {
		if numbers[i] != int32(i+1) {
			t.Fatalf("number %d is %d after %d comparisons", i, numbers[i], seen)
		}
	}
	if out, is := result.Out("base").([]byte); !is || len(out) != 400 || &out[0] != &m.Bytes()[0] {
		t.Errorf("what came back is not the memory itself but a %T", result.Out("base"))
	}
	m.Close()
}

func le32(b []byte) int32 {
	return int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
}

func TestMemoryInBatches(t *testing.T) {
	clean(t)
	zlib := withMemory(t, zlibInterface, WithWorkers(1), WithCallBytes(64<<10))
	crc := funcOf(t, zlib, "crc32")
	m := alloc(t, zlib, 1<<20)
	want := crc32.ChecksumIEEE(fill(m.Bytes()))
	batch, err := zlib.Batch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for i := 0; i < 100; i++ {
		if _, err := batch.Add(crc, 0, m); err != nil {
			t.Fatal(err)
		}
	}
	m.Close()
	if _, err := batch.Add(crc, 0, m); !errors.Is(err, syscall.EFAULT) {
		t.Errorf("closed memory: %v", err)
	}
	if !m.block.Held() {
		t.Error("memory of calls under way is not held")
	}
	for i := 0; i < batch.Len(); i++ {
		if r, err := batch.Result(i); err != nil || r.Value() != want {
			t.Errorf("call %d: %v, %v", i, r, err)
		}
	}
	if m.block.Held() {
		t.Error("memory is held by calls that have ended")
	}
}

func TestMemoryIsLimited(t *testing.T) {
	clean(t)
	zlib := withMemory(t, zlibInterface, WithWorkers(2))
	var all []*Memory
	for {
		m, err := zlib.Alloc(1 << 20)
		if err != nil {
			if !errors.Is(err, syscall.ENOMEM) {
				t.Errorf("the arenas are full: %v", err)
			}
			break
		}
		all = append(all, m)
	}
	if len(all) != 2*arenaBytes>>20 {
		t.Errorf("2 workers' arenas of %d bytes hold %d times 1 MiB", arenaBytes, len(all))
	}
	for _, n := range []int{-1, 0, arenaBytes + 1} {
		if _, err := zlib.Alloc(n); err == nil {
			t.Errorf("%d bytes were allocated", n)
		}
	}
	for _, m := range all {
		m.Close()
	}
	none, err := Open(context.Background(), "", WithInterface(zlibInterface), WithReports(""))
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if _, err := none.Alloc(1); !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "WithArena") {
		t.Errorf("a cell without an arena: %v", err)
	}
}

func TestMemoryUnderLoad(t *testing.T) {
	clean(t)
	cell := withMemory(t, zlibInterface, WithWorkers(3))
	crc := funcOf(t, cell, "crc32")
	var work sync.WaitGroup
	for g := 0; g < 8; g++ {
		work.Add(1)
		go func(g int) {
			defer work.Done()
			for i := 0; i < 50; i++ {
				m, err := cell.Alloc(20000 + 1000*g)
				if err != nil {
					t.Error(err)
					return
				}
				for at := range m.Bytes() {
					m.Bytes()[at] = byte(at * (g + i))
					if at > 100 {
						break
					}
				}
				want := crc32.ChecksumIEEE(m.Bytes())
				results := []<-chan Answer{cell.Go(context.Background(), crc, 0, m), cell.Go(context.Background(), crc, 0, m.Bytes())}
				for _, answers := range results {
					if a := <-answers; a.Err != nil || a.Value() != want {
						t.Errorf("goroutine %d, %d: %v, not %v", g, i, a, want)
					}
				}
				m.Close()
			}
		}(g)
	}
	work.Wait()
}

// What a worker says of the arena is judged against it.
func TestPlacesInTheArenaAreJudged(t *testing.T) {
	clean(t)
	libc := withMemory(t, libcInterface)
	f := funcOf(t, libc, "qsort").f
	m := alloc(t, libc, 4096)
	fill(m.Bytes())
	call := &active{w: m.block.Owner.(*worker), f: f}
	memory := call.Arena()
	base, size := arena.Address(memory), uint64(len(memory))
	var shape *frame.Func
	for _, shape = range f.shapes {
	}
	const element = 24
	outer := &frame.Outer{Fn: f.fn, Words: []uint64{1<<63 | base, 1, element, 1}}
	accept := func(a, b uint64) (*frame.Incoming, error) {
		words := []uint64{1<<63 | a, 1<<63 | b}
		request := make([]byte, 64)
		le := binary.LittleEndian
		le.PutUint32(request, 0x4d524643)
		le.PutUint16(request[4:], 1)
		le.PutUint16(request[6:], 2)
		le.PutUint32(request[8:], 64)
		le.PutUint64(request[16:], shape.Plan.Hash)
		le.PutUint32(request[24:], shape.Index)
		le.PutUint32(request[28:], 16)
		le.PutUint32(request[32:], 16)
		le.PutUint64(request[48:], words[0])
		le.PutUint64(request[56:], words[1])
		return shape.Accept(words, request, 16, outer, call)
	}
	in, err := accept(base, base+8)
	if err != nil || !bytes.Equal(in.Args[1].Value.([]byte), memory[8:8+element]) {
		t.Fatalf("good places: %v", err)
	}
	random := rand.New(rand.NewSource(1))
	near := []uint64{0, base, base + size, base + size - element, 1<<63 - 1, base &^ (1<<32 - 1)}
	good := 0
	for i := 0; i < 20000; i++ {
		at := near[random.Intn(len(near))] + uint64(random.Intn(64)) - 32
		if i%4 == 0 {
			at = random.Uint64()
		}
		at &^= 1 << 63
		in, err := accept(base, at)
		inside := at >= base && at-base <= size-element
		if (err == nil) != inside || err != nil && !errors.Is(err, frame.ErrLie) {
			t.Fatalf("place %#x of an arena at %#x: %v", at, base, err)
		}
		if inside {
			good++
			if !bytes.Equal(in.Args[1].Value.([]byte), memory[at-base:at-base+element]) {
				t.Fatalf("place %#x holds something else", at)
			}
		}
	}
	if good < 100 {
		t.Errorf("only %d places were good", good)
	}
}
