// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"cordon.internal/cordon"
)

const megabyte = 1 << 20

// withArena opens zlib at a daemon of the program's own, whose workers have arenas, on the other CPU.
func withArena(b *testing.B) *cordon.Cell {
	b.Helper()
	program := os.Getenv("CORDON_PRIVATE")
	if program == "" {
		b.Skip("CORDON_PRIVATE is not set")
	}
	script := filepath.Join(b.TempDir(), "private")
	text := fmt.Sprintf("#!/bin/sh\nexec taskset -c %s '%s'\n", theirs(), program)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		b.Fatal(err)
	}
	zlib := must[*cordon.Cell](b)(cordon.Open(context.Background(), "libz.so.1", cordon.WithInterface(zlibInterface),
		cordon.WithArena(8*megabyte), cordon.WithProgram(script), cordon.WithReports(""), cordon.WithWorkers(1)))
	b.Cleanup(func() { zlib.Close() })
	return zlib
}

// crc32 of 1 MB in the arena: at most the call of the smallest function, and the direct call.
func BenchmarkCRC32InArena(b *testing.B) {
	zlib := withArena(b)
	crc := must[cordon.Typed2[uint32, []byte, uint32]](b)(cordon.Bind2[uint32, []byte, uint32](zlib, "crc32"))
	memory := must[*cordon.Memory](b)(zlib.Alloc(megabyte))
	defer memory.Close()
	floor := partner(b, Memory)
	ctx, data, own := context.Background(), memory.Bytes(), make([]byte, megabyte)
	compare(b, func(f []float64) float64 { return f[0] + f[1] },
		&series{do: func() { _, _ = crc.Call(ctx, 0, data) }, times: 10},
		&series{do: floor.PingPong, times: rounds}, &series{do: func() { CRC32(own) }, times: 10})
}

// The same in memory that is copied, beside the arena: of-limit is how many times longer it takes.
func BenchmarkCRC32Copied(b *testing.B) {
	zlib := withArena(b)
	crc := must[cordon.Typed2[uint32, []byte, uint32]](b)(cordon.Bind2[uint32, []byte, uint32](zlib, "crc32"))
	memory := must[*cordon.Memory](b)(zlib.Alloc(megabyte))
	defer memory.Close()
	ctx, data, own := context.Background(), memory.Bytes(), make([]byte, megabyte)
	compare(b, func(f []float64) float64 { return f[0] },
		&series{do: func() { _, _ = crc.Call(ctx, 0, own) }, times: 10},
		&series{do: func() { _, _ = crc.Call(ctx, 0, data) }, times: 10})
}
