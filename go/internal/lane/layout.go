// SPDX-License-Identifier: Apache-2.0

// Package lane is the host's side of a lane: the two memories that a call travels through, between this process
// and one worker (docs/protocol/lane.md).
//
// H is written here and by the keeper, and cannot be written by the worker. W is written by the worker, too: each
// word of it is a claim, loaded once, judged, and used from the copy. Payload is copied out before anybody looks at
// it.
package lane

import "sync/atomic"

const (
	magic   = 0x4e414c43
	version = 2

	Slots = 64 // calls in flight
	Words = 6  // in a mail

	// A place at 0 is inside the mail: the last words are its bytes.
	InsideWord  = 4
	InsideBytes = 16

	depthMax = 16 // callbacks inside callbacks

	pageBytes = 4096
	bytesAt   = 8192 // where request and reply bytes begin
	bytesMin  = 8 * pageBytes
	share     = 4 // a quarter of W is the worker's, for its callbacks

	warmBytes = bytesAt + 16<<10
)

// Offsets in H.
const (
	atVerdict      = 64
	atVerdictSeq   = 68
	atVerdictFinal = 72
	atGone         = 76
	atViolations   = 80
	atDeath        = 96
	atParked       = 384
	atHostCPU      = 388
	atSubmitted    = 448
	atCollected    = 452
	atRecords      = 512
	atViolation    = 4608

	violationsKept  = 8
	violationBytes  = 424
	violationAct    = 24
	violationGrant  = 224
	violationText   = 200
	deathTextBytes  = 248
	recordBytes     = 64
	recordDeadline  = 0
	recordFunction  = 8
	recordStep      = 12
	recordWords     = 16
	recordIsNested  = 1 << 31
	finalSeq        = 1
	finalDeath      = 2
	parkedAny       = 0xffffffff
	wakeByEvent     = 1
	deathCodeExited = 1

	never = ^uint64(0) // a call without a deadline
)

// Offsets in W.
const (
	atWorkerState = 0
	atWorkerCPU   = 4
	atQueued      = 8
	atLeaving     = 12
	atMails       = 64

	mailBytes       = 64
	mailTag         = 4
	mailWords       = 8
	mailStatusBytes = 56

	workerRunning = 1
	workerParked  = 2
)

// Verb says what a message is.
type Verb uint32

const (
	Call           Verb = 1
	CallBytes      Verb = 2
	Return         Verb = 3
	Callback       Verb = 4
	CallbackReturn Verb = 5
	CallShort      Verb = 6
	Alarm          Verb = 7
)

// Verdict says why a lane ended. The first to swap Alive for another one has given it.
type Verdict uint32

const (
	Alive          Verdict = 0
	Died           Verdict = 1
	Deadline       Verdict = 2
	Closed         Verdict = 3
	Lied           Verdict = 4
	CallbackFailed Verdict = 5
	KeeperLost     Verdict = 6
	StartFailed    Verdict = 7
	Denied         Verdict = 8
	Recalled       Verdict = 9
)

// Place names bytes of H or W.
func Place(at, bytes uint32) uint64 {
	return uint64(bytes)<<32 | uint64(at)
}

func stepAfter(turn uint32) uint32 {
	return (turn>>4 + 1) & 0x0fffffff
}

func slotOf(seq uint32) uint32 {
	return (seq - 1) % Slots
}

func before(a, b uint32) bool {
	return int32(a-b) < 0
}

// What client and daemon have to agree on, in one number (docs/protocol/attach.md).
var identity = func() uint32 {
	hash := uint32(2166136261)
	for _, fact := range []uint32{version, Slots, Words, bytesAt, bytesAt, share,
		atVerdict, atDeath, atParked, atSubmitted, atRecords, recordBytes,
		atMails, mailBytes, mailWords, 8 + deathTextBytes,
		1 /* attach */, 1 /* provision */, 1 /* plan */, 80, 96, 56, 0} {
		hash = (hash ^ fact) * 16777619
	}
	return hash
}()

// Identity is the layout that this package was written for: a daemon with another one cannot be attached to.
func Identity() uint32 {
	return identity
}

// Sizes returns how large H and W have to be for calls of so many bytes each way.
func Sizes(callBytes uint32) (h, w uint32) {
	const overhead = 64 << 10 // pages in front, header and words of a frame, alignment
	round := func(n uint64) uint32 { return uint32((n + pageBytes - 1) &^ (pageBytes - 1)) }
	all := uint64(callBytes) + overhead
	return round(all), round(all/(share-1)*share + overhead)
}

// counters are for tests and benchmarks.
type counters struct {
	spinsWon, spinsLost, parks, wakes atomic.Uint64
}
