// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"cordon.internal/cordon"
)

// serve starts the service with a library that has a defect.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	library := os.Getenv("CORDON_TEST_FLAWED")
	if library == "" {
		t.Skip("CORDON_TEST_FLAWED does not name libflawed.so")
	}
	cell, err := cordon.Open(context.Background(), library, cordon.WithInterface(declarations), cordon.WithReports(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cell.Close() })
	service, err := newService(cell)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	return server
}

func post(server *httptest.Server, body []byte) (status int, answer []byte, err error) {
	response, err := http.Post(server.URL, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// ask posts request number i, and judges what came.
func ask(server *httptest.Server, i int) error {
	text := fmt.Sprintf("request %d %s", i, strings.Repeat("what repeats is short ", i))
	want := http.StatusOK
	switch {
	case i%20 == 7:
		text, want = "crash"+text, http.StatusBadGateway
	case i%50 == 11:
		text, want = "hang"+text, http.StatusGatewayTimeout
	}
	status, answer, err := post(server, []byte(text))
	if err != nil {
		return err
	}
	if status != want {
		return fmt.Errorf("status %d, wanted %d: %s", status, want, answer)
	}
	if status != http.StatusOK {
		return nil
	}
	reader, err := zlib.NewReader(bytes.NewReader(answer))
	if err != nil {
		return err
	}
	if back, err := io.ReadAll(reader); err != nil || string(back) != text {
		return fmt.Errorf("%d bytes come back of %d, %v", len(back), len(text), err)
	}
	return nil
}

func TestAFaultFailsItsOwnRequestAlone(t *testing.T) {
	const requests, clients = 200, 4
	server := serve(t)
	numbers := make(chan int)
	var group sync.WaitGroup
	for i := 0; i < clients; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range numbers {
				if err := ask(server, i); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			}
		}()
	}
	for i := 0; i < requests; i++ {
		numbers <- i
	}
	close(numbers)
	group.Wait()
}

func TestRequestsAreJudged(t *testing.T) {
	server := serve(t)
	if status, _, err := post(server, make([]byte, bodyMax+1)); err != nil || status != http.StatusRequestEntityTooLarge {
		t.Errorf("too much: %d, %v", status, err)
	}
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.StatusCode)
	}
}
