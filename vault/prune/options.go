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

	Progress *Progress // may be nil
}

// DefaultMaxDelete is the part of all packs that one call deletes unless it is
// told otherwise.
const DefaultMaxDelete = 0.5

// Progress is a prune's counters. All may be read at any time.
type Progress struct {
	Stage       atomic.Pointer[string]
	Done, Total atomic.Int64 // objects to be deleted
}

func (p *Progress) stage(text string) { p.Stage.Store(&text) }
