// SPDX-License-Identifier: Apache-2.0

package main

// #include "hazards.h"
import "C"

import (
	"fmt"
	"os"
)

// threads: a C call that waits has a thread of its own.
func threads() error {
	const calls = 500
	for i := 0; i < calls; i++ {
		go C.hazard_sleep(60_000)
	}
	if err := await(func() bool { return C.hazard_sleeping() == calls }); err != nil {
		return err
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err == nil && len(tasks) >= calls {
		err = fmt.Errorf("%d calls wait in %d threads", calls, len(tasks))
	}
	return err
}
