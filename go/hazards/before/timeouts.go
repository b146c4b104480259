// SPDX-License-Identifier: Apache-2.0

package main

// #include "hazards.h"
import "C"

import (
	"context"
	"fmt"
	"os"
	"time"
)

// twice: a timer beside a C call cannot end the call; the job is answered by both.
func twice() error {
	const jobs = 20
	answers := make(chan int, 2*jobs)
	gate, open, err := os.Pipe()
	if err != nil {
		return err
	}
	for i := 0; i < jobs; i++ {
		go func(job int) {
			timer := time.AfterFunc(10*time.Millisecond, func() { answers <- job })
			C.hazard_read(C.int(gate.Fd())) // longer than the timeout
			timer.Stop()
			answers <- job
		}(i)
	}
	count := map[int]int{}
	for i := 0; i < jobs; i++ { // of all the timers: nothing else can have answered
		count[<-answers]++
	}
	open.Close()
	for i := 0; i < jobs; i++ {
		count[<-answers]++
	}
	doubled := 0
	for _, n := range count {
		if n == 2 {
			doubled++
		}
	}
	if doubled > 0 {
		return fmt.Errorf("%d of %d jobs were answered twice", doubled, jobs)
	}
	return nil
}

// spin: nothing ends a loop in C. The caller can look away, but its thread and its CPU are gone.
func spin() error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	returned := make(chan bool, 1)
	go func() {
		C.hazard_spin()
		returned <- true
	}()
	<-ctx.Done()
	seen := C.hazard_rounds()
	if err := await(func() bool { return C.hazard_rounds() > seen+1_000_000 || len(returned) > 0 }); err != nil {
		return err
	}
	if len(returned) == 0 {
		return fmt.Errorf("the deadline is over, and the call goes on")
	}
	return nil
}
