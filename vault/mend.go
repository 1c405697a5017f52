package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
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

// HasCopy tells whether this device has a true copy of an object that names or
// describes packs, which can be put back if the remote has lost it.
func (v *Vault) HasCopy(name string) bool {
	b, ok := v.cached(cacheName(name))
	return ok && checkNamed(name, b) == nil
}

// PutBack stores objects again of which this device has a copy. What is there
// already stays as it is.
func (v *Vault) PutBack(ctx context.Context, name string) error {
	b, ok := v.cached(cacheName(name))
	if !ok || checkNamed(name, b) != nil {
		return fmt.Errorf("put back %s: %w", name, fs.ErrNotExist)
	}
	if err := v.store.Put(ctx, remote.NewObject(name, b)); err != nil {
		return fmt.Errorf("put back %s: %w", name, err)
	}
	return nil
}

// CopyOf returns the packs of a ledger or roll of which this device has a
// copy: those that the remote has, or could get back.
func (v *Vault) CopyOf(ctx context.Context, name string) ([]ledger.Pack, error) {
	b, ok := v.cached(cacheName(name))
	if !ok || checkNamed(name, b) != nil {
		return nil, fmt.Errorf("copy of %s: %w", name, fs.ErrNotExist)
	}
	if _, _, _, err := ledger.ParseRollName(name); err == nil {
		return ledger.ParseRoll(name, b)
	}
	l, err := v.parseLedger(name, b)
	if err != nil {
		return nil, err
	}
	return v.PacksNamed(ctx, l)
}

// PacksNamed returns all packs that a ledger names. It fails if a roll is lost.
func (v *Vault) PacksNamed(ctx context.Context, l *ledger.Ledger) (packs []ledger.Pack, err error) {
	for p, err := range Packs(l, func(roll string) ([]byte, error) { return v.fetchCached(ctx, roll, ledger.MaxRoll) }) {
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return packs, nil
}

// PacksListed returns the packs that the remote lists in the folder of a roll,
// for a roll that is lost. It fails if a number is there twice: only the roll
// said which was meant.
func (v *Vault) PacksListed(ctx context.Context, roll string) ([]ledger.Pack, error) {
	series, folder, _, err := ledger.ParseRollName(roll)
	if err != nil {
		return nil, err
	}
	packs, err := v.listFolder(ctx, ledger.FolderID{Series: series, Folder: folder})
	if err != nil {
		return nil, err
	}
	for i := range packs {
		if i > 0 && packs[i].Number == packs[i-1].Number {
			return nil, damaged("%s: two packs bear the number %d", roll, packs[i].Number)
		}
	}
	return packs, nil
}

// Replace commits a move by which a new ledger that names packs stands in for
// ledgers or rolls that are lost. It needs the role maintain and the local lock.
func (v *Vault) Replace(ctx context.Context, old []string, packs []ledger.Pack, warn func(error)) (err error) {
	r, err := v.beginClerk(ctx, "repair", trust.Maintain, warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	d := draft{kind: commit.Move, old: slices.Sorted(slices.Values(old)), used: new(ledger.Set)}
	if err := r.putPacksLedger(ctx, &d, packs); err != nil {
		return err
	}
	_, err = r.publish(ctx, d)
	return err
}

// NewMove is what CommitMove says.
type NewMove struct {
	Old   []string      // full names of the packs whose chunks these are
	Refs  []chunk.Ref   // where the chunks are as well, each ID once
	Packs []ledger.Pack // the packs that the refs mean, by full name, each number once
}

// CommitMove says where chunks of bad packs are as well: in packs of any
// device, which snapshots keep alive. It needs the role write and the local
// lock.
func (v *Vault) CommitMove(ctx context.Context, m NewMove, warn func(error)) (err error) {
	r, err := v.beginClerk(ctx, "repair", trust.Write, warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	plain, err := manifest.EncodeMap(m.Refs)
	if err != nil {
		return err
	}
	obj, sum, err := pack.SealBlob(plain, r.recipients)
	if err != nil {
		return fmt.Errorf("seal map: %w", err)
	}
	d := draft{kind: commit.Move, body: r.labelled(commit.Moves, sum), old: slices.Sorted(slices.Values(m.Old)), used: new(ledger.Set)}
	if err := r.putPacksLedger(ctx, &d, m.Packs); err != nil {
		return err
	}
	if err := r.put(ctx, remote.Object{Name: d.body, Data: obj, Sum: sum}); err != nil {
		return err
	}
	d.objects = append(d.objects, d.body)
	if _, err = r.publish(ctx, d); err != nil {
		return err
	}
	return v.settle(m)
}

// settle takes what a move has found off what this device still misses.
func (v *Vault) settle(m NewMove) error {
	wounds, err := v.dir.Wounds()
	if err != nil {
		return err
	}
	found := map[chunk.ID]bool{}
	for _, ref := range m.Refs {
		found[ref.ID] = true
	}
	for _, w := range wounds {
		if !slices.Contains(m.Old, (ledger.Pack{Series: w.Series, Number: w.Number, Sum: w.Sum}).Name()) {
			continue
		}
		note, err := v.dir.Wound(w)
		if errors.Is(err, state.ErrDamaged) {
			continue // the next run sees to it
		}
		if err != nil {
			return err
		}
		note.Refs = slices.DeleteFunc(note.Refs, func(r chunk.Ref) bool { return found[r.ID] })
		if err := v.dir.SetWound(w, note); err != nil {
			return err
		}
	}
	return nil
}

// putPacksLedger stores a ledger that names packs in full, for a draft that
// then needs it, and needs that none of them is about to be deleted.
func (r *Run) putPacksLedger(ctx context.Context, d *draft, packs []ledger.Pack) error {
	b, err := ledgerOfPacks(r.v.ID(), packs).Encode(ledger.NewNonce())
	if err != nil {
		return err
	}
	o := remote.NewObject("", b)
	o.Name = r.labelled(commit.Ledgers, o.Sum)
	if err := r.putCached(ctx, o); err != nil {
		return err
	}
	d.ledger, d.objects = o.Name, append(d.objects, o.Name)
	for _, p := range packs {
		d.objects = append(d.objects, p.Name())
	}
	return nil
}

// ledgerOfPacks lists packs, which it sorts, in full.
func ledgerOfPacks(id trust.VaultID, packs []ledger.Pack) *ledger.Ledger {
	slices.SortFunc(packs, func(a, b ledger.Pack) int {
		return cmp.Or(bytes.Compare(a.Series[:], b.Series[:]), cmp.Compare(a.Number, b.Number))
	})
	l := &ledger.Ledger{Vault: id}
	for _, p := range packs {
		n := len(l.Folders)
		if n == 0 || l.Folders[n-1].Series != p.Series || l.Folders[n-1].Folder != ledger.FolderOf(p.Number) {
			l.Folders = append(l.Folders, ledger.Folder{Series: p.Series, Folder: ledger.FolderOf(p.Number)})
			n++
		}
		l.Folders[n-1].Packs = append(l.Folders[n-1].Packs, p)
	}
	return l
}

// LookAtState tells what of this device's local state is damaged or lost, in
// words for people. It needs the local lock.
func (v *Vault) LookAtState(ctx context.Context) (lost []string, err error) {
	if v.dir == nil {
		return nil, nil
	}
	lock, err := v.dir.TryLockRun("repair")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	h := v.loadOwn()
	snaps, err := v.ownSnapshots(ctx)
	if err != nil || len(snaps) == 0 {
		return nil, err
	}
	if h.damaged != nil || h.fresh {
		lost = append(lost, "what it remembers of its own commits")
	}
	index, err := v.dir.OpenIndex(state.DayOf(time.Now()))
	if err != nil {
		return lost, err
	}
	if s := index.Stats(); s.Damaged > 0 || s.Sorted == 0 && s.Tail == 0 {
		lost = append(lost, "the index of what is stored")
	}
	if err := index.Close(); err != nil {
		return lost, err
	}
	missing, err := v.notInCatalog(snaps)
	if len(missing) > 0 {
		lost = append(lost, fmt.Sprintf("the labels and folders of %d snapshots", len(missing)))
	}
	return lost, err
}

// ownSnapshots lists the snapshots that this device made or inherits.
func (v *Vault) ownSnapshots(ctx context.Context) (own []*Snapshot, err error) {
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return nil, err
		}
		if v.inherits(s.Name.Device) {
			own = append(own, s)
		}
	}
	return own, nil
}

func (v *Vault) notInCatalog(snaps []*Snapshot) (missing []*Snapshot, err error) {
	known := map[string]bool{}
	for c, err := range v.dir.Snapshots() {
		if err != nil {
			return nil, err
		}
		known[c.Commit] = true
	}
	return slices.DeleteFunc(slices.Clone(snaps), func(s *Snapshot) bool { return known[s.Name.Base()] }), nil
}

// Rebuilt tells what RebuildState did.
type Rebuilt struct {
	Chunks    int // known again, so not uploaded twice
	Snapshots int // whose labels and folders are known again
}

// RebuildState makes this device's local state anew from the remote, all but
// its keys: what it remembers of its commits, packs and projects, where each
// chunk of its newest snapshots is, and the catalog. It needs the identity and
// the local lock. What is good stays.
func (v *Vault) RebuildState(ctx context.Context, warn func(error)) (done Rebuilt, err error) {
	if !v.HasIdentity() {
		return done, ErrNoIdentity
	}
	r, err := v.beginClerk(ctx, "repair", trust.Write, warn)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	index, err := v.dir.OpenIndex(state.DayOf(r.now()))
	if err != nil {
		return done, err
	}
	got := new(Enrolled)
	for id, p := range r.own.Projects {
		if err = v.recoverProject(ctx, EnrolOptions{}, index, id, p, nil, got); isDamage(err) {
			v.notice(p.Commit, err, "nothing that is stored; but what only it held is uploaded again")
			err = nil
		}
		if err != nil {
			break
		}
	}
	done.Chunks = got.Chunks
	if err == nil {
		_, err = index.Compact(ctx, state.CompactOptions{Today: state.DayOf(r.now())}) // bad pages are left out
	}
	if err = errors.Join(err, index.Close()); err != nil {
		return done, err
	}
	done.Snapshots, err = v.refillCatalog(ctx)
	return done, err
}

// refillCatalog enters the snapshots that the catalog has lost.
func (v *Vault) refillCatalog(ctx context.Context) (n int, err error) {
	snaps, err := v.ownSnapshots(ctx)
	if err != nil {
		return 0, err
	}
	missing, err := v.notInCatalog(snaps)
	if err != nil {
		return 0, err
	}
	for _, s := range missing {
		body, err := v.body(ctx, s)
		if isDamage(err) {
			continue // verify tells
		}
		if err != nil {
			return n, err
		}
		c := state.Snapshot{
			Commit: s.Name.Base(), Project: body.Project, Label: state.Text(body.Label), Time: s.Time().Unix(), Seconds: int64(body.End.Sub(body.Start).Seconds()),
			Tags: body.Tags, Files: body.Counts.Files, Bytes: body.Counts.Bytes, Unread: body.Counts.Unread, Partial: body.Partial,
		}
		var roots []string
		for _, root := range body.Roots {
			roots = append(roots, root.Path)
			c.Roots = append(c.Roots, state.Text(root.Path))
		}
		c.Key = state.Text(ProjectKey(body.Label, roots))
		if err := v.dir.AddSnapshot(c); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
