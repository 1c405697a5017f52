package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// maxRestarts bounds how often a run starts again because a prune was about
// to delete what it relied on.
const maxRestarts = 3

// Run takes a snapshot of the roots. With an error nothing became visible,
// and what was uploaded is used by the next run. A Result that is Partial has
// a snapshot that lacks what Unread names. Errors: those of vault.Begin and
// vault.Commit, and fs.ErrNotExist and the like if no root could be read.
func Run(ctx context.Context, v *vault.Vault, o Options) (Result, error) {
	for try := 0; ; try++ {
		t := newTally(&o)
		t.res.Start = time.Now()
		err := attempt(ctx, v, &o, t)
		t.res.End = time.Now()
		t.res.ReadBytes = t.progress.Read.Load()
		if err == nil || !errors.Is(err, vault.ErrRestart) || try == maxRestarts {
			return t.res, err
		}
		t.tell(Event{Kind: Restart, Err: err})
	}
}

// attempt is one walk and one commit.
func attempt(ctx context.Context, v *vault.Vault, o *Options, t *tally) error {
	run, err := v.Begin(ctx, vault.RunOptions{Project: o.Project, Level: o.Level, Adapt: o.Adapt, Uploads: o.Uploads, MaxSmall: 4 * workers(o), OnWarning: t.warn})
	if err != nil {
		return err
	}
	defer run.Close()
	t.progress.Stats.Store(&run.Stats)
	if err := run.Examine(ctx); err != nil {
		return err
	}
	used := new(ledger.Set)
	roots, notes, err := walkRoots(run, o, t, used)
	if err == nil {
		err = finish(ctx, run, o, t, used, roots)
	}
	if err != nil {
		for _, n := range notes {
			err = errors.Join(err, n.Close()) // what they hold spares the next run its reading
		}
		return err
	}
	heal(ctx, run, t)
	keepNotes(run, o, t, notes)
	t.warnOf(v.Problems())
	days := o.DedupMemory
	if days == 0 {
		days = vault.DedupMemory
	}
	if err := run.Tidy(ctx, days); err != nil && ctx.Err() == nil {
		t.warn(err)
	}
	return nil
}

// catalog remembers the snapshot, so that it can be listed without the kit.
func catalog(dir *state.Dir, o *Options, t *tally) error {
	r := &t.res
	s := state.Snapshot{
		Commit: t.commit.Base(), Project: string(o.Project), Key: state.Text(o.Key), Label: state.Text(o.Label),
		Time: t.commit.Time.Unix(), Seconds: int64(time.Since(r.Start).Seconds()), Tags: o.Tags,
		Files: r.Files, Bytes: r.Bytes, NewBytes: r.Stored, Unread: r.UnreadCount, Partial: r.Partial,
	}
	for _, root := range o.Roots {
		s.Roots = append(s.Roots, state.Text(root))
	}
	return dir.AddSnapshot(s)
}

// walkRoots backs up one root after another. A root that is not there is
// named, and the others are backed up.
func walkRoots(run *vault.Run, o *Options, t *tally, used *ledger.Set) (roots []manifest.BodyRoot, notes []*state.ManifestWriter, err error) {
	for _, path := range o.Roots {
		root, note, err := rootPass(run.Context(), run, o, t, path, used)
		if re := (*rootError)(nil); errors.As(err, &re) {
			t.missed(path, re.err)
			continue
		}
		if err != nil {
			return nil, notes, err
		}
		notes = append(notes, note)
		roots = append(roots, manifest.BodyRoot{Path: path, Root: root})
	}
	if len(roots) == 0 {
		return nil, notes, fmt.Errorf("nothing to back up: %w", t.firstMiss())
	}
	return roots, notes, nil
}

// heal lets older snapshots find what was stored again of bad packs. The
// snapshot is safe whether or not this works, and the next run does the rest.
func heal(ctx context.Context, run *vault.Run, t *tally) {
	var err error
	if t.res.Healed, err = run.Heal(ctx); err != nil && ctx.Err() == nil {
		t.warn(err)
	}
}

// keepNotes makes what this run noted the base of the next. The snapshot is
// safe whether or not this works.
func keepNotes(run *vault.Run, o *Options, t *tally, notes []*state.ManifestWriter) {
	dir := run.Vault().State()
	var err error
	for _, n := range notes {
		err = errors.Join(err, n.Commit())
	}
	err = errors.Join(err, dir.KeepRoots(string(o.Project), o.Roots), catalog(dir, o, t))
	if err != nil {
		t.warn(fmt.Errorf("the snapshot is safe, but not all of it was noted on this machine: %w", err))
	}
}

// finish commits what the walks found.
func finish(ctx context.Context, run *vault.Run, o *Options, t *tally, used *ledger.Set, roots []manifest.BodyRoot) error {
	done, err := run.Commit(ctx, vault.NewSnapshot{Body: body(o, t, roots), Used: used})
	t.res.NewChunks, t.res.NewBytes, t.res.Stored = run.Stats.Chunks.Load(), run.Stats.Plain.Load(), run.Stats.Uploaded.Load()
	if err != nil {
		return err
	}
	t.commit = done.Name
	t.res.Snapshot = done.Name.Hash()
	t.res.Unchanged = done.Unchanged
	return nil
}

// body says what the snapshot is.
func body(o *Options, t *tally, roots []manifest.BodyRoot) *manifest.Body {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := &manifest.Body{
		Project: string(o.Project), Label: o.Label, Host: o.Host, User: o.User, Coffer: o.Version,
		Start: t.res.Start.UTC().Truncate(time.Second), End: time.Now().UTC().Truncate(time.Second),
		Roots: roots, Policy: policy(o), Tags: o.Tags, Partial: t.res.Partial,
		Counts: manifest.Counts{Files: t.res.Files, Dirs: t.res.Dirs, Other: t.res.Others, Bytes: t.res.Bytes, Unread: t.res.UnreadCount},
	}
	for _, m := range t.res.Unread {
		b.Unread = append(b.Unread, manifest.Unread{Path: m.Path, Error: errorText(m.Err)})
	}
	return b
}

// policy lists the switches that decided what is in the snapshot.
func policy(o *Options) []string {
	var out []string
	for _, x := range o.Walk.Exclude {
		out = append(out, "exclude "+x)
	}
	if o.Walk.OneFileSystem {
		out = append(out, "one-file-system")
	}
	if o.Walk.CacheDirs {
		out = append(out, "cache-dirs")
	}
	return out
}
