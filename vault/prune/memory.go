package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/state"
)

// memory is what this device remembers from one prune to the next. It only
// makes a prune more careful: without it the next one waits longer.
type memory struct {
	Version int `json:"v"`
	// Ends are the newest commits that the last prune saw; each must be seen
	// by the next.
	Ends []string `json:"ends,omitempty"`
	// Expiry is what a probe found out about the remote.
	Expiry *expiry `json:"expiry,omitempty"`
	// Lists says when a condemned list was first seen, by a clock that nobody
	// can set. Only of remotes whose clock is this machine's own.
	Lists map[string]sighting `json:"lists,omitempty"`
	// Locks says when locks were last extended.
	Locks *extension `json:"locks,omitempty"`
}

// extension is a pass over all that is live, done to its end.
type extension struct {
	Location string    `json:"location"`
	At       time.Time `json:"at"`    // when it began, by the remote's clock
	Until    time.Time `json:"until"` // what was live then is locked, at least
}

// expiry tells whether a remote refuses what was staged too long ago.
type expiry struct {
	Location string    `json:"location"`
	Enforced bool      `json:"enforced"`
	At       time.Time `json:"at"`
}

// sighting is a moment: how long the machine had been on, sleep included.
type sighting struct {
	Boot string        `json:"boot"` // which start of the machine
	On   time.Duration `json:"on"`
}

const memoryFile = "prune.json"

// remember reads what the last prune left. A file that is damaged is like none.
func remember(d *state.Dir) (*memory, error) {
	m, err := state.ReadSmall[memory](d, memoryFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, state.ErrDamaged) {
		return &memory{Version: 1}, nil
	}
	return m, err
}

func (m *memory) save(d *state.Dir) error { return d.WriteSmall(memoryFile, m) }

// probeEvery is for how long the answer of a probe is believed.
const probeEvery = 30 * 24 * time.Hour

// grace returns how long condemned objects must wait on this remote; with an
// error too, unless it is 0. Without leave to probe, what is not known counts
// as not enforced.
func (m *memory) grace(ctx context.Context, v *vault.Vault, mayProbe bool) (time.Duration, error) {
	s := v.Safety()
	if least := s.CommitLife + 2*s.ListLag; s.Grace <= least || s.GraceLate < s.Grace {
		return 0, fmt.Errorf("grace of %s: want more than %s, the life of a commit and twice what a listing may lag", s.Grace, least)
	}
	e := m.Expiry
	known := e != nil && e.Location == v.Location() && time.Since(e.At).Abs() < probeEvery
	if !known && mayProbe {
		enforced, err := remote.ExpiryEnforced(ctx, v.Store())
		if err != nil {
			return s.GraceLate, fmt.Errorf("it could not be found out whether %s refuses commits that come too late, so what is condemned waits for %d days: %w", v.Location(), int(s.GraceLate.Hours()/24), err)
		}
		e = &expiry{v.Location(), enforced, time.Now().UTC().Truncate(time.Second)}
		m.Expiry, known = e, true
	}
	if known && e.Enforced {
		return s.Grace, nil
	}
	return s.GraceLate, nil
}

// left returns how long a condemned list must still wait by a clock that nobody
// can set, where the remote's clock is this machine's own; elsewhere 0. A list
// that is new to this device is seen now for the first time. What passed before
// the machine was started anew no clock tells; that it was started, and is on
// for GraceBoot, shows that every run that was at work on it is over, and that
// no other machine's commit can still be on its way.
func (m *memory) left(v *vault.Vault, list string, grace time.Duration) time.Duration {
	boot, on, ok := remote.SinceBoot(v.Store())
	if !ok {
		return 0
	}
	s, seen := m.Lists[list]
	switch {
	case !seen:
		if m.Lists == nil {
			m.Lists = map[string]sighting{}
		}
		m.Lists[list] = sighting{boot, on}
		return grace
	case s.Boot == boot:
		return max(0, s.On+grace-on)
	}
	return max(0, v.Safety().GraceBoot-on)
}
