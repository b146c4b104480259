// SPDX-License-Identifier: Apache-2.0

package seat

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon/internal/kernel"
	"cordon.internal/cordon/internal/lane"
)

// The tests are the daemon: they hold the other end of a seat.
type lender struct {
	t     *testing.T
	fd    int
	works sync.WaitGroup // what play began
}

// play does something as the daemon, while the test goes on.
func (l *lender) play(do func()) {
	l.works.Add(1)
	go func() {
		defer l.works.Done()
		do()
	}()
}

type heard struct {
	ended chan uint32
	lost  chan struct{}
}

func (h *heard) Plans(fd int) error   { return nil }
func (h *heard) Ended(verdict uint32) { h.ended <- verdict }
func (h *heard) Lost()                { close(h.lost) }

func seatOf(t *testing.T) (*lender, int, *heard) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := &lender{t: t, fd: fds[0]}
	t.Cleanup(func() { l.close() })
	return l, fds[1], &heard{make(chan uint32, 8), make(chan struct{})}
}

func (l *lender) close() {
	l.works.Wait()
	if l.fd >= 0 {
		syscall.Close(l.fd)
		l.fd = -1
	}
}

func (l *lender) say(message []byte, fds ...int) {
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	if err := syscall.Sendmsg(l.fd, message, rights, nil, 0); err != nil {
		l.t.Error(err)
	}
}

// board makes a page as a daemon has it: its own mapping can be written.
func (l *lender) board(seals int, magic uint32) (fd int, memory []byte) {
	fd, err := kernel.Memory("board", boardBytes, kernel.SealShrink|kernel.SealGrow)
	if err != nil {
		l.t.Fatal(err)
	}
	if memory, err = kernel.Map(fd, boardBytes, 0, true); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = syscall.Munmap(memory); syscall.Close(fd) })
	le.PutUint32(memory, magic)
	le.PutUint32(memory[4:], version)
	const addSeals = 1033
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), addSeals, uintptr(seals)); errno != 0 {
		l.t.Fatal(errno)
	}
	return fd, memory
}

func (l *lender) goodBoard() (int, []byte) {
	return l.board(kernel.SealFutureWrite|kernel.SealSeal, boardMagic)
}

func welcome(identity uint32) []byte {
	message := head(kindWelcome, 64)
	le.PutUint32(message[8:], identity)
	le.PutUint32(message[16:], 1<<20)
	le.PutUint64(message[24:], 3000)
	return message
}

func openSeat(t *testing.T) (*lender, *Seat, *heard, []byte) {
	t.Helper()
	l, fd, h := seatOf(t)
	board, memory := l.goodBoard()
	l.say(welcome(lane.Identity()), board, board)
	s, err := Open(context.Background(), fd, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return l, s, h, memory
}

func newLane(t *testing.T) *lane.Lane {
	t.Helper()
	l, err := lane.Open(1<<16, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestWelcomesThatAreNone(t *testing.T) {
	for name, say := range map[string]func(l *lender){
		"another build": func(l *lender) { fd, _ := l.goodBoard(); l.say(welcome(lane.Identity()+1), fd, fd) },
		"no board":      func(l *lender) { l.say(welcome(lane.Identity())) },
		"no plans":      func(l *lender) { fd, _ := l.goodBoard(); l.say(welcome(lane.Identity()), fd) },
		"a board that others may write": func(l *lender) {
			fd, _ := l.board(kernel.SealSeal, boardMagic)
			l.say(welcome(lane.Identity()), fd, fd)
		},
		"a board of something else": func(l *lender) {
			fd, _ := l.board(kernel.SealFutureWrite|kernel.SealSeal, boardMagic+1)
			l.say(welcome(lane.Identity()), fd, fd)
		},
		"no memory":        func(l *lender) { l.say(welcome(lane.Identity()), l.fd, l.fd) },
		"another magic":    func(l *lender) { l.say(make([]byte, 64)) },
		"too short":        func(l *lender) { l.say(welcome(lane.Identity())[:60]) },
		"too long":         func(l *lender) { l.say(append(welcome(lane.Identity()), 0)) },
		"a client's words": func(l *lender) { l.say(head(kindLease, 40)) },
		"much too long":    func(l *lender) { l.say(make([]byte, 4096)) },
		"nothing":          func(l *lender) { l.close() },
	} {
		l, fd, h := seatOf(t)
		say(l)
		s, err := Open(context.Background(), fd, h)
		if err == nil {
			s.Close()
			t.Errorf("%s: it was believed", name)
		}
		if errors.Is(err, ErrBuild) != (name == "another build") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWelcomeThatDoesNotCome(t *testing.T) {
	_, fd, h := seatOf(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, fd, h); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// request reads a LEASE.
func (l *lender) request() (serial uint32, fds []int) {
	message, rights := make([]byte, 256), make([]byte, 256)
	n, oobn, _, _, err := syscall.Recvmsg(l.fd, message, rights, syscall.MSG_CMSG_CLOEXEC)
	if err != nil || n != 40 || le.Uint16(message[6:]) != kindLease || le.Uint32(message[12:]) != lane.Identity() {
		l.t.Errorf("a request of %d bytes, %v: %x", n, err, message[:n])
		return 0, nil
	}
	messages, _ := syscall.ParseSocketControlMessage(rights[:oobn])
	for i := range messages {
		more, _ := syscall.ParseUnixRights(&messages[i])
		fds = append(fds, more...)
	}
	return le.Uint32(message[8:]), fds
}

func leased(serial, worker uint32) []byte {
	message := head(kindLeased, 32)
	le.PutUint32(message[8:], serial)
	le.PutUint32(message[12:], worker)
	le.PutUint32(message[16:], 5)
	le.PutUint64(message[24:], 77)
	return message
}

func TestALeaseIsHadAndEnds(t *testing.T) {
	l, s, h, _ := openSeat(t)
	l.play(func() {
		serial, fds := l.request()
		if len(fds) != 3 {
			t.Errorf("%d descriptors", len(fds))
		}
		for _, fd := range fds {
			syscall.Close(fd)
		}
		l.say(leased(serial+1, 8)) // somebody else's
		l.say(leased(serial, 9))
	})
	got, err := s.Lease(context.Background(), newLane(t), nil)
	if err != nil || got != (Leased{Worker: 9, Epoch: 5, ReportID: 77}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, worker := range []uint32{8, 9} { // the first is not ours
		message := head(kindEnded, 16)
		le.PutUint32(message[8:], worker)
		le.PutUint32(message[12:], worker)
		l.say(message)
	}
	if verdict := <-h.ended; verdict != 9 {
		t.Errorf("verdict %d", verdict)
	}
	l.close()
	<-h.lost
	if _, err := s.Lease(context.Background(), newLane(t), nil); !errors.Is(err, ErrLost) {
		t.Errorf("of a daemon that is gone: %v", err)
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	l, s, _, _ := openSeat(t)
	l.play(func() {
		serial, fds := l.request()
		for _, fd := range fds {
			syscall.Close(fd)
		}
		message := head(kindRefused, 248)
		le.PutUint32(message[8:], serial)
		le.PutUint32(message[12:], 5)
		le.PutUint32(message[16:], 70)
		for i := 24; i < 248; i++ { // a text without an end
			message[i] = 'x'
		}
		message[24] = 0x1b
		l.say(message)
	})
	var refused *Refused
	if _, err := s.Lease(context.Background(), newLane(t), nil); !errors.As(err, &refused) || refused.Outcome != 5 ||
		refused.RetryAfterMS != 70 || len(refused.Text) != 224 || refused.Text[0] != '?' {
		t.Errorf("%+v", refused)
	}
}

// An answer for which nobody waits any more is given back.
func TestALeaseThatComesTooLateIsEnded(t *testing.T) {
	l, s, _, _ := openSeat(t)
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan uint32, 1)
	l.play(func() {
		serial, fds := l.request()
		for _, fd := range fds {
			syscall.Close(fd)
		}
		cancel()
		asked <- serial
	})
	if _, err := s.Lease(ctx, newLane(t), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	l.say(leased(<-asked, 3))
	message := make([]byte, 256)
	n, _, err := syscall.Recvfrom(l.fd, message, 0)
	if err != nil || n != 16 || le.Uint16(message[6:]) != kindEnd || le.Uint32(message[8:]) != 3 {
		t.Errorf("%x, %v", message[:n], err)
	}
}

func TestTheBoardIsLookedAt(t *testing.T) {
	l, s, _, memory := openSeat(t)
	b := s.Board()
	le.PutUint32(memory[8:], CalmNow(6)|uint32(BreakerOpen))
	le.PutUint64(memory[16:], 123)
	if now := b.Now(); now>>2 != 6 || Weather(now&3) != BreakerOpen || b.Until() != 123 {
		t.Errorf("%d, %d", now, b.Until())
	}
	fd, next := l.goodBoard()
	le.PutUint32(next[8:], CalmNow(7))
	for i := 0; i < 3; i++ { // those in between nobody has looked at
		l.say(welcome(lane.Identity()), fd, fd)
	}
	for until := time.Now().Add(10 * time.Second); s.Board().Now() != CalmNow(7); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a new board is not taken up")
		}
	}
	if s.Welcome().CallBytes != 1<<20 {
		t.Errorf("%+v", s.Welcome())
	}
}
