package verify

import (
	"time"
)

// A Problem is an object that is missing or wrong, and what that harms.
type Problem struct {
	Object    string // full name
	Err       error
	Harms     string   // in the user's words
	Snapshots []string // short IDs of those it harms, the first twenty
	Files     []string // paths it harms, the first twenty; Deep only
	FileCount int64
}

// A Replacement is a pack that is missing or wrong, and of which a move says
// where its chunks are now; or a ledger or roll, for which another one stands in.
type Replacement struct {
	Object    string // full name
	Err       error
	Moves     []string // base names of the moves' commits
	Snapshots []string // short IDs of those that need it, the first twenty
	// Sure: all that snapshots need of it is elsewhere, and is known to be. Else
	// only Deep can tell: without the identity neither maps nor manifests can be
	// read.
	Sure bool
	// Proven: Deep has found every chunk of it that a snapshot needs elsewhere,
	// or every pack named that one needs.
	Proven bool
	// Before is when Deep had proven it on this device, where that is how it is
	// known.
	Before time.Time
	// Note is what else is known of it, or "".
	Note string
}

// Result tells what was looked at and found.
type Result struct {
	Snapshots     int
	Packs         int64 // that snapshots need
	Bytes         int64 // of them
	ReadPacks     int64
	ReadBytes     int64
	Chunks        int64 // hashed again; Deep only
	Entries       int64 // of manifests walked; Deep only
	Unneeded      int64 // packs that no snapshot needs: of runs at work or interrupted, or to be pruned
	UnneededBytes int64
	Problems      []Problem
	Repacked      int64         // packs that a repack has let go and that are gone
	Replaced      []Replacement // bad packs and lists that harm nothing
	Doubts        []Replacement // bad packs and lists that are replaced in part at least: whether wholly only Deep can tell
	Deep          bool
	Stopped       bool     // by MaxDuration, before all was read that was due
	Coverage      Coverage // over all runs, as far as this device remembers
	NotRecorded   error    // why Record did not commit; nil if it did or was not asked for
	NotRemembered error    // why this device did not note it for the next one and for status; nil if it did
	Duration      time.Duration
}

// Coverage tells how much of the packs was read in full and found good, ever
// and how lately.
type Coverage struct {
	Never      int64     `json:"never"` // packs that were not
	NeverBytes int64     `json:"neverBytes"`
	Oldest     time.Time `json:"oldest,omitzero"` // of all others, when the one was read that waits longest
}
