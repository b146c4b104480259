// SPDX-License-Identifier: Apache-2.0

// Package hazards shows what native libraries do to programs in Go, twice: before calls them by cgo and has the hazard;
// after calls the same functions behind Cordon and has it not.
package hazards

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// libraryVariable names libhazards.so, as the build makes it.
const libraryVariable = "CORDON_TEST_HAZARDS"

// ending is how a program that has the hazard ends.
type ending struct {
	status  int
	signal  syscall.Signal
	says    string
	saysNot string
}

var hazards = []struct {
	name   string
	before ending
}{
	{"threads", ending{status: 1, says: "500 calls wait in 5"}},
	{"finalizer", ending{status: 1, says: "was freed while it was in use"}},
	{"stolen", ending{status: 1, says: "the library took 2 of SIGUSR1"}},
	{"onstack", ending{status: 2, says: "handler not on signal stack"}},
	{"sigchld", ending{status: 1, says: "a child's end is lost"}},
	{"sigpipe", ending{signal: syscall.SIGPIPE}},
	{"crash", ending{status: 2, says: "SIGSEGV", saysNot: "recovered"}},
	{"twice", ending{status: 1, says: "20 of 20 jobs were answered twice"}},
	{"exit", ending{status: 7, saysNot: "deferred"}},
	{"spin", ending{status: 1, says: "the deadline is over, and the call goes on"}},
}

func library(t *testing.T) string {
	t.Helper()
	path := os.Getenv(libraryVariable)
	if path == "" {
		t.Skipf("%s does not name libhazards.so", libraryVariable)
	}
	return path
}

// build makes one of the two programs.
func build(t *testing.T, name string, env ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	command := exec.Command("go", "build", "-o", program, "./"+name)
	command.Env = append(os.Environ(), env...)
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, said)
	}
	return program
}

// run runs a program to its end, which comes within a minute.
func run(t *testing.T, program string, args ...string) (ended *os.ProcessState, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	output, err := command.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) || ctx.Err() != nil {
		t.Fatalf("%v: %v\n%s", args, err, output)
	}
	return command.ProcessState, string(output)
}

func (e *ending) is(ended *os.ProcessState, said string) bool {
	status := ended.Sys().(syscall.WaitStatus)
	if e.signal != 0 && !(status.Signaled() && status.Signal() == e.signal) {
		return false
	}
	if e.signal == 0 && !(status.Exited() && status.ExitStatus() == e.status) {
		return false
	}
	return strings.Contains(said, e.says) && (e.saysNot == "" || !strings.Contains(said, e.saysNot))
}

func TestCgoHasTheHazards(t *testing.T) {
	dir := filepath.Dir(library(t))
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	if _, err := exec.LookPath(strings.Fields(compiler)[0]); err != nil {
		t.Skipf("cgo wants a C compiler: %v", err)
	}
	program := build(t, "before", "CGO_ENABLED=1", "CGO_LDFLAGS=-L"+dir+" -Wl,-rpath,"+dir)
	for _, hazard := range hazards {
		hazard := hazard
		t.Run(hazard.name, func(t *testing.T) {
			if ended, said := run(t, program, hazard.name); !hazard.before.is(ended, said) {
				t.Errorf("%v, and says: %s", ended, said)
			}
		})
	}
}

func TestBehindCordonTheyAreNone(t *testing.T) {
	path := library(t)
	program := build(t, "after", "CGO_ENABLED=0")
	for _, hazard := range hazards {
		hazard := hazard
		t.Run(hazard.name, func(t *testing.T) {
			safe := ending{status: 0, says: "no hazard"}
			if hazard.name == "exit" {
				safe.says = "deferred"
			}
			if ended, said := run(t, program, hazard.name, path); !safe.is(ended, said) {
				t.Errorf("%v, and says: %s", ended, said)
			}
		})
	}
}

// What is compared above tells one ending from another.
func TestAnEndingIsJudged(t *testing.T) {
	for _, c := range []struct {
		script string
		is     ending
		want   bool
	}{
		{"echo said; exit 1", ending{status: 1, says: "said"}, true},
		{"echo said; exit 0", ending{status: 1, says: "said"}, false},
		{"exit 1", ending{status: 1, says: "said"}, false},
		{"kill -PIPE $$", ending{signal: syscall.SIGPIPE}, true},
		{"exit 141", ending{signal: syscall.SIGPIPE}, false},
		{"echo deferred; exit 7", ending{status: 7, saysNot: "deferred"}, false},
	} {
		if ended, said := run(t, "/bin/sh", "-c", c.script); c.is.is(ended, said) != c.want {
			t.Errorf("%q: %v", c.script, !c.want)
		}
	}
}
