// SPDX-License-Identifier: Apache-2.0

// Package cordon calls native C libraries without cgo, so that they cannot crash the program, hang it, leak into it,
// corrupt it or take its signals.
//
// A library runs in worker processes that a daemon starts, sandboxes, watches and replaces: one of the program's own, which
// Open starts and which ends with the program, or `cordon serve`, to which Dial connects. Calls go to workers directly,
// through memory that both share. A call that is pending costs a goroutine and no thread; a crash is an error value; a
// deadline is the context's.
//
//	zlib, err := cordon.Open(ctx, "libz.so.1", cordon.WithInterface(
//		"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
//	...
//	defer zlib.Close()
//	crc32, err := zlib.Func("crc32")
//	...
//	result, err := crc32.Call(ctx, 0, []byte("hello"))
//
// Bind1 to Bind6 make Go functions of native ones, with types that the compiler checks, and without garbage where only
// numbers and arrays of numbers go in. `cordon generate go` writes a package with a method for each function of a library.
//
// # Outcomes
//
// What becomes of a call is its error, by errors.As: *CrashError, *TimeoutError, *DeniedError and *AbortedError ended it;
// *BusyError, *OpenError, *StaleError, *StartError and *CallError kept it from being made. A *TimeoutError is a
// context.DeadlineExceeded, too; a cancelled context's error is wrapped. A crash or a hang has a report: its ReportID is
// what `cordon report` and Conn.Report take.
//
// # Workers, sessions, handles
//
// Calls of a cell go to any of its workers: as many as WithWorkers says are at work at once, and the other calls wait in
// line. What a library keeps between calls stays in a worker; a Session has one of its own. A Handle names a native
// object; calls with one go to its worker. So do calls with a Memory, which the program and one worker share: it is not
// copied.
//
// # What it does to the process
//
// It opens files, maps memory and runs goroutines: no signal handler, no thread. Dial starts no process. Open starts one
// child, the daemon of all cells that were opened, and waits for its end.
package cordon
