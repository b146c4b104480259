// SPDX-License-Identifier: Apache-2.0

// Command peers makes the same calls by Cordon, by hashicorp/go-plugin and by plain gRPC over a Unix socket, in short rounds
// one after the other, and prints the medians and the ratios. README.md says how to run it.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"hash/crc32"
	"log"
	"os"
	"sort"
	"time"

	"cordon.internal/cordon"
)

const libm = `library "libm.so.6"; double fmax(double a, double b);`
const libz = `library "libz.so.1"; uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);`

// contender is one way to make the two calls.
type contender struct {
	name  string
	add   func() error
	crc32 func() error
}

// series is how one call was timed, in nanoseconds a call, round by round.
type series map[string][]float64

// round times calls of one contender.
func (s series) round(name string, do func() error, times int, rest time.Duration) error {
	var spent time.Duration
	for i := 0; i < times; i++ {
		if rest > 0 {
			time.Sleep(rest)
		}
		began := time.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		spent += time.Since(began)
	}
	s[name] = append(s[name], float64(spent.Nanoseconds())/float64(times))
	return nil
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[len(sorted)/2]
}

// ratio is the median, over the rounds, of what another took to what the first took beside it.
func ratio(first, other []float64) float64 {
	ratios := make([]float64, len(first))
	for i := range first {
		ratios[i] = other[i] / first[i]
	}
	return median(ratios)
}

// question is a line of the table: a call, in a row or with a rest before each.
type question struct {
	name  string
	call  func(contender) func() error
	times int
	rest  time.Duration
	mark  float64 // the least ratio
}

var questions = []question{
	{"two numbers, one after the other", func(c contender) func() error { return c.add }, 200, 0, 50},
	{"crc32 of 1 KB, one after the other", func(c contender) func() error { return c.crc32 }, 200, 0, 50},
	{"two numbers, a call each 2 ms", func(c contender) func() error { return c.add }, 5, 2 * time.Millisecond, 3},
	{"crc32 of 1 KB, a call each 2 ms", func(c contender) func() error { return c.crc32 }, 5, 2 * time.Millisecond, 3},
}

func ask(q question, contenders []contender, rounds int) error {
	s := series{}
	for i := 0; i <= rounds; i++ {
		for _, c := range contenders {
			if err := s.round(c.name, q.call(c), q.times, q.rest); err != nil {
				return err
			}
		}
		if i == 0 { // warm
			s = series{}
		}
	}
	first := s[contenders[0].name]
	for _, c := range contenders {
		line := fmt.Sprintf("%-36s %-12s %10.0f ns", q.name, c.name, median(s[c.name]))
		if c.name != contenders[0].name {
			times := ratio(first, s[c.name])
			line += fmt.Sprintf("  %7.1f x  (mark %.0f x%s)", times, q.mark, map[bool]string{true: "", false: ", missed"}[times >= q.mark])
		}
		fmt.Println(line)
	}
	return nil
}

func ours(data []byte) (contender, func(), error) {
	ctx := context.Background()
	math, err := cordon.Open(ctx, "", cordon.WithInterface(libm), cordon.WithReports(""))
	if err != nil {
		return contender{}, nil, err
	}
	zlib, err := cordon.Open(ctx, "", cordon.WithInterface(libz), cordon.WithReports(""))
	if err != nil {
		return contender{}, nil, err
	}
	fmax, err := cordon.Bind2[float64, float64, float64](math, "fmax")
	if err != nil {
		return contender{}, nil, err
	}
	crc, err := cordon.Bind2[uint32, []byte, uint32](zlib, "crc32")
	want := crc32.ChecksumIEEE(data)
	c := contender{
		name: "cordon",
		add: func() error {
			larger, err := fmax.Call(ctx, 1, 2)
			return right(larger == 2, err)
		},
		crc32: func() error {
			sum, err := crc.Call(ctx, 0, data)
			return right(sum == want, err)
		},
	}
	return c, func() { math.Close(); zlib.Close() }, err
}

func theirs(name string, c client, data []byte) contender {
	ctx := context.Background()
	want := crc32.ChecksumIEEE(data)
	return contender{
		name: name,
		add: func() error {
			sum, err := c.add(ctx, 1, 2)
			return right(sum == 3, err)
		},
		crc32: func() error {
			sum, err := c.crc32(ctx, data)
			return right(sum == want, err)
		},
	}
}

func right(is bool, err error) error {
	if err == nil && !is {
		err = fmt.Errorf("a wrong answer")
	}
	return err
}

func run(rounds int) error {
	data := bytes.Repeat([]byte("cordon! "), 128)
	cordons, end, err := ours(data)
	if err != nil {
		return err
	}
	defer end()
	plugged, end, err := startPlugin()
	if err != nil {
		return err
	}
	defer end()
	plain, end, err := startPlain()
	if err != nil {
		return err
	}
	defer end()
	contenders := []contender{cordons, theirs("go-plugin", plugged, data), theirs("gRPC", plain, data)}
	for _, q := range questions {
		if err := ask(q, contenders, rounds); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	bePeer()
	rounds := flag.Int("rounds", 100, "rounds of each question")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*rounds); err != nil {
		log.Println(err)
		os.Exit(1)
	}
}
