// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/kernel"
)

// Condemn gives the lane its verdict, for call seq or, with 0, for none. It reports false if one stands already.
func (l *Lane) Condemn(v Verdict, seq uint32) bool {
	if !atomic.CompareAndSwapUint32(l.h32(atVerdict), 0, uint32(v)) {
		return false
	}
	atomic.StoreUint32(l.h32(atVerdictSeq), seq)
	atomic.StoreUint32(l.h32(atVerdictFinal), finalSeq)
	kernel.WakeAll(l.h32(atVerdict))
	return true
}

// CondemnCrashed gives the verdict Died, as the worker's own alarm says it.
func (l *Lane) CondemnCrashed(seq uint32, alarm *Event) bool {
	if !atomic.CompareAndSwapUint32(l.h32(atVerdict), 0, uint32(Died)) {
		return false
	}
	death := describe(alarm.Words[0], alarm.Words[1])
	*l.h32(atDeath) = 2 // CLD_KILLED
	*l.h32(atDeath + 4) = uint32(death.Signal)
	text := l.h[atDeath+8 : atDeath+8+deathTextBytes]
	n := copy(text[:deathTextBytes-1], death.Text)
	text[n] = 0
	atomic.StoreUint32(l.h32(atVerdictSeq), seq)
	atomic.StoreUint32(l.h32(atVerdictFinal), finalSeq|finalDeath)
	kernel.WakeAll(l.h32(atVerdict))
	return true
}

// Death is how a worker ended, as far as it is known.
type Death struct {
	Known      bool
	Exited     bool // by ExitStatus; else by Signal
	ExitStatus int
	Signal     syscall.Signal
	Text       string
	Leaving    uint32 // why it says that it ended itself: 1 its mail held no message, 2 a callback was not answered
}

// describe is what an alarm's words say: signal << 32 | flags, address.
func describe(word, address uint64) Death {
	const (
		hasAddress  = 1
		isWriting   = 2
		isExecuting = 4
	)
	d := Death{Known: true}
	if number := word >> 32; number >= 1 && number <= 64 {
		d.Signal = syscall.Signal(number)
	}
	name := map[syscall.Signal]string{syscall.SIGSEGV: "segmentation fault", syscall.SIGBUS: "bus error"}[d.Signal]
	switch {
	case d.Signal == 0:
		d.Text = "it reported a crash without a signal"
	case name != "" && word&hasAddress != 0:
		verb := "reading"
		if word&isExecuting != 0 {
			verb = "executing"
		} else if word&isWriting != 0 {
			verb = "writing"
		}
		d.Text = fmt.Sprintf("%s %s address %#x", name, verb, address)
	default:
		d.Text = fmt.Sprintf("signal %d (%v)", int(d.Signal), d.Signal)
	}
	return d
}

// awaitFinal waits until the verdict's giver has written whom it blames.
func (l *Lane) awaitFinal() bool {
	for until := time.Now().Add(finalWait); ; time.Sleep(100 * time.Microsecond) {
		if atomic.LoadUint32(l.h32(atVerdictFinal)) != 0 {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}

func (l *Lane) spares(seq uint32) bool {
	if !l.awaitFinal() {
		return false
	}
	blamed := atomic.LoadUint32(l.h32(atVerdictSeq))
	switch Verdict(atomic.LoadUint32(l.h32(atVerdict))) {
	case Deadline, Lied, CallbackFailed:
		return before(seq, blamed)
	}
	return blamed == 0 || before(seq, blamed)
}

// Verdict returns it, with the call that is blamed (0: none) and the worker's death.
func (l *Lane) Verdict() (v Verdict, blamed uint32, d Death) {
	v = Verdict(atomic.LoadUint32(l.h32(atVerdict)))
	if v == Alive {
		return v, 0, d
	}
	final := uint32(0)
	if l.awaitFinal() {
		final = atomic.LoadUint32(l.h32(atVerdictFinal))
	}
	blamed = atomic.LoadUint32(l.h32(atVerdictSeq))
	if final&finalDeath != 0 || atomic.LoadUint32(l.h32(atGone)) != 0 {
		d = l.death()
	}
	return v, blamed, d
}

// death is the keeper's word, or our own, in memory that the worker cannot write.
func (l *Lane) death() Death {
	code, status := int32(*l.h32(atDeath)), int32(*l.h32(atDeath + 4))
	d := Death{Known: code != 0, Text: text(l.h[atDeath+8 : atDeath+8+deathTextBytes])}
	switch {
	case code == 0: // a start that was refused: an errno
		d.ExitStatus = int(status)
	case code == deathCodeExited:
		d.Exited, d.ExitStatus = true, int(status)
	default:
		d.Signal = syscall.Signal(status)
	}
	d.Leaving = atomic.LoadUint32(l.w32(atLeaving))
	return d
}

// text is what stands before the NUL, fit to be shown.
func text(memory []byte) string {
	memory = append([]byte(nil), memory...)
	if end := bytes.IndexByte(memory, 0); end >= 0 {
		memory = memory[:end]
	}
	return Printable(string(memory))
}

// Printable replaces control characters and what is no UTF-8: text of a library or a worker, for people.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Unbegun reports whether the worker ended idle, before it began call seq, so that another worker may be sent it. It
// waits a moment for the worker's end to be sure.
func (l *Lane) Unbegun(seq uint32) bool {
	index := slotOf(seq)
	s := &l.slots[index]
	idle := func() bool {
		return atomic.LoadUint32(l.w32(mailAt(index))) == s.turn &&
			atomic.LoadUint32(l.w32(atWorkerState)) == workerParked
	}
	v := Verdict(atomic.LoadUint32(l.h32(atVerdict)))
	if v != Died && v != Recalled || s.depth != 0 || s.turn>>4 != *l.h32(atRecords + index*recordBytes + recordStep) || !idle() {
		return false
	}
	return l.Gone(goneWait) && idle()
}

// Gone reports whether the worker and its children have ended, none of which can write any more. It waits for that, if
// it has to.
func (l *Lane) Gone(patience time.Duration) bool {
	for until := time.Now().Add(patience); atomic.LoadUint32(l.h32(atGone)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

// Violation is a forbidden act of the worker.
type Violation struct {
	SystemCall int
	Errno      syscall.Errno // that it was answered; 0: the worker was ended
	Act        string        // "openat /etc/shadow"
	Grant      string        // what would allow it: "read:/etc/shadow"; empty: nothing does
}

// Violated reports whether there were more acts than the given number.
func (l *Lane) Violated(seen uint32) bool { return atomic.LoadUint32(l.h32(atViolations)) != seen }

// Violations returns how many acts there were ever, and those after the given number that are still known.
func (l *Lane) Violations(seen uint32) (uint32, []Violation) {
	now := atomic.LoadUint32(l.h32(atViolations))
	if now == seen {
		return now, nil
	}
	from := seen
	if now-from > violationsKept {
		from = now - violationsKept
	}
	var list []Violation
	for n := from + 1; n != now+1; n++ {
		at := uint32(atViolation + (n-1)%violationsKept*violationBytes)
		if atomic.LoadUint32(l.h32(at)) != n {
			continue
		}
		v := Violation{
			SystemCall: int(int32(*l.h32(at + 8))),
			Errno:      syscall.Errno(*l.h32(at + 12)),
			Act:        text(l.h[at+violationAct : at+violationAct+violationText]),
			Grant:      text(l.h[at+violationGrant : at+violationGrant+violationText]),
		}
		if atomic.LoadUint32(l.h32(at)) == n { // else a newer act took its place
			list = append(list, v)
		}
	}
	return now, list
}
