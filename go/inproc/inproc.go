// SPDX-License-Identifier: Apache-2.0

// Package inproc opens native libraries inside of the program: package cordon's cells and calls, by cgo over libcordon, for
// those who cannot have worker processes.
//
//	zlib, err := inproc.Open(ctx, "libz.so.1", cordon.WithInterface(
//		"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
//	...
//	crc32, err := zlib.Func("crc32")
//	result, err := crc32.Call(ctx, 0, []byte("hello"))
//
// Everything behind Open is package cordon's: functions, sessions, batches, handles, callbacks, errors. Calls are executed
// by threads of libcordon's, as many as cordon.WithWorkers says; one that is pending costs a goroutine and no further
// thread, and no call is made through cgo: they go to the threads in memory that both map. WithLevel(Inline) executes them
// on the goroutine that calls.
//
// # What it cannot be
//
// The library lives in the program: it can write all of its memory, take its signals and change its directory. A fault in it
// is caught and is a *cordon.CrashError; what it has damaged stays damaged, and so the cell is poisoned: every later call is
// a *cordon.OpenError, and the library has to be opened anew. A call that passes its deadline is a *cordon.TimeoutError, and
// its thread is left behind: it runs on until it comes back, and there may be 8 of those. cordon-levels(7) compares; what
// must not depend on the library's manners belongs to cordon.Open.
//
// # What it does to the process
//
// It starts threads (level Thread), which block all signals but those of faults, and takes the signals of faults (SIGSEGV, SIGBUS, SIGFPE,
// SIGILL, SIGABRT), for good. What does not come from a library goes to Go's runtime as before: a nil dereference in Go
// stays a panic.
package inproc

import (
	"context"

	"cordon.internal/cordon"
)

// A Level says where a library is executed.
type Level string

const (
	// Thread is by threads of libcordon's in this process, guarded against faults.
	Thread Level = "thread"
	// Inline is by whoever calls, on the goroutine's own thread, guarded against faults: fast, and without a way to end a
	// call before it returns. A deadline, or a cancelled context, only keeps it from being begun.
	Inline Level = "inline"
	// Process is by sandboxed worker processes, as package cordon's own, started by libcordon.
	Process Level = "process"
)

// WithLevel says where the library is executed: Thread, unless it is said.
func WithLevel(level Level) cordon.OpenOption { return cordon.WithSetting("level", string(level)) }

// Open opens a native library. It takes what cordon.Open takes; policies, and limits of memory, hold at level Process alone.
func Open(ctx context.Context, library string, with ...cordon.OpenOption) (*cordon.Cell, error) {
	options := append([]cordon.OpenOption{WithLevel(Thread)}, with...)
	return cordon.Open(ctx, library, append(options, cordon.WithDaemon(newDaemon()))...)
}
