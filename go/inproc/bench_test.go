// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"context"
	"sort"
	"testing"
	"time"

	"cordon.internal/cordon"
	"cordon.internal/cordon/inproc"
	"cordon.internal/cordon/inproc/internal/direct"
)

// BenchmarkAbs calls a function that does nothing to speak of, in short rounds with direct calls by cgo between them: the
// median of their ratios is what a machine's moods leave alone.
func BenchmarkAbs(b *testing.B) {
	for _, level := range []inproc.Level{inproc.Thread, inproc.Inline} {
		b.Run(string(level), func(b *testing.B) { benchmarkAbs(b, inproc.WithLevel(level)) })
	}
}

func benchmarkAbs(b *testing.B, level cordon.OpenOption) {
	abs, err := cordon.Bind1[int32, int32](open(b, libcInterface, level), "abs")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	const round = 200
	var ratios []float64
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += round {
		began := time.Now()
		for i := int32(0); i < round; i++ {
			if got, err := abs.Call(ctx, -i); err != nil || got != i {
				b.Fatal(got, err)
			}
		}
		between := time.Now()
		for i := int32(0); i < round; i++ {
			if got := direct.Abs(-i); got != i {
				b.Fatal(got)
			}
		}
		ratios = append(ratios, float64(between.Sub(began))/float64(time.Since(between)))
	}
	sort.Float64s(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-cgo")
}

// BenchmarkCRC32 has a kilobyte copied on its way.
func BenchmarkCRC32(b *testing.B) {
	crc32, err := cordon.Bind2[uint32, []byte, uint32](open(b, zlibInterface), "crc32")
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 1024)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := crc32.Call(context.Background(), 0, text); err != nil {
			b.Fatal(err)
		}
	}
}
