// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"sync/atomic"
	"time"

	"cordon.internal/cordon/internal/clock"
)

// A call ends by the worker's answer or by the verdict, and look is where that is decided, once: the slot's state is
// private and final.
//
//	turn     has the worker written? If so, its words are copied.
//	verdict  none stands: the answer has won. One that is given after this load comes too late for this call.
//	turn     a verdict stands: look once more. Who gave it may have seen answers that came after the first look, and
//	         counted these calls as done. An answer is valid if the verdict blames a later call; everything else has
//	         been ended by the verdict.

// Status is what came of waiting.
type Status int

const (
	nothing  Status = iota
	Came            // an event: an answer, a callback, an alarm
	Over            // the lane has a verdict, which has ended this call
	Lie             // what came cannot be: the lane has been given the verdict Lied
	Expired         // until has passed
	Canceled        // done was closed
	Roused          // somebody called Wake, with a reason (AwaitQueued)
)

// Event is a message of the worker, in private memory, and sound: step, verb, sizes and places were judged.
type Event struct {
	Verb       Verb
	Tag        uint32
	Words      [Words]uint64
	Status     int32
	ReplyBytes uint32
}

const (
	finalWait  = 50 * time.Millisecond  // a verdict without its blame: its giver was killed between two stores
	goneWait   = 200 * time.Millisecond // for the end of a worker whose call is to be sent again
	firstSlice = int64(time.Millisecond)
	rearm      = int64(200 * time.Microsecond)
)

func (l *Lane) copyEvent(index, turn uint32, e *Event) {
	mail := mailAt(index)
	e.Verb = Verb(turn & 15)
	e.Tag = atomic.LoadUint32(l.w32(mail + mailTag))
	for i := range e.Words {
		e.Words[i] = atomic.LoadUint64(l.w64(mail + mailWords + uint32(8*i)))
	}
	statusBytes := atomic.LoadUint64(l.w64(mail + mailStatusBytes))
	e.Status = int32(statusBytes >> 32)
	e.ReplyBytes = uint32(statusBytes)
}

func (l *Lane) callbackIsSound(s *slot, e *Event) bool {
	at, bytes := uint32(e.Words[0]), uint32(e.Words[0]>>32)
	count, reply := uint32(e.Words[1]>>32), uint32(e.Words[1])
	end := uint32(len(l.w))
	placed := bytes == 0 && at == 0 ||
		bytes != 0 && at >= l.callback && at < end && bytes <= end-at
	return placed && count <= Words-2 && uint64(reply) <= uint64(len(l.h)) && int(s.depth) < depthMax
}

func (l *Lane) isSound(s *slot, turn uint32, e *Event) bool {
	if turn>>4 != stepAfter(s.turn) {
		return false
	}
	switch e.Verb {
	case Return:
		return e.ReplyBytes <= s.replyMax
	case Callback:
		return l.callbackIsSound(s, e)
	case Alarm:
		return true // what it says is judged by who reads it
	}
	return false
}

// accept: the event is good, the host has the word now.
func (s *slot) accept(turn uint32, e *Event) Status {
	s.turn = turn
	switch {
	case e.Verb == Callback:
		s.outer[s.depth] = s.replyMax
		s.depth++
		s.state = slotHeld
	case e.Verb == Return && s.depth == 0:
		s.state = slotAnswered
	default:
		s.state = slotHeld
	}
	return Came
}

func (l *Lane) look(seq uint32, e *Event) Status {
	index := slotOf(seq)
	s := &l.slots[index]
	turn := atomic.LoadUint32(l.w32(mailAt(index)))
	if turn == s.turn {
		if !l.Ended() {
			return nothing
		}
		return l.lookUnderVerdict(seq, e)
	}
	l.copyEvent(index, turn, e)
	if l.Ended() {
		return l.lookUnderVerdict(seq, e)
	}
	if !l.isSound(s, turn, e) {
		s.state = slotEnded
		if l.Condemn(Lied, seq) {
			return Lie
		}
		return Over
	}
	return s.accept(turn, e)
}

func (l *Lane) lookUnderVerdict(seq uint32, e *Event) Status {
	index := slotOf(seq)
	s := &l.slots[index]
	turn := atomic.LoadUint32(l.w32(mailAt(index)))
	if turn != s.turn && s.depth == 0 {
		l.copyEvent(index, turn, e)
		if e.Verb == Return && l.isSound(s, turn, e) && l.spares(seq) {
			return s.accept(turn, e)
		}
	}
	s.state = slotEnded
	return Over
}

// A Limit is how long a call may take. When that is over is found out when somebody wants to know it: a call that is
// answered while it is waited for awake needs no clock.
type Limit struct {
	Until    int64         // 0: not known yet
	After    time.Duration // from now
	Deadline time.Time     // and not later than this, if it is not zero
}

// At returns when the time is over.
func (m *Limit) At() int64 {
	if m.Until == 0 {
		now := clock.Now()
		m.Until = clock.After(now, m.After)
		if !m.Deadline.IsZero() {
			if at := clock.Of(now, m.Deadline); at < m.Until {
				m.Until = at
			}
		}
	}
	return m.Until
}

// Await waits for the next event of call seq: until the limit, or until done is closed, or a verdict stands. While it
// waits long it costs a goroutine, no thread.
func (l *Lane) Await(seq uint32, limit *Limit, done <-chan struct{}, e *Event) Status {
	s := &l.slots[slotOf(seq)]
	if s.state == slotEnded {
		return Over
	}
	if status := l.look(seq, e); status != nothing {
		return status
	}
	if l.maySpin() {
		var p *patience
		if seq == l.submitted && s.depth == 0 {
			p = &l.patience[s.timing]
		}
		l.spinFor(l.w32(mailAt(slotOf(seq))), s.turn, p)
		if status := l.look(seq, e); status != nothing {
			return status
		}
	}
	l.Ring() // or it would wait for what nobody was told of
	return l.sleep(seq, limit.At(), done, e)
}

// sleep parks until something comes. A caller that can be cancelled sleeps for a millisecond first, and has a goroutine
// wait for its cancellation only then: most calls are over by then, and cost nothing.
func (l *Lane) sleep(seq uint32, until int64, done <-chan struct{}, e *Event) Status {
	// From now on the keeper looks, too. It looks at no call that is younger than the time that was spent awake.
	atomic.StoreUint64(l.h64(atRecords+slotOf(seq)*recordBytes+recordDeadline), uint64(until))
	began := clock.Now()
	slice := until
	if done != nil && until-began > firstSlice {
		slice = began + firstSlice
	}
	var stop chan struct{}
	for now := began; ; now = clock.Now() {
		if done != nil {
			select {
			case <-done:
				return l.finish(stop, Canceled)
			default:
			}
		}
		if now >= until {
			return l.finish(stop, Expired)
		}
		if now >= slice && slice != until {
			slice = until
			stop = make(chan struct{})
			go l.wakeWhen(done, stop)
		}
		l.park(seq, now, slice)
		if status := l.look(seq, e); status != nothing {
			l.parked(now)
			l.hintCPU()
			return l.finish(stop, status)
		}
	}
}

func (l *Lane) finish(stop chan struct{}, status Status) Status {
	if stop != nil {
		close(stop)
	}
	return status
}

func (l *Lane) wakeWhen(done, stop <-chan struct{}) {
	select {
	case <-done:
		l.Wake()
	case <-stop:
	}
}

// park sleeps once: until the worker rings, somebody calls Wake, or the time has come.
func (l *Lane) park(seq uint32, now, until int64) {
	index := slotOf(seq)
	seen := l.slots[index].turn
	l.parkUnless(now, until, func() bool { return atomic.LoadUint32(l.w32(mailAt(index))) != seen })
}

// parkUnless is park, if what it is waited for is not there yet.
func (l *Lane) parkUnless(now, until int64, came func() bool) {
	// The deadline of reads is a timer of the runtime's: one that passes earlier costs a look, setting it anew for each
	// sleep costs more.
	if l.armed < now+rearm || l.armed > until {
		l.armed = until
		_ = l.event.SetReadDeadline(time.Now().Add(time.Duration(until - now)))
	}
	l.counts.parks.Add(1)
	// Dekker, with the worker's ring: here parked, then turn; there turn, then parked. Atomic stores are fences in Go.
	atomic.StoreUint32(l.h32(atParked), parkedAny)
	if !came() && !l.Ended() && l.news.Swap(0) == 0 {
		if err := l.eventRaw.Read(l.drain); err != nil {
			l.armed = 0
		}
	}
	atomic.StoreUint32(l.h32(atParked), 0)
}
