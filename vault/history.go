package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

// A record is a commit that is known to exist: signed itself, or named by the
// chain of a commit that is.
type record struct {
	name   commit.Name
	c      *commit.Commit // nil until it was fetched
	stored time.Time      // when, as the remote's listing says; history fills it in
}

// history returns the valid commits of one device in order of seq. Names that
// nothing signed vouches for are noticed and left out. It fetches one commit
// per folder of 1,024, and each commit only where a device forked.
func (v *Vault) history(ctx context.Context, dev *trust.Device) ([]record, error) {
	recs, _, err := v.historyUnread(ctx, dev)
	return recs, err
}

// historyUnread is history, and the names of what may be commits of the device
// and cannot be read: nobody knows what they say.
func (v *Vault) historyUnread(ctx context.Context, dev *trust.Device) (recs []record, unread []commit.Name, err error) {
	names, stored, err := v.listStored(ctx, string(dev.ID), "")
	if err != nil {
		return nil, nil, err
	}
	var next *commit.Commit // of the folder after
	for end := len(names); end > 0; {
		start := end - 1
		for start > 0 && commit.FolderOf(names[start-1].Seq) == commit.FolderOf(names[end-1].Seq) {
			start--
		}
		part, bad, err := v.folder(ctx, dev, names[start:end])
		if err != nil {
			return nil, nil, err
		}
		next = v.link(dev, part, next)
		recs, unread = append(part, recs...), append(unread, bad...)
		end = start
	}
	for i := range recs {
		recs[i].stored = stored[recs[i].name.Sum]
	}
	v.checkGaps(dev, recs)
	if dev.Until != nil {
		unread = slices.DeleteFunc(unread, func(n commit.Name) bool { return n.Seq > dev.Until.Seq })
	}
	recs, err = v.untilRevoked(ctx, dev, recs)
	return recs, unread, err
}

// link holds the last commit of a folder against the folder after it, and
// notices if that one goes on from another state: a folder was put back as it
// once was. What it shows is signed all the same.
func (v *Vault) link(dev *trust.Device, recs []record, next *commit.Commit) *commit.Commit {
	if len(recs) == 0 {
		return next
	}
	last := recs[len(recs)-1]
	alone := last.c != nil && (len(recs) == 1 || recs[len(recs)-2].name.Seq != last.name.Seq)
	if next != nil && alone && len(next.Prev) < 2 && commit.VerifyLink(next, last.c) != nil {
		v.notice(commit.Folder(dev.ID, last.name.Seq), damaged("the commits of device %s (%s) after this folder do not go on from it: some are missing, or an older copy was put back", dev.ID, dev.Label),
			"the snapshots that are missing; all others are unharmed")
	}
	return last.c
}

// listCommits lists the names of a device's commits after a name, in order.
func (v *Vault) listCommits(ctx context.Context, device, after string) ([]commit.Name, error) {
	names, _, err := v.listStored(ctx, device, after)
	return names, err
}

// listStored is listCommits with the time at which each commit was stored, by
// the hash in its name.
func (v *Vault) listStored(ctx context.Context, device, after string) ([]commit.Name, map[[32]byte]time.Time, error) {
	var names []commit.Name
	stored := map[[32]byte]time.Time{}
	for info, err := range v.store.List(ctx, "commits/"+device+"/", after) {
		if err != nil {
			return nil, nil, fmt.Errorf("list commits of device %s: %w", device, err)
		}
		n, err := commit.ParseName(info.Name)
		if err != nil {
			v.notice(info.Name, err, "nothing: it is not one of ours")
			continue
		}
		names = append(names, n)
		stored[n.Sum] = info.Time
	}
	slices.SortStableFunc(names, func(a, b commit.Name) int { return strings.Compare(a.String(), b.String()) })
	return names, stored, nil
}

// folder authenticates the names of one folder: by its head where the history
// is a line, else one by one.
func (v *Vault) folder(ctx context.Context, dev *trust.Device, names []commit.Name) (recs []record, unread []commit.Name, err error) {
	last := names[len(names)-1]
	head, err := v.commit(ctx, dev, last)
	if err == nil && commit.VerifyListing(head, names) == nil {
		recs = make([]record, len(names))
		for i, n := range names {
			recs[i] = record{name: n}
		}
		recs[len(recs)-1].c = head
		return recs, nil, nil
	}
	if err != nil && !isDamage(err) {
		return nil, nil, err
	}
	return v.fetchEach(ctx, dev, names)
}

// fetchEach believes only what it has read and verified. The rest is unread.
func (v *Vault) fetchEach(ctx context.Context, dev *trust.Device, names []commit.Name) (recs []record, unread []commit.Name, err error) {
	commits := make([]*commit.Commit, len(names))
	err = parallel(ctx, 8, len(names), func(ctx context.Context, i int) error {
		c, err := v.commit(ctx, dev, names[i])
		if isDamage(err) {
			v.notice(names[i].String(), err, "if it was a snapshot, that snapshot; deletion stops until it is healed or dismissed")
			return nil
		}
		commits[i] = c
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i, c := range commits {
		if c == nil {
			unread = append(unread, names[i])
			continue
		}
		recs = append(recs, record{name: names[i], c: c})
	}
	return recs, unread, nil
}

// commit fetches and verifies one commit of a device. Own and once verified
// ones come from the local cache, which the hash in the name guards.
func (v *Vault) commit(ctx context.Context, dev *trust.Device, name commit.Name) (*commit.Commit, error) {
	pub, err := trust.ParsePublic(dev.Sign)
	if err != nil {
		return nil, fmt.Errorf("trust: device %s: %w", dev.ID, err)
	}
	if b, ok := v.cached(cacheName(name.String())); ok {
		if c, err := commit.Open(name, b, pub); err == nil && c.Vault == v.Trust().Vault {
			return c, nil
		}
	}
	b, err := v.fetch(ctx, name.String(), maxCommit)
	if err != nil {
		return nil, err
	}
	if err := checkNamed(name.String(), b); err != nil {
		return nil, err
	}
	c, err := commit.Open(name, b, pub)
	if err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	if c.Vault != v.Trust().Vault {
		return nil, damaged("%s: it is a commit of another vault, %s", name, c.Vault)
	}
	v.cache(cacheName(name.String()), b)
	return c, nil
}

// load fills in the commit of a record.
func (v *Vault) load(ctx context.Context, r *record) error {
	if r.c != nil {
		return nil
	}
	dev, ok := v.Trust().Device(r.name.Device)
	if !ok {
		return damaged("%s: its device is not in the trust", r.name)
	}
	c, err := v.commit(ctx, dev, r.name)
	r.c = c
	return err
}

// checkGaps notices numbers that are missing between the first and last
// commit: someone took a commit away.
func (v *Vault) checkGaps(dev *trust.Device, recs []record) {
	next := uint64(1)
	for _, r := range recs {
		if r.name.Seq > next {
			v.notice(commit.Folder(dev.ID, next), damaged("missing: %s of device %s (%s)", stretch(next, r.name.Seq-1), dev.ID, dev.Label),
				"the snapshots they made cannot be found; all others are unharmed")
		}
		next = max(next, r.name.Seq+1)
	}
}

// stretch names the commits that a gap swallowed.
func stretch(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("commit %d", from)
	}
	return fmt.Sprintf("commits %d to %d", from, to)
}

// untilRevoked leaves out what a revoked device signed after its end: only the
// commit its trust names and that commit's ancestors count.
func (v *Vault) untilRevoked(ctx context.Context, dev *trust.Device, recs []record) ([]record, error) {
	if dev.Until == nil {
		return recs, nil
	}
	byBase := map[string]*record{}
	var queue []string
	for i := range recs {
		r := &recs[i]
		byBase[r.name.Base()] = r
		if r.name.Seq == dev.Until.Seq && r.name.Hash() == dev.Until.Hash || slices.Contains(dev.Until.Also, r.name.Hash()) {
			queue = append(queue, r.name.Base())
		}
	}
	valid := map[string]bool{}
	for len(queue) > 0 {
		base := queue[0]
		queue = queue[1:]
		r := byBase[base]
		if r == nil || valid[base] {
			continue
		}
		valid[base] = true
		prev, err := v.prevOf(ctx, r, recs)
		if err != nil && !isDamage(err) {
			return nil, err
		}
		queue = append(queue, prev...)
	}
	kept := recs[:0:0]
	for _, r := range recs {
		if valid[r.name.Base()] {
			kept = append(kept, r)
			continue
		}
		v.notice(r.name.String(), errors.New("signed by a device after it was revoked"), "nothing: it is left out")
	}
	return kept, nil
}

// Ancestors returns the base names of all commits of its device that came
// before a commit. What cannot be read is none, and what only it would lead to.
func (v *Vault) Ancestors(ctx context.Context, c *commit.Commit) (map[string]bool, error) {
	dev, ok := v.Trust().Device(c.Device)
	if !ok {
		return nil, nil
	}
	recs, err := v.history(ctx, dev)
	if err != nil {
		return nil, err
	}
	byBase, bySeq := map[string]*record{}, map[uint64][]record{}
	for i := range recs {
		byBase[recs[i].name.Base()] = &recs[i]
		bySeq[recs[i].name.Seq] = append(bySeq[recs[i].name.Seq], recs[i])
	}
	before := map[string]bool{}
	for queue := slices.Clone(c.Prev); len(queue) > 0; {
		base := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		r := byBase[base]
		if r == nil || before[base] {
			continue
		}
		before[base] = true
		prev, err := v.prevOf(ctx, r, bySeq[r.name.Seq-1])
		if err != nil && !isDamage(err) {
			return nil, err
		}
		queue = append(queue, prev...)
	}
	return before, nil
}

// prevOf names the parents of r: by the listing where it is a line, else by
// what r itself says.
func (v *Vault) prevOf(ctx context.Context, r *record, recs []record) ([]string, error) {
	if r.c == nil {
		var before []string
		for _, o := range recs {
			if o.name.Seq == r.name.Seq-1 {
				before = append(before, o.name.Base())
			}
		}
		if len(before) == 1 && commit.FolderOf(r.name.Seq-1) == commit.FolderOf(r.name.Seq) {
			return before, nil
		}
	}
	if err := v.load(ctx, r); err != nil {
		return nil, err
	}
	return r.c.Prev, nil
}

// isDamage tells wrong or missing bytes from a remote that cannot be reached.
func isDamage(err error) bool { return errors.Is(err, ErrDamaged) }

// ends returns the commits of a device that no other of it follows, newest
// last: one, unless its history forked.
func (v *Vault) ends(ctx context.Context, recs []record) ([]commit.Name, error) {
	if len(recs) == 0 {
		return nil, nil
	}
	from := commit.FolderOf(recs[len(recs)-1].name.Seq)
	followed := map[string]bool{}
	var tail []record
	for _, r := range recs {
		if commit.FolderOf(r.name.Seq) < from {
			continue // a branch that ended a folder ago and was never joined is joined by none now
		}
		if err := v.load(ctx, &r); err != nil {
			if isDamage(err) {
				continue
			}
			return nil, err
		}
		for _, p := range r.c.Prev {
			followed[p] = true
		}
		tail = append(tail, r)
	}
	var out []commit.Name
	for _, r := range tail {
		if !followed[r.name.Base()] {
			out = append(out, r.name)
		}
	}
	return out, nil
}
