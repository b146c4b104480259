// SPDX-License-Identifier: Apache-2.0

// Package seat is a client's place at a daemon's cell: where it asks for a worker on a lane of its own, and hears of the
// worker's end (docs/protocol/attach.md).
package seat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/kernel"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/wire"
)

const (
	magic   = 0x45534c43
	version = 1

	kindWelcome = 1
	kindLease   = 2
	kindLeased  = 3
	kindRefused = 4
	kindEnd     = 5
	kindEnded   = 6

	hasEvent = 1
	hasArena = 2

	boardMagic = 0x44524243
	boardBytes = 4096
)

var sizes = map[uint16]int{kindWelcome: 64, kindLeased: 32, kindRefused: 248, kindEnded: 16}

var le = binary.LittleEndian

var (
	// ErrLost: the daemon is gone, or says what cannot be.
	ErrLost = errors.New("the daemon is gone")
	// ErrBuild: the daemon is of another build of Cordon.
	ErrBuild = errors.New("the daemon is of another build of Cordon")
)

// Welcome is what is lent, and how.
type Welcome struct {
	Isolation     uint32
	CallBytes     uint32
	Epoch         uint32
	DeadlineMS    uint64
	DeadlineMaxMS uint64
	ArenaBytes    uint64
	StartMS       uint64
}

// Leased is a worker.
type Leased struct {
	Worker   uint32
	Epoch    uint32
	ReportID uint64
}

// Refused is why there is none.
type Refused struct {
	Outcome      int32 // enum cordon_outcome, or a negative errno
	RetryAfterMS uint32
	Text         string
}

func (r *Refused) Error() string { return r.Text }

// Handler hears what nobody asked for. Its functions are called one after the other, by the seat's goroutine.
type Handler interface {
	// Plans takes the descriptor of what is lent. An error loses the seat.
	Plans(fd int) error
	// Ended: the worker of the current lease has ended, by that verdict.
	Ended(verdict uint32)
	// Lost: the seat is, and the worker with it.
	Lost()
}

// Seat is open until Close, or until the daemon ends it.
type Seat struct {
	handler Handler
	file    *os.File
	raw     syscall.RawConn
	done    chan struct{} // closed when the goroutine has ended
	welcome chan error    // of the first one

	mu      sync.Mutex
	info    Welcome
	fresh   *Board // the owner has not looked at it yet
	serial  uint32
	worker  uint32 // of the current lease, 0: none
	waiting chan answer

	board *Board // the owner's
}

type answer struct {
	leased Leased
	err    error
}

// Open takes over a seat's descriptor, and waits for the daemon's welcome.
func Open(ctx context.Context, fd int, handler Handler) (*Seat, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &Seat{handler: handler, file: os.NewFile(uintptr(fd), "cordon-seat"), done: make(chan struct{}), welcome: make(chan error, 1)}
	var err error
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, err
	}
	go s.listen()
	select {
	case err = <-s.welcome:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close gives up the seat: a worker that it has is ended. When it returns, the handler is not called any more.
func (s *Seat) Close() {
	s.file.Close()
	<-s.done
	s.board.unmap()
	s.fresh.unmap()
	s.board, s.fresh = nil, nil
}

// Welcome returns what the daemon said last.
func (s *Seat) Welcome() Welcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// ---- Hearing -----------------------------------------------------------------------------------

func (s *Seat) listen() {
	defer close(s.done)
	err := ErrLost
	for {
		var message [256]byte
		n, fds, lost := s.receive(message[:])
		if lost {
			break
		}
		err = s.take(message[:n], fds)
		for _, fd := range fds {
			syscall.Close(fd)
		}
		if err != nil {
			break
		}
		err = ErrLost
	}
	select {
	case s.welcome <- err:
	default:
	}
	s.mu.Lock()
	if s.waiting != nil {
		s.waiting <- answer{err: ErrLost}
		s.waiting = nil
	}
	s.mu.Unlock()
	s.handler.Lost()
}

// receive waits for a message, in the poller.
func (s *Seat) receive(buffer []byte) (n int, fds []int, lost bool) {
	rights := make([]byte, syscall.CmsgSpace(4*4))
	var oobn, flags int
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, failed = syscall.Recvmsg(int(fd), buffer, rights, syscall.MSG_DONTWAIT|syscall.MSG_CMSG_CLOEXEC)
			if failed != syscall.EINTR {
				return failed != syscall.EAGAIN
			}
		}
	})
	if err != nil || failed != nil || n <= 0 {
		return 0, nil, true
	}
	fds = wire.Descriptors(rights[:oobn])
	if flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
		for _, fd := range fds {
			syscall.Close(fd)
		}
		return 0, nil, true
	}
	return n, fds, false
}

func (s *Seat) take(message []byte, fds []int) error {
	if len(message) < 8 || le.Uint32(message) != magic || le.Uint16(message[4:]) != version {
		return ErrLost
	}
	kind := le.Uint16(message[6:])
	if sizes[kind] != len(message) {
		return ErrLost
	}
	switch kind {
	case kindWelcome:
		return s.takeWelcome(message, fds)
	case kindLeased:
		s.answer(le.Uint32(message[8:]), answer{leased: Leased{Worker: le.Uint32(message[12:]),
			Epoch: le.Uint32(message[16:]), ReportID: le.Uint64(message[24:])}})
	case kindRefused:
		text := message[24:248]
		for i, b := range text {
			if b == 0 {
				text = text[:i]
				break
			}
		}
		s.answer(le.Uint32(message[8:]), answer{err: &Refused{Outcome: int32(le.Uint32(message[12:])),
			RetryAfterMS: le.Uint32(message[16:]), Text: lane.Printable(string(text))}})
	case kindEnded:
		s.mu.Lock()
		ours := le.Uint32(message[8:]) == s.worker && s.worker != 0
		s.mu.Unlock()
		if ours {
			s.handler.Ended(le.Uint32(message[12:]))
		}
	}
	return nil
}

// answer is somebody's, unless he has gone: then the worker is not wanted.
func (s *Seat) answer(serial uint32, a answer) {
	s.mu.Lock()
	if s.waiting != nil && serial == s.serial {
		s.worker = a.leased.Worker
		s.waiting <- a
		s.waiting = nil
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if a.err == nil {
		s.send(endOf(a.leased.Worker), nil)
	}
}

func (s *Seat) takeWelcome(message []byte, fds []int) error {
	if le.Uint32(message[8:]) != lane.Identity() {
		return ErrBuild
	}
	if len(fds) != 2 {
		return ErrLost
	}
	board, err := mapBoard(fds[0])
	if err != nil {
		return err
	}
	if err := s.handler.Plans(fds[1]); err != nil {
		board.unmap()
		return err
	}
	s.mu.Lock()
	s.info = Welcome{Isolation: le.Uint32(message[12:]), CallBytes: le.Uint32(message[16:]), Epoch: le.Uint32(message[20:]),
		DeadlineMS: le.Uint64(message[24:]), DeadlineMaxMS: le.Uint64(message[32:]), ArenaBytes: le.Uint64(message[40:]),
		StartMS: le.Uint64(message[48:])}
	s.fresh.unmap() // nobody has looked at it
	s.fresh = board
	s.mu.Unlock()
	select {
	case s.welcome <- nil:
	default:
	}
	return nil
}

// ---- Asking ------------------------------------------------------------------------------------

// send never waits: a client that does not read, and fills its buffer so, has lost the seat.
func (s *Seat) send(message []byte, fds []int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		_, failed = syscall.SendmsgN(int(fd), message, rights, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	})
	if err != nil || failed != nil {
		return ErrLost
	}
	return nil
}

func head(kind uint16, bytes int) []byte {
	message := make([]byte, bytes)
	le.PutUint32(message, magic)
	le.PutUint16(message[4:], version)
	le.PutUint16(message[6:], kind)
	return message
}

func endOf(worker uint32) []byte {
	message := head(kindEnd, 16)
	le.PutUint32(message[8:], worker)
	return message
}

// Lease asks for a worker on a lane, with an arena unless shared is nil. What the daemon refuses is a *Refused. Only the seat's owner asks.
func (s *Seat) Lease(ctx context.Context, l *lane.Lane, shared *arena.Arena) (Leased, error) {
	waiting := make(chan answer, 1)
	s.mu.Lock()
	s.serial++
	serial := s.serial
	s.worker = 0
	s.waiting = waiting
	s.mu.Unlock()
	message := head(kindLease, 40)
	le.PutUint32(message[8:], serial)
	le.PutUint32(message[12:], lane.Identity())
	le.PutUint32(message[16:], hasEvent)
	h, w, event := l.Descriptors()
	fds := []int{h, w, event}
	if shared != nil {
		le.PutUint32(message[16:], hasEvent|hasArena)
		le.PutUint64(message[24:], shared.Base())
		le.PutUint64(message[32:], shared.Bytes())
		fds = append(fds, shared.Descriptor())
	}
	if err := s.send(message, fds); err != nil {
		return Leased{}, err
	}
	var a answer
	select {
	case a = <-waiting:
	case <-s.done:
		a.err = ErrLost
	case <-ctx.Done():
		a.err = ctx.Err()
		s.mu.Lock()
		select {
		case late := <-waiting: // it came in this moment
			a = late
		default:
			s.waiting = nil
		}
		s.mu.Unlock()
	}
	if a.err != nil {
		return Leased{}, a.err
	}
	return a.leased, nil
}

// End ends the worker. Anybody may call it, also for one that is gone.
func (s *Seat) End(worker uint32) {
	if worker != 0 {
		_ = s.send(endOf(worker), nil)
	}
}

// ---- The board ---------------------------------------------------------------------------------

// Weather is what the board says about calls.
type Weather uint32

const (
	Calm Weather = iota
	BreakerOpen
	BreakerHalfOpen
	Withdrawn
)

// Board is a page that the daemon writes.
type Board struct {
	memory []byte
}

func mapBoard(fd int) (*Board, error) {
	memory, err := MapSealed(fd, kernel.SealFutureWrite, boardBytes)
	if err != nil {
		return nil, err
	}
	if len(memory) != boardBytes || le.Uint32(memory) != boardMagic || le.Uint32(memory[4:]) != version {
		_ = syscall.Munmap(memory)
		return nil, ErrLost
	}
	return &Board{memory}, nil
}

func (b *Board) unmap() {
	if b != nil {
		_ = syscall.Munmap(b.memory)
	}
}

// Now returns epoch << 2 | weather: calls look at it, and at nothing else, as long as it is what it was.
func (b *Board) Now() uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&b.memory[8])))
}

// Until is when an open breaker lets calls pass again.
func (b *Board) Until() int64 {
	return int64(atomic.LoadUint64((*uint64)(unsafe.Pointer(&b.memory[16]))))
}

// CalmNow is what Now says in a calm epoch.
func CalmNow(epoch uint32) uint32 { return epoch<<2 | uint32(Calm) }

// Board returns the newest board. Only the owner looks at it.
func (s *Seat) Board() *Board {
	s.mu.Lock()
	fresh := s.fresh
	s.fresh = nil
	s.mu.Unlock()
	if fresh != nil {
		s.board.unmap()
		s.board = fresh
	}
	return s.board
}

// MapSealed maps a memory of a daemon's for reading, if its size cannot change any more and it has the given seals too.
func MapSealed(fd, seals int, most int64) ([]byte, error) {
	const fixed = kernel.SealShrink | kernel.SealGrow | kernel.SealSeal
	has, err := kernel.Seals(fd)
	if err != nil {
		return nil, err
	}
	var status syscall.Stat_t
	if err := syscall.Fstat(fd, &status); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if has&(fixed|seals) != fixed|seals || status.Size <= 0 || status.Size > most {
		return nil, fmt.Errorf("%w: it gave a memory that it can still change", ErrLost)
	}
	return kernel.Map(fd, int(status.Size), 0, false)
}
