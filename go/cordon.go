// SPDX-License-Identifier: Apache-2.0

// Package cordon calls native C libraries without cgo, so that they cannot crash the program, hang it, leak into it,
// corrupt it or take its signals.
//
// A library runs in worker processes that a daemon, `cordon serve`, starts, sandboxes, watches and replaces. Calls go to
// them directly, through memory that both share. A call that is pending costs a goroutine and no thread; a crash is an
// error value; a deadline is the context's.
//
//	conn, err := cordon.Dial(ctx, "/run/cordon/gateway.sock")
//	...
//	zlib, err := conn.Cell(ctx, "zlib")
//	...
//	crc32, err := zlib.Func("crc32")
//	...
//	result, err := crc32.Call(ctx, 0, []byte("hello"))
//
// Bind1 to Bind6 make Go functions of native ones, with types that the compiler checks, and without garbage where only
// numbers and arrays of numbers go in.
//
// # Workers, sessions, handles
//
// Calls of a cell go to any of its workers: as many as WithWorkers says are at work at once, and the other calls wait in
// line. What a library keeps between calls stays in a worker; a Session has one of its own. A Handle names a native
// object; calls with one go to its worker.
//
// # What it does to the process
//
// Nothing but to open files, map memory and run goroutines: no child process, no signal handler, no thread.
package cordon
