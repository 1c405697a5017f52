package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// NewSnapshot is what Commit makes a snapshot of. Its lanes must be flushed.
type NewSnapshot struct {
	Body *manifest.Body // Vault, Device and Newest are filled in
	Used *ledger.Set    // every pack a ref of the snapshot names: data, segments, nodes, list chunks
}

// Committed tells what Commit did.
type Committed struct {
	Name      commit.Name
	Unchanged bool // the snapshot equals the one before it; one object was written
}

// Commit makes the snapshot: it waits for all packs, reads one back, writes
// rolls, ledger and body, checks, and publishes. ErrRestart if the check
// fails; then nothing is visible, and the caller starts again from the walk.
func (r *Run) Commit(ctx context.Context, s NewSnapshot) (Committed, error) {
	r.stopProgress()
	if err := r.wait(); err != nil {
		return Committed{}, err
	}
	if err := r.giveBack(); err != nil {
		return Committed{}, err
	}
	if err := r.sample(ctx); err != nil {
		return Committed{}, err
	}
	if err := r.checkRecipients(); err != nil {
		return Committed{}, err
	}
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	d := draft{kind: commit.Snapshot, project: r.o.Project, used: s.Used, ends: r.own.openEnds(r.o.Project), stable: stableDigest(s.Body)}
	unchanged, err := r.isUnchanged(ctx, &d)
	if err == nil && !unchanged {
		err = r.writeLedgerAndBody(ctx, &d, s)
	}
	if err != nil {
		return Committed{}, err
	}
	d.objects = append(d.objects, d.body, d.ledger)
	name, err := r.publish(ctx, d)
	if err != nil {
		return Committed{}, err
	}
	r.v.dropStale(r.own)
	return Committed{name, unchanged}, nil
}

// isUnchanged tells whether the snapshot equals the newest of its project, and
// that one's body, ledger and rolls are there and will stay; then the draft
// names them again.
func (r *Run) isUnchanged(ctx context.Context, d *draft) (bool, error) {
	old, had := r.own.Projects[d.project]
	if !had || old.Stable != d.stable || !r.known.covers(d.used) {
		return false, nil
	}
	l, err := r.v.cachedLedger(ctx, old.Ledger)
	if isDamage(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	needed := append(l.Rolls(), old.Body, old.Ledger)
	if slices.ContainsFunc(needed, r.known.condemned) {
		return false, nil
	}
	there, err := r.v.allExist(ctx, needed...)
	if err != nil {
		return false, err
	}
	if !there {
		err := damaged("its body, its ledger or a roll is missing")
		r.v.notice(old.Commit, err, "that snapshot; this run stores them anew for its own")
		r.warn(fmt.Errorf("snapshot %s: %w", path.Base(old.Commit), err))
		return false, nil
	}
	d.body, d.ledger = old.Body, old.Ledger
	d.objects = append(d.objects, l.Rolls()...)
	return true, nil
}

// maxEnds is how many progress commits one commit can end.
const maxEnds = 64

// openEnds names the progress commits of a project that its next commit makes
// needless: that commit's ledger holds what they kept and is still wanted.
func (h *ownHistory) openEnds(project trust.ProjectID) []string {
	var out []string
	for _, p := range h.Progress {
		if p.Project == project && !p.Inherited {
			out = append(out, p.Base)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxEnds)]
}

// covers tells whether all packs of used are named by live ledgers.
func (k *known) covers(used *ledger.Set) bool {
	live := k.live.Load()
	for series, number := range used.All() {
		if !live.Has(series, number) {
			return false
		}
	}
	return true
}

// writeLedgerAndBody stores the two objects that a changed snapshot adds, and
// the rolls that became due.
func (r *Run) writeLedgerAndBody(ctx context.Context, d *draft, s NewSnapshot) error {
	var err error
	if d.ledger, err = r.writeLedger(ctx, d, s.Used); err != nil {
		return err
	}
	s.Body.Vault, s.Body.Device = string(r.v.Trust().Vault), string(r.v.Device())
	s.Body.Newest = r.own.newestOthers(r.o.Project)
	plain, err := manifest.EncodeBody(s.Body)
	if err != nil {
		return err
	}
	obj, sum, err := pack.SealBlob(plain, r.recipients)
	if err != nil {
		return fmt.Errorf("seal snapshot body: %w", err)
	}
	d.body = r.labelled(commit.Bodies, sum)
	return r.putCached(ctx, remote.Object{Name: d.body, Data: obj, Sum: sum}) // sealed: the copy tells nobody more than the remote does
}

// writeLedger stores the ledger of used, and the rolls that became due.
func (r *Run) writeLedger(ctx context.Context, d *draft, used *ledger.Set) (string, error) {
	names := &packNames{known: r.known, rolls: map[ledger.FolderID]usedRoll{}}
	for id, needed := range used.Folders() {
		if err := r.prepareRoll(ctx, d, names, id, needed); err != nil {
			return "", err
		}
	}
	l, err := ledger.Build(r.v.Trust().Vault, used, names)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRestart, err)
	}
	d.objects = append(d.objects, l.Rolls()...)
	b, err := l.Encode(ledger.NewNonce())
	if err != nil {
		return "", err
	}
	o := remote.NewObject("", b)
	o.Name = r.labelled(commit.Ledgers, o.Sum)
	return o.Name, r.putCached(ctx, o)
}

// packNames knows packs by their numbers, for a ledger in the making.
type packNames struct {
	known *known
	rolls map[ledger.FolderID]usedRoll
}

type usedRoll struct {
	name  string
	lists ledger.Bits
}

var _ ledger.Names = (*packNames)(nil)

// Pack returns the name of a pack that this device can vouch for.
func (n *packNames) Pack(series chunk.Series, number uint32) (ledger.Pack, bool) {
	table := n.known.usable[series]
	if table == nil {
		return ledger.Pack{}, false
	}
	info, ok := table.Get(number)
	return ledger.Pack{Series: series, Number: number, Sum: info.Sum, Size: info.Size}, ok && info.Flags == 0
}

// Roll returns the roll of a folder, if there is one to be used.
func (n *packNames) Roll(id ledger.FolderID) (string, ledger.Bits, bool) {
	r, ok := n.rolls[id]
	return r.name, r.lists, ok
}

// prepareRoll finds the roll of a folder, or writes it when the folder's
// numbers are used up. Progress writes none: its run may still have packs of
// the folder on their way. A roll that lacks a pack which is needed is not used;
// one that lists others, which were moved or lost since, is.
func (r *Run) prepareRoll(ctx context.Context, d *draft, names *packNames, id ledger.FolderID, needed *ledger.Bits) error {
	name, packs, err := r.rollFor(ctx, d, names, id)
	if err != nil || name == "" {
		return err
	}
	u := usedRoll{name: name}
	var good ledger.Bits
	for _, p := range packs {
		u.lists.Add(p.Number)
		if now, ok := names.Pack(id.Series, p.Number); ok && now.Sum == p.Sum {
			good.Add(p.Number)
		}
	}
	if needed.Within(&good) {
		names.rolls[id] = u
	}
	return nil
}

func (r *Run) rollFor(ctx context.Context, d *draft, names *packNames, id ledger.FolderID) (string, []ledger.Pack, error) {
	key := fmt.Sprintf("%s/%010d", id.Series, id.Folder)
	if w, ok := r.own.Rolls[key]; ok && !r.known.condemned(w.Name) && (r.rollIsLive(w.Name) || w.Acked.After(r.now().Add(-r.v.safety.AckTrust))) {
		packs, err := r.v.cachedRoll(ctx, w.Name)
		if err == nil || !isDamage(err) {
			return w.Name, packs, err
		}
		r.v.notice(w.Name, err, "nothing: it is written anew")
	}
	if d.kind != commit.Snapshot || !r.usedUp(id.Series, id.Folder) {
		return "", nil, nil
	}
	var packs []ledger.Pack
	for n := id.Folder * folderSize; n < (id.Folder+1)*folderSize; n++ {
		if p, ok := names.Pack(id.Series, n); ok {
			packs = append(packs, p)
		}
	}
	b, err := ledger.EncodeRoll(id.Series, id.Folder, packs, ledger.NewNonce())
	if err != nil { // none of its packs can be relied on any more
		return "", nil, fmt.Errorf("%w: %w", ErrRestart, err)
	}
	o := remote.NewObject("", b)
	o.Name = ledger.RollName(id.Series, id.Folder, o.Sum)
	if err := r.putCached(ctx, o); err != nil {
		return "", nil, err
	}
	r.own.Rolls[key] = writtenRoll{o.Name, r.now()}
	return o.Name, packs, r.v.saveOwn(r.own)
}

// folderSize is how many pack numbers share a folder.
const folderSize = state.NumberBlock

// rollIsLive tells whether a live ledger of this device names the roll.
func (r *Run) rollIsLive(roll string) bool {
	for _, name := range r.own.liveLedgers() {
		l, err := r.v.cachedLedger(r.ctx, name)
		if err == nil && slices.Contains(l.Rolls(), roll) {
			return true
		}
	}
	return false
}

// putCached stores an object and keeps a copy.
func (r *Run) putCached(ctx context.Context, o remote.Object) error {
	if err := r.put(ctx, o); err != nil {
		return err
	}
	r.v.cache(cacheName(o.Name), o.Data)
	return nil
}

// put stores an object that names or describes packs.
func (r *Run) put(ctx context.Context, o remote.Object) error {
	if err := r.v.store.Put(ctx, o); err != nil {
		return fmt.Errorf("store %s: %w", o.Name, err)
	}
	r.Stats.Uploaded.Add(int64(len(o.Data)))
	return nil
}

// labelled is the name of a ledger or body; the seq in it is only a label.
func (r *Run) labelled(kind string, sum [32]byte) string {
	next := uint64(1)
	for _, x := range r.own.Heads {
		next = max(next, seqOf(x)+1)
	}
	return commit.ObjectName(kind, r.v.Device(), next, sum)
}

// newestOthers lists the newest snapshot of each other project of this device.
func (h *ownHistory) newestOthers(except trust.ProjectID) []manifest.Newest {
	var out []manifest.Newest
	for id, p := range h.Projects {
		if id != except {
			out = append(out, manifest.Newest{Project: string(id), Commit: path.Base(p.Commit)})
		}
	}
	slices.SortFunc(out, func(a, b manifest.Newest) int { return strings.Compare(a.Project, b.Project) })
	return out
}

// stableDigest is a digest of all that a body says apart from when it was made
// and what other projects did: two snapshots with the same digest are equal.
func stableDigest(b *manifest.Body) string {
	c := *b
	c.Start, c.End, c.Newest, c.Coffer = time.Time{}, time.Time{}, nil, ""
	c.Vault, c.Device = "", ""
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", c))
	return hex.EncodeToString(sum[:])
}

// CommitProgress makes what was acknowledged so far safe from a prune, for a
// run that goes on for long. It makes no snapshot.
func (r *Run) CommitProgress(ctx context.Context) error {
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	used, err := r.acknowledgedSet(ctx)
	if err != nil || used.Len() == 0 {
		return err
	}
	d := draft{kind: commit.Progress, project: r.o.Project, used: used, ends: r.own.openEnds(r.o.Project)}
	if d.ledger, err = r.writeLedger(ctx, &d, used); err != nil {
		return err
	}
	d.objects = append(d.objects, d.ledger)
	_, err = r.publish(ctx, d)
	return err
}

// acknowledgedSet holds the packs this run stored and those that open progress
// of earlier, interrupted runs keeps.
func (r *Run) acknowledgedSet(ctx context.Context) (*ledger.Set, error) {
	used := new(ledger.Set)
	for _, p := range r.own.Progress {
		if p.Project != r.o.Project {
			continue
		}
		for p, err := range r.v.packsOf(ctx, p.Ledger) {
			if isDamage(err) {
				continue // its packs are unknown, and uploaded again
			}
			if err != nil {
				return nil, err
			}
			if r.known.has(p.Series, p.Number) {
				used.Add(p.Series, p.Number)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.acked {
		used.Add(p.Series, p.Number)
	}
	return used, nil
}
