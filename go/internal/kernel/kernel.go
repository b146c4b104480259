// SPDX-License-Identifier: Apache-2.0

// Package kernel holds the system calls that package syscall does not have: memories with seals, eventfds,
// wake-ups by futex, and where the calling thread runs.
package kernel

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Seals of a memory (linux/fcntl.h).
const (
	SealSeal        = 0x1
	SealShrink      = 0x2
	SealGrow        = 0x4
	SealWrite       = 0x8
	SealFutureWrite = 0x10
)

const (
	fAddSeals = 1033
	fGetSeals = 1034

	mfdCloexec      = 1
	mfdAllowSealing = 2

	madvDontFork      = 10
	madvNoHugePage    = 15
	madvPopulateWrite = 23

	futexWake = 1

	rwfNoWait = 8

	sysPidfdOpen = 434 // everywhere
)

// Memory makes a memory of the given size and seals that size. The descriptor is the caller's.
func Memory(name string, bytes int64, seals int) (int, error) {
	text, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(text)), mfdCloexec|mfdAllowSealing, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("memfd_create", errno)
	}
	if err := syscall.Ftruncate(int(fd), bytes); err != nil {
		syscall.Close(int(fd))
		return -1, os.NewSyscallError("ftruncate", err)
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, fAddSeals, uintptr(seals)); errno != 0 {
		syscall.Close(int(fd))
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(fd), nil
}

// Seals returns the seals of a memory; an error for what is none.
func Seals(fd int) (int, error) {
	seals, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), fGetSeals, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("fcntl", errno)
	}
	return int(seals), nil
}

// Map maps a memory, for writing too if it says so. What is mapped is not inherited by fork, and the first
// warm bytes are there already: a failure of either costs time later, nothing else.
func Map(fd int, bytes, warm int, write bool) ([]byte, error) {
	protection := syscall.PROT_READ
	if write {
		protection |= syscall.PROT_WRITE
	}
	memory, err := syscall.Mmap(fd, 0, bytes, protection, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	_ = syscall.Madvise(memory, madvDontFork)
	if warm > 0 {
		_ = syscall.Madvise(memory, madvNoHugePage)
		_ = syscall.Madvise(memory[:warm], madvPopulateWrite)
	}
	return memory, nil
}

// Event makes a non-blocking eventfd.
func Event() (int, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("eventfd2", errno)
	}
	return int(fd), nil
}

// Drainer empties an eventfd that somebody else shares.
type Drainer struct {
	count [8]byte
	part  syscall.Iovec
}

// Drain empties the eventfd without waiting, whoever has cleared its O_NONBLOCK. It reports false if it was empty.
func (d *Drainer) Drain(fd uintptr) bool {
	d.part.Base = &d.count[0]
	d.part.SetLen(len(d.count))
	const none = ^uintptr(0) // no offset: both halves of -1
	_, _, errno := syscall.RawSyscall6(sysPreadv2, fd, uintptr(unsafe.Pointer(&d.part)), 1, none, none, rwfNoWait)
	return errno != syscall.EAGAIN
}

// Wake wakes the one who sleeps on a futex word that processes share. It never waits, and may be called with the
// processor held.
func Wake(word *uint32) {
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1, 0, 0, 0)
}

// WakeAll wakes all of them.
func WakeAll(word *uint32) {
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1<<31-1, 0, 0, 0)
}

// CPU returns the number of the CPU that the calling thread runs on: a hint.
func CPU() uint32 {
	var cpu uint32
	syscall.RawSyscall(sysGetcpu, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	return cpu
}

// OneCPU reports whether this process may use one CPU only.
func OneCPU() bool {
	var mask [128]uint64
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if errno != 0 {
		return false
	}
	count := 0
	for _, word := range mask[:n/8] {
		for ; word != 0; word &= word - 1 {
			count++
		}
	}
	return count == 1
}

// Seal adds seals to a memory.
func Seal(fd, seals int) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), fAddSeals, uintptr(seals)); errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

// PathOf is a name by which this process, and one that it is about to start, can open what a descriptor is of.
func PathOf(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// Pidfd returns a descriptor of a process.
func Pidfd(pid int) (int, error) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("pidfd_open", errno)
	}
	return int(fd), nil
}

// MapAt maps a memory, or with descriptor -1 fresh memory of nobody's, for writing, at an address: exactly there, in place of
// what is there, if it is fixed; else there if nothing is. It is not inherited by fork.
func MapAt(address uintptr, fd int, bytes uintptr, fixed bool) ([]byte, error) {
	const noReserve = 0x4000
	flags := uintptr(syscall.MAP_SHARED | noReserve)
	if fd < 0 {
		flags = syscall.MAP_PRIVATE | syscall.MAP_ANON | noReserve
	}
	if fixed {
		flags |= syscall.MAP_FIXED
	}
	got, _, errno := syscall.Syscall6(syscall.SYS_MMAP, address, bytes, syscall.PROT_READ|syscall.PROT_WRITE, flags, uintptr(fd), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("mmap", errno)
	}
	memory := unsafe.Slice(*(**byte)(unsafe.Pointer(&got)), bytes)
	_ = syscall.Madvise(memory, madvDontFork)
	return memory, nil
}
