// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"sync/atomic"

	"cordon.internal/cordon/internal/clock"
)

// Queued reports whether callbacks of the library's own threads wait: the worker's word, a hint.
func (l *Lane) Queued() bool { return atomic.LoadUint32(l.w32(atQueued)) != 0 }

// AwaitQueued waits until there are some: Came. Over, Expired and Canceled are as Await says; Roused: it was woken, and
// leave says that it shall not wait any more. No call is under way.
func (l *Lane) AwaitQueued(until int64, done <-chan struct{}, leave func() bool) Status {
	var stop chan struct{}
	if done != nil {
		stop = make(chan struct{})
		go l.wakeWhen(done, stop)
	}
	for {
		now := clock.Now()
		select {
		case <-done:
			return l.finish(stop, Canceled)
		default:
		}
		switch {
		case l.Ended():
			return l.finish(stop, Over)
		case l.Queued():
			return l.finish(stop, Came)
		case now >= until:
			return l.finish(stop, Expired)
		case leave():
			return l.finish(stop, Roused)
		}
		l.parkUnless(now, until, l.Queued)
	}
}
