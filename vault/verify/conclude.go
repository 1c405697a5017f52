package verify

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/state"
)

// A Summary is what a device remembers of its last verification.
type Summary struct {
	At        time.Time `json:"at"` // by the remote's clock
	Problems  int       `json:"problems"`
	Replaced  int       `json:"replaced"`
	Doubts    int       `json:"doubts,omitempty"`
	Packs     int64     `json:"packs"`
	Bytes     int64     `json:"bytes"`
	ReadBytes int64     `json:"readBytes"` // this time
	Coverage  Coverage  `json:"coverage"`
	// Deep is when all was last opened and nothing was found wrong; zero if never.
	Deep time.Time `json:"deep,omitzero"`
}

const summaryFile = "verify.json"

// Last returns the summary of the last verification that came to its end on
// this device, or nil.
func Last(dir *state.Dir) *Summary {
	s, err := state.ReadSmall[Summary](dir, summaryFile)
	if err != nil {
		return nil // as if it had never been: the next one makes it anew
	}
	return s
}

// conclude sums up, for the next time and for the record. That neither can be
// written, as on a full disk, takes nothing from what was found.
func (c *check) conclude(ctx context.Context) {
	for _, n := range c.needed {
		switch {
		case n.bad != nil: // told on its own
		case n.read.IsZero():
			c.res.Coverage.Never++
			c.res.Coverage.NeverBytes += n.pack.Size
		case c.res.Coverage.Oldest.IsZero() || n.read.Before(c.res.Coverage.Oldest):
			c.res.Coverage.Oldest = n.read
		}
	}
	if c.o.Record && c.v.Device() != "" {
		c.res.NotRecorded = c.v.RecordCheck(ctx, c.detail(), nil)
	}
	if c.v.State() == nil {
		return
	}
	s := &Summary{
		At: c.now, Problems: len(c.res.Problems), Replaced: len(c.res.Replaced), Doubts: len(c.res.Doubts), Packs: c.res.Packs, Bytes: c.res.Bytes,
		ReadBytes: c.res.ReadBytes, Coverage: c.res.Coverage,
	}
	if last := Last(c.v.State()); last != nil {
		s.Deep = last.Deep
	}
	if c.o.Deep && s.Problems+s.Doubts == 0 {
		s.Deep = c.now
	}
	s.At, s.Deep, s.Coverage.Oldest = plain(s.At), plain(s.Deep), plain(s.Coverage.Oldest)
	c.res.NotRemembered = errors.Join(c.res.NotRemembered, c.v.State().WriteSmall(summaryFile, s))
}

// plain is a time as its file gives it back.
func plain(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// detail is what the record says: objects only, which the remote sees anyway.
func (c *check) detail() commit.Detail {
	d := commit.Detail{Result: commit.OK, Bytes: uint64(c.res.ReadBytes)}
	for _, n := range c.needed {
		if n.found && n.bad == nil {
			d.Objects++
		}
	}
	for _, p := range c.res.Problems {
		switch {
		case errors.Is(p.Err, fs.ErrNotExist), errors.Is(p.Err, vault.ErrRollback):
			d.Missing++
		case errors.Is(p.Err, vault.ErrDamaged):
			d.Bad++
		}
	}
	switch {
	case d.Bad+d.Missing > 0:
		d.Result = commit.Damaged
	case c.res.Stopped, len(c.res.Problems)+len(c.res.Doubts) > 0:
		d.Result = commit.Incomplete
	}
	return d
}
