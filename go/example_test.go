// SPDX-License-Identifier: Apache-2.0

package cordon_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"syscall"
	"time"

	"cordon.internal/cordon"
)

// declarations of what the examples call: as they stand in the manual, and what Cordon has to know beside that.
const declarations = `
int abs(int j);
int close(int fd);
int raise(int signal);
unsigned sleep(unsigned seconds);
long strtol(const char *text, nullable out within(text) char **end, int base);
struct div { int quot; int rem; };
struct div div(int numerator, int denominator);
void qsort(inout void base[n * size], size_t n, size_t size, int (*compare)(const void a[size], const void b[size]));
`

func libc() *cordon.Cell {
	cell, err := cordon.Open(context.Background(), "libc.so.6", cordon.WithInterface(declarations))
	if err != nil {
		log.Fatal(err)
	}
	return cell
}

func ExampleFunc_Call() {
	cell := libc()
	defer cell.Close()
	strtol, err := cell.Func("strtol")
	if err != nil {
		log.Fatal(err)
	}
	result, err := strtol.Call(context.Background(), "42 apples", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Value(), result.Out("end"))
	// Output: 42 2
}

func ExampleCell_Alloc() {
	zlib, err := cordon.Open(context.Background(), "libz.so.1", cordon.WithArena(64<<20), cordon.WithInterface(
		"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
	if err != nil {
		log.Fatal(err)
	}
	defer zlib.Close()
	crc32, err := cordon.Bind2[uint32, []byte, uint32](zlib, "crc32")
	if err != nil {
		log.Fatal(err)
	}
	memory, err := zlib.Alloc(1 << 20)
	if err != nil {
		log.Fatal(err)
	}
	defer memory.Close()
	n := copy(memory.Bytes(), "hello")
	sum, err := crc32.Call(context.Background(), 0, memory.Bytes()[:n])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 907060870
}

func ExampleWithErrno() {
	cell := libc()
	defer cell.Close()
	closes, err := cordon.Bind1[int32, int32](cell, "close")
	if err != nil {
		log.Fatal(err)
	}
	var errno syscall.Errno
	result, err := closes.Call(cordon.WithErrno(context.Background(), &errno), -1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result, errno == syscall.EBADF)
	// Output: -1 true
}

func ExampleFunc_Call_callback() {
	cell := libc()
	defer cell.Close()
	qsort, err := cell.Func("qsort")
	if err != nil {
		log.Fatal(err)
	}
	words := []byte("one of its sort")
	_, err = qsort.Call(context.Background(), words, len(words), 1, func(a, b []byte) int {
		return int(a[0]) - int(b[0])
	})
	fmt.Printf("%q %v\n", words, err)
	// Output: "   efinooorsstt" <nil>
}

func ExampleBind2() {
	cell := libc()
	defer cell.Close()
	type quotient struct{ Quot, Rem int }
	div, err := cordon.Bind2[int, int, quotient](cell, "div")
	if err != nil {
		log.Fatal(err)
	}
	result, err := div.Call(context.Background(), 17, 5)
	fmt.Println(result, err)
	// Output: {3 2} <nil>
}

// A crash of the library is an error value. The program goes on, and so does the cell.
func ExampleCrashError() {
	cell := libc()
	defer cell.Close()
	ctx := context.Background()
	raise, err := cordon.Bind1[syscall.Signal, int](cell, "raise")
	if err != nil {
		log.Fatal(err)
	}
	var crash *cordon.CrashError
	if _, err := raise.Call(ctx, syscall.SIGSEGV); errors.As(err, &crash) {
		fmt.Println("it died:", crash.Signal)
	}
	abs, err := cordon.Bind1[int, int](cell, "abs")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(abs.Call(ctx, -1))
	// Output:
	// it died: segmentation fault
	// 1 <nil>
}

// The context's deadline ends native code that does not.
func ExampleTimeoutError() {
	cell := libc()
	defer cell.Close()
	sleep, err := cordon.Bind1[uint, uint](cell, "sleep")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = sleep.Call(ctx, 60)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleCell_Batch() {
	cell := libc()
	defer cell.Close()
	abs, err := cordon.Bind1[int, int](cell, "abs")
	if err != nil {
		log.Fatal(err)
	}
	batch, err := cell.Batch(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer batch.Close()
	for i := -3; i < 0; i++ {
		if _, err := abs.Add(batch, i); err != nil {
			log.Fatal(err)
		}
	}
	if err := batch.Wait(); err != nil {
		log.Fatal(err)
	}
	for i := 0; i < batch.Len(); i++ {
		fmt.Println(abs.Result(batch, i))
	}
	// Output:
	// 3 <nil>
	// 2 <nil>
	// 1 <nil>
}

// A pending call costs a goroutine; its answer comes on a channel.
func ExampleCell_Go() {
	cell := libc()
	defer cell.Close()
	abs, err := cell.Func("abs")
	if err != nil {
		log.Fatal(err)
	}
	select {
	case answer := <-cell.Go(context.Background(), abs, -7):
		fmt.Println(answer.Value(), answer.Err)
	case <-time.After(10 * time.Second):
		fmt.Println("it takes long")
	}
	// Output: 7 <nil>
}

func ExampleDial() {
	ctx := context.Background()
	conn, err := cordon.Dial(ctx, "/run/cordon/gateway.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	zlib, err := conn.Cell(ctx, "zlib", cordon.WithWorkers(2), cordon.WithDeadline(time.Second))
	if err != nil {
		log.Fatal(err)
	}
	crc32, err := cordon.Bind2[uint32, []byte, uint32](zlib, "crc32")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(crc32.Call(ctx, 0, binary.BigEndian.AppendUint64(nil, 42)))
}
