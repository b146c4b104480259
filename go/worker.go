// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/clock"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/seat"
)

const (
	verbHello    = 0x7fff0000 // requests to the worker itself
	verbDrop     = 0x7fff0006
	burialWait   = 2 * time.Second        // for the end of a worker whose arena the next one is to have
	deniedFor    = 100 * time.Millisecond // a daemon that lends no more is not asked again before
	outcomeBusy  = 5                      // enum cordon_outcome, in what a daemon refuses
	outcomeOpen  = 7
	protocolHost = 1
)

var (
	errQueueFull = errors.New("as many calls wait for a worker as may (WithQueue)")
	errQueueTime = errors.New("no worker became free in time")
)

// leases are numbered, so that a handle knows whether its worker is still the same.
var leases atomic.Uint64

// worker is a place for one of the daemon's workers: a seat, and while there is a worker the lane to it. Whoever has
// taken it from its pool owns it; others reach it by reach and the seat's goroutine alone.
type worker struct {
	cell *Cell
	pool *pool

	seat  *seat.Seat
	board *seat.Board
	calm  uint32 // what the board says as long as nothing is to be looked at

	mu     sync.Mutex // lane is changed, and used by those who do not own it, under it
	lane   *lane.Lane
	leased seat.Leased
	place  *place       // nil: it has a thread
	arena  *arena.Arena // its owner changes it; nil: none
	before *lane.Lane   // of the worker that had the arena last, if it is not known to be gone

	lease       uint64 // number of the lease, 0: none
	lost        atomic.Bool
	deniedUntil int64
	violations  uint32 // that were told
	handles     int    // that were made and not released
	callbacks   callbacks
	inside      [2 * lane.InsideBytes]byte // arrays that are about to travel inside a mail
}

// reach does something with the lane, for who does not own it.
func (w *worker) reach(do func(l *lane.Lane)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lane != nil {
		do(w.lane)
	}
}

// Plans, Ended and Lost are called by the seat's goroutine.

func (w *worker) Plans(fd int) error { return w.cell.takeLent(fd) }

func (w *worker) Ended(verdict uint32) {
	w.reach(func(l *lane.Lane) {
		if lane.Verdict(verdict) == lane.KeeperLost {
			l.Condemn(lane.KeeperLost, 0) // nobody else could
		}
		l.Wake()
	})
}

func (w *worker) Lost() {
	w.lost.Store(true)
	w.reach(func(l *lane.Lane) {
		l.Condemn(lane.KeeperLost, 0)
		l.Wake()
	})
}

// attach takes a seat.
func (w *worker) attach(ctx context.Context) error {
	fd, err := w.cell.conn.attach(ctx, w.cell.name)
	if err != nil {
		return err
	}
	w.lost.Store(false)
	s, err := seat.Open(ctx, fd, w)
	if err != nil {
		start := &StartError{Cell: w.cell.name, Text: err.Error()}
		if errors.Is(err, context.DeadlineExceeded) {
			start.Errno = syscall.ETIMEDOUT
		}
		return start
	}
	w.seat = s
	w.board = s.Board()
	return w.cell.takeWelcome(s.Welcome())
}

// leave gives up the seat.
func (w *worker) leave() {
	w.drop()
	if w.pool.isClosed() {
		w.buried(0)
		w.retireArena()
	}
	if w.seat != nil {
		w.seat.Close()
		w.seat, w.board = nil, nil
	}
}

func (w *worker) close() { w.leave() }

// drop ends the worker, if there is one, and gives back the lane.
func (w *worker) drop() {
	w.mu.Lock()
	l := w.lane
	w.lane = nil
	w.mu.Unlock()
	if l == nil {
		return
	}
	l.Condemn(lane.Closed, 0)
	w.leavePlace()
	w.seat.End(w.leased.Worker)
	if !w.keepArena(l) {
		l.Close()
	}
	w.lease = 0
	w.callbacks = callbacks{}
	w.handles = 0
	w.pool.lives(-1)
}

// keepArena keeps the arena for the next worker, if anything in it is allocated, and the lane, which tells whether this one
// can still write to it. It reports false if there is nothing to be kept.
func (w *worker) keepArena(l *lane.Lane) bool {
	if w.arena == nil {
		return false
	}
	if _, used := w.arena.Room(); used && !w.pool.isClosed() {
		w.before = l
		return true
	}
	w.retireArena()
	return false
}

func (w *worker) retireArena() {
	if a := w.arena; a != nil {
		w.setArena(nil)
		a.Retire()
	}
}

// buried ends what keepArena has begun: nothing of the worker before can write to the arena any more, or it is not lent again.
func (w *worker) buried(patience time.Duration) {
	if l := w.before; l != nil {
		w.before = nil
		if verdict, _, _ := l.Verdict(); verdict == lane.KeeperLost {
			patience = 0 // nobody is left to tell
		}
		if !l.Gone(patience) {
			w.retireArena()
		}
		l.Close()
	}
}

func (w *worker) setArena(a *arena.Arena) {
	w.mu.Lock()
	w.arena = a
	w.mu.Unlock()
}

// wantArena has an arena there, as large as the daemon's cell allows.
func (w *worker) wantArena() error {
	w.buried(burialWait)
	bytes := w.cell.arenaBytes()
	if w.arena != nil && w.arena.Bytes() == bytes {
		return nil
	}
	w.retireArena()
	if bytes == 0 {
		return nil
	}
	a, err := arena.Open(bytes)
	if err == nil {
		w.setArena(a)
	}
	return err
}

// condemn ends the worker by a verdict, for call seq.
func (w *worker) condemn(v lane.Verdict, seq uint32) {
	w.lane.Condemn(v, seq)
	w.seat.End(w.leased.Worker)
}

// ready has a worker there, within the limit. The board is asked first.
func (w *worker) ready(ctx context.Context, limit *lane.Limit) error {
	if w.lane != nil {
		if w.board.Now() == w.calm && !w.lane.Ended() {
			return nil
		}
		if w.lane.Ended() {
			w.drop()
		}
	}
	if err := w.weather(); err != nil || w.lane != nil {
		return err
	}
	return w.startBy(ctx, limit.At())
}

// weather is looked at when the board says something else than it did.
func (w *worker) weather() error {
	if w.lost.Load() {
		w.leave()
		return nil
	}
	if w.seat == nil {
		return nil
	}
	w.board = w.seat.Board()
	now := w.board.Now()
	if w.lane != nil && now>>2 != w.calm>>2 && !w.holds() {
		w.drop() // something else is lent from now on
	}
	switch seat.Weather(now & 3) {
	case seat.BreakerOpen:
		if wait := w.board.Until() - clock.Now(); wait > 0 {
			return &OpenError{Func: w.cell.name, RetryAfter: time.Duration(wait),
				Text: "the daemon's breaker is open: too many calls crashed or passed their deadline"}
		}
	case seat.Withdrawn:
		w.leave() // the daemon stops: perhaps another one has begun
	}
	return nil
}

// holds: something of the program's is in the worker that another one would not have. The daemon takes it back in its time.
func (w *worker) holds() bool { return w.handles > 0 || w.pool != w.cell.pool }

// startBy starts a worker, and waits for it until then. One that takes longer starts on, and goes to the pool by itself:
// then the error is an *unstarted, and the worker is not the caller's any more.
func (w *worker) startBy(ctx context.Context, until int64) error {
	const (
		waits = iota
		started
		gaveUp
	)
	var state atomic.Uint32
	done := make(chan error, 1)
	go func() {
		err := w.start()
		if state.CompareAndSwap(waits, started) {
			done <- err
		} else {
			w.pool.give(w)
		}
	}()
	timer := time.NewTimer(time.Duration(until - clock.Now()))
	defer timer.Stop()
	var why error
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		why = ctx.Err()
	case <-timer.C:
		why = errQueueTime
	}
	if state.CompareAndSwap(waits, gaveUp) {
		return &unstarted{why}
	}
	return <-done
}

// start leases a worker on a fresh lane, and waits until it serves.
func (w *worker) start() error {
	_, _, patience := w.cell.sizes()
	ctx, cancel := context.WithTimeout(w.cell.ctx, patience)
	defer cancel()
	if w.lost.Load() {
		w.leave()
	}
	if w.seat == nil {
		if err := w.attach(ctx); err != nil {
			var busy *BusyError
			if errors.As(err, &busy) {
				w.deny(busy.RetryAfter)
			}
			return w.startError(err)
		}
	}
	if w.cell.hasChanged() {
		return &StaleError{Func: w.cell.name, Text: "what the daemon lends is not what was bound: open the cell anew"}
	}
	h, m, _ := w.cell.sizes()
	l, err := lane.Open(h, m)
	if err != nil {
		return w.startError(err)
	}
	var leased seat.Leased
	if err = w.wantArena(); err == nil {
		leased, err = w.seat.Lease(ctx, l, w.arena)
	}
	if err != nil {
		l.Close()
		return w.startError(err)
	}
	l.Handed()
	w.deniedUntil = 0
	w.lease = leases.Add(1)
	w.violations = 0
	w.mu.Lock()
	w.lane, w.leased = l, leased
	w.mu.Unlock()
	w.takePlace()
	w.pool.lives(1)
	w.calm = seat.CalmNow(leased.Epoch)
	if w.lost.Load() { // who told of it has not seen this lane
		l.Condemn(lane.KeeperLost, 0)
	}
	if w.pool.isClosed() {
		l.Condemn(lane.Closed, 0)
	}
	if err := w.hello(ctx, patience); err != nil {
		w.drop()
		return err
	}
	return nil
}

// deny leaves the worker alone for a while: the daemon has none for it.
func (w *worker) deny(pause time.Duration) {
	if pause < deniedFor {
		pause = deniedFor
	}
	w.deniedUntil = clock.After(clock.Now(), pause)
}

// hello is the first call: it is answered when the library has been loaded.
func (w *worker) hello(ctx context.Context, patience time.Duration) error {
	until := clock.After(clock.Now(), patience)
	seq, err := w.lane.Submit(&lane.Message{Verb: lane.Call, Tag: verbHello}, true)
	if err != nil {
		return w.endedBy(w.cell.name, 0)
	}
	defer w.lane.Collect(seq)
	w.executeOwn()
	var event lane.Event
	switch status := w.lane.Await(seq, &lane.Limit{Until: until}, ctx.Done(), &event); {
	case status == lane.Came && event.Verb == lane.Return && event.Status == 0 && uint32(event.Words[0]) == protocolHost:
		return nil
	case status == lane.Came && event.Verb == lane.Return:
		return &StartError{Cell: w.cell.name, Text: "the worker speaks another protocol"}
	case status == lane.Over:
		return w.endedBy(w.cell.name, seq)
	case status == lane.Came && event.Verb == lane.Alarm:
		w.lane.CondemnCrashed(seq, &event)
		return w.endedBy(w.cell.name, seq)
	case status == lane.Lie || status == lane.Came:
		return &CrashError{Func: w.cell.name, Text: "the worker broke the protocol and has been ended"}
	}
	if w.cell.ctx.Err() != nil {
		return ErrClosed
	}
	return &StartError{Cell: w.cell.name, Text: "the library was not loaded in time", Errno: syscall.ETIMEDOUT}
}

// unstarted says that the worker starts on, without its caller.
type unstarted struct{ why error }

func (u *unstarted) Error() string { return u.why.Error() }
