// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/kernel"
	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/plan"
	"cordon.internal/cordon/internal/seat"
)

const (
	workersDefault = 5
	queueDefault   = 1 << 16
	deadlineLeast  = 3 * time.Second
	startDefault   = 10 * time.Second
	callBytesMin   = 64 << 10
	callBytesMax   = 1 << 30
)

// An Option says how a cell is used.
type Option func(*options)

type options struct {
	workers   int
	queue     int
	deadline  time.Duration
	callBytes uint32
}

// WithWorkers says how many of the daemon's workers calls may use at once: 5, unless it is said. A worker is taken when a
// call needs one and all others are at work; the daemon has a limit of its own.
func WithWorkers(n int) Option { return func(o *options) { o.workers = n } }

// WithQueue says how many calls may wait for a worker: 65,536, unless it is said. One more is a *BusyError.
func WithQueue(n int) Option { return func(o *options) { o.queue = n } }

// WithDeadline says how long calls may take whose context says nothing: as the daemon says, unless it is said. It counts
// from the moment in which a call is made, and no call may take longer than the daemon allows.
func WithDeadline(d time.Duration) Option { return func(o *options) { o.deadline = d } }

// WithCallBytes says how much one call's arguments, and its results, may take: as much as the daemon allows, unless it is
// said. Less saves address space, not memory.
func WithCallBytes(n int) Option {
	return func(o *options) {
		if n > 0 && n <= callBytesMax {
			o.callBytes = uint32(n)
		}
	}
}

// A Cell is a native library in isolation. It may be used by many goroutines. A pending call costs a goroutine, and no
// thread.
type Cell struct {
	name    string
	conn    *Conn
	options options
	pool    *pool
	ctx     context.Context // ends with the cell
	cancel  context.CancelFunc

	mu       sync.Mutex
	lent     *plan.Lent
	inode    uint64 // of what is lent, as it was parsed
	lentMap  []byte
	funcs    []*function
	byName   map[string]*function
	changed  bool // what is lent now is not what was bound
	sessions map[*Session]bool
	info     seat.Welcome
	deadline atomic.Int64 // of calls that give none, in nanoseconds
	longest  atomic.Int64
	closed   bool
	private  bool // of a daemon of our own
}

// function is a plan that is ready to be called, in any worker of the cell.
type function struct {
	cell    *Cell
	id      uint32
	name    string
	fn      *frame.Func
	shapes  map[uint32]*frame.Func // of callbacks
	why     error                  // what of it cannot be called from Go
	release bool                   // a parameter ends a handle
}

// Cell attaches to one of the daemon's cells.
func (c *Conn) Cell(ctx context.Context, name string, with ...Option) (*Cell, error) {
	o := options{workers: workersDefault, queue: queueDefault}
	for _, option := range with {
		option(&o)
	}
	if o.workers < 1 || o.queue < 0 {
		return nil, fmt.Errorf("cordon: cell '%s': %d workers, %d in the queue", name, o.workers, o.queue)
	}
	cell := &Cell{name: name, conn: c, options: o, sessions: map[*Session]bool{}}
	cell.ctx, cell.cancel = context.WithCancel(context.Background())
	cell.pool = newPool(cell, o.workers, o.queue)
	first := cell.pool.idle[o.workers-1] // the one that is taken first
	if err := first.attach(ctx); err != nil {
		cell.cancel()
		first.close()
		cell.unmapLent()
		return nil, err
	}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.cells[cell] = true
	}
	c.mu.Unlock()
	if closed {
		cell.Close()
		return nil, ErrClosed
	}
	return cell, nil
}

// Name returns the cell's name.
func (c *Cell) Name() string { return c.name }

// Close ends the cell's workers. Calls under way end as aborted, and Close waits for that.
func (c *Cell) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	sessions := make([]*Session, 0, len(c.sessions))
	for s := range c.sessions {
		sessions = append(sessions, s)
	}
	c.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
	c.cancel()
	c.pool.close()
	c.unmapLent()
	c.conn.mu.Lock()
	delete(c.conn.cells, c)
	c.conn.mu.Unlock()
	if c.private {
		c.closePrivate()
	}
	return nil
}

func (c *Cell) unmapLent() {
	if c.lentMap != nil {
		_ = syscall.Munmap(c.lentMap)
		c.lentMap = nil
	}
}

// Functions lists the names of what can be called.
func (c *Cell) Functions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.byName))
	for name := range c.byName {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Func binds a function by its name.
func (c *Cell) Func(name string) (*Func, error) { return c.bind(name, nil) }

func (c *Cell) bind(name string, s *Session) (*Func, error) {
	c.mu.Lock()
	f := c.byName[name]
	c.mu.Unlock()
	if f == nil {
		return nil, &CallError{Func: name, Text: fmt.Sprintf("cell '%s' has no function '%s'", c.name, name)}
	}
	if f.why != nil {
		return nil, &CallError{Func: name, Text: f.why.Error(), Err: f.why}
	}
	return &Func{f: f, session: s}, nil
}

// takeLent takes what a daemon lends: the first time it is what can be called, later it is compared with that.
func (c *Cell) takeLent(fd int) error {
	var status syscall.Stat_t
	if err := syscall.Fstat(fd, &status); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lent != nil && c.inode == status.Ino {
		return nil
	}
	memory, err := seat.MapSealed(fd, kernel.SealWrite, plan.LentBytesMax)
	if err != nil {
		return err
	}
	lent, err := plan.ParseLent(memory)
	if err == nil && c.lent == nil {
		err = c.prepare(lent)
		if err == nil {
			c.lent, c.inode, c.lentMap = lent, status.Ino, memory
			return nil
		}
	}
	if err == nil {
		c.changed = !goesOn(c.lent, lent)
	}
	_ = syscall.Munmap(memory)
	return err
}

// goesOn: what was bound is lent by the same numbers.
func goesOn(was, now *plan.Lent) bool {
	if len(now.Functions) < len(was.Functions) {
		return false
	}
	for i := range was.Functions {
		if string(was.Functions[i]) != string(now.Functions[i]) {
			return false
		}
	}
	return true
}

// prepare makes all functions ready. The lock is held.
func (c *Cell) prepare(lent *plan.Lent) error {
	c.byName = make(map[string]*function, len(lent.Functions))
	for id, bytes := range lent.Functions {
		p, err := plan.Parse(bytes)
		if err != nil {
			return err
		}
		if len(p.Functions) == 0 {
			return errors.New("plan: a function has none")
		}
		f := &function{cell: c, id: uint32(id), name: p.Functions[0].Name, shapes: map[uint32]*frame.Func{}}
		f.fn, f.why = frame.Prepare(p, 0)
		for i := 1; i < len(p.Functions) && f.why == nil; i++ {
			if shape, err := frame.Prepare(p, uint32(i)); err == nil && shape.Callable() == nil {
				f.shapes[uint32(i)] = shape
			}
		}
		for i := range p.Functions[0].Params {
			f.release = f.release || p.Type(p.Functions[0].Params[i].Type).Has(plan.Release)
		}
		c.funcs = append(c.funcs, f)
		c.byName[f.name] = f
	}
	return nil
}

// takeWelcome notes what calls may cost.
func (c *Cell) takeWelcome(info seat.Welcome) error {
	if info.CallBytes < callBytesMin || info.CallBytes > callBytesMax {
		return &StartError{Cell: c.name, Text: "the daemon's cell has limits that no cell can have"}
	}
	longest := milliseconds(info.DeadlineMaxMS)
	deadline := c.options.deadline
	if deadline <= 0 {
		deadline = milliseconds(info.DeadlineMS)
	}
	if deadline <= 0 {
		deadline = deadlineLeast
	}
	if longest <= 0 {
		longest = deadline
	}
	if deadline > longest {
		deadline = longest
	}
	c.mu.Lock()
	c.info = info
	c.mu.Unlock()
	c.deadline.Store(int64(deadline))
	c.longest.Store(int64(longest))
	return nil
}

func milliseconds(n uint64) time.Duration {
	if n > uint64(1<<62/time.Millisecond) {
		return 1 << 62
	}
	return time.Duration(n) * time.Millisecond
}

// sizes of a worker's memories, and how long it may take to start.
func (c *Cell) sizes() (h, w uint32, start time.Duration) {
	c.mu.Lock()
	info := c.info
	c.mu.Unlock()
	bytes := info.CallBytes
	if given := c.options.callBytes; given != 0 && given < bytes {
		bytes = given
	}
	if start = milliseconds(info.StartMS); start <= 0 || start > time.Hour {
		start = startDefault
	}
	h, w = lane.Sizes(bytes)
	return h, w, start
}

// here: the library is in this process, as package inproc has it.
func (c *Cell) here() bool {
	const separateMemory = 1 << 5 // enum cordon_isolation
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.Isolation&separateMemory == 0
}

func (c *Cell) hasChanged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// A Session is a worker of its own: calls of its functions all go there, one after the other, so that what a library keeps
// between calls - handles, an error number, a locale, the state of strtok - is there again. A crash takes it along; the
// next call has a fresh one.
type Session struct {
	cell *Cell
	pool *pool
}

// Session makes a session. The worker is taken when a call needs it, and given back by Close.
func (c *Cell) Session() (*Session, error) {
	s := &Session{cell: c, pool: newPool(c, 1, c.options.queue)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.sessions[s] = true
	return s, nil
}

// Func binds a function by its name, in the session.
func (s *Session) Func(name string) (*Func, error) { return s.cell.bind(name, s) }

// Close ends the session's worker, and waits for a call that is under way.
func (s *Session) Close() error {
	s.cell.mu.Lock()
	open := s.cell.sessions[s]
	delete(s.cell.sessions, s)
	s.cell.mu.Unlock()
	if open {
		s.pool.close()
	}
	return nil
}
