// SPDX-License-Identifier: Apache-2.0

// Command compress is an HTTP service that compresses what is posted to it, with zlib, in worker processes. A body that
// crashes the library, or makes it loop, fails its own request, and no other.
//
//	go run ./examples/compress -listen localhost:8080
//	curl --data-binary @file localhost:8080 >file.z
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	"cordon.internal/cordon"
)

const declarations = `
int compress2(out uint8_t dest[*destLen], inout unsigned long *destLen,
              const uint8_t source[sourceLen], unsigned long sourceLen, int level);
unsigned long compressBound(unsigned long sourceLen);
`

const (
	bodyMax = 1 << 20
	callMax = 500 * time.Millisecond
	level   = 6
)

type service struct {
	compress2 *cordon.Func
	bound     cordon.Typed1[int, uint64]
}

func newService(zlib *cordon.Cell) (s service, err error) {
	if s.compress2, err = zlib.Func("compress2"); err != nil {
		return s, err
	}
	s.bound, err = cordon.Bind1[int, uint64](zlib, "compressBound")
	return s, err
}

func (s service) compress(ctx context.Context, body []byte) ([]byte, error) {
	room, err := s.bound.Call(ctx, len(body))
	if err != nil {
		return nil, err
	}
	result, err := s.compress2.Call(ctx, room, body, level)
	if err != nil {
		return nil, err
	}
	if result.Int() != 0 {
		return nil, errors.New("zlib refuses")
	}
	return result.Out("dest").([]byte), nil
}

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "post what is to be compressed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callMax)
	defer cancel()
	compressed, err := s.compress(ctx, body)
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	w.Header().Set("Content-Type", "application/zlib")
	_, _ = w.Write(compressed)
}

// statusOf tells the client whose fault it is, and whether to come again.
func statusOf(err error) int {
	var crash *cordon.CrashError
	var busy *cordon.BusyError
	var open *cordon.OpenError
	switch {
	case errors.As(err, &crash):
		return http.StatusBadGateway
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.As(err, &busy), errors.As(err, &open):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func main() {
	listen := flag.String("listen", "localhost:8080", "address to listen on")
	library := flag.String("library", "libz.so.1", "the library")
	flag.Parse()
	zlib, err := cordon.Open(context.Background(), *library, cordon.WithInterface(declarations))
	if err != nil {
		log.Fatal(err)
	}
	service, err := newService(zlib)
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Addr: *listen, Handler: service, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
