package prune

import (
	"slices"

	"coffer/vault"
	"coffer/vault/trust"
)

// ancestry answers which commits of a device came before another.
type ancestry struct {
	byBase map[string]*vault.Said     // by device and base name
	forked map[trust.DeviceID]bool    // devices whose numbers do not tell
	past   map[string]map[string]bool // of a commit in a forked history: its ancestors
}

func newAncestry(commits []*vault.Said) *ancestry {
	a := &ancestry{byBase: map[string]*vault.Said{}, forked: map[trust.DeviceID]bool{}, past: map[string]map[string]bool{}}
	last := map[trust.DeviceID]uint64{}
	for _, c := range commits {
		a.byBase[key(c.Device, c.Name().Base())] = c
		if last[c.Device] == c.Seq || len(c.Prev) > 1 {
			a.forked[c.Device] = true
		}
		last[c.Device] = c.Seq
	}
	return a
}

func key(d trust.DeviceID, base string) string { return string(d) + "/" + base }

// is tells whether c is an ancestor of m; both are of one device.
func (a *ancestry) is(c, m *vault.Said) bool {
	if !a.forked[m.Device] {
		return c.Seq < m.Seq
	}
	base := m.Name().Base()
	if a.past[base] == nil {
		a.past[base] = a.of(m)
	}
	return a.past[base][c.Name().Base()]
}

// of gathers the ancestors of m.
func (a *ancestry) of(m *vault.Said) map[string]bool {
	seen := map[string]bool{}
	queue := slices.Clone(m.Prev)
	for len(queue) > 0 {
		p := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[p] {
			continue
		}
		seen[p] = true
		if before := a.byBase[key(m.Device, p)]; before != nil {
			queue = append(queue, before.Prev...)
		}
	}
	return seen
}
