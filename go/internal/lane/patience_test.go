// SPDX-License-Identifier: Apache-2.0

package lane

import "testing"

const patienceWaits = 20000

// waitOften waits for answers that take so many pauses, and returns how many looks came early, and how many pauses late.
func waitOften(t *testing.T, takes func(wait int) uint32) (early, late int) {
	t.Helper()
	var p patience
	for i := 0; i < patienceWaits; i++ {
		took, pauses := takes(i), p.begin()
		if pauses > patienceMost {
			t.Fatalf("it waits for %d pauses", pauses)
		}
		first := pauses
		if first == 0 {
			first = 1
		}
		looks := uint32(1)
		if took > first {
			early++
			looks = took - first + 1
		} else {
			late += int(first - took)
		}
		if looks > spinSoon {
			looks = 0
		}
		p.end(pauses, looks)
	}
	return early, late
}

func TestPatienceMeetsAnswersThatTakeAlike(t *testing.T) {
	early, late := waitOften(t, func(int) uint32 { return 8 })
	if early > patienceWaits/4 || late > patienceWaits/4 {
		t.Errorf("%d looks came early, and others %d pauses late", early, late)
	}
}

func TestPatienceIsNotForTheSlowOnes(t *testing.T) {
	_, late := waitOften(t, func(wait int) uint32 {
		if uint32(wait)*2654435761>>20%10 < 7 {
			return 4
		}
		return 20
	})
	if late > patienceWaits/2 {
		t.Errorf("%d pauses late", late)
	}
}

func TestPatienceEndsWhereAnswersComeLate(t *testing.T) {
	if early, late := waitOften(t, func(int) uint32 { return 100 }); early != patienceWaits || late != 0 {
		t.Errorf("%d looks came early, others %d pauses late", early, late)
	}
}

func TestSpinSaysAtWhichLookItFoundTheTurn(t *testing.T) {
	word := uint32(7)
	if at := spin(&word, 6, 5, 3); at != 1 {
		t.Errorf("at look %d", at)
	}
	if at := spin(&word, 7, 0, 3); at != 0 {
		t.Errorf("at look %d, and nothing had changed", at)
	}
}
