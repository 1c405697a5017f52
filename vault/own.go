package vault

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"coffer/vault/commit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// ownHistory is what this device remembers of its own commits, and the newest
// it has seen of the others. It is kept in own.json and is never trusted over
// the remote: what it names is looked for there at the start of each run.
type ownHistory struct {
	Heads    []string                    `json:"heads"` // names of own commits that no other own commit follows
	Projects map[trust.ProjectID]newest  `json:"projects"`
	Progress []openProgress              `json:"progress,omitempty"`
	Rolls    map[string]writtenRoll      `json:"rolls,omitempty"` // by series/folder
	Others   map[trust.DeviceID]headSeen `json:"others,omitempty"`
	Pending  string                      `json:"pending,omitempty"` // base name of a commit that was sent and not acknowledged

	cloned bool // a commit of ours was found that this state did not make
}

// newest is the newest snapshot of a project that this device made or inherits.
type newest struct {
	Commit string    `json:"commit"` // object name
	Body   string    `json:"body"`
	Ledger string    `json:"ledger"`
	Stable string    `json:"stable,omitempty"` // digest of what a body says apart from times
	Time   time.Time `json:"time"`
}

// openProgress is a progress commit that nothing has ended yet.
type openProgress struct {
	Project trust.ProjectID `json:"project"`
	Base    string          `json:"base"`
	Ledger  string          `json:"ledger"`
	Time    time.Time       `json:"time"`
}

type writtenRoll struct {
	Name  string    `json:"name"`
	Acked time.Time `json:"acked"`
}

type headSeen struct {
	Seq  uint64 `json:"seq"`
	Name string `json:"name"`
}

const ownFile = "own.json"

// loadOwn reads own.json. One that is missing or unreadable is like a new
// one: the remote's listing fills it again.
func (v *Vault) loadOwn() *ownHistory {
	h, err := state.ReadSmall[ownHistory](v.dir, ownFile)
	if err != nil {
		h = new(ownHistory)
	}
	if h.Projects == nil {
		h.Projects = map[trust.ProjectID]newest{}
	}
	if h.Rolls == nil {
		h.Rolls = map[string]writtenRoll{}
	}
	if h.Others == nil {
		h.Others = map[trust.DeviceID]headSeen{}
	}
	return h
}

func (v *Vault) saveOwn(h *ownHistory) error {
	return v.dir.WriteSmall(ownFile, h)
}

// adopt brings what is remembered in line with what the remote shows of this
// device's own commits: commits that were made and not remembered (their
// acknowledgement was lost, the state was restored from a copy, a clone is at
// work) become heads if this device's key signed them; heads that are gone are
// a rollback.
func (v *Vault) adopt(ctx context.Context, warn func(error)) (*ownHistory, error) {
	h := v.loadOwn()
	me, ok := v.trust.Device(v.Device())
	if !ok {
		return nil, ErrRevoked
	}
	names, err := v.listCommits(ctx, string(me.ID), h.listAfter(me.ID))
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for _, n := range names {
		listed[n.String()] = true
	}
	if lost := h.dropLost(listed); len(lost) > 0 {
		if names, err = v.rolledBack(ctx, h, me, lost, warn); err != nil {
			return nil, err
		}
	}
	if err := v.adoptUnknown(ctx, h, me, names, warn); err != nil {
		return nil, err
	}
	if err := v.lookAtOthers(ctx, h, warn); err != nil {
		return nil, err
	}
	h.expireProgress(time.Now().Add(-v.safety.ProgressLife))
	return h, v.saveOwn(h)
}

// listAfter is where a listing must start to show all heads and all that came
// after them.
func (h *ownHistory) listAfter(dev trust.DeviceID) string {
	if len(h.Heads) == 0 {
		return ""
	}
	low := seqOf(h.Heads[0])
	for _, x := range h.Heads {
		low = min(low, seqOf(x))
	}
	return commit.Folder(dev, low)
}

// seqOf is the number in a commit's name; 0 if it is none.
func seqOf(name string) uint64 {
	n, err := commit.ParseName(name)
	if err != nil {
		return 0
	}
	return n.Seq
}

// dropLost removes the heads that the remote does not show and returns them.
func (h *ownHistory) dropLost(listed map[string]bool) (lost []string) {
	h.Heads = slices.DeleteFunc(h.Heads, func(name string) bool {
		if !listed[name] {
			lost = append(lost, name)
		}
		return !listed[name]
	})
	return lost
}

// rolledBack handles a remote that lost commits this device made: nothing that
// only they named counts as stored any more, and the history goes on from what
// is left.
func (v *Vault) rolledBack(ctx context.Context, h *ownHistory, me *trust.Device, lost []string, warn func(error)) ([]commit.Name, error) {
	err := fmt.Errorf("%w: commit %s of this device is gone from %s", ErrRollback, lost[0], v.store.Location())
	v.notice("commits/"+string(me.ID), err, "the snapshots made since; whatever they held is uploaded again")
	warn(err)
	all, err := v.listCommits(ctx, string(me.ID), "")
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, n := range all {
		there[n.String()] = true
		there[n.Base()] = true
	}
	for id, p := range h.Projects {
		if n, err := commit.ParseName(p.Commit); err != nil || n.Device == me.ID && !there[p.Commit] {
			delete(h.Projects, id)
		}
	}
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return !there[p.Base] })
	h.Heads = nil
	return all, nil
}

// adoptUnknown takes over commits of this device that are listed and not
// remembered.
func (v *Vault) adoptUnknown(ctx context.Context, h *ownHistory, me *trust.Device, names []commit.Name, warn func(error)) error {
	remembered := len(h.Heads) > 0
	known := map[string]bool{}
	top := uint64(0)
	for _, x := range h.Heads {
		known[x] = true
		top = max(top, seqOf(x))
	}
	var unknown []commit.Name
	for _, n := range names {
		if !known[n.String()] && (len(h.Heads) == 0 || n.Seq > top || v.isNew(n)) {
			unknown = append(unknown, n)
		}
	}
	recs, err := v.fetchEach(ctx, me, unknown)
	if err != nil {
		return err
	}
	if recs, err = v.withoutAncestors(ctx, h, recs); err != nil {
		return err
	}
	for _, r := range recs {
		h.follow(r.name, r.c)
	}
	for _, r := range recs {
		if remembered && r.name.Base() != h.Pending {
			h.cloned = true
			warn(fmt.Errorf("commit %s was made with this device's key by another copy of its state; the snapshots of both copies stay valid; if a second machine uses this state folder, enrol it as a device of its own", r.name.Base()))
			break
		}
	}
	h.Pending = ""
	return nil
}

// withoutAncestors leaves out what the remembered heads follow: it is new to
// the cache only.
func (v *Vault) withoutAncestors(ctx context.Context, h *ownHistory, recs []record) ([]record, error) {
	if len(recs) == 0 || len(h.Heads) == 0 {
		return recs, nil
	}
	heads, err := v.headCommits(ctx, h)
	if err != nil {
		return nil, err
	}
	byBase := map[string]*commit.Commit{}
	for _, r := range recs {
		byBase[r.name.Base()] = r.c
	}
	past := map[string]bool{}
	for len(heads) > 0 {
		c := heads[len(heads)-1]
		heads = heads[:len(heads)-1]
		for _, p := range c.Prev {
			if older := byBase[p]; older != nil && !past[p] {
				past[p] = true
				heads = append(heads, older)
			}
		}
	}
	return slices.DeleteFunc(recs, func(r record) bool { return past[r.name.Base()] }), nil
}

// isNew tells a commit that was never seen from one that a head follows: every
// commit this device made or adopted is in its cache.
func (v *Vault) isNew(n commit.Name) bool {
	_, ok := v.cached(cacheName(n.String()))
	return !ok
}

// follow makes c a head in place of those it follows, and notes what it says.
func (h *ownHistory) follow(n commit.Name, c *commit.Commit) {
	h.Heads = slices.DeleteFunc(h.Heads, func(x string) bool { return slices.Contains(c.Prev, path.Base(x)) })
	if !slices.Contains(h.Heads, n.String()) {
		h.Heads = append(h.Heads, n.String())
	}
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return slices.Contains(c.Ends, p.Base) })
	switch c.Kind {
	case commit.Snapshot:
		if old, ok := h.Projects[c.Project]; !ok || !old.Time.After(n.Time) {
			h.Projects[c.Project] = newest{Commit: n.String(), Body: c.Body, Ledger: c.Ledger, Time: n.Time}
		}
	case commit.Progress:
		h.Progress = append(h.Progress, openProgress{c.Project, n.Base(), c.Ledger, n.Time})
	}
}

func (h *ownHistory) expireProgress(before time.Time) {
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return p.Time.Before(before) })
}

// lookAtOthers learns the newest commit of each other device, and notices if
// one that was seen is gone.
func (v *Vault) lookAtOthers(ctx context.Context, h *ownHistory, warn func(error)) error {
	for _, dev := range v.trust.Devices {
		if dev.ID == v.Device() {
			continue
		}
		if err := v.lookAt(ctx, h, &dev, warn); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) lookAt(ctx context.Context, h *ownHistory, dev *trust.Device, warn func(error)) error {
	seen := h.Others[dev.ID]
	names, err := v.listCommits(ctx, string(dev.ID), commit.Folder(dev.ID, seen.Seq))
	if err != nil {
		return err
	}
	found := seen.Name == ""
	for _, n := range names {
		found = found || n.String() == seen.Name
	}
	if !found {
		err := fmt.Errorf("%w: commit %s of device %s (%s) is gone from %s", ErrRollback, seen.Name, dev.ID, dev.Label, v.store.Location())
		v.notice(seen.Name, err, "the snapshots that device made since")
		warn(err)
	}
	for _, n := range slices.Backward(names) {
		if n.Seq <= seen.Seq {
			break
		}
		if dev.Until != nil && n.Seq > dev.Until.Seq {
			continue
		}
		_, err := v.commit(ctx, dev, n)
		if err == nil {
			h.Others[dev.ID] = headSeen{n.Seq, n.String()}
			break
		}
		if !isDamage(err) {
			return err
		}
		v.notice(n.String(), err, "if it was a snapshot, that snapshot")
	}
	return nil
}

// inherits tells whether a device's packs and commits count as this one's own.
func (v *Vault) inherits(id trust.DeviceID) bool {
	me, ok := v.trust.Device(v.Device())
	return ok && (id == me.ID || slices.Contains(me.Inherits, id))
}

// CheckSeen looks for the newest commits that this device has seen, its own
// and others', and notices those that the remote does not show.
func (v *Vault) CheckSeen(ctx context.Context) error {
	if v.dir == nil {
		return nil
	}
	h := v.loadOwn()
	for _, name := range h.Heads {
		if err := v.checkSeen(ctx, name); err != nil {
			return err
		}
	}
	for _, s := range h.Others {
		if err := v.checkSeen(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) checkSeen(ctx context.Context, name string) error {
	n, err := commit.ParseName(name)
	if err != nil {
		return nil
	}
	for info, err := range v.store.List(ctx, name, "") {
		if err != nil {
			return fmt.Errorf("look for %s: %w", name, err)
		}
		if info.Name == name {
			return nil
		}
	}
	v.notice(name, fmt.Errorf("%w: this commit was seen, and %s does not show it", ErrRollback, v.store.Location()),
		fmt.Sprintf("what device %s committed at %s and since", n.Device, n.Time.Format(time.RFC3339)))
	return nil
}
