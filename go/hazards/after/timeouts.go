// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cordon.internal/cordon"
)

// ended makes a call with a deadline, and checks that it ended by it, and when.
func (l *library) ended(name string, args ...any) error {
	const within = 50 * time.Millisecond
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_, err := l.call(ctx, name, args...)
	took := time.Since(began)
	var late *cordon.TimeoutError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the call ended with %v", err)
	}
	if took < within-time.Millisecond || took > 10*time.Second {
		return fmt.Errorf("the call ended after %v", took)
	}
	return nil
}

// twice: a call ends once, by its return or by its deadline, and its worker does not stay busy.
func twice(l *library) error {
	const jobs = 20
	type answer struct {
		job int
		err error
	}
	answers := make(chan answer, 2*jobs)
	for i := 0; i < jobs; i++ {
		go func(job int) { answers <- answer{job, l.ended("hazard_sleep", 60_000)} }(i)
	}
	count := map[int]int{}
	for i := 0; i < jobs; i++ {
		a := <-answers
		if a.err != nil {
			return a.err
		}
		count[a.job]++
	}
	if err := l.serves(); err != nil {
		return err
	}
	if len(count) != jobs || len(answers) > 0 {
		return fmt.Errorf("%d jobs answered, %d more answers", len(count), len(answers))
	}
	return nil
}

// spin: a loop in C ends with its deadline.
func spin(l *library) error {
	for i := 0; i < 4; i++ {
		if err := l.ended("hazard_spin"); err != nil {
			return err
		}
	}
	return l.serves()
}
