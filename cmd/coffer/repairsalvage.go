package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"coffer/vault"
	"coffer/vault/restore"
)

// salvageFlags are those of coffer repair --from-packs.
type salvageFlags struct {
	fromPacks bool
	tree      int
	target    string
}

func (f *salvageFlags) bind(c *cobra.Command) {
	c.Flags().BoolVar(&f.fromPacks, "from-packs", false, "list the trees of files that the packs alone hold (needs the kit)")
	c.Flags().IntVar(&f.tree, "tree", 0, "with --from-packs: restore the tree of this `number`")
	c.Flags().StringVarP(&f.target, "target", "t", "", "with --tree: `folder` to restore to")
}

func (f *salvageFlags) check() error {
	switch {
	case !f.fromPacks && (f.tree != 0 || f.target != ""):
		return usagef("", "--tree and --target go with --from-packs")
	case (f.tree != 0) != (f.target != ""):
		return usagef("", "--tree and --target go together")
	}
	return nil
}

// salvage lists what packs alone hold, or restores a tree of it.
func (d *door) salvage(ctx context.Context, f salvageFlags) error {
	v, err := d.open(ctx, needed)
	if err != nil {
		return err
	}
	var done, total atomic.Int64
	m := d.showProgress(func() sample {
		return sample{text: fmt.Sprintf("looking into packs: %s of %s", countText(done.Load()), countText(total.Load())),
			json: map[string]any{"packs_done": done.Load(), "total_packs": total.Load()}}
	})
	trees, err := v.Trees(ctx, func(n, of int) { done.Store(int64(n)); total.Store(int64(of)) })
	m.finish()
	d.tellProblems(v)
	if err != nil {
		return err
	}
	if f.tree != 0 {
		return d.restoreTree(ctx, v, trees, f)
	}
	for i, t := range trees {
		if d.json {
			d.emit("tree", map[string]any{"number": i + 1, "entries": t.Root.Count, "newest": t.Newest.UTC(), "series": t.Root.Ref.Series.String(), "pack": t.Root.Ref.Number})
			continue
		}
		fmt.Fprintf(d.out, "%5d  %s, the newest of %s  (pack %s/%010d)\n", i+1, plural(t.Root.Count, "entry"), timeText(t.Newest), t.Root.Ref.Series, t.Root.Ref.Number)
	}
	if len(trees) > 0 {
		d.note("to restore one:  coffer repair --from-packs --tree N --target DIR")
	}
	return nil
}

func (d *door) restoreTree(ctx context.Context, v *vault.Vault, trees []vault.Tree, f salvageFlags) error {
	if f.tree < 1 || f.tree > len(trees) {
		return usagef("coffer repair --from-packs  lists them", "there is no tree %d: the packs hold %d", f.tree, len(trees))
	}
	target, err := filepath.Abs(f.target)
	if err != nil {
		return err
	}
	o := restore.Options{Target: target, Progress: new(restore.Progress)}
	o.OnEvent = func(e restore.Event) { d.restoreEvent(e, false) }
	began := time.Now()
	m := d.showProgress(func() sample { return restoreSample(o.Progress, time.Since(began)) })
	res, err := restore.Run(ctx, v.SourceOf(trees[f.tree-1], "/tree"), o)
	m.finish()
	d.tellRestore(res, o, !res.Interrupted && whole(err))
	return restoreError(ctx, res, o, err)
}
