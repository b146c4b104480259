// SPDX-License-Identifier: Apache-2.0

// Command before calls a misbehaving library by cgo. Each of its names is a hazard, and the program ends as it does to one
// that has it: with 1 and a sentence where it can still say something.
//
//	CGO_LDFLAGS="-L$DIR -Wl,-rpath,$DIR" go run ./before threads
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../native
#cgo LDFLAGS: -lhazards
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"time"
)

var hazards = map[string]func() error{
	"threads":   threads,
	"finalizer": finalizer,
	"stolen":    stolen,
	"onstack":   onstack,
	"sigchld":   sigchld,
	"sigpipe":   sigpipe,
	"crash":     crash,
	"twice":     twice,
	"exit":      exit,
	"spin":      spin,
}

func main() {
	if len(os.Args) != 2 || hazards[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: before HAZARD")
		os.Exit(64)
	}
	if err := hazards[os.Args[1]](); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("no hazard")
}

var errBound = errors.New("it did not come about in 20 s")

// await waits until something is so.
func await(condition func() bool) error {
	for until := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return errBound
		}
	}
	return nil
}
