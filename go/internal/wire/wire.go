// SPDX-License-Identifier: Apache-2.0

// Package wire talks to a daemon's gateway: frames of JSON over a Unix socket, one question at a time, with a descriptor
// in the answer where there is one (docs/protocol/gateway.md).
package wire

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// answerBytesMax is the longest answer that is read: descriptions and reports are long, nothing is longer than this.
const answerBytesMax = 16 << 20

// Error is the daemon's refusal.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Outcome      string `json:"outcome"`
		Limit        string `json:"limit"`
		RetryAfterMS int64  `json:"retry_after_ms"`
		Report       string `json:"report"`
		Errno        int    `json:"errno"`
	} `json:"data"`
}

func (e *Error) Error() string { return e.Message }

// Codes of refusals.
const (
	CodeMethod   = -32601
	CodeParams   = -32602
	CodeBusy     = -32005
	CodeOpen     = -32007
	CodeStopping = -32009
)

// Client is a connection to a daemon, made when it is needed and again when it broke.
type Client struct {
	connect func(ctx context.Context) (*net.UnixConn, error)
	turn    chan struct{} // holds one token: who has it, may use what follows
	conn    *net.UnixConn
	id      uint64
}

// New returns a client that connects by the given function.
func New(connect func(ctx context.Context) (*net.UnixConn, error)) *Client {
	c := &Client{connect: connect, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// Close ends the connection. Questions that wait fail.
func (c *Client) Close() {
	<-c.turn
	c.drop()
	c.connect = func(context.Context) (*net.UnixConn, error) { return nil, net.ErrClosed }
	c.turn <- struct{}{}
}

func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// errStale: the connection was closed before it was used for this question.
var errStale = errors.New("wire: the connection was closed")

// stale says so of what ended a question that was not sent. A time that is over is no such end.
func stale(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %v", errStale, err)
}

// Call asks for a method and decodes its result into result, unless that is nil. What the daemon refuses is an *Error.
// The descriptor that came with the answer is the caller's; -1: none came.
func (c *Client) Call(ctx context.Context, method string, params, result any) (fd int, err error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return -1, ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	for again := c.conn != nil; ; again = false {
		fd, err = c.once(ctx, method, params, result)
		if !again || !errors.Is(err, errStale) {
			return fd, err
		}
	}
}

func (c *Client) once(ctx context.Context, method string, params, result any) (int, error) {
	if c.conn == nil {
		conn, err := c.connect(ctx)
		if err != nil {
			return -1, err
		}
		c.conn = conn
	}
	fd, raw, err := c.exchange(ctx, method, params)
	if err != nil {
		c.drop()
		if ctx.Err() != nil {
			err = ctx.Err()
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			err = context.DeadlineExceeded // the connection's timer was faster than the context's, by which it was set
		}
		return -1, err
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err = json.Unmarshal(raw, &answer); err == nil && answer.Error != nil {
		err = answer.Error
	} else if err == nil && result != nil {
		err = json.Unmarshal(answer.Result, result)
	}
	if err != nil && fd >= 0 {
		syscall.Close(fd)
		fd = -1
	}
	return fd, err
}

// exchange sends a question and reads its answer. The context ends both.
func (c *Client) exchange(ctx context.Context, method string, params any) (fd int, answer []byte, err error) {
	c.id++
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.id, "method": method, "params": params})
	if err != nil {
		return -1, nil, err
	}
	deadline, _ := ctx.Deadline() // zero: none
	_ = c.conn.SetDeadline(deadline)
	if ctx.Done() != nil {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			select {
			case <-ctx.Done():
				_ = c.conn.SetDeadline(time.Unix(1, 0))
			case <-stop:
			}
		}()
		defer func() { close(stop); <-stopped }()
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, err := c.conn.Write(append(frame, body...)); err != nil {
		return -1, nil, stale(err)
	}
	return c.read()
}

func (c *Client) read() (fd int, answer []byte, err error) {
	fd = -1
	defer func() {
		if err != nil && fd >= 0 {
			syscall.Close(fd)
			fd = -1
		}
	}()
	var head [4]byte
	if n, err := c.fill(head[:], &fd); err != nil {
		if n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
			err = fmt.Errorf("%w: %v", errStale, err)
		}
		return fd, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > answerBytesMax {
		return fd, nil, fmt.Errorf("wire: an answer of %d bytes", length)
	}
	answer = make([]byte, length)
	_, err = c.fill(answer, &fd)
	return fd, answer, err
}

// fill reads until the buffer is full, and keeps the last descriptor that comes.
func (c *Client) fill(buffer []byte, fd *int) (got int, err error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	for got < len(buffer) {
		n, oobn, _, _, err := c.conn.ReadMsgUnix(buffer[got:], rights)
		for _, one := range Descriptors(rights[:oobn]) {
			if *fd >= 0 {
				syscall.Close(*fd)
			}
			*fd = one
		}
		if n > 0 {
			got += n
			continue
		}
		if err == nil || errors.Is(err, io.EOF) {
			return got, io.EOF
		}
		return got, err
	}
	return got, nil
}

// Descriptors are those that came with a message.
func Descriptors(rights []byte) (fds []int) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for i := range messages {
		if more, err := syscall.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, more...)
		}
	}
	return fds
}
