// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"sync/atomic"

	"cordon.internal/cordon/internal/clock"
)

// Spin, then park. A spin that is lost is paid from a purse, a spin that is won fills it, each park adds a little,
// and who cannot pay for a whole spin parks at once: what is wasted is bounded by what was won, whatever the worker
// and the load of the machine do. While a goroutine spins nobody else runs on its P, so a spin is short: with
// GOMAXPROCS=1 the others wait at most that long, once, and a purse that is emptied by them stays empty.
const (
	spinSoon  = 64 // looks before the clock is read: about two microseconds
	spinBatch = 16 // looks between two readings of it
	spinMax   = 20_000
	spinAway  = 30_000 // a batch that took longer than this was interrupted by another task

	purseStart = 100_000
	purseMax   = 200_000
	purseWon   = 25_000
	pursePark  = 1_000
)

// spin looks at word until it is no longer seen, looks times at most, for the first time after first pauses, and returns at
// which look it had changed; 0: at none. It is not preempted: looks are few.
//
//go:noescape
func spin(word *uint32, seen, first, looks uint32) uint32

func (l *Lane) earn(ns int64) {
	l.purse += ns
	if l.purse > purseMax {
		l.purse = purseMax
	}
}

func (l *Lane) lose(ns int64) {
	l.counts.spinsLost.Add(1)
	l.purse -= ns
	if l.purse < 0 {
		l.purse = 0
	}
}

// maySpin: hints. A lie costs one spin or one wake-up.
func (l *Lane) maySpin() bool {
	return l.purse >= spinMax && atomic.LoadUint32(l.w32(atWorkerState)) == workerRunning &&
		atomic.LoadUint32(l.w32(atWorkerCPU)) != l.cpu
}

// spinFor looks for another turn than seen, or a verdict, for a while. p is nil where answers come one behind the other.
func (l *Lane) spinFor(turn *uint32, seen uint32, p *patience) {
	pauses := uint32(0)
	if p != nil {
		pauses = p.begin()
	}
	looks := spin(turn, seen, pauses, spinSoon)
	if p != nil {
		p.end(pauses, looks)
	}
	if looks != 0 {
		l.earn(purseWon)
		return
	}
	began := clock.Now()
	last := began
	for last-began < spinMax {
		won := spin(turn, seen, 0, spinBatch) != 0 || atomic.LoadUint32(l.h32(atVerdict)) != 0
		now := clock.Now()
		if now-last > spinAway {
			l.lose(purseMax)
			return
		}
		last = now
		if won {
			l.counts.spinsWon.Add(1)
			l.earn(purseWon)
			return
		}
	}
	l.lose(last - began)
}

// parked notes that a sleep has ended that began at the given time.
func (l *Lane) parked(began int64) {
	if l.purse >= spinMax {
		return
	}
	if clock.Now()-began < spinMax {
		l.earn(purseWon / 2) // a spin would have been won
	} else {
		l.earn(pursePark)
	}
}

// claim asks for lines that the worker has read and that are written next: they come back at once, and not one after the
// other.
//
//go:noescape
func claim(memory *byte, bytes int)

// claimMax is as much as is asked for.
const claimMax = 2048

// Claim says that so many bytes of what Request returned are written next.
func (l *Lane) Claim(bytes int) {
	if bytes > claimMax {
		bytes = claimMax
	}
	if bytes > 0 && int(l.hTop)+bytes <= len(l.h) {
		claim(&l.h[l.hTop], bytes)
	}
}
