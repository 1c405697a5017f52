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
// The first pack begins with the level that the run was given: of a run that
// stores little nobody waits for anything. One that stores more goes on with the
// lightest, until there is something to go by.
type effort struct {
	at    int       // in efforts
	eased bool      // the first pack has come far enough, or is done
	since time.Time // when the lane began to fill the present pack
}

// efforts are the levels from light to hard. Each takes at most stepCost times
// as long as the one before, with reading and hashing less.
var efforts = [...]pack.Level{pack.Fastest, pack.Default, pack.Better}

const stepCost = 2

// easeAfter is how many bytes of content a lane stores at the level it was given.
const easeAfter = 4 << 20

func newEffort(l pack.Level) *effort {
	return &effort{at: max(0, slices.Index(efforts[:], l)), since: time.Now()}
}

// ease returns the lightest level, once, when the first pack has got so far.
func (e *effort) ease(plain int64) (l pack.Level, ok bool) {
	if e.eased || plain < easeAfter {
		return l, false
	}
	e.at, e.eased = 0, true
	return efforts[0], true
}

// next returns the level of the next pack, when a pack was full and checked at
// one time, and the lane could go on at another.
func (e *effort) next(full, free time.Time) pack.Level {
	worked, waited := full.Sub(e.since), free.Sub(full)
	e.since, e.eased = free, true
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
