// SPDX-License-Identifier: Apache-2.0

package lane

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"cordon.internal/cordon/internal/clock"
)

// The tests are the worker: they write W as a good one, or as one that lies.
type peer struct {
	*Lane
	t     *testing.T
	works *sync.WaitGroup // what later began
}

// later does something beside the test, which the lane's end waits for.
func (p *peer) later(after time.Duration, do func()) {
	p.works.Add(1)
	time.AfterFunc(after, func() {
		defer p.works.Done()
		do()
	})
}

func open(t *testing.T) *peer {
	t.Helper()
	l, err := Open(1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{l, t, &sync.WaitGroup{}}
	t.Cleanup(func() {
		p.works.Wait()
		l.Close()
	})
	return p
}

// say writes a message into the mail of a slot.
func (p *peer) say(index uint32, step uint32, verb Verb, words [Words]uint64, statusBytes uint64) {
	mail := mailAt(index)
	for i, word := range words {
		atomic.StoreUint64(p.w64(mail+mailWords+uint32(8*i)), word)
	}
	atomic.StoreUint64(p.w64(mail+mailStatusBytes), statusBytes)
	atomic.StoreUint32(p.w32(mail), step<<4|uint32(verb))
	if atomic.LoadUint32(p.h32(atParked)) == parkedAny {
		p.ring()
	}
}

func (p *peer) ring() {
	one := [8]byte{1}
	if _, err := syscall.Write(p.eventFD, one[:]); err != nil && err != syscall.EAGAIN {
		p.t.Error(err)
	}
}

func (p *peer) call(t *testing.T) uint32 {
	t.Helper()
	seq, err := p.Submit(&Message{Verb: Call, Tag: 7, Count: 1}, true)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func soon() *Limit { return &Limit{After: 2 * time.Second} }

func TestAnAnswerIsTaken(t *testing.T) {
	p := open(t)
	for i := uint32(0); i < 3*Slots; i++ {
		i := i
		seq := p.call(t)
		if seq != i+1 || atomic.LoadUint32(p.h32(atSubmitted)) != seq {
			t.Fatalf("call %d has number %d", i, seq)
		}
		step := stepAfter(0)
		if i >= Slots {
			step = *p.w32(mailAt(slotOf(seq))) >> 4
		}
		p.later(0, func() { p.say(slotOf(seq), step+1, Return, [Words]uint64{uint64(i)}, 0) })
		var e Event
		if status := p.Await(seq, soon(), nil, &e); status != Came || e.Words[0] != uint64(i) {
			t.Fatalf("call %d: %v, %+v", i, status, e)
		}
		p.Collect(seq)
		if atomic.LoadUint32(p.h32(atCollected)) != seq {
			t.Fatal("it is not collected")
		}
	}
}

func TestLiesEndTheLane(t *testing.T) {
	const share = uint64(1<<20 - 1<<18)
	for name, lie := range map[string]func(p *peer){
		"an old step":                func(p *peer) { p.say(0, 1, Return, [Words]uint64{}, 0) },
		"a later step":               func(p *peer) { p.say(0, 3, Return, [Words]uint64{}, 0) },
		"a call of the worker's":     func(p *peer) { p.say(0, 2, Call, [Words]uint64{}, 0) },
		"no verb":                    func(p *peer) { p.say(0, 2, 0, [Words]uint64{}, 0) },
		"bytes that nobody gave":     func(p *peer) { p.say(0, 2, Return, [Words]uint64{}, 1) },
		"a callback before share":    func(p *peer) { p.say(0, 2, Callback, [Words]uint64{8<<32 | (share - 1)}, 0) },
		"a callback behind W":        func(p *peer) { p.say(0, 2, Callback, [Words]uint64{16<<32 | (1<<20 - 8)}, 0) },
		"a place without bytes":      func(p *peer) { p.say(0, 2, Callback, [Words]uint64{share}, 0) },
		"five words of a callback":   func(p *peer) { p.say(0, 2, Callback, [Words]uint64{0, 5 << 32}, 0) },
		"an answer larger than H":    func(p *peer) { p.say(0, 2, Callback, [Words]uint64{0, 1<<20 + 1}, 0) },
		"a place of 4 GB":            func(p *peer) { p.say(0, 2, Callback, [Words]uint64{0xffffffff<<32 | share}, 0) },
		"the host's answer, its own": func(p *peer) { p.say(0, 2, CallbackReturn, [Words]uint64{}, 0) },
	} {
		p := open(t)
		seq := p.call(t)
		lie(p)
		var e Event
		if status := p.Await(seq, soon(), nil, &e); status != Lie {
			t.Errorf("%s: %v, %+v", name, status, e)
		}
		if v, blamed, _ := p.Verdict(); v != Lied || blamed != seq {
			t.Errorf("%s: verdict %d for call %d", name, v, blamed)
		}
		if status := p.Await(seq, soon(), nil, &e); status != Over {
			t.Errorf("%s, again: %v", name, status)
		}
		if _, err := p.Submit(&Message{Verb: Call}, true); err != ErrEnded {
			t.Errorf("%s: a call was sent afterwards: %v", name, err)
		}
	}
}

func TestCallbacksNestSixteenDeep(t *testing.T) {
	p := open(t)
	seq := p.call(t)
	step := uint32(1)
	for depth := 0; ; depth++ {
		step++
		p.say(0, step, Callback, [Words]uint64{}, 0)
		var e Event
		status := p.Await(seq, soon(), nil, &e)
		if depth == depthMax {
			if status != Lie {
				t.Errorf("%d deep: %v", depth, status)
			}
			return
		}
		if status != Came || e.Verb != Callback {
			t.Fatalf("%d deep: %v", depth, status)
		}
		if err := p.Continue(seq, &Message{Verb: Call}); err != nil {
			t.Fatal(err)
		}
		step++
		if record := *p.h32(atRecords + recordStep); record&recordIsNested == 0 {
			t.Error("the keeper would take the inner answer for the outer one")
		}
	}
}

func TestAVerdictEndsWhatItBlames(t *testing.T) {
	p := open(t)
	for i := 0; i < 3; i++ {
		p.call(t)
	}
	for i := uint32(0); i < 3; i++ { // all were answered, and nobody has looked
		p.say(i, 2, Return, [Words]uint64{uint64(i)}, 0)
	}
	if !p.Condemn(Deadline, 2) || p.Condemn(Closed, 0) {
		t.Error("two have given a verdict")
	}
	for seq, want := range map[uint32]Status{1: Came, 2: Over, 3: Over} {
		var e Event
		if status := p.Await(seq, soon(), nil, &e); status != want {
			t.Errorf("call %d: %v, wanted %v", seq, status, want)
		}
	}
}

func TestWaitingEnds(t *testing.T) {
	p := open(t)
	seq := p.call(t)
	var e Event
	began := time.Now()
	if status := p.Await(seq, &Limit{After: 30 * time.Millisecond}, nil, &e); status != Expired {
		t.Errorf("in time: %v", status)
	}
	if took := time.Since(began); took < 30*time.Millisecond || took > time.Second {
		t.Errorf("30 ms took %v", took)
	}
	if deadline := *p.h64(atRecords + recordDeadline); deadline == never {
		t.Error("the keeper does not know the deadline of a call that is waited for")
	}
	done := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { close(done) })
	began = time.Now()
	if status := p.Await(seq, soon(), done, &e); status != Canceled || time.Since(began) > time.Second {
		t.Errorf("cancelled: %v after %v", status, time.Since(began))
	}
	p.later(20*time.Millisecond, func() {
		p.Condemn(KeeperLost, 0)
		p.Wake()
	})
	began = time.Now()
	if status := p.Await(seq, soon(), nil, &e); status != Over || time.Since(began) > time.Second {
		t.Errorf("its keeper is lost: %v after %v", status, time.Since(began))
	}
}

// A worker may clear O_NONBLOCK, which both sides share: no thread is held for that, and the deadline stays.
func TestAnEventThatBlocksHoldsNobody(t *testing.T) {
	p := open(t)
	if err := syscall.SetNonblock(p.eventFD, false); err != nil {
		t.Fatal(err)
	}
	seq := p.call(t)
	p.ring() // for nothing, so that it is read until it is empty
	began := time.Now()
	var e Event
	if status := p.Await(seq, &Limit{After: 50 * time.Millisecond}, nil, &e); status != Expired || time.Since(began) > time.Second {
		t.Errorf("%v after %v", status, time.Since(began))
	}
	p.later(10*time.Millisecond, func() { p.say(0, 2, Return, [Words]uint64{}, 0) })
	if status := p.Await(seq, soon(), nil, &e); status != Came {
		t.Errorf("an answer: %v", status)
	}
}

// A worker that writes on changes nothing of what was judged.
func TestAnEventIsReadOnce(t *testing.T) {
	p := open(t)
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := uint64(0); !stop.Load(); i++ {
			atomic.StoreUint64(p.w64(mailAt(0)+mailStatusBytes), i%2<<31)
			atomic.StoreUint64(p.w64(mailAt(0)+mailWords), i)
			if i%64 == 0 {
				runtime.Gosched()
			}
		}
	}()
	for round := 0; round < 20000; round++ {
		var e Event
		s := slot{turn: 1 << 4, replyMax: 64}
		p.copyEvent(0, 2<<4|uint32(Return), &e)
		if sound := p.isSound(&s, 2<<4|uint32(Return), &e); sound != (e.ReplyBytes <= 64) {
			t.Fatalf("%d bytes are sound: %v", e.ReplyBytes, sound)
		}
	}
	stop.Store(true)
	<-ended
}

func TestADeathIsDescribed(t *testing.T) {
	p := open(t)
	seq := p.call(t)
	p.say(0, 2, Alarm, [Words]uint64{11<<32 | 3, 0x10}, 0)
	var e Event
	if status := p.Await(seq, soon(), nil, &e); status != Came || e.Verb != Alarm {
		t.Fatal(status)
	}
	p.CondemnCrashed(seq, &e)
	v, blamed, death := p.Verdict()
	if v != Died || blamed != seq || death.Signal != syscall.SIGSEGV || death.Text != "segmentation fault writing address 0x10" {
		t.Errorf("verdict %d for call %d: %+v", v, blamed, death)
	}
	for word, text := range map[uint64]string{
		0:            "it reported a crash without a signal",
		1 << 60:      "it reported a crash without a signal",
		7<<32 | 1:    "bus error reading address 0x1",
		6 << 32:      "signal 6 (aborted)",
		11<<32 | 5:   "segmentation fault executing address 0x1",
		11 << 32:     "signal 11 (segmentation fault)",
		65<<32 | 0xf: "it reported a crash without a signal",
	} {
		if got := describe(word, 1); got.Text != text {
			t.Errorf("alarm %#x is %q, wanted %q", word, got.Text, text)
		}
	}
}

func TestAnIdleWorkersEndIsKnown(t *testing.T) {
	p := open(t)
	seq := p.call(t)
	p.Condemn(Recalled, 0)
	if p.Unbegun(seq) {
		t.Error("a worker that runs has perhaps begun")
	}
	atomic.StoreUint32(p.w32(atWorkerState), workerParked)
	if p.Unbegun(seq) {
		t.Error("it may still wake up")
	}
	atomic.StoreUint32(p.h32(atGone), 1)
	if !p.Unbegun(seq) {
		t.Error("it was idle, and is gone")
	}
}

func TestTextsOfTheWorkersAreHarmless(t *testing.T) {
	if got := Printable("a\x1b[31mb\xff\u009bc\n"); got != "a?[31mb??c?" {
		t.Errorf("%q", got)
	}
}

func TestSizesHoldACall(t *testing.T) {
	for _, bytes := range []uint32{1 << 16, 1 << 20, 64 << 20, 1 << 30} {
		h, w := Sizes(bytes)
		if h%pageBytes != 0 || w%pageBytes != 0 || h-bytesAt < bytes || w-w/share-bytesAt < bytes {
			t.Errorf("%d bytes: H %d, W %d", bytes, h, w)
		}
	}
}

func TestTheClockIsTheMachines(t *testing.T) {
	var now syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		t.Fatal(errno)
	}
	if difference := clock.Now() - now.Nano(); difference < 0 || difference > int64(time.Second) {
		t.Errorf("the clock is %d ns ahead", difference)
	}
}
