// SPDX-License-Identifier: Apache-2.0

package lane

import "sync/atomic"

// storeRelease is a store behind which everything stands that was written before.
func storeRelease(word *uint32, value uint32) { atomic.StoreUint32(word, value) }
