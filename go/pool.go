// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/lane"
)

// pool is a cell's workers, and the line of those who wait for one. A worker that is taken is its taker's alone.
type pool struct {
	queue int // how many may wait

	all []*worker

	// The short way of a pool of which nobody wants more than it has: one worker, taken and given back by a swap. Who wants
	// more counts itself in attention before it looks whether one is here, and who puts one here looks at attention behind
	// that: one of them sees the other.
	hot       atomic.Pointer[worker]
	listens   atomic.Pointer[worker] // whose taker gives it back when somebody else wants one
	attention atomic.Int32

	mu      sync.Mutex
	idle    []*worker // taken from the end: what was used last is warm
	live    int       // workers with a lane, idle or taken
	first   *waiter
	last    *waiter
	waiting int
	closed  bool
	open    sync.WaitGroup // of workers: each is closed once
}

// closing is attention that does not go away.
const closing = 1 << 24

// newPool makes a pool of places for workers.
func newPool(c *Cell, workers, queue int) *pool {
	p := &pool{queue: queue}
	for i := 0; i < workers; i++ {
		p.all = append(p.all, &worker{cell: c, pool: p})
	}
	p.idle = append(p.idle, p.all...)
	p.open.Add(workers)
	return p
}

// waiter stands in line, for any worker or for one.
type waiter struct {
	came       chan *worker // holds one; nil: the pool was closed
	want       *worker
	next, prev *waiter
	inLine     bool
}

var waiters = sync.Pool{New: func() any { return &waiter{came: make(chan *worker, 1)} }}

func (p *pool) append(w *waiter) {
	w.next, w.prev, w.inLine = nil, p.last, true
	if p.last != nil {
		p.last.next = w
	} else {
		p.first = w
	}
	p.last = w
	p.waiting++
	p.attention.Add(1)
}

func (p *pool) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		p.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		p.last = w.prev
	}
	w.next, w.prev, w.inLine = nil, nil, false
	p.waiting--
	p.attention.Add(-1)
}

// grab takes an idle worker that fits.
func (p *pool) grab(want *worker) *worker {
	if w := p.hot.Swap(nil); w != nil {
		p.idle = append(p.idle, w)
	}
	n := len(p.idle)
	if want != nil {
		for i, w := range p.idle {
			if w == want {
				p.idle = append(p.idle[:i], p.idle[i+1:]...)
				return w
			}
		}
		return nil
	}
	if n == 0 {
		return nil
	}
	w := p.idle[n-1]
	// One that the daemon does not lend just now is left alone, where others can be waited for.
	if w.lane == nil && w.deniedUntil != 0 && p.live > 0 && clock.Now() < w.deniedUntil {
		return nil
	}
	p.idle = p.idle[:n-1]
	return w
}

// take waits for a worker: any, or the one that is wanted.
func (p *pool) take(ctx context.Context, limit *lane.Limit, want *worker) (*worker, error) {
	if want == nil && p.attention.Load() == 0 {
		if w := p.hot.Swap(nil); w != nil {
			return w, nil
		}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if want != nil || p.first == nil {
		if w := p.grab(want); w != nil {
			p.mu.Unlock()
			return w, nil
		}
	}
	if p.waiting >= p.queue {
		p.mu.Unlock()
		return nil, errQueueFull
	}
	mine := waiters.Get().(*waiter)
	mine.want = want
	p.append(mine)
	if w := p.hot.Swap(nil); w != nil { // given back in this moment
		p.hand(w)
	}
	p.mu.Unlock()
	if w := p.listens.Load(); w != nil {
		w.reach((*lane.Lane).Wake)
	}
	return p.wait(ctx, limit.At(), mine)
}

func (p *pool) wait(ctx context.Context, until int64, mine *waiter) (*worker, error) {
	timer := time.NewTimer(time.Duration(until - clock.Now()))
	defer timer.Stop()
	var err error
	select {
	case w := <-mine.came:
		waiters.Put(mine)
		if w == nil {
			return nil, ErrClosed
		}
		return w, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = errQueueTime
	}
	p.mu.Lock()
	waits := mine.inLine
	if waits {
		p.remove(mine)
	}
	p.mu.Unlock()
	if !waits { // it came in this moment
		if w := <-mine.came; w != nil {
			p.give(w)
		}
	}
	waiters.Put(mine)
	return nil, err
}

// give hands a worker to the first in line that it fits, or lets it rest.
func (p *pool) give(w *worker) {
	if w.lane != nil && p.attention.Load() == 0 && p.hot.CompareAndSwap(nil, w) {
		if p.attention.Load() == 0 || !p.hot.CompareAndSwap(w, nil) {
			return
		}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		w.close()
		p.open.Done()
		return
	}
	p.hand(w)
	p.mu.Unlock()
}

// hand is give, with the lock held.
func (p *pool) hand(w *worker) {
	for waiter := p.first; waiter != nil; waiter = waiter.next {
		if waiter.want == nil || waiter.want == w {
			p.remove(waiter)
			waiter.came <- w
			return
		}
	}
	if w.lane == nil { // those that would have to be started come last
		p.idle = append(p.idle, nil)
		copy(p.idle[1:], p.idle)
		p.idle[0] = w
	} else {
		p.idle = append(p.idle, w)
	}
}

// resting counts workers that nobody has taken.
func (p *pool) resting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if p.hot.Load() != nil {
		n++
	}
	return n
}

// isClosed: a worker that has just been started is not wanted any more.
func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// lives counts workers that have a lane.
func (p *pool) lives(change int) {
	p.mu.Lock()
	p.live += change
	p.mu.Unlock()
}

// others reports whether somebody else's worker can be waited for.
func (p *pool) others() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live > 0
}

// close ends all workers, and waits until those that are taken were given back.
func (p *pool) close() {
	p.attention.Add(closing)
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	if w := p.hot.Swap(nil); w != nil {
		idle = append(idle, w)
	}
	for p.first != nil {
		w := p.first
		p.remove(w)
		w.came <- nil
	}
	p.mu.Unlock()
	for _, w := range idle {
		w.close()
		p.open.Done()
	}
	for _, w := range p.all { // those that are taken have calls under way
		w.reach(func(l *lane.Lane) {
			l.Condemn(lane.Closed, 0)
			l.Wake()
		})
	}
	p.open.Wait()
}
