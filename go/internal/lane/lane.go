// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"cordon.internal/cordon/internal/kernel"
)

// Lane is the host's end. One goroutine at a time uses it; Wake, Condemn and Verdict may be called by others, as long
// as the lane is not closed.
type Lane struct {
	h, w     []byte
	hp, wp   unsafe.Pointer // their first bytes
	hFD, wFD int            // -1 once they were given away
	eventFD  int            // event's
	event    *os.File
	eventRaw syscall.RawConn
	drainer  kernel.Drainer
	drain    func(fd uintptr) bool // made once: no garbage for each sleep
	callback uint32                // where W's callback share begins

	slots      [Slots]slot
	patience   [timings]patience
	submitted  uint32
	collected  uint32
	unrung     bool   // calls were submitted of which the worker was not told
	unrungSeq  uint32 // the oldest of them
	cpu        uint32
	cpuAge     uint32
	purse      int64
	armed      int64 // when the read deadline of event passes, 0: not known
	hTop, wTop uint32
	news       atomic.Uint32 // somebody called Wake
	counts     counters
}

type slotState uint8

const (
	slotFree slotState = iota
	slotSent
	slotHeld // the worker has called back: the word is ours
	slotAnswered
	slotEnded
)

type slot struct {
	turn     uint32 // last one, whoever wrote it
	replyMax uint32
	state    slotState
	depth    uint8
	timing   uint8            // which patience is the outermost call's
	outer    [depthMax]uint32 // reply limits of the calls around the innermost one
}

// Open makes both memories and the eventfd.
func Open(hBytes, wBytes uint32) (*Lane, error) {
	l := &Lane{hFD: -1, wFD: -1, eventFD: -1, purse: purseStart}
	if hBytes < bytesMin || wBytes < bytesMin || hBytes%pageBytes != 0 || wBytes%pageBytes != 0 {
		return nil, fmt.Errorf("lane: memories of %d and %d bytes", hBytes, wBytes)
	}
	if err := l.open(hBytes, wBytes); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Lane) open(hBytes, wBytes uint32) (err error) {
	// H gets its last two seals from the keeper, once it has mapped it for writing.
	if l.hFD, err = kernel.Memory("cordon-h", int64(hBytes), kernel.SealShrink|kernel.SealGrow); err != nil {
		return err
	}
	if l.wFD, err = kernel.Memory("cordon-w", int64(wBytes), kernel.SealShrink|kernel.SealGrow|kernel.SealSeal); err != nil {
		return err
	}
	if l.h, err = kernel.Map(l.hFD, int(hBytes), warmBytes, true); err != nil {
		return err
	}
	if l.w, err = kernel.Map(l.wFD, int(wBytes), warmBytes, true); err != nil {
		return err
	}
	l.hp, l.wp = unsafe.Pointer(&l.h[0]), unsafe.Pointer(&l.w[0])
	if l.eventFD, err = kernel.Event(); err != nil {
		return err
	}
	// Non-blocking, so the runtime's poller has it. Never Fd(): that would make it a blocking one.
	l.event = os.NewFile(uintptr(l.eventFD), "cordon-event")
	if l.eventRaw, err = l.event.SyscallConn(); err != nil {
		return err
	}
	l.drain = func(fd uintptr) bool { return l.drainer.Drain(fd) }
	l.callback = wBytes - wBytes/share
	l.hTop, l.wTop = bytesAt, bytesAt
	l.fillPage(hBytes, wBytes)
	return nil
}

func (l *Lane) fillPage(hBytes, wBytes uint32) {
	one := uint32(0)
	if kernel.OneCPU() {
		one = 1
	}
	for i, word := range []uint32{magic, version, hBytes, wBytes, wakeByEvent, one} {
		*l.h32(uint32(4 * i)) = word
	}
	l.cpu = kernel.CPU()
	*l.h32(atHostCPU) = l.cpu
}

// Descriptors lends those of H, W and the eventfd, for LEASE.
func (l *Lane) Descriptors() (h, w, event int) {
	return l.hFD, l.wFD, l.eventFD
}

// Handed closes those of H and W: others have them now.
func (l *Lane) Handed() {
	for _, fd := range []*int{&l.hFD, &l.wFD} {
		if *fd >= 0 {
			syscall.Close(*fd)
			*fd = -1
		}
	}
}

// Close gives back everything. Nobody may use the lane any more.
func (l *Lane) Close() {
	l.Handed()
	if l.event != nil {
		l.event.Close()
	} else if l.eventFD >= 0 {
		syscall.Close(l.eventFD)
	}
	for _, memory := range [][]byte{l.h, l.w} {
		if memory != nil {
			_ = syscall.Munmap(memory)
		}
	}
	l.h, l.w, l.hp, l.wp = nil, nil, nil, nil
}

func (l *Lane) h32(at uint32) *uint32 { return (*uint32)(unsafe.Add(l.hp, at)) }
func (l *Lane) w32(at uint32) *uint32 { return (*uint32)(unsafe.Add(l.wp, at)) }
func (l *Lane) h64(at uint32) *uint64 { return (*uint64)(unsafe.Add(l.hp, at)) }
func (l *Lane) w64(at uint32) *uint64 { return (*uint64)(unsafe.Add(l.wp, at)) }

func mailAt(index uint32) uint32 { return atMails + index*mailBytes }

// ---- Rooms -------------------------------------------------------------------------------------

// Mark is how far H and W are taken. What a call takes is given back with those inside of it: rooms are a stack, as
// calls are.
type Mark struct{ h, w uint32 }

// Mark returns where the next room begins.
func (l *Lane) Mark() Mark { return Mark{l.hTop, l.wTop} }

// Release gives back all rooms that were taken since.
func (l *Lane) Release(m Mark) { l.hTop, l.wTop = m.h, m.w }

// Request returns all of H that is left, and where it begins. TakeRequest then says how much of it is used.
func (l *Lane) Request() (at uint32, memory []byte) {
	return l.hTop, l.h[l.hTop:len(l.h):len(l.h)]
}

// TakeRequest takes the first bytes of what Request returned.
func (l *Lane) TakeRequest(bytes uint32) { l.hTop += (bytes + 63) &^ 63 }

// ReplyLeft returns how many bytes of W are left.
func (l *Lane) ReplyLeft() uint32 {
	if l.wTop > l.callback {
		return 0
	}
	return l.callback - l.wTop
}

// TakeReply takes so many of them, at most ReplyLeft, and returns where they begin.
func (l *Lane) TakeReply(bytes uint32) uint32 {
	at := l.wTop
	l.wTop += (bytes + 63) &^ 63
	return at
}

// Reply returns bytes of W, which the worker may still change: copy before you look. The range was judged by Await, or
// taken by TakeReply.
func (l *Lane) Reply(at, bytes uint32) []byte {
	return l.w[at : at+bytes : at+bytes]
}

// ---- Sending -----------------------------------------------------------------------------------

// Message is what is written into a mail.
type Message struct {
	Verb        Verb
	Tag         uint32
	Count       int // words that count
	Words       [Words]uint64
	StatusBytes uint64
}

var (
	// ErrEnded: the lane has a verdict.
	ErrEnded = errors.New("lane: the worker has ended")
	// ErrFull: Slots calls are in flight.
	ErrFull = errors.New("lane: as many calls are in flight as may be")
)

func (m *Message) replyMax() uint32 {
	if m.Verb == CallBytes {
		return uint32(m.Words[1] >> 32)
	}
	return 0
}

// Ended reports whether the lane has a verdict.
func (l *Lane) Ended() bool {
	return atomic.LoadUint32(l.h32(atVerdict)) != 0
}

// Submit sends a call, and wakes the worker if ring says so. It returns the call's number. The keeper is told of its
// deadline by Await, or by SetDeadline.
func (l *Lane) Submit(m *Message, ring bool) (uint32, error) {
	if l.Ended() {
		return 0, ErrEnded
	}
	if l.submitted-l.collected >= Slots {
		return 0, ErrFull
	}
	l.submitted++
	seq := l.submitted
	index := slotOf(seq)
	s := &l.slots[index]
	s.depth = 0
	s.replyMax = m.replyMax()
	s.timing = timingOf(m)
	record := atRecords + index*recordBytes
	*l.h64(record + recordDeadline) = never
	*l.h32(record + recordFunction) = m.Tag
	*l.h32(record + recordStep) = stepAfter(s.turn)
	for i := 0; i < m.Count; i++ {
		*l.h64(record + recordWords + uint32(8*i)) = m.Words[i]
	}
	storeRelease(l.h32(atSubmitted), seq) // the keeper sees the record behind this
	l.publish(index, m)
	if !l.unrung {
		l.unrung, l.unrungSeq = true, seq
	}
	if ring {
		l.Ring()
	}
	return seq, nil
}

// SetDeadline tells the keeper when a call is over that nobody waits for yet.
func (l *Lane) SetDeadline(seq uint32, until int64) {
	*l.h64(atRecords + slotOf(seq)*recordBytes + recordDeadline) = uint64(until)
}

// publish hands the word to the worker. The words are plain stores: nobody reads them before the turn, whose store is
// atomic, and sequentially consistent in Go, so that it is the fence as well that Dekker needs before Ring looks.
func (l *Lane) publish(index uint32, m *Message) {
	mail := mailAt(index)
	s := &l.slots[index]
	*l.w32(mail + mailTag) = m.Tag
	for i := 0; i < m.Count; i++ {
		*l.w64(mail + mailWords + uint32(8*i)) = m.Words[i]
	}
	*l.w64(mail + mailStatusBytes) = m.StatusBytes
	s.turn = stepAfter(s.turn)<<4 | uint32(m.Verb)
	s.state = slotSent
	atomic.StoreUint32(l.w32(mail), s.turn)
}

// awaitedSlot is the one that a sleeping worker sleeps on: of the oldest call that it has not answered. That need not
// be the oldest one of which it was not told: it may have served some unasked.
func (l *Lane) awaitedSlot() uint32 {
	seq := l.collected + 1
	if before(l.collected, l.unrungSeq) {
		seq = l.unrungSeq
	}
	for ; seq != l.submitted; seq++ {
		index := slotOf(seq)
		s := &l.slots[index]
		if s.state == slotSent && atomic.LoadUint32(l.w32(mailAt(index))) == s.turn {
			break
		}
	}
	return slotOf(seq)
}

// Ring wakes a worker that sleeps, for all calls that it was not told of.
func (l *Lane) Ring() {
	if !l.unrung {
		return
	}
	l.unrung = false
	if l.collected == l.submitted {
		return
	}
	if atomic.LoadUint32(l.w32(atWorkerState)) == workerParked {
		l.counts.wakes.Add(1)
		kernel.Wake(l.w32(mailAt(l.awaitedSlot())))
	}
	if l.cpuAge++; l.cpuAge%128 == 0 {
		l.hintCPU()
	}
}

// hintCPU tells where this goroutine's thread runs: the worker does not spin on the same CPU. Written on changes only.
func (l *Lane) hintCPU() {
	if cpu := kernel.CPU(); cpu != l.cpu {
		l.cpu = cpu
		atomic.StoreUint32(l.h32(atHostCPU), cpu)
	}
}

// Continue answers a callback of call seq, or calls from inside of it.
func (l *Lane) Continue(seq uint32, m *Message) error {
	index := slotOf(seq)
	s := &l.slots[index]
	if l.Ended() {
		return ErrEnded
	}
	if s.state != slotHeld || s.depth == 0 {
		panic("lane: nobody has called back")
	}
	step := l.h32(atRecords + index*recordBytes + recordStep)
	if m.Verb != CallbackReturn {
		s.replyMax = m.replyMax()
		atomic.StoreUint32(step, *step|recordIsNested)
	} else {
		s.depth--
		s.replyMax = s.outer[s.depth]
		if s.depth == 0 {
			atomic.StoreUint32(step, *step&^recordIsNested)
		}
	}
	l.publish(index, m)
	if atomic.LoadUint32(l.w32(atWorkerState)) == workerParked {
		l.counts.wakes.Add(1)
		kernel.Wake(l.w32(mailAt(index)))
	}
	return nil
}

// Collect forgets a call: its slot may be another's.
func (l *Lane) Collect(seq uint32) {
	index := slotOf(seq)
	l.slots[index].state = slotFree
	if seq != l.collected+1 {
		atomic.StoreUint64(l.h64(atRecords+index*recordBytes+recordDeadline), never)
		return
	}
	for l.collected != l.submitted && l.slots[slotOf(l.collected+1)].state == slotFree {
		l.collected++
	}
	if !l.Ended() { // a keeper that is told late sees which call was in flight
		storeRelease(l.h32(atCollected), l.collected)
	}
}

// InFlight returns how many calls were submitted and not collected.
func (l *Lane) InFlight() int { return int(l.submitted - l.collected) }

// Counts are for benchmarks: how calls were waited for.
type Counts struct{ SpinsLost, Parks, Wakes uint64 }

// Counts returns them.
func (l *Lane) Counts() Counts {
	return Counts{l.counts.spinsLost.Load(), l.counts.parks.Load(), l.counts.wakes.Load()}
}

// Wake has whoever waits look again. Anybody may call it, also after Close.
func (l *Lane) Wake() {
	l.news.Store(1)
	_ = l.event.SetReadDeadline(time.Unix(1, 0))
}
