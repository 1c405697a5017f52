package verify

import (
	"sync/atomic"
	"time"
)

// Options say how much is looked at.
type Options struct {
	// ReadData is the part of the packs' bytes, from 0 to 1, that is fetched and
	// hashed: packs that were never read first, then those read longest ago.
	// Without local state nobody remembers, and chance decides. 1/30 a day reads
	// every byte every month.
	ReadData float64
	// MaxAge leaves out packs that were read in full and found good since; 0
	// leaves out none.
	MaxAge time.Duration
	// MaxDuration ends the reading in order after that long; 0 means never. The
	// next time goes on from there.
	MaxDuration time.Duration
	// Deep opens everything; it needs the identity, and implies reading all,
	// whatever MaxAge and MaxDuration say.
	Deep bool
	// Record commits how it ended, if this device may write.
	Record bool
	// Parallel is how many packs are fetched at a time; 0 means 3.
	Parallel int

	Progress  *Progress
	OnProblem func(Problem) // calls do not overlap
	// OnReplaced is told of each Replacement, of those in Result.Doubts too; its
	// calls do not overlap with those of OnProblem.
	OnReplaced func(Replacement)
}

// reads tells whether packs are fetched.
func (o *Options) reads() bool { return o.Deep || o.ReadData > 0 }

// all tells whether everything is read.
func (o *Options) all() bool { return o.Deep || o.ReadData >= 1 }

// Progress is a run's counters. All may be read at any time.
type Progress struct {
	Packs, TotalPacks atomic.Int64 // to be read
	Bytes, TotalBytes atomic.Int64
	Stage             atomic.Pointer[string]
}
