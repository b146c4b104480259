// SPDX-License-Identifier: Apache-2.0

package inproc

// #cgo pkg-config: cordon
// #include <errno.h>
// #include <stdlib.h>
// #include "lender.h"
import "C"

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// How it works. Package cordon is a client of a daemon that opens cells and lends their workers. Here the daemon is
// libcordon, in this process: it is asked over a socket pair, by the same messages, and lends threads. Calls have nothing to
// do with it. What it waits for is one descriptor, which is in the runtime's poller, so that it is a goroutine, too.

const requestBytesMax = 64 << 20

// Codes of refusals (docs/protocol/gateway.md).
const (
	codeMethod = -32601
	codeParams = -32602
	codeBusy   = -32005
)

// daemon is libcordon's lender, with its cells.
type daemon struct {
	mu     sync.Mutex // of all that follows, and of the lender, whose functions are called one at a time
	lender *C.struct_cordon_lender
	ready  *os.File // its descriptor
	cells  map[string]*C.struct_cordon_cell
	conns  map[*net.UnixConn]bool
	closed bool
	work   sync.WaitGroup // goroutines
}

func newDaemon() *daemon {
	return &daemon{cells: map[string]*C.struct_cordon_cell{}, conns: map[*net.UnixConn]bool{}}
}

// Connect implements cordon.Daemon.
func (d *daemon) Connect(ctx context.Context) (*net.UnixConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, net.ErrClosed
	}
	if err := d.begin(); err != nil {
		return nil, err
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	d.conns[ours] = true
	d.work.Add(1)
	go d.serve(ours)
	return theirs, nil
}

// pair makes two connections that are one.
func pair() (ours, theirs *net.UnixConn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "cordon-control")
		conn, failed := net.FileConn(file)
		file.Close()
		if failed != nil {
			err = failed
			continue
		}
		conns[i] = conn.(*net.UnixConn)
	}
	if err != nil {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
		return nil, nil, err
	}
	return conns[0], conns[1], nil
}

// begin opens the lender, once. The lock is held.
func (d *daemon) begin() error {
	if d.lender != nil {
		return nil
	}
	var why C.struct_cordon_error
	if r := C.cordon_lender_open(&d.lender, &why); r != 0 {
		return fmt.Errorf("cordon: %s", C.GoString(&why.text[0]))
	}
	fd, err := duplicate(int(C.cordon_lender_fd(d.lender)))
	if err != nil {
		C.cordon_lender_close(d.lender)
		d.lender = nil
		return err
	}
	d.ready = os.NewFile(uintptr(fd), "cordon-lender")
	d.work.Add(1)
	go d.dispatch(d.ready)
	return nil
}

// duplicate makes a descriptor for the poller, of which os.File closes its own.
func duplicate(fd int) (int, error) {
	own, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	if err := syscall.SetNonblock(int(own), true); err != nil {
		syscall.Close(int(own))
		return -1, os.NewSyscallError("fcntl", err)
	}
	return int(own), nil
}

// dispatch does the lender's work, whenever there is some.
func (d *daemon) dispatch(ready *os.File) {
	defer d.work.Done()
	raw, err := ready.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(uintptr) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.closed {
			C.inproc_dispatch(d.lender)
		}
		return d.closed
	})
}

// Close implements cordon.Daemon.
func (d *daemon) Close() {
	d.mu.Lock()
	d.closed = true
	for conn := range d.conns {
		conn.Close()
	}
	ready := d.ready
	d.mu.Unlock()
	if ready != nil {
		ready.Close() // waits for who is looking at it, and wants the lock
	}
	d.work.Wait()
	if d.lender != nil {
		C.cordon_lender_close(d.lender)
		d.lender = nil
	}
	for name, cell := range d.cells {
		C.cordon_cell_close(cell)
		delete(d.cells, name)
	}
}

// ---- Requests ----------------------------------------------------------------------------------

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Errno int `json:"errno,omitempty"`
	} `json:"data"`
}

func refuse(code, errno int, text string) *refusal {
	r := &refusal{Code: code, Message: text}
	r.Data.Errno = errno
	return r
}

// refused makes a refusal of what libcordon has returned.
func refused(r C.int, why *C.struct_cordon_error) *refusal {
	if r == -C.EAGAIN {
		return refuse(codeBusy, int(-r), C.GoString(&why.text[0]))
	}
	return refuse(codeParams, int(-r), C.GoString(&why.text[0]))
}

func (d *daemon) serve(conn *net.UnixConn) {
	defer d.work.Done()
	for {
		var asked request
		if err := read(conn, &asked); err != nil {
			break
		}
		result, fd, refusal := d.answer(&asked)
		answer := map[string]any{"jsonrpc": "2.0", "id": asked.ID, "result": result}
		if refusal != nil {
			answer = map[string]any{"jsonrpc": "2.0", "id": asked.ID, "error": refusal}
		}
		if err := write(conn, answer, fd); err != nil {
			break
		}
	}
	conn.Close()
	d.mu.Lock()
	delete(d.conns, conn)
	d.mu.Unlock()
}

func read(conn *net.UnixConn, asked *request) error {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > requestBytesMax {
		return io.ErrShortBuffer
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(conn, text); err != nil {
		return err
	}
	return json.Unmarshal(text, asked)
}

// write sends an answer, with a descriptor that is given away, if there is one.
func write(conn *net.UnixConn, answer any, fd int) error {
	var rights []byte
	if fd >= 0 {
		defer syscall.Close(fd)
		rights = syscall.UnixRights(fd)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	n, _, err := conn.WriteMsgUnix(frame, rights, nil)
	if err == nil && n < len(frame) {
		_, err = conn.Write(frame[n:])
	}
	return err
}

func (d *daemon) answer(asked *request) (result any, fd int, refusal *refusal) {
	var named struct {
		Cell string `json:"cell"`
	}
	fd = -1
	switch asked.Method {
	case "cordon.ping":
		return map[string]any{"protocol": 1}, fd, nil
	case "cordon.open":
		return true, fd, d.open(asked.Params)
	case "cordon.close", "cordon.attach":
		if err := json.Unmarshal(asked.Params, &named); err != nil {
			return nil, fd, refuse(codeParams, 0, err.Error())
		}
		if asked.Method == "cordon.close" {
			return true, fd, nil // Close follows, and ends all that there is
		}
		fd, refusal = d.attach(named.Cell)
		return true, fd, refusal
	}
	return nil, fd, refuse(codeMethod, 0, fmt.Sprintf("there is no method '%s' inside of a program", asked.Method))
}

func (d *daemon) open(params json.RawMessage) *refusal {
	asked, err := readOpening(params)
	if err != nil {
		return refuse(codeParams, int(syscall.EINVAL), err.Error())
	}
	var own strings
	defer own.free()
	options := (*C.struct_cordon_cell_options)(C.calloc(1, C.sizeof_struct_cordon_cell_options))
	own = append(own, unsafe.Pointer(options))
	if err := asked.cell(options, &own); err != nil {
		return refuse(codeParams, int(syscall.EINVAL), err.Error())
	}
	var cell *C.struct_cordon_cell
	var why C.struct_cordon_error
	if r := C.inproc_open(options, &cell, &why); r != 0 {
		return refused(r, &why)
	}
	lend := asked.lend()
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := C.cordon_lender_offer(d.lender, cell, &lend, &why); r != 0 {
		C.cordon_cell_close(cell)
		return refused(r, &why)
	}
	d.cells[asked.Name] = cell
	return nil
}

func (d *daemon) attach(name string) (int, *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	cell := d.cells[name]
	if cell == nil {
		return -1, refuse(codeParams, int(syscall.ENOENT), fmt.Sprintf("there is no cell '%s'", name))
	}
	var fd C.int
	var why C.struct_cordon_error
	if r := C.cordon_lender_attach(d.lender, cell, -1, &fd, &why); r != 0 {
		return -1, refused(r, &why)
	}
	return int(fd), nil
}
