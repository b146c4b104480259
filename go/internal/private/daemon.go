// SPDX-License-Identifier: Apache-2.0

// Package private keeps a daemon of this program's own, cordon-private, which opens cells and lends their workers over a
// socket pair (docs/protocol/private.md).
//
// The daemon ends when this program does: its socket ends, or the program's pidfd tells. When the daemon dies, the next
// connection starts another.
package private

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"

	"cordon.internal/cordon/internal/kernel"
)

// A Daemon is started when a connection to it is asked for. It may be used by many goroutines.
type Daemon struct {
	path string // of the program; "": the one that this package carries

	mu      sync.Mutex
	process *os.Process
	reaped  chan struct{} // closed when the process is
	conn    *net.UnixConn
}

// New returns a daemon that is not running.
func New(path string) *Daemon { return &Daemon{path: path} }

// Connect starts the daemon, or another one in the place of one that is gone, and returns its control connection. There is
// one connection to a daemon: asking again means that the last one broke.
func (d *Daemon) Connect(ctx context.Context) (*net.UnixConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := d.start(theirs); err != nil {
		ours.Close()
		return nil, err
	}
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	d.conn = conn.(*net.UnixConn)
	return d.conn, nil
}

// Close ends the daemon, and waits until it is gone.
func (d *Daemon) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
}

// Pid is the daemon's process id; 0: it does not run.
func (d *Daemon) Pid() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process == nil {
		return 0
	}
	return d.process.Pid
}

// end closes the connection, which ends the daemon; one that does not hear of it is killed.
func (d *Daemon) end() {
	if d.process == nil {
		return
	}
	d.conn.Close()
	_ = d.process.Kill()
	<-d.reaped
	d.process, d.conn = nil, nil
}

// pair makes a socket pair. Neither end is inherited by other programs.
func pair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

// start runs the program with its descriptors: nothing, standard error twice, control, and who we are.
func (d *Daemon) start(control *os.File) error {
	path := d.path
	if path == "" {
		fd, err := program()
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		path = kernel.PathOf(fd)
	}
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer nothing.Close()
	files := []*os.File{nothing, os.Stderr, os.Stderr, control}
	if fd, err := kernel.Pidfd(os.Getpid()); err == nil {
		self := os.NewFile(uintptr(fd), "pidfd")
		defer self.Close()
		files = append(files, self)
	}
	process, err := os.StartProcess(path, []string{"cordon-private"}, &os.ProcAttr{Files: files})
	if err != nil {
		return err
	}
	reaped := make(chan struct{})
	go func() {
		_, _ = process.Wait()
		close(reaped)
	}()
	d.process, d.reaped = process, reaped
	return nil
}
