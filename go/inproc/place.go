// SPDX-License-Identifier: Apache-2.0

package inproc

// #include "lender.h"
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// place is a worker of level inline: calls are executed by who calls, in C, and callbacks by Go again, on the same goroutine.
type place struct {
	c      *C.struct_cordon_place
	self   cgo.Handle
	relays []func() // of executions in progress: one, and those inside of its callbacks
}

// Place implements what package cordon asks of daemons that have such workers.
func (d *daemon) Place(worker uint32) (serve func(relay func()), leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil
	}
	c := C.cordon_lender_place(d.lender, C.uint32_t(worker))
	if c == nil {
		return nil, nil
	}
	p := &place{c: c}
	p.self = cgo.NewHandle(p)
	return p.serve, p.leave
}

func (p *place) serve(relay func()) {
	p.relays = append(p.relays, relay)
	C.inproc_serve(p.c, C.uintptr_t(p.self))
	p.relays = p.relays[:len(p.relays)-1]
}

func (p *place) leave() {
	C.cordon_place_leave(p.c)
	p.self.Delete()
}

//export cordonInprocRelay
func cordonInprocRelay(handle unsafe.Pointer) {
	p := cgo.Handle(uintptr(handle)).Value().(*place)
	p.relays[len(p.relays)-1]()
}
