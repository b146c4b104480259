// SPDX-License-Identifier: Apache-2.0

// Package clock tells the time that lanes are stamped with: nanoseconds of CLOCK_MONOTONIC, which all
// processes of a machine share. Package time measures the same clock but does not say where it stands.
package clock

import (
	"math"
	"syscall"
	"time"
	"unsafe"
)

// Never is the deadline of what has none.
const Never = int64(math.MaxInt64)

const monotonic = 1 // CLOCK_MONOTONIC

// Where the clock stood when start was taken: after, by the time that one system call takes.
var (
	start  = time.Now()
	origin = read()
)

func read() int64 {
	var now syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		panic("clock: CLOCK_MONOTONIC cannot be read: " + errno.Error())
	}
	return now.Nano()
}

// Now returns the time in nanoseconds.
func Now() int64 {
	return origin + int64(time.Since(start))
}

// After returns the time that comes d after now: Never, if that is further than the clock goes.
func After(now int64, d time.Duration) int64 {
	if d > 0 && now > Never-int64(d) {
		return Never
	}
	return now + int64(d)
}

// Of returns the time at which t will be.
func Of(now int64, t time.Time) int64 {
	return After(now, time.Until(t))
}
