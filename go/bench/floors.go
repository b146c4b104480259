// SPDX-License-Identifier: Apache-2.0

// Package bench holds the floors that calls are measured against: what the machine can do at best, in the same run, on the
// same CPUs. It is a module of its own, since a direct call wants cgo, which package cordon is there to avoid.
package bench

/*
#cgo CFLAGS: -O2
#cgo LDFLAGS: -lz

#include <linux/futex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

static __attribute__((noinline)) int direct_abs(int j)
{
	__asm__ volatile("" : "+r"(j));
	return j < 0 ? -j : j;
}

static uint32_t direct_crc32(const void *data, uint32_t length)
{
	return (uint32_t)crc32(0, data, length);
}

// One line of shared memory: the other side writes odd numbers, this one the even ones behind them.
// Where it says that bytes come along, they are copied out before the answer.
static void ping_pong(int fd)
{
	static char copied[4096];
	volatile uint32_t *line = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (line == MAP_FAILED) {
		_exit(1);
	}
	uint32_t seen = 0;
	uint32_t looks = 0;
	for (;;) {
		uint32_t now = __atomic_load_n(line, __ATOMIC_ACQUIRE);
		if (now == UINT32_MAX) {
			_exit(0);
		}
		if (now != seen && now % 2 == 1) {
			seen = now + 1;
			looks = 0;
			if (line[1] > 0 && line[1] <= sizeof copied) {
				memcpy(copied, (const char *)line + 4096, line[1]);
				__asm__ volatile("" ::"r"(copied) : "memory");
			}
			__atomic_store_n(line, seen, __ATOMIC_RELEASE);
		} else if (++looks > 20000) { // while others are measured, they need the CPU
			__atomic_store_n(line + 16, 1, __ATOMIC_SEQ_CST);
			(void)syscall(SYS_futex, line, FUTEX_WAIT, now, NULL, NULL, 0);
			__atomic_store_n(line + 16, 0, __ATOMIC_SEQ_CST);
			looks = 0;
		}
#if defined(__x86_64__)
		__builtin_ia32_pause();
#else
		__asm__ volatile("yield");
#endif
	}
}

// An eventfd that wakes this side, and one that it answers by.
static void echo_events(int in, int out)
{
	uint64_t count;
	while (read(in, &count, sizeof count) == sizeof count && write(out, &count, sizeof count) == sizeof count) {
	}
	_exit(0);
}

static void echo_socket(int fd)
{
	char bytes[4096];
	ssize_t got;
	while ((got = read(fd, bytes, sizeof bytes)) > 0 && write(fd, bytes, (size_t)got) == got) {
	}
	_exit(0);
}

// The other side of a floor is this program, started again: what it is for is decided before Go's runtime is.
static __attribute__((constructor)) void be_partner(void)
{
	const char *role = getenv("CORDON_BENCH_PARTNER");
	if (!role) {
		return;
	}
	if (strcmp(role, "memory") == 0) {
		ping_pong(3);
	}
	if (strcmp(role, "events") == 0) {
		echo_events(3, 4);
	}
	if (strcmp(role, "socket") == 0) {
		echo_socket(3);
	}
	_exit(2);
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Abs is a direct call by cgo of the smallest function.
func Abs(j int32) int32 { return int32(C.direct_abs(C.int(j))) }

// CRC32 is a direct call by cgo of zlib.
func CRC32(data []byte) uint32 {
	return uint32(C.direct_crc32(unsafe.Pointer(&data[0]), C.uint32_t(len(data))))
}

// A Partner is the other side of a floor, a process of C alone.
type Partner struct {
	command *exec.Cmd
	line    *uint32
	sleeps  *uint32
	memory  []byte
	turn    uint32
	in, out *os.File // events: written to, read from
	socket  *os.File
	bytes   [4096]byte
}

func (p *Partner) start(role string, files ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.command = exec.Command("taskset", "-c", theirs(), self)
	p.command.Env = append(os.Environ(), "CORDON_BENCH_PARTNER="+role)
	p.command.ExtraFiles = files
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p.command.Start()
}

// Close ends it.
func (p *Partner) Close() {
	for _, file := range []*os.File{p.in, p.out, p.socket} {
		if file != nil {
			file.Close()
		}
	}
	if p.command != nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	}
	if p.memory != nil {
		_ = syscall.Munmap(p.memory)
	}
}

// Memory is a partner that answers in one line of shared memory.
func Memory() (*Partner, error) {
	file, err := os.CreateTemp("", "cordon-bench-")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	os.Remove(file.Name())
	if err := file.Truncate(8192); err != nil {
		return nil, err
	}
	p := &Partner{}
	if p.memory, err = syscall.Mmap(int(file.Fd()), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		return nil, err
	}
	p.line, p.sleeps = (*uint32)(unsafe.Pointer(&p.memory[0])), (*uint32)(unsafe.Pointer(&p.memory[64]))
	return p, p.start("memory", file)
}

// PingPongBytes is a round trip with bytes that are copied into shared memory here, and out of it there.
func (p *Partner) PingPongBytes(data []byte) {
	copy(p.memory[4096:], data)
	p.memory[4], p.memory[5] = byte(len(data)), byte(len(data)>>8)
	p.PingPong()
	p.memory[4], p.memory[5] = 0, 0
}

// PingPong is a round trip through the line.
func (p *Partner) PingPong() {
	p.turn += 2
	atomic.StoreUint32(p.line, p.turn-1)
	if atomic.LoadUint32(p.sleeps) != 0 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(p.line)), 1, 1, 0, 0, 0)
	}
	for atomic.LoadUint32(p.line) != p.turn {
	}
}

func event(flags uintptr) (*os.File, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, flags|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, "eventfd"), nil
}

// Events is a partner that is woken by an eventfd and answers by another one.
func Events() (*Partner, error) {
	theirs, err := event(0) // it blocks there
	if err != nil {
		return nil, err
	}
	ours, err := event(syscall.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	p := &Partner{in: theirs, out: ours}
	fd, err := syscall.Dup(rawFD(ours)) // Fd() would make it a blocking one
	if err != nil {
		return nil, err
	}
	copied := os.NewFile(uintptr(fd), "eventfd")
	defer copied.Close()
	return p, p.start("events", theirs, copied)
}

func rawFD(f *os.File) (fd int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	_ = raw.Control(func(n uintptr) { fd = int(n) })
	return fd
}

// Signal is a round trip by eventfds: the answer is waited for in the runtime's poller.
func (p *Partner) Signal() error {
	var one = [8]byte{1}
	if _, err := p.in.Write(one[:]); err != nil {
		return err
	}
	_, err := p.out.Read(one[:])
	return err
}

// Socket is a partner that echoes what it reads from a Unix socket.
func Socket() (*Partner, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, err
	}
	p := &Partner{socket: os.NewFile(uintptr(fds[0]), "socket")}
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	defer theirs.Close()
	return p, p.start("socket", theirs)
}

// Echo is a round trip of so many bytes.
func (p *Partner) Echo(bytes int) error {
	if _, err := p.socket.Write(p.bytes[:bytes]); err != nil {
		return err
	}
	for got := 0; got < bytes; {
		n, err := p.socket.Read(p.bytes[:bytes])
		if n <= 0 {
			return fmt.Errorf("echo: %v", err)
		}
		got += n
	}
	return nil
}
