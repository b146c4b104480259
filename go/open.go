// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/private"
	"cordon.internal/cordon/internal/wire"
)

// An OpenOption says how a library is opened. Every Option is one, too.
type OpenOption interface{ applyOpen(*opening) }

type opening struct {
	params  map[string]any // of cordon.open
	cell    []Option
	program string
	daemon  Daemon
	err     error
}

type openOption func(*opening)

func (f openOption) applyOpen(o *opening) { f(o) }

func (f Option) applyOpen(o *opening) { o.cell = append(o.cell, f) }

// WithInterface gives the declarations of what is called: C, as it stands in the header, with the additions of
// cordon-prototypes(5). Open needs this or WithInterfaceFile.
func WithInterface(text string) OpenOption {
	return openOption(func(o *opening) { o.params["interface"] = text })
}

// WithInterfaceFile reads the declarations from a file.
func WithInterfaceFile(path string) OpenOption {
	return openOption(func(o *opening) {
		text, err := os.ReadFile(path)
		if err != nil {
			o.err = err
			return
		}
		o.params["interface"] = string(text)
		o.params["interface_name"] = path
	})
}

// WithPolicy says what the library may do: a preset ("strict", which is what it is unless it is said, "files", "network",
// "trusted") and grants beyond it ("read:/usr/share/fonts", "env:TZ"; cordon-policy(5)).
func WithPolicy(preset string, grants ...string) OpenOption {
	return openOption(func(o *opening) {
		o.params["policy"] = preset
		if len(grants) > 0 {
			o.params["grants"] = grants
		}
	})
}

// WithKill has a forbidden act end the call, as *DeniedError, in place of answering it with EACCES.
func WithKill() OpenOption { return WithSetting("on_violation", "kill") }

// WithRequire refuses to open without these isolations ("no-network", "survives-crash", ...).
func WithRequire(isolations ...string) OpenOption { return WithSetting("require", isolations) }

// WithMemory says how much memory a worker may allocate: 2 GiB, unless it is said.
func WithMemory(bytes int64) OpenOption { return WithSetting("memory_bytes", bytes) }

// WithArena gives each worker memory that it shares with the program: Cell.Alloc.
func WithArena(bytes int64) OpenOption { return WithSetting("arena_bytes", bytes) }

// WithReports says in which directory reports are kept: the user's, unless it is said; "": none are made.
func WithReports(directory string) OpenOption { return WithSetting("reports", directory) }

// WithSetting sets any other key of docs/protocol/private.md.
func WithSetting(key string, value any) OpenOption {
	return openOption(func(o *opening) { o.params[key] = value })
}

// WithProgram names the program that is run in place of the one that the package carries. All cells of a program share the
// daemon that the first of them started.
func WithProgram(path string) OpenOption { return openOption(func(o *opening) { o.program = path }) }

// A Daemon opens cells and lends their workers, for this program alone (docs/protocol/private.md). Package inproc has one
// that is no process.
type Daemon interface {
	// Connect begins it, or another one in its place, and returns a connection to it.
	Connect(ctx context.Context) (*net.UnixConn, error)
	// Close ends it with all that it has.
	Close()
}

// WithDaemon has a daemon open the cell in place of the one that the package starts. It is the cell's, and ends with it.
func WithDaemon(d Daemon) OpenOption { return openOption(func(o *opening) { o.daemon = d }) }

// Open opens a native library in isolation, in worker processes of a daemon that this program keeps for itself and that ends
// with it. The library is a soname, a path, or "" for the one that the interface names.
//
//	zlib, err := cordon.Open(ctx, "libz.so.1", cordon.WithInterface(
//		"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
//
// A context without a deadline has one of 10 s here: a daemon that does not answer by then is a *StartError, ETIMEDOUT, and
// is replaced when something is asked of it again.
func Open(ctx context.Context, library string, with ...OpenOption) (*Cell, error) {
	if _, limited := ctx.Deadline(); limited {
		return openBy(ctx, library, with)
	}
	bounded, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	cell, err := openBy(bounded, library, with)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = &StartError{Cell: library, Errno: syscall.ETIMEDOUT, Text: fmt.Sprintf("the program's own daemon has not answered within %v", openTimeout)}
	}
	return cell, err
}

// openTimeout is how long Open waits whose context says nothing.
var openTimeout = 10 * time.Second

func openBy(ctx context.Context, library string, with []OpenOption) (*Cell, error) {
	o := &opening{params: map[string]any{}}
	for _, option := range with {
		option.applyOpen(o)
	}
	if o.err != nil {
		return nil, fmt.Errorf("cordon: %w", o.err)
	}
	if library != "" {
		o.params["library"] = library
	}
	settings := options{workers: workersDefault}
	for _, option := range o.cell {
		option(&settings)
	}
	if _, said := o.params["leases"]; !said {
		o.params["leases"] = settings.workers
	}
	daemons, daemon := &ours, o.daemon
	if daemon != nil {
		daemons = &keeping{}
	} else {
		daemon = private.New(o.program)
	}
	conn, err := daemons.take(ctx, daemon)
	if err != nil {
		return nil, err
	}
	cell, err := conn.openCell(ctx, o)
	if err != nil {
		daemons.give(conn)
		return nil, err
	}
	return cell, nil
}

// openCell opens a cell of a name of its own, and attaches to it.
func (c *Conn) openCell(ctx context.Context, o *opening) (*Cell, error) {
	name := "cell" + strconv.FormatUint(c.keeping.number(), 10)
	o.params["name"] = name
	params, err := json.Marshal(o.params)
	if err != nil {
		return nil, fmt.Errorf("cordon: %w", err)
	}
	if err := c.askOpen(ctx, name, params); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.opened[name] = params
	c.mu.Unlock()
	cell, err := c.Cell(ctx, name, o.cell...)
	if err != nil {
		c.forget(name)
		return nil, err
	}
	cell.private = true
	return cell, nil
}

func (c *Conn) askOpen(ctx context.Context, name string, params json.RawMessage) error {
	_, err := c.client.Call(ctx, "cordon.open", params, nil)
	var refused *wire.Error
	switch {
	case errors.As(err, &refused):
		return &StartError{Cell: name, Text: lane.Printable(refused.Message), Errno: syscall.Errno(refused.Data.Errno)}
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case err != nil:
		return fmt.Errorf("cordon: cordon.open: %w", err)
	}
	return nil
}

// reopen opens a cell again that a daemon does not know because it is another one than the cell was opened with.
func (c *Conn) reopen(ctx context.Context, name string, err error) bool {
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeParams {
		return false
	}
	c.mu.Lock()
	params := c.opened[name]
	c.mu.Unlock()
	return params != nil && c.askOpen(ctx, name, params) == nil
}

// forgetTimeout is how long closing a cell may wait for a daemon that does not answer.
const forgetTimeout = 5 * time.Second

// forget has the daemon close a cell.
func (c *Conn) forget(name string) {
	c.mu.Lock()
	delete(c.opened, name)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), forgetTimeout)
	defer cancel()
	_, _ = c.client.Call(ctx, "cordon.close", map[string]any{"cell": name}, nil)
}

// closePrivate is the end of a cell of our own daemon's; with the last one the daemon ends.
func (c *Cell) closePrivate() {
	c.conn.forget(c.name)
	c.conn.keeping.give(c.conn)
}

// own is a transport to a daemon of our own.
type own struct{ daemon Daemon }

func (o own) connect(ctx context.Context) (*net.UnixConn, error) { return o.daemon.Connect(ctx) }
func (o own) close()                                             { o.daemon.Close() }

// keeping is the daemon of this program's, while any cell is open.
type keeping struct {
	mu    sync.Mutex
	conn  *Conn
	users int
	last  uint64
}

var ours keeping

func (k *keeping) number() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last++
	return k.last
}

// take begins the daemon if none is there.
func (k *keeping) take(ctx context.Context, daemon Daemon) (*Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		conn, err := open(ctx, own{daemon})
		if err != nil {
			return nil, err
		}
		conn.opened = map[string]json.RawMessage{}
		conn.keeping = k
		k.conn = conn
	}
	k.users++
	return k.conn, nil
}

func (k *keeping) give(conn *Conn) {
	k.mu.Lock()
	k.users--
	last := k.users == 0
	if last {
		k.conn = nil
	}
	k.mu.Unlock()
	if last {
		conn.Close()
	}
}
