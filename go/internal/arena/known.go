// SPDX-License-Identifier: Apache-2.0

package arena

import (
	"sync"
	"sync/atomic"

	"cordon.internal/cordon/internal/kernel"
)

// A place is where an arena is, or was: it is never unmapped, since there may be slices of it. The next arena of the same
// size gets it.
type place struct {
	memory []byte
	arena  *Arena // nil: none any more
}

// places are all of this process. The list is replaced, never changed, so that calls look at it without a lock.
type places struct {
	mu   sync.Mutex
	list atomic.Pointer[[]place]
}

var known places

// Any reports whether there ever was an arena: if not, no argument lies in one.
func Any() bool { return known.list.Load() != nil }

// Find looks for the block that bytes lie in. inArena: they lie where an arena is or was; without a block what was allocated
// there is closed.
func Find(memory []byte) (b *Block, inArena bool) {
	list := known.list.Load()
	if list == nil || len(memory) == 0 {
		return nil, false
	}
	at := addressOf(memory)
	for i := range *list {
		p := &(*list)[i]
		if from := addressOf(p.memory); at >= from && at-from < uintptr(len(p.memory)) {
			if p.arena == nil {
				return nil, true
			}
			return p.arena.find(at-from, len(memory)), true
		}
	}
	return nil, false
}

// Holds reports whether bytes lie in an arena's memory, all of them.
func Holds(arena, memory []byte) bool {
	if len(arena) == 0 || len(memory) == 0 {
		return false
	}
	at, from := addressOf(memory), addressOf(arena)
	return at >= from && at-from < uintptr(len(arena)) && uintptr(len(memory)) <= uintptr(len(arena))-(at-from)
}

// Address is where bytes lie.
func Address(memory []byte) uint64 { return uint64(addressOf(memory)) }

func (k *places) copied() []place {
	if list := k.list.Load(); list != nil {
		return append([]place(nil), *list...)
	}
	return nil
}

// enter maps an arena where one of its size was, or where nothing is.
func (k *places) enter(a *Arena, bytes uintptr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.copied()
	at, fixed := -1, false
	where := likelyPlace()
	for i := range list {
		if list[i].arena == nil && uintptr(len(list[i].memory)) == bytes {
			at, fixed, where = i, true, addressOf(list[i].memory)
			break
		}
	}
	memory, err := kernel.MapAt(where, a.fd, bytes, fixed)
	if err != nil {
		return err
	}
	a.memory, a.base = memory, addressOf(memory)
	if at >= 0 { // behind the others: the one that was left first is taken first
		list = append(list[:at], list[at+1:]...)
	}
	list = append(list, place{memory, a})
	k.list.Store(&list)
	return nil
}

// leave puts memory of nobody's in an arena's place.
func (k *places) leave(a *Arena) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = kernel.MapAt(a.base, -1, uintptr(len(a.memory)), true) // fails: the arena's pages stay a little longer
	list := k.copied()
	for i := range list {
		if list[i].arena == a {
			list[i].arena = nil
		}
	}
	k.list.Store(&list)
}
