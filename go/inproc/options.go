// SPDX-License-Identifier: Apache-2.0

package inproc

// #include <stdlib.h>
// #include "lender.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"unsafe"
)

// opening is what cordon.open is asked (docs/protocol/private.md), and the level.
type opening struct {
	Name          string   `json:"name"`
	Level         string   `json:"level"`
	Library       *string  `json:"library"`
	Interface     *string  `json:"interface"`
	InterfaceName *string  `json:"interface_name"`
	Policy        string   `json:"policy"`
	OnViolation   string   `json:"on_violation"`
	Grants        []string `json:"grants"`
	Require       []string `json:"require"`
	Reports       *string  `json:"reports"`
	ReportBytes   bool     `json:"report_bytes"`
	DeadlineMS    uint64   `json:"deadline_ms"`
	StartMS       uint64   `json:"start_ms"`
	MemoryBytes   uint64   `json:"memory_bytes"`
	CallBytes     uint32   `json:"call_bytes"`
	ArenaBytes    uint64   `json:"arena_bytes"`
	CPUMS         uint64   `json:"cpu_ms"`
	FileBytes     uint64   `json:"file_bytes"`
	FDs           uint32   `json:"fds"`
	Threads       uint32   `json:"threads"`
	ReportsMax    uint32   `json:"reports_max"`
	ReportsBytes  uint64   `json:"reports_bytes_max"`

	BreakerPercent  orNone `json:"breaker_percent"`
	BreakerSamples  uint32 `json:"breaker_samples"`
	BreakerWindowMS uint32 `json:"breaker_window_ms"`
	BreakerCoolMS   uint32 `json:"breaker_cool_down_ms"`
	BreakerProbes   uint32 `json:"breaker_probes"`

	Leases        uint32 `json:"leases"`
	LeaseIdleMS   uint64 `json:"lease_idle_ms"`
	DeadlineMaxMS uint64 `json:"deadline_max_ms"`
}

// orNone is a number of which null says that there is none.
type orNone uint32

func (n *orNone) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = math.MaxUint32
		return nil
	}
	return json.Unmarshal(text, (*uint32)(n))
}

func readOpening(params json.RawMessage) (*opening, error) {
	o := &opening{}
	reader := json.NewDecoder(bytes.NewReader(params))
	reader.DisallowUnknownFields()
	if err := reader.Decode(o); err != nil {
		return nil, err
	}
	return o, nil
}

func choice(key, name string, names ...string) (uint32, error) {
	for i, known := range names {
		if name == known || name == "" && i == 0 {
			return uint32(i), nil
		}
	}
	return 0, fmt.Errorf("%s is %q, but has to be one of %q", key, name, names)
}

func isolations(names []string) (bits C.uint32_t, err error) {
next:
	for _, name := range names {
		for bit := C.uint32_t(1); bit != 0; bit <<= 1 {
			if known := C.cordon_isolation_name(bit); known != nil && C.GoString(known) == name {
				bits |= bit
				continue next
			}
		}
		return 0, fmt.Errorf("require: %q names no isolation (\"survives-crash\", ...)", name)
	}
	return bits, nil
}

// strings are C's, for the time of an opening.
type strings []unsafe.Pointer

func (s *strings) of(text *string) *C.char {
	if text == nil {
		return nil
	}
	copied := C.CString(*text)
	*s = append(*s, unsafe.Pointer(copied))
	return copied
}

func (s *strings) list(texts []string) **C.char {
	if len(texts) == 0 {
		return nil
	}
	memory := C.calloc(C.size_t(len(texts)+1), C.size_t(unsafe.Sizeof((*C.char)(nil))))
	*s = append(*s, memory)
	list := unsafe.Slice((**C.char)(memory), len(texts)+1)
	for i := range texts {
		list[i] = s.of(&texts[i])
	}
	return (**C.char)(memory)
}

func (s *strings) free() {
	for _, memory := range *s {
		C.free(memory)
	}
}

// cell fills in what libcordon opens a cell by. Its strings live until they are freed.
func (o *opening) cell(options *C.struct_cordon_cell_options, own *strings) error {
	// In the order of enum cordon_level, which begins with another one than what is said by nothing.
	level, err := choice("level", o.Level, "process", "thread", "inline")
	if o.Level == "" {
		level = C.CORDON_LEVEL_THREAD
	}
	if err != nil {
		return err
	}
	policy, err := choice("policy", o.Policy, "strict", "files", "network", "trusted")
	if err != nil {
		return err
	}
	violation, err := choice("on_violation", o.OnViolation, "refuse", "kill")
	if err != nil {
		return err
	}
	require, err := isolations(o.Require)
	if err != nil {
		return err
	}
	*options = C.struct_cordon_cell_options{
		size:                 C.sizeof_struct_cordon_cell_options,
		level:                level,
		policy:               policy,
		on_violation:         violation,
		require:              require,
		workers:              C.uint32_t(o.Leases),
		spares:               C.CORDON_NONE, // who lends starts what is asked for
		deadline_ms:          C.uint64_t(o.DeadlineMS),
		start_ms:             C.uint64_t(o.StartMS),
		memory_bytes:         C.uint64_t(o.MemoryBytes),
		call_bytes:           C.uint32_t(o.CallBytes),
		arena_bytes:          C.uint64_t(o.ArenaBytes),
		cpu_ms:               C.uint64_t(o.CPUMS),
		file_bytes:           C.uint64_t(o.FileBytes),
		fds:                  C.uint32_t(o.FDs),
		threads:              C.uint32_t(o.Threads),
		reports_max:          C.uint32_t(o.ReportsMax),
		reports_bytes_max:    C.uint64_t(o.ReportsBytes),
		report_bytes:         C.bool(o.ReportBytes),
		breaker_percent:      C.uint32_t(o.BreakerPercent),
		breaker_samples:      C.uint32_t(o.BreakerSamples),
		breaker_window_ms:    C.uint32_t(o.BreakerWindowMS),
		breaker_cool_down_ms: C.uint32_t(o.BreakerCoolMS),
		breaker_probes:       C.uint32_t(o.BreakerProbes),
	}
	options.library = own.of(o.Library)
	options.interface_text = own.of(o.Interface)
	options.interface_name = own.of(o.InterfaceName)
	options.reports = own.of(o.Reports)
	options.grants = own.list(o.Grants)
	return nil
}

func (o *opening) lend() C.struct_cordon_lend_options {
	return C.struct_cordon_lend_options{
		size:            C.sizeof_struct_cordon_lend_options,
		leases:          C.uint32_t(o.Leases),
		lease_idle_ms:   C.uint64_t(o.LeaseIdleMS),
		deadline_max_ms: C.uint64_t(o.DeadlineMaxMS),
		here:            true,
	}
}
