// SPDX-License-Identifier: Apache-2.0

// Package direct calls C as cgo does: what benchmarks compare with.
package direct

// #include <stdlib.h>
import "C"

// Abs is abs(3).
func Abs(n int32) int32 { return int32(C.abs(C.int(n))) }
