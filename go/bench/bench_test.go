// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"

	"cordon.internal/cordon"
)

// This side runs on one CPU and the other on another, as long as there are two: where a kernel puts them changes within
// milliseconds, and with both on one nobody can spin. What is true then, BenchmarkUnpinned shows.
//
// Each benchmark measures a call and its floors in short rounds, one after the other, and takes the ratio round by round:
// machines change their pace within milliseconds, and a floor taken once proves nothing. ns/call is the median; "of-limit"
// is the median ratio to what the call may take at most, which the floors make up: 1.00 is as slow as may be.
//
//	CORDON_PROGRAM=.../cordon CORDON_PRIVATE=.../cordon-private go test -bench . ./go/bench

const interfaces = `library "libc.so.6";
int abs(int j);
`

const zlibInterface = `library "libz.so.1";
uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);
`

// cells opens libc and zlib at a daemon of the benchmark's own.
func cells(b *testing.B) (libc, zlib *cordon.Cell) {
	b.Helper()
	program := os.Getenv("CORDON_PROGRAM")
	if program == "" {
		b.Skip("CORDON_PROGRAM is not set")
	}
	dir := b.TempDir()
	for name, text := range map[string]string{"libc": interfaces, "zlib": zlibInterface} {
		if err := os.WriteFile(filepath.Join(dir, name+".cordon"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(dir, "socket")
	daemon := exec.Command("taskset", "-c", theirs(), program, "serve", "--socket", path, "--interface", filepath.Join(dir, "libc.cordon"),
		"--interface", filepath.Join(dir, "zlib.cordon"))
	daemon.Env = append(os.Environ(), "XDG_STATE_HOME="+dir)
	if err := daemon.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	})
	var conn *cordon.Conn
	var err error
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err = cordon.Dial(context.Background(), path); err == nil {
			break
		}
		if time.Now().After(until) {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { conn.Close() })
	if libc, err = conn.Cell(context.Background(), "libc"); err != nil {
		b.Fatal(err)
	}
	if zlib, err = conn.Cell(context.Background(), "zlib"); err != nil {
		b.Fatal(err)
	}
	return libc, zlib
}

func TestMain(m *testing.M) {
	if allowed := cpus(); len(allowed) > 1 {
		pin(allowed[0])
	}
	os.Exit(m.Run())
}

// a series is one thing that is timed, as often as it says each round.
type series struct {
	do    func()
	times int
	rest  time.Duration // before each round
	ns    []float64     // a call, of each round
}

func (s *series) round() {
	if s.rest > 0 {
		time.Sleep(s.rest)
	} else {
		for i := 0; i < s.times/10; i++ { // whoever slept while others were measured is awake then
			s.do()
		}
	}
	began := time.Now()
	for i := 0; i < s.times; i++ {
		s.do()
	}
	s.ns = append(s.ns, float64(time.Since(began).Nanoseconds())/float64(s.times))
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[len(sorted)/2]
}

// compare runs b.N rounds of all, and reports the first's time and its ratio to a limit that the others make up.
func compare(b *testing.B, limit func(floors []float64) float64, call *series, floors ...*series) {
	for _, s := range append([]*series{call}, floors...) {
		s.round() // warm
		s.ns = s.ns[:0]
	}
	b.ResetTimer()
	ratios := make([]float64, 0, b.N)
	for i := 0; i < b.N; i++ {
		call.round()
		now := make([]float64, len(floors))
		for n, s := range floors {
			s.round()
			now[n] = s.ns[i]
		}
		ratios = append(ratios, call.ns[i]/limit(now))
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op") // of a round: means nothing
	b.ReportMetric(median(call.ns), "ns/call")
	for n, s := range floors {
		b.ReportMetric(median(s.ns), []string{"ns/floor", "ns/floor2", "ns/floor3"}[n])
	}
	b.ReportMetric(median(ratios), "of-limit")
}

func partner(b *testing.B, make func() (*Partner, error)) *Partner {
	b.Helper()
	p, err := make()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	return p
}

func must[T any](b *testing.B) func(T, error) T {
	return func(v T, err error) T {
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

const rounds = 500 // calls each

// A call of the smallest function, both sides spinning: at most the ping-pong and four direct calls.
func BenchmarkSpinning(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	memory := partner(b, Memory)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return f[0] + 4*f[1] },
		&series{do: func() { _, _ = abs.Call(ctx, -5) }, times: rounds},
		&series{do: memory.PingPong, times: rounds}, &series{do: func() { Abs(-5) }, times: rounds})
}

// The same with a deadline in its context.
func BenchmarkSpinningWithDeadline(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	memory := partner(b, Memory)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	compare(b, func(f []float64) float64 { return f[0] + 4*f[1] },
		&series{do: func() { _, _ = abs.Call(ctx, -5) }, times: rounds},
		&series{do: memory.PingPong, times: rounds}, &series{do: func() { Abs(-5) }, times: rounds})
}

// Wherever the kernel puts them.
func BenchmarkUnpinned(b *testing.B) {
	unpin()
	defer func() {
		if len(all) > 1 {
			pin(all[0])
		}
	}()
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	memory := partner(b, Memory)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return f[0] + 4*f[1] },
		&series{do: func() { _, _ = abs.Call(ctx, -5) }, times: rounds},
		&series{do: memory.PingPong, times: rounds}, &series{do: func() { Abs(-5) }, times: rounds})
}

// By values of any type, as Func.Call takes them.
func BenchmarkUntyped(b *testing.B) {
	libc, _ := cells(b)
	abs := must[*cordon.Func](b)(libc.Func("abs"))
	memory := partner(b, Memory)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return f[0] + 4*f[1] },
		&series{do: func() { _, _ = abs.Call(ctx, -5) }, times: rounds},
		&series{do: memory.PingPong, times: rounds}, &series{do: func() { Abs(-5) }, times: rounds})
}

// A call a millisecond, so that both sides sleep in between: at most 1.3 round trips by eventfd, as far apart.
func BenchmarkParked(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	events := partner(b, Events)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return 1.3 * f[0] },
		apart(func() { _, _ = abs.Call(ctx, -5) }), apart(func() { _ = events.Signal() }))
}

// apart times a call that comes a millisecond after the last one.
func apart(do func()) *series { return &series{do: do, times: 1, rest: time.Millisecond} }

// crc32 of 1 KB: at most a ping-pong, two copies - into shared memory here, out of it on the other CPU - and the direct call.
func BenchmarkCRC32(b *testing.B) {
	_, zlib := cells(b)
	crc := must[cordon.Typed2[uint32, []byte, uint32]](b)(cordon.Bind2[uint32, []byte, uint32](zlib, "crc32"))
	memory := partner(b, Memory)
	data := make([]byte, 1024)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return f[0] + f[1] },
		&series{do: func() { _, _ = crc.Call(ctx, 0, data) }, times: rounds},
		&series{do: func() { memory.PingPongBytes(data) }, times: rounds}, &series{do: func() { CRC32(data) }, times: rounds})
}

// Batches of 64: at most four direct calls a call.
func BenchmarkBatch64(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	batch := must[*cordon.Batch](b)(libc.Batch(context.Background()))
	defer batch.Close()
	const size = 64
	one := &series{times: rounds / 10, do: func() {
		for i := int32(0); i < size; i++ {
			_, _ = abs.Add(batch, -i)
		}
		_ = batch.Wait()
		for i := 0; i < size; i++ {
			_, _ = abs.Result(batch, i)
		}
		_ = batch.Reset()
	}}
	compare(b, func(f []float64) float64 { return size * 4 * f[0] }, one, &series{do: func() { Abs(-5) }, times: rounds})
	b.ReportMetric(median(one.ns)/size, "ns/call")
}

// A Unix-socket echo of 64 bytes, for comparison: what a gateway without shared memory pays at least.
func BenchmarkAgainstSocket(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	socket := partner(b, Socket)
	ctx := context.Background()
	compare(b, func(f []float64) float64 { return f[0] },
		&series{do: func() { _, _ = abs.Call(ctx, -5) }, times: rounds},
		&series{do: func() { _ = socket.Echo(64) }, times: rounds})
}

// Four goroutines call at once.
func BenchmarkParallel(b *testing.B) {
	libc, _ := cells(b)
	abs := must[cordon.Typed1[int32, int32]](b)(cordon.Bind1[int32, int32](libc, "abs"))
	b.SetParallelism(2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = abs.Call(context.Background(), -5)
		}
	})
}
