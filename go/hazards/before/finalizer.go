// SPDX-License-Identifier: Apache-2.0

package main

// #include <stdlib.h>
// #include "hazards.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

type text struct {
	pointer *C.struct_hazard_text
	name    string
}

func newText(of string) *text {
	bytes := C.CString(of)
	defer C.free(unsafe.Pointer(bytes))
	t := &text{C.hazard_text_new(bytes), of}
	runtime.SetFinalizer(t, func(t *text) { C.hazard_text_free(t.pointer) })
	return t
}

// finalizer: an owner that nobody names any more is collected, though what it owned is in use.
func finalizer() error {
	const said = "in use"
	pointer := newText(said).pointer
	err := await(func() bool {
		runtime.GC()
		return C.hazard_freed() == 1
	})
	if err != nil {
		return err
	}
	if read := C.GoString(C.hazard_text_read(pointer)); read != said {
		return fmt.Errorf("%q was freed while it was in use, and reads %.8q", said, read)
	}
	return nil
}
