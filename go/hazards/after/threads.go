// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// threads: 500 calls that wait, in the library or for a worker, cost a goroutine each.
func threads(l *library) error {
	const calls, milliseconds = 500, 40
	errs := make(chan error, calls)
	for i := 0; i < calls; i++ {
		go func() {
			_, err := l.call(context.Background(), "hazard_sleep", milliseconds)
			errs <- err
		}()
	}
	most := 0
	for done := 0; done < calls; done++ {
		if err := <-errs; err != nil {
			return err
		}
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		if len(tasks) > most {
			most = len(tasks)
		}
	}
	if bound := runtime.GOMAXPROCS(0) + 10; most > bound {
		return fmt.Errorf("%d calls waited in %d threads, more than %d", calls, most, bound)
	}
	fmt.Printf("%d calls, %d threads; ", calls, most)
	return nil
}
