package backup

import (
	"context"
	"fmt"
	"time"

	"coffer/files"
	"coffer/vault/state"
)

// DryOptions say what a dry run looks at. Without State everything counts as new.
type DryOptions struct {
	State   *state.Dir
	Project string
	Roots   []string
	Walk    files.Options
	Never   []string // as in Options
	OnEvent func(Event)
}

// DryRun walks the roots and tells what a run would read, comparing with the
// last one. It needs no remote and changes nothing.
func DryRun(ctx context.Context, d DryOptions) (Result, error) {
	o := &Options{Roots: d.Roots, Walk: d.Walk, Never: d.Never, OnEvent: d.OnEvent}
	t := newTally(o)
	t.res.Start = time.Now()
	walked := 0
	for _, root := range d.Roots {
		tree, err := files.OpenTree(root)
		if err != nil {
			t.missed(root, err)
			continue
		}
		err = dryRoot(ctx, d, o, t, root, tree)
		tree.Close()
		if err != nil {
			return t.res, err
		}
		walked++
	}
	t.res.End = time.Now()
	if walked == 0 {
		return t.res, fmt.Errorf("nothing to back up: %w", t.firstMiss())
	}
	return t.res, nil
}

func dryRoot(ctx context.Context, d DryOptions, o *Options, t *tally, root string, tree *files.Tree) error {
	p := &pass{o: o, t: t, root: root, tree: tree}
	old := &merge{next: func(*state.Record) bool { return false }}
	if d.State != nil {
		if r, err := d.State.OpenManifest(d.Project, root); err == nil {
			defer r.Close()
			old.next = r.Next
		}
	}
	for e, err := range tree.Walk(ctx, p.walkOptions(), p.skipped) {
		if err != nil {
			return fmt.Errorf("walk %s: %w", root, err)
		}
		p.dryEntry(old, e)
	}
	t.removed(old.rest())
	return ctx.Err()
}

// dryEntry counts one entry as the run would meet it.
func (p *pass) dryEntry(old *merge, e *files.Entry) {
	if e.Stat.Type == 0 {
		p.lost(e)
		return
	}
	if e.Err != nil {
		p.missed(string(e.Path), e.Err)
	}
	rec, removed := old.seek(e.Path)
	p.t.removed(removed)
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	p.t.entry(e.Stat.Type, e.Stat.Size)
	if e.Stat.Type != files.Regular {
		return
	}
	switch {
	case rec == nil:
		p.t.res.NewFiles++
	case unchanged(rec, &e.Stat):
		p.t.res.KeptFiles++
		return
	default:
		p.t.res.ChangedFiles++
	}
	p.t.res.ReadBytes += e.Stat.Size
}
