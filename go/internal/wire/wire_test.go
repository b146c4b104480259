// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair is a connection, and the end that the test plays the daemon at.
func pair(t *testing.T) (*net.UnixConn, *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { conn.Close() })
	}
	return ends[0], ends[1]
}

// client asks daemons, each of which serves one connection.
func client(t *testing.T, daemons ...func(conn *net.UnixConn)) *Client {
	t.Helper()
	next := 0
	c := New(func(context.Context) (*net.UnixConn, error) {
		if next == len(daemons) {
			return nil, errors.New("nobody listens")
		}
		ours, theirs := pair(t)
		go daemons[next](theirs)
		next++
		return ours, nil
	})
	t.Cleanup(c.Close)
	return c
}

func question(conn *net.UnixConn) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(conn, body)
	return body, err
}

func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// answers sends the bytes for each question.
func answers(all ...[]byte) func(conn *net.UnixConn) {
	return func(conn *net.UnixConn) {
		defer conn.Close()
		for _, bytes := range all {
			if _, err := question(conn); err != nil {
				return
			}
			_, _ = conn.Write(bytes)
		}
	}
}

func TestAQuestionIsAnswered(t *testing.T) {
	c := client(t, func(conn *net.UnixConn) {
		defer conn.Close()
		body, err := question(conn)
		if err != nil || !bytes.Contains(body, []byte(`"method":"m"`)) || !bytes.Contains(body, []byte(`"params":{"a":1}`)) {
			t.Errorf("asked %s, %v", body, err)
		}
		for _, b := range frame(`{"result":[1,2]}`) { // byte by byte
			_, _ = conn.Write([]byte{b})
		}
	})
	var result []int
	if fd, err := c.Call(context.Background(), "m", map[string]int{"a": 1}, &result); err != nil || fd != -1 || len(result) != 2 {
		t.Errorf("%v, %d, %v", result, fd, err)
	}
}

func TestADescriptorComesAlong(t *testing.T) {
	c := client(t, func(conn *net.UnixConn) {
		defer conn.Close()
		_, _ = question(conn)
		_, _, _ = conn.WriteMsgUnix(frame(`{"result":true}`), syscall.UnixRights(0), nil)
	})
	fd, err := c.Call(context.Background(), "m", nil, nil)
	if err != nil || fd < 0 {
		t.Fatalf("%d, %v", fd, err)
	}
	if flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
		t.Errorf("children would inherit it: %#x, %v", flags, errno)
	}
	syscall.Close(fd)
}

func TestARefusalIsAnError(t *testing.T) {
	c := client(t, answers(frame(`{"error":{"code":-32005,"message":"full","data":{"limit":"leases","retry_after_ms":7}}}`), frame(`{"result":1}`)))
	_, err := c.Call(context.Background(), "m", nil, nil)
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != CodeBusy || refused.Message != "full" || refused.Data.RetryAfterMS != 7 {
		t.Errorf("%v", err)
	}
	if _, err := c.Call(context.Background(), "m", nil, nil); err != nil {
		t.Errorf("the connection is lost: %v", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"nothing":              {},
		"half a length":        {0, 0},
		"a length of 0":        {0, 0, 0, 0},
		"one that is too long": binary.BigEndian.AppendUint32(nil, answerBytesMax+1),
		"4 GB":                 {0xff, 0xff, 0xff, 0xff},
		"half an answer":       frame(`{"result":1}`)[:10],
		"no JSON":              frame("result"),
	} {
		c := client(t, answers(bytes))
		if _, err := c.Call(context.Background(), "m", nil, nil); err == nil {
			t.Errorf("%s is an answer", name)
		}
	}
}

func TestAConnectionThatWasClosedIsMadeAnew(t *testing.T) {
	c := client(t, answers(frame(`{"result":1}`)), answers(frame(`{"result":2}`)))
	for want := 1; want <= 2; want++ {
		var got int
		if _, err := c.Call(context.Background(), "m", nil, &got); err != nil || got != want {
			t.Errorf("question %d: %d, %v", want, got, err)
		}
	}
	if _, err := c.Call(context.Background(), "m", nil, nil); err == nil {
		t.Error("nobody answered")
	}
}

func TestAContextEndsAQuestion(t *testing.T) {
	silent := func(conn *net.UnixConn) {
		_, _ = question(conn)
		_, _ = question(conn) // until it is closed
		conn.Close()
	}
	c := client(t, silent, silent)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	began := time.Now()
	if _, err := c.Call(ctx, "m", nil, nil); !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Errorf("cancelled: %v after %v", err, time.Since(began))
	}
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Call(ctx, "m", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: %v", err)
	}
}

func TestAClosedClientAsksNobody(t *testing.T) {
	c := client(t, answers(frame(`{"result":1}`)))
	c.Close()
	if _, err := c.Call(context.Background(), "m", nil, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
