// SPDX-License-Identifier: Apache-2.0

package main

// #include "hazards.h"
import "C"

import (
	"fmt"
	"runtime/debug"
)

// crash: no recover and no setting helps against a fault in C.
func crash() error {
	debug.SetPanicOnFault(true)
	defer func() { fmt.Println("recovered:", recover()) }()
	C.hazard_crash()
	return nil
}

// exit: a library that ends the process skips every defer.
func exit() error {
	defer fmt.Println("deferred")
	C.hazard_exit()
	return nil
}
