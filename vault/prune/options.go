package prune

import "sync/atomic"

// Options say how a prune is done; the zero value works.
type Options struct {
	// DryRun looks and changes nothing, neither on the remote nor in what this
	// machine remembers. What a first probe of the remote would tell is then
	// taken to be the worse answer.
	DryRun bool
	// MaxDelete is the part of all packs, from 0 to 1, that one call may
	// delete; 0 means DefaultMaxDelete. More is refused with a *TooManyError.
	MaxDelete float64

	// Repack also stores again, in new packs, what is needed of this device's
	// packs that are partly dead, and lets these go. It needs the vault's
	// identity. What else it reads is told at Partly.
	Repack bool
	// MaxUnused is how much of those packs may stay dead, from 0 to 1; 0 means
	// DefaultMaxUnused. MaxUnusedBytes, if not 0, counts in its place.
	MaxUnused      float64
	MaxUnusedBytes int64

	Progress *Progress // may be nil
}

// DefaultMaxUnused is the part of a device's packs that may be dead.
const DefaultMaxUnused = 0.05

// DefaultMaxDelete is the part of all packs that one call deletes unless it is
// told otherwise.
const DefaultMaxDelete = 0.5

// Progress is a prune's counters. All may be read at any time.
type Progress struct {
	Stage       atomic.Pointer[string]
	Done, Total atomic.Int64 // objects to be deleted, packs to be repacked
}

func (p *Progress) stage(text string) { p.Stage.Store(&text) }
