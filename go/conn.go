// SPDX-License-Identifier: Apache-2.0

package cordon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"cordon.internal/cordon/internal/lane"
	"cordon.internal/cordon/internal/wire"
)

// transport makes connections to a daemon. Dial's connects to a socket; one that keeps a daemon of its own gives out what
// it has with that.
type transport interface {
	connect(ctx context.Context) (*net.UnixConn, error)
	close()
}

// socket is the transport to a daemon that listens somewhere.
type socket string

func (s socket) connect(ctx context.Context) (*net.UnixConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", string(s))
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

func (s socket) close() {}

// A Conn is a connection to a daemon, `cordon serve`. It may be used by many goroutines.
type Conn struct {
	transport transport
	client    *wire.Client
	keeping   *keeping // of a daemon of our own

	mu     sync.Mutex
	cells  map[*Cell]bool
	opened map[string]json.RawMessage // cells of a daemon of our own, as they were asked for
	closed bool
}

// Dial connects to the daemon that listens on a Unix socket. When the daemon goes away and comes back, what is asked of
// the Conn and its cells later goes to the new one.
func Dial(ctx context.Context, path string) (*Conn, error) {
	return open(ctx, socket(path))
}

func open(ctx context.Context, t transport) (*Conn, error) {
	c := &Conn{transport: t, client: wire.New(t.connect), cells: map[*Cell]bool{}}
	if err := c.call(ctx, "cordon.ping", nil, nil); err != nil {
		c.client.Close()
		t.close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) call(ctx context.Context, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	_, err := c.client.Call(ctx, method, params, result)
	if errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("cordon: %s: %w", method, err)
	}
	return nil
}

// Close closes the connection and its cells. It waits for calls under way, which end as aborted.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	cells := make([]*Cell, 0, len(c.cells))
	for cell := range c.cells {
		cells = append(cells, cell)
	}
	c.mu.Unlock()
	for _, cell := range cells {
		cell.Close()
	}
	c.client.Close()
	c.transport.close()
	return nil
}

// A CellInfo says what a daemon offers.
type CellInfo struct {
	Name       string `json:"name"`
	Library    string `json:"library"`
	Level      string `json:"level"`
	Generation int    `json:"generation"`
	State      string `json:"state"`
}

// Cells lists the daemon's cells.
func (c *Conn) Cells(ctx context.Context) ([]CellInfo, error) {
	var cells []CellInfo
	err := c.call(ctx, "cordon.cells", nil, &cells)
	return cells, err
}

// Report returns a report of the daemon's, as JSON (docs/protocol/report.md). One of a crash that has just been seen may
// still be in the making: Report waits for it as long as the context allows, a second if it has no deadline.
func (c *Conn) Report(ctx context.Context, id ReportID) (json.RawMessage, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Second)
		defer cancel()
	}
	for {
		var report json.RawMessage
		err := c.call(ctx, "cordon.reports", map[string]any{"id": id.String()}, &report)
		var refused *wire.Error
		if err == nil || !errors.As(err, &refused) || refused.Code == wire.CodeMethod {
			return report, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// attach asks for a seat at a cell.
func (c *Conn) attach(ctx context.Context, cell string) (int, error) {
	var granted json.RawMessage
	asked := map[string]any{"cell": cell, "identity": lane.Identity()}
	fd, err := c.client.Call(ctx, "cordon.attach", asked, &granted)
	if c.reopen(ctx, cell, err) {
		fd, err = c.client.Call(ctx, "cordon.attach", asked, &granted)
	}
	if err == nil && fd < 0 {
		return -1, &StartError{Cell: cell, Text: "the daemon gave no seat"}
	}
	if err == nil {
		return fd, nil
	}
	var refused *wire.Error
	if !errors.As(err, &refused) {
		if errors.Is(err, net.ErrClosed) {
			err = ErrClosed
		}
		return -1, fmt.Errorf("cordon: cell '%s': %w", cell, err)
	}
	text := lane.Printable(refused.Message)
	retry := time.Duration(refused.Data.RetryAfterMS) * time.Millisecond
	switch refused.Code {
	case wire.CodeBusy:
		return -1, &BusyError{Func: cell, Text: text, RetryAfter: retry}
	case wire.CodeOpen:
		return -1, &OpenError{Func: cell, Text: text, RetryAfter: retry}
	}
	return -1, &StartError{Cell: cell, Text: text, RetryAfter: retry}
}
