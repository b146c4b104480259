// SPDX-License-Identifier: Apache-2.0

package lane

import "math/bits"

// patience is how long who waits for an answer does not look for it: a look before the answer takes a copy of the line that the
// worker is about to write, and costs both another transfer of it. src/lane/patience.h has the whole story and its numbers;
// this is the same, with the same constants.
type patience struct {
	eighths    uint8 // of a pause, before the first look; less than one: each wait is a sample
	waits      uint8 // modulo patienceEach
	samples    uint8 // of this round
	roundLeast uint8 // pauses that the quickest of this round took
	least      uint8 // of the last whole round
}

const (
	patienceMost    = 28 // pauses
	patienceEach    = 32
	patienceSamples = 4

	timings = 128 // kinds of calls; what is beyond shares them
)

// begin returns how many pauses come before the first look of a wait that begins now; 0: one, as before each further look.
func (p *patience) begin() uint32 {
	p.waits = (p.waits + 1) % patienceEach
	if p.waits == 0 {
		return 0
	}
	return uint32(p.eighths / 8)
}

// end learns from a wait: pauses is what begin said, at which look the answer was found, 0: it was not found so soon.
func (p *patience) end(pauses, looks uint32) {
	if pauses > 0 {
		eighths, most := uint32(p.eighths)+8, uint32(p.least)*8+7
		if looks == 1 {
			eighths = uint32(p.eighths) - 1
		}
		if eighths > most {
			eighths = most
		}
		p.eighths = uint8(eighths)
		return
	}
	took := uint8(patienceMost + 1)
	if looks != 0 && looks <= patienceMost {
		took = uint8(looks)
	}
	if p.samples == 0 || took < p.roundLeast {
		p.roundLeast = took
	}
	if p.samples++; p.samples < patienceSamples {
		return
	}
	p.samples, p.least = 0, 0
	if p.roundLeast <= patienceMost {
		p.least = p.roundLeast
	}
	if p.eighths < 8 || p.eighths/8 > p.least {
		p.eighths = p.least * 8
	}
}

// timingOf is which patience is a call's: that of its function, and of about its size.
func timingOf(m *Message) uint8 {
	size := 0
	if m.Verb != Call {
		size = bits.Len32(uint32(m.Words[0] >> 32))
	}
	kind := m.Tag + uint32(size)<<16 + uint32(m.Verb)<<24
	return uint8((kind * 2654435761) >> 25)
}
