// SPDX-License-Identifier: Apache-2.0

package lane

// storeRelease is a store behind which everything stands that was written before. On this machine any store is: an atomic
// one of Go's is a fence as well, which waits for what is on its way to the worker.
func storeRelease(word *uint32, value uint32) { *word = value }
