package vault

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
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
	Pending  []string                    `json:"pending,omitempty"` // base names of commits that were sent and not acknowledged
	// Unsettled are those that were pending, were looked for and were not there:
	// they may still be on their way. At most keepUnsettled.
	Unsettled []unsettled `json:"unsettled,omitempty"`
	// Cloned: a commit of ours was found that this state did not make, and no
	// series of our own was begun since.
	Cloned bool `json:"cloned,omitempty"`
	// Rollbacks are what was seen and is gone.
	Rollbacks []Rollback `json:"rollbacks,omitempty"`
	// Audited is when all packs were last looked for, by the remote's clock.
	Audited time.Time `json:"audited,omitzero"`

	fresh   bool      // own.json was not there, or not readable
	damaged error     // why it was not
	now     time.Time // by the remote's clock

	file    state.Small // what own.json holds, or will when writing is over
	durable bool        // and after a crash, too
	saving  chan error  // of the write at work, if there is one
}

// newest is the newest snapshot of a project that this device made or inherits.
type newest struct {
	Commit string    `json:"commit"` // object name
	Body   string    `json:"body"`
	Ledger string    `json:"ledger"`
	Stable string    `json:"stable,omitempty"` // digest of what a body says apart from times
	Time   time.Time `json:"time"`

	Forgotten bool `json:"forgotten,omitempty"` // a forget names it: a prune may let its packs go
}

// openProgress is a progress commit that nothing has ended yet.
type openProgress struct {
	Project trust.ProjectID `json:"project"`
	Base    string          `json:"base"`
	Ledger  string          `json:"ledger"`
	Time    time.Time       `json:"time"`

	// Inherited ones are another device's: its packs count, but only it could
	// have ended it.
	Inherited bool `json:"inherited,omitempty"`
}

type writtenRoll struct {
	Name  string    `json:"name"`
	Acked time.Time `json:"acked"`
}

type headSeen struct {
	Seq  uint64 `json:"seq"`
	Name string `json:"name"`
}

// adopt brings what is remembered in line with what the remote shows of this
// device's own commits: commits that were made and not remembered (their
// acknowledgement was lost, the state was restored from a copy, a clone is at
// work) become heads if this device's key signed them; heads that are gone are
// a rollback.
func (v *Vault) adopt(ctx context.Context, now time.Time, warn func(error)) (*ownHistory, error) {
	h := v.loadOwn()
	h.now = now
	me, ok := v.Trust().Device(v.Device())
	if !ok {
		return nil, ErrRevoked
	}
	if h.damaged != nil {
		warn(fmt.Errorf("what this machine remembers of its commits is made anew: %w", h.damaged))
	}
	if h.fresh {
		if err := v.inheritAll(ctx, h, me); err != nil {
			return nil, err
		}
	}
	names, err := v.listCommits(ctx, string(me.ID), h.listAfter(me.ID))
	if err != nil {
		return nil, err
	}
	if names, err = v.checkHeads(ctx, h, me, names, warn); err != nil {
		return nil, err
	}
	if err := v.adoptUnknown(ctx, h, me, names, warn); err != nil {
		return nil, err
	}
	if err := v.lookAtOthers(ctx, h, warn); err != nil {
		return nil, err
	}
	if err := v.passForgotten(ctx, h); err != nil {
		return nil, err
	}
	h.expireProgress(now.Add(-v.safety.ProgressLife))
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

// checkHeads looks for the heads among the names listed. If one is gone, or
// can be read nowhere any more, the history goes on from what is left: then it
// returns all names.
func (v *Vault) checkHeads(ctx context.Context, h *ownHistory, me *trust.Device, names []commit.Name, warn func(error)) ([]commit.Name, error) {
	listed := map[string]commit.Name{}
	for _, n := range names {
		listed[n.String()] = n
	}
	for _, name := range h.Heads {
		n, ok := listed[name]
		if !ok {
			h.alarm(name)
			return v.rolledBack(ctx, h, me, fmt.Errorf("%w: commit %s of this device is gone from %s", ErrRollback, name, v.store.Location()), warn)
		}
		_, err := v.commit(ctx, me, n)
		if isDamage(err) {
			return v.rolledBack(ctx, h, me, err, warn)
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// rolledBack handles a remote that lost commits this device made: nothing that
// only they named counts as stored any more, and the history goes on from what
// is left.
func (v *Vault) rolledBack(ctx context.Context, h *ownHistory, me *trust.Device, why error, warn func(error)) ([]commit.Name, error) {
	v.notice("commits/"+string(me.ID), why, "the snapshots made since; whatever they held is uploaded again")
	warn(why)
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
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return !p.Inherited && !there[p.Base] })
	h.Heads = nil
	clear(h.Rolls)
	h.Audited = time.Time{} // packs may have gone with the commits
	return all, v.doubtWounds()
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
		if !known[n.String()] && (n.Seq >= top || v.isNew(n)) { // no head follows what has the newest one's number
			unknown = append(unknown, n)
		}
	}
	recs, _, err := v.fetchEach(ctx, me, unknown)
	if err != nil {
		return err
	}
	if recs, err = v.withoutAncestors(ctx, h, recs); err != nil {
		return err
	}
	made := h.made(recs)
	strange := slices.IndexFunc(recs, func(r record) bool { return !made[r.name.Base()] })
	if remembered && strange >= 0 {
		h.Cloned = true
		warn(fmt.Errorf("commit %s was made with this device's key by another copy of its state; the snapshots of both copies stay valid; if a second machine uses this state folder, enrol it as a device of its own", recs[strange].name.Base()))
	}
	for _, r := range recs {
		h.follow(r.name, r.c)
	}
	return nil
}

// made tells which commits, in order, this state has made though they are none
// of its heads: those that it awaits, those that were gone from the remote, and
// what these follow.
func (h *ownHistory) made(recs []record) map[string]bool {
	made := map[string]bool{}
	for _, r := range slices.Backward(recs) {
		base := r.name.Base()
		if made[base] || h.awaits(base) || h.missed(r.name.String()) {
			made[base] = true
			for _, p := range r.c.Prev {
				made[p] = true
			}
		}
	}
	return made
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
// commit that this device made, adopted or heeded lately is in its cache.
func (v *Vault) isNew(n commit.Name) bool { return !v.hasCached(cacheName(n.String())) }

// follow makes c a head in place of those it follows, and notes what it says.
// It is awaited no more.
func (h *ownHistory) follow(n commit.Name, c *commit.Commit) {
	h.settle(n.Base())
	h.Heads = slices.DeleteFunc(h.Heads, func(x string) bool { return slices.Contains(c.Prev, path.Base(x)) })
	if !slices.Contains(h.Heads, n.String()) {
		h.Heads = append(h.Heads, n.String())
	}
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return slices.Contains(c.Ends, p.Base) })
	switch c.Kind {
	case commit.Snapshot:
		if old, err := commit.ParseName(h.Projects[c.Project].Commit); err != nil || old.Device != n.Device || old.Seq < n.Seq || old.Seq == n.Seq && old.Time.Before(n.Time) {
			h.Projects[c.Project] = newest{Commit: n.String(), Body: c.Body, Ledger: c.Ledger, Time: n.Time}
		}
	case commit.Progress:
		h.progress(openProgress{Project: c.Project, Base: n.Base(), Ledger: c.Ledger, Time: n.Time})
	case commit.Forget:
		h.forget(c)
	}
}

// progress notes open progress, once.
func (h *ownHistory) progress(p openProgress) {
	if !slices.ContainsFunc(h.Progress, func(q openProgress) bool { return q.Base == p.Base }) {
		h.Progress = append(h.Progress, p)
	}
}

// forget notes which of the newest snapshots a forget names, or a withdrawal:
// passForgotten looks how each stands.
func (h *ownHistory) forget(c *commit.Commit) {
	for id, p := range h.Projects {
		if slices.Contains(c.Forgets, path.Base(p.Commit)) {
			p.Forgotten = true
			h.Projects[id] = p
		}
	}
}

// passForgotten puts the newest snapshot that is not forgotten in the place of
// one that is: nothing may rely on packs that a prune may let go.
func (v *Vault) passForgotten(ctx context.Context, h *ownHistory) error {
	for id, p := range h.Projects {
		if !p.Forgotten {
			continue
		}
		left, err := v.newestLeft(ctx, id)
		if err != nil {
			return err
		}
		if left != nil && left.Name.String() == p.Commit { // withdrawn
			p.Forgotten = false
			h.Projects[id] = p
			continue
		}
		if delete(h.Projects, id); left != nil {
			c := left.Commit
			h.Projects[id] = newest{Commit: left.Name.String(), Body: c.Body, Ledger: c.Ledger, Time: left.Name.Time}
		}
	}
	return nil
}

// newestLeft finds the newest snapshot of a project that this device made or
// inherits and nobody has forgotten, or nil.
func (v *Vault) newestLeft(ctx context.Context, project trust.ProjectID) (*Snapshot, error) {
	snaps, err := v.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Backward(snaps) {
		if s.Forgotten || !v.inherits(s.Name.Device) {
			continue
		}
		if err := v.loadSnapshot(ctx, s); err != nil {
			if !isDamage(err) {
				return nil, err
			}
			continue
		}
		if s.Commit.Project == project {
			return s, nil
		}
	}
	return nil, nil
}

func (h *ownHistory) expireProgress(before time.Time) {
	h.Progress = slices.DeleteFunc(h.Progress, func(p openProgress) bool { return p.Time.Before(before) })
}

// lookAtOthers learns the newest commit of each other device, and notices if
// one that was seen is gone.
func (v *Vault) lookAtOthers(ctx context.Context, h *ownHistory, warn func(error)) error {
	for _, dev := range v.Trust().Devices {
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
		h.alarm(seen.Name)
		v.notice(seen.Name, err, "the snapshots that device made since")
		warn(err)
	}
	if err := v.lookForForgets(ctx, h, dev, names); err != nil {
		return err
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

// lookForForgets reads the forgets of another device that were not read yet.
func (v *Vault) lookForForgets(ctx context.Context, h *ownHistory, dev *trust.Device, names []commit.Name) error {
	for _, n := range names {
		if n.Kind != commit.Forget || !v.isNew(n) || dev.Until != nil && n.Seq > dev.Until.Seq {
			continue
		}
		c, err := v.commit(ctx, dev, n)
		if isDamage(err) {
			v.notice(n.String(), err, "nothing: a forget that cannot be read forgets nothing")
			continue
		}
		if err != nil {
			return err
		}
		if dev.Has(c.Role()) {
			h.forget(c)
		}
	}
	return nil
}

// inherits tells whether a device's packs and commits count as this one's own.
func (v *Vault) inherits(id trust.DeviceID) bool {
	me, ok := v.Trust().Device(v.Device())
	return ok && (id == me.ID || slices.Contains(me.Inherits, id))
}

// CheckSeen looks for the newest commits that this device has seen, its own
// and others', and for those that the newest commit of each device names, and
// notices those that the remote does not show, or not the trust of. It notices
// commits of devices that the trust does not know, too.
func (v *Vault) CheckSeen(ctx context.Context) error {
	seen := map[string]bool{}
	if v.dir != nil {
		h := v.loadOwn()
		for _, name := range h.Heads {
			seen[name] = true
		}
		for _, s := range h.Others {
			seen[s.Name] = true
		}
	}
	for _, dev := range v.Trust().Devices {
		if err := v.headsSeenBy(ctx, &dev, seen); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if err := v.checkSeen(ctx, name); err != nil {
			return err
		}
	}
	return v.lookForStrangers(ctx)
}

// lookForStrangers notices the first commit of each device that the trust does
// not know. It lists one name of each folder.
func (v *Vault) lookForStrangers(ctx context.Context) error {
	for after := ""; ; {
		name, err := v.firstName(ctx, "commits/", after)
		if err != nil || name == "" {
			return err
		}
		device, _, _ := strings.Cut(strings.TrimPrefix(name, "commits/"), "/")
		if _, ok := v.Trust().Device(trust.DeviceID(device)); !ok {
			v.notice(name, fmt.Errorf("%.40q is no device of this vault", device),
				"nothing: what it says is left out; unless a newer trust is missing, which lets it in")
		}
		after = "commits/" + device + "0" // sorts after all that is in the folder
	}
}

// firstName returns the first name that begins with prefix and sorts after
// after, or "".
func (v *Vault) firstName(ctx context.Context, prefix, after string) (string, error) {
	for info, err := range v.store.List(ctx, prefix, after) {
		if err != nil {
			return "", fmt.Errorf("list %s: %w", strings.TrimSuffix(prefix, "/"), err)
		}
		return info.Name, nil
	}
	return "", nil
}

// headsSeenBy adds what the newest commit of a device says of the others.
func (v *Vault) headsSeenBy(ctx context.Context, dev *trust.Device, seen map[string]bool) error {
	recs, err := v.history(ctx, dev)
	if err != nil || len(recs) == 0 {
		return err
	}
	last := &recs[len(recs)-1]
	if err := v.load(ctx, last); err != nil {
		if isDamage(err) {
			return nil // history has told
		}
		return err
	}
	for _, h := range last.c.Heads {
		if n, err := commit.ParseBase(h.Name); err == nil {
			n.Device = h.Device
			seen[n.String()] = true
		}
	}
	if n, _, err := trust.ParseName(last.c.Trust); err == nil && n > v.Trust().N {
		v.notice(last.c.Trust, fmt.Errorf("%w: commit %s was made under this trust, and the newest that can be read is trust %d", ErrRollback, last.name, v.Trust().N),
			"the snapshots of devices that only it lets in, and what it says of others")
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
