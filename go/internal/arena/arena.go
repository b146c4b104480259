// SPDX-License-Identifier: Apache-2.0

// Package arena is memory that this process and one worker have at the same address. What is allocated in it is known here
// alone; what stands in it either side may change at any moment.
//
// An arena is some worker's until it is retired. Its memory stays where it is as long as anything in it is allocated, and
// what comes then is memory, too, though nobody's: a slice of it can be read and written for ever, and is never a fault.
package arena

import (
	"fmt"
	"math/rand"
	"sort"
	"sync"
	"syscall"
	"unsafe"

	"cordon.internal/cordon/internal/kernel"
)

const (
	pageBytes  = 4096
	alignment  = 64
	likelyFree = 0x200000000000 // neither a heap of ours nor a library of a worker's lies there
)

// Arena is open until Retire, and mapped until the last of its blocks is freed behind that.
type Arena struct {
	base   uintptr
	memory []byte
	fd     int

	mu      sync.Mutex // of all that follows
	free    []stretch  // in order of address; neighbours are joined
	blocks  []*Block   // that are not freed, in order of address
	retired bool
}

type stretch struct{ at, bytes uintptr }

// Block is allocated memory.
type Block struct {
	arena  *Arena
	at     uintptr
	bytes  int
	holds  int
	closed bool
	// Owner is whose it is, as whoever has allocated it says.
	Owner any
}

// Open makes an arena of so many bytes, in whole pages, for one worker.
func Open(bytes uint64) (*Arena, error) {
	bytes = (bytes + pageBytes - 1) &^ (pageBytes - 1)
	if bytes == 0 || bytes > 1<<40 {
		return nil, fmt.Errorf("an arena of %d bytes", bytes)
	}
	fd, err := kernel.Memory("cordon-arena", int64(bytes), kernel.SealShrink|kernel.SealGrow|kernel.SealSeal)
	if err != nil {
		return nil, err
	}
	a := &Arena{fd: fd, free: []stretch{{0, uintptr(bytes)}}}
	if err := known.enter(a, uintptr(bytes)); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return a, nil
}

// Memory lends what the arena is in this process, at Base. Nobody but who knows it to be judged looks into it.
func (a *Arena) Memory() []byte { return a.memory }

// Base is its address, here and in the worker.
func (a *Arena) Base() uint64 { return uint64(a.base) }

// Bytes is how large it is.
func (a *Arena) Bytes() uint64 { return uint64(len(a.memory)) }

// Descriptor lends that of its memory, until Retire.
func (a *Arena) Descriptor() int { return a.fd }

// Alloc takes memory, all of it zero; nil if there is no room for it.
func (a *Arena) Alloc(bytes int, owner any) *Block {
	if bytes <= 0 || uint64(bytes) > a.Bytes() {
		return nil
	}
	need := (uintptr(bytes) + alignment - 1) &^ (alignment - 1)
	b := &Block{arena: a, bytes: bytes, Owner: owner}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.free {
		s := &a.free[i]
		if s.bytes < need || a.retired {
			continue
		}
		b.at = s.at
		s.at, s.bytes = s.at+need, s.bytes-need
		if s.bytes == 0 {
			a.free = append(a.free[:i], a.free[i+1:]...)
		}
		at := a.after(b.at)
		a.blocks = append(a.blocks, nil)
		copy(a.blocks[at+1:], a.blocks[at:])
		a.blocks[at] = b
		memory := b.memory()
		for i := range memory {
			memory[i] = 0
		}
		return b
	}
	return nil
}

// after is the index of the first block behind an offset.
func (a *Arena) after(at uintptr) int {
	return sort.Search(len(a.blocks), func(i int) bool { return a.blocks[i].at > at })
}

// Room is how many bytes are free, and whether anything is allocated.
func (a *Arena) Room() (free uint64, used bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.free {
		free += uint64(a.free[i].bytes)
	}
	return free, len(a.blocks) > 0
}

// Retire takes the arena from its worker: none will have it any more. What is allocated stays as it is until it is closed.
func (a *Arena) Retire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.retired {
		a.retired = true
		syscall.Close(a.fd)
		a.fd = -1
		a.leave()
	}
}

// leave gives the memory back when nobody has any of it. The lock is held.
func (a *Arena) leave() {
	if a.retired && len(a.blocks) == 0 {
		known.leave(a)
	}
}

// Bytes lends the block's memory.
func (b *Block) Bytes() []byte { return b.memory() }

func (b *Block) memory() []byte {
	return b.arena.memory[b.at : b.at+uintptr(b.bytes) : b.at+uintptr(b.bytes)]
}

// Of returns the block's arena.
func (b *Block) Of() *Arena { return b.arena }

// Hold keeps the block from being freed, until Release. It reports false if the block is closed.
func (b *Block) Hold() bool {
	b.arena.mu.Lock()
	defer b.arena.mu.Unlock()
	if b.closed {
		return false
	}
	b.holds++
	return true
}

// Release ends a Hold.
func (b *Block) Release() {
	b.arena.mu.Lock()
	defer b.arena.mu.Unlock()
	if b.holds--; b.holds == 0 && b.closed {
		b.arena.give(b)
	}
}

// Close frees the block, as soon as nobody holds it. Once: again it does nothing.
func (b *Block) Close() {
	b.arena.mu.Lock()
	defer b.arena.mu.Unlock()
	if b.closed {
		return
	}
	if b.closed = true; b.holds == 0 {
		b.arena.give(b)
	}
}

// Closed reports whether Close was called.
func (b *Block) Closed() bool {
	b.arena.mu.Lock()
	defer b.arena.mu.Unlock()
	return b.closed
}

// give makes the block's memory free again. The lock is held.
func (a *Arena) give(b *Block) {
	at := a.after(b.at) - 1
	a.blocks = append(a.blocks[:at], a.blocks[at+1:]...)
	s := stretch{b.at, (uintptr(b.bytes) + alignment - 1) &^ (alignment - 1)}
	i := sort.Search(len(a.free), func(i int) bool { return a.free[i].at > s.at })
	if i < len(a.free) && s.at+s.bytes == a.free[i].at {
		s.bytes += a.free[i].bytes
		a.free = append(a.free[:i], a.free[i+1:]...)
	}
	if i > 0 && a.free[i-1].at+a.free[i-1].bytes == s.at {
		a.free[i-1].bytes += s.bytes
	} else {
		a.free = append(a.free, stretch{})
		copy(a.free[i+1:], a.free[i:])
		a.free[i] = s
	}
	a.leave()
}

// find returns the block that bytes lie in, nil: in none, or in a closed one.
func (a *Arena) find(at uintptr, bytes int) *Block {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.after(at) - 1
	if i < 0 {
		return nil
	}
	if b := a.blocks[i]; !b.closed && at-b.at <= uintptr(b.bytes) && uintptr(bytes) <= uintptr(b.bytes)-(at-b.at) {
		return b
	}
	return nil
}

// likelyPlace is where a worker will have nothing, by chance: a wish.
func likelyPlace() uintptr { return likelyFree + uintptr(rand.Uint32()&0xffffff)<<20 }

// addressOf is a slice's.
func addressOf(memory []byte) uintptr { return uintptr(unsafe.Pointer(&memory[0])) }

// Held reports whether somebody holds the block.
func (b *Block) Held() bool {
	b.arena.mu.Lock()
	defer b.arena.mu.Unlock()
	return b.holds > 0
}
