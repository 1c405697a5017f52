package vault

import (
	"slices"
	"time"

	"coffer/chunk/pack"
)

// An effort says how hard a lane compresses its next pack, by how it fared
// with the one before. While the lane has to wait for uploads, harder
// compression costs no time and saves some; while it does not, the processor
// (or the disk) is what all wait for, and compressing is most of its work.
//
// The first pack has the level that the run was given: of a run of one pack
// nobody waits for anything.
type effort struct {
	at    int       // in efforts
	since time.Time // when the lane began to fill the present pack
}

// efforts are the levels from light to hard. Each takes at most stepCost times
// as long as the one before, with reading and hashing less.
var efforts = [...]pack.Level{pack.Fastest, pack.Default, pack.Better}

const stepCost = 2

func newEffort(l pack.Level) *effort {
	return &effort{at: max(0, slices.Index(efforts[:], l)), since: time.Now()}
}

// next returns the level of the next pack, when a pack was full at one time
// and could be sealed at another. sending is the part of what packs take after
// that is not the processor's work.
func (e *effort) next(full, free time.Time, sending float64) pack.Level {
	worked, waited := full.Sub(e.since), time.Duration(float64(free.Sub(full))*sending)
	e.since = free
	e.at = e.choose(worked, waited)
	return efforts[e.at]
}

// choose returns the hardest level at which the lane would still have waited a
// little, or a lighter one if it hardly waited.
func (e *effort) choose(worked, waited time.Duration) int {
	if waited*8 < worked || waited <= 0 {
		return max(0, e.at-1)
	}
	at, room := e.at, (worked+waited)*9/10
	for at < len(efforts)-1 && worked*stepCost <= room {
		worked *= stepCost
		at++
	}
	return at
}

// sendingShare is how much of the time between sealing a pack and its
// acknowledgement is the remote's, in this run so far.
func (r *Run) sendingShare() float64 {
	sending, proving := r.sending.Load(), r.proving.Load()
	if sending+proving == 0 {
		return 0
	}
	return float64(sending) / float64(sending+proving)
}
