// SPDX-License-Identifier: Apache-2.0

package cordon

import "testing"

func TestSmoke(t *testing.T) {
	clean(t)
	_, cell := openCell(t, "libc", libcInterface)
	for i := 1; i < 2000; i++ {
		if got := invoke(t, funcOf(t, cell, "abs"), -i).Value(); got != int32(i) {
			t.Fatalf("abs(%d) is %v", -i, got)
		}
	}
	if got := invoke(t, funcOf(t, cell, "strlen"), "in shared memory").Value(); got != uint64(16) {
		t.Fatalf("strlen is %v", got)
	}
}
