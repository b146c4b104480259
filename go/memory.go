// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/frame"
	"cordon.internal/cordon/internal/lane"
)

// A Memory owns memory that the program shares with one worker: Cell.Alloc. As an argument - itself, or a slice of it - it
// is not copied: the function reads it, and writes it, where it is. That holds for arrays of bytes and of numbers which are
// parameters of their own; what the library keeps beyond the call, texts and what is behind pointers in structs is copied as
// ever.
//
// Calls with it go to its worker. When that has ended, the next one gets the same memory. Where that cannot be, because
// something of the old one may still write to it, it is memory as any other from then on, and calls copy it; nothing of what
// it held is lost in either case.
//
// What a library is given this way it can change as long as its worker lives, also later, when no call is under way: copy
// what has to stay as it was judged to be.
//
// A Memory belongs to its owner until Close. One that is forgotten is told of, and not freed: there may be slices of it.
type Memory struct {
	block *arena.Block
	from  *allocation
}

// allocation is what a forgotten Memory is told of by.
type allocation struct {
	cell  string
	bytes int
	stack [8]uintptr
	depth int
}

// Alloc allocates memory of the cell's arena, all of it zero: of one of its workers, which is started if need be. The cell
// has an arena if it was opened with WithArena, or if the daemon's cell has one (arena_bytes).
func (c *Cell) Alloc(bytes int) (*Memory, error) { return c.pool.alloc(bytes) }

// Alloc is Cell.Alloc, of the session's worker.
func (s *Session) Alloc(bytes int) (*Memory, error) { return s.pool.alloc(bytes) }

func (p *pool) alloc(bytes int) (*Memory, error) {
	cell := p.all[0].cell
	if bytes <= 0 {
		return nil, &CallError{Func: cell.name, Text: fmt.Sprintf("cell '%s': memory of %d bytes", cell.name, bytes), Errno: syscall.EINVAL}
	}
	if p.isClosed() {
		return nil, ErrClosed
	}
	b, down := p.roomiest(bytes)
	if b == nil && down == nil {
		return nil, p.full(bytes)
	}
	if b == nil {
		var err error
		if b, err = down.allocFirst(bytes); err != nil {
			return nil, err
		}
	}
	m := &Memory{block: b, from: &allocation{cell: cell.name, bytes: bytes}}
	m.from.depth = runtime.Callers(3, m.from.stack[:]) // of Alloc
	runtime.SetFinalizer(m, (*Memory).forgotten)
	return m, nil
}

// arenaBytes is how large each worker's arena is, in whole pages; 0: there is none.
func (c *Cell) arenaBytes() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.ArenaBytes &^ 4095
}

// roomiest allocates in the arena with the most room. down is a worker that would have to be started, if there is one.
func (p *pool) roomiest(bytes int) (b *arena.Block, down *worker) {
	most, room := (*worker)(nil), uint64(0)
	for _, w := range p.all {
		a := w.shares()
		if a == nil {
			if down == nil {
				down = w
			}
			continue
		}
		if free, _ := a.Room(); most == nil || free > room {
			most, room = w, free
		}
	}
	if most == nil {
		return nil, down
	}
	if a := most.shares(); a != nil {
		b = a.Alloc(bytes, most)
	}
	return b, down
}

// shares returns the worker's arena while it has one. Anybody may ask.
func (w *worker) shares() *arena.Arena {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lane == nil || w.lane.Ended() {
		return nil
	}
	return w.arena
}

// allocFirst starts a worker, and allocates in its arena.
func (w *worker) allocFirst(bytes int) (*arena.Block, error) {
	p, ctx := w.pool, context.Background()
	f := &Func{f: &function{cell: w.cell, name: "alloc"}}
	limit := lane.Limit{After: time.Duration(w.cell.deadline.Load())}
	taken, err := p.take(ctx, &limit, w)
	if err != nil {
		return nil, f.notBegun(ctx, err)
	}
	if err := taken.ready(ctx, &limit); err != nil {
		var starts *unstarted
		if errors.As(err, &starts) {
			return nil, f.notBegun(ctx, starts.why)
		}
		taken.settle()
		p.give(taken)
		return nil, err
	}
	defer p.give(taken)
	if taken.arena == nil {
		return nil, &CallError{Func: w.cell.name, Errno: syscall.ENOMEM,
			Text: fmt.Sprintf("cell '%s' has no arena: open it WithArena, or have the daemon's cell have one (arena_bytes)", w.cell.name)}
	}
	if b := taken.arena.Alloc(bytes, taken); b != nil {
		return b, nil
	}
	return nil, p.full(bytes)
}

func (p *pool) full(bytes int) error {
	cell := p.all[0].cell
	return &CallError{Func: cell.name, Errno: syscall.ENOMEM,
		Text: fmt.Sprintf("cell '%s': no arena of its workers has %d bytes left", cell.name, bytes)}
}

// Bytes returns the memory; nil once it is closed. Slices of it may be read and written also behind that, which is a mistake
// - they may be somebody else's memory by then - but never a fault; a call refuses them.
func (m *Memory) Bytes() []byte {
	if m.block.Closed() {
		return nil
	}
	defer runtime.KeepAlive(m)
	return m.block.Bytes()
}

// Len returns how many bytes it has.
func (m *Memory) Len() int { return m.from.bytes }

// A Number is what a library has arrays of.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// NumbersOf returns memory as numbers, as many as fit; nil once it is closed.
func NumbersOf[T Number](m *Memory) []T {
	bytes := m.Bytes()
	size := int(unsafe.Sizeof(*new(T)))
	if len(bytes) < size {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&bytes[0])), len(bytes)/size)
}

// Close frees the memory: at once, or when the calls that have it end. Closing it again does nothing.
func (m *Memory) Close() error {
	runtime.SetFinalizer(m, nil)
	m.block.Close()
	return nil
}

// ---- Leaks -------------------------------------------------------------------------------------

// A Leak is memory that nobody has closed, and nobody can: its Memory is not reachable any more.
type Leak struct {
	Cell  string
	Bytes int
	Stack []runtime.Frame // of who allocated it, the innermost first
}

// String is a sentence.
func (l *Leak) String() string {
	where := "somewhere"
	if len(l.Stack) > 0 {
		where = fmt.Sprintf("%s:%d (%s)", l.Stack[0].File, l.Stack[0].Line, l.Stack[0].Function)
	}
	return fmt.Sprintf("cordon: cell '%s': memory of %d bytes that was allocated at %s was forgotten, not closed", l.Cell, l.Bytes, where)
}

var leakReporter atomic.Value // func(*Leak)

// OnLeak has memory that was forgotten told to a function, in place of package log; nil: to package log again. It is called
// on the goroutine of finalizers, and must not wait.
func OnLeak(report func(*Leak)) {
	if report == nil {
		report = logLeak
	}
	leakReporter.Store(report)
}

func logLeak(l *Leak) { log.Print(l.String()) }

// forgotten is the finalizer. The memory stays: slices of it may be in use.
func (m *Memory) forgotten() {
	leak := &Leak{Cell: m.from.cell, Bytes: m.from.bytes}
	for frames := runtime.CallersFrames(m.from.stack[:m.from.depth]); m.from.depth > 0; {
		f, more := frames.Next()
		leak.Stack = append(leak.Stack, f)
		if !more {
			break
		}
	}
	report, _ := leakReporter.Load().(func(*Leak))
	if report == nil {
		report = logLeak
	}
	report(leak)
}

// ---- In calls ----------------------------------------------------------------------------------

// copiedBelow bytes an array goes the short way: copying it costs less than to name its place.
const copiedBelow = 16 << 10

// pins hold the memory that a call's arguments lie in, until it ends.
type pins []*arena.Block

func (p pins) release() {
	for _, b := range p {
		b.Release()
	}
}

// pin holds what of the arguments lies in an arena, and makes slices of those that are a Memory.
func (f *function) pin(args []frame.Value) (held pins, err error) {
	for i := range args {
		v := &args[i]
		if m, is := v.Any.(*Memory); is && v.Kind == frame.Other {
			*v = frame.Value{Kind: frame.Bytes, Bytes: m.block.Bytes()}
		}
		memory := v.Memory()
		if len(memory) == 0 {
			continue
		}
		b, inArena := arena.Find(memory)
		if inArena && (b == nil || !b.Hold()) {
			held.release()
			return nil, &CallError{Func: f.name, Text: fmt.Sprintf("'%s': argument %d lies in memory that was closed", f.name, i+1), Errno: syscall.EFAULT}
		}
		if b != nil {
			held = append(held, b)
		}
	}
	return held, nil
}

// worker returns the one that has all this memory, or the first part of it; nil: none has it any more.
func (p pins) worker(cell *Cell) *worker {
	for _, b := range p {
		if w := b.Owner.(*worker); w.cell == cell {
			w.mu.Lock()
			has := w.arena == b.Of()
			w.mu.Unlock()
			if has {
				return w
			}
		}
	}
	return nil
}

// Arena is what a frame asks.
func (c *active) Arena() []byte {
	if c.w.arena == nil {
		return nil
	}
	return c.w.arena.Memory()
}

// inArena: some of the arguments lie in the worker's arena, and are too large to be copied for less.
func (w *worker) inArena(args []frame.Value) bool {
	if w.arena == nil {
		return false
	}
	for i := range args {
		if memory := args[i].Memory(); len(memory) >= copiedBelow && arena.Holds(w.arena.Memory(), memory) {
			return true
		}
	}
	return false
}
