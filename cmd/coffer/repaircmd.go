package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/vault/repair"
)

func (d *door) repairCommand() *cobra.Command {
	var dry, yes bool
	var f salvageFlags
	c := &cobra.Command{
		Use: "repair", Short: "Make whole what was lost and can be had from elsewhere",
		Long: `Make whole what the vault or this machine's local state has lost, where it can be had
from elsewhere: lists of packs from copies on this machine, from the manifests (with
the kit) or from the names that the remote shows; local state, all but the device's
keys, from the vault's newest snapshots (with the kit). Nothing that is valid is
dropped or overwritten. It says first what it would do.

Packs that are missing or damaged are healed by the next backup, from the disk. With
the kit their chunks are looked for in other packs too, of any device. A device that
has lost its keys takes its place again with coffer enrol --replace.

When hardly anything is left, --from-packs finds, with the kit and packs alone, every
tree of files that was ever saved, and --tree restores one of them.`,
		Example: `  coffer repair --dry-run
  coffer repair --kit coffer-kit.txt
  coffer repair --from-packs --tree 12 --target ~/found --kit coffer-kit.txt`,
		Args: exactly(0, "coffer repair [--dry-run] [--yes]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if f.fromPacks {
				return d.salvage(cmd.Context(), f)
			}
			return d.repair(cmd.Context(), dry, yes)
		},
	}
	c.Flags().BoolVarP(&dry, "dry-run", "n", false, "say what would be done, and do nothing")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.bind(c)
	return c
}

func (d *door) repair(ctx context.Context, dry, yes bool) error {
	v, err := d.open(ctx, useful)
	if err != nil {
		return err
	}
	plan, err := repair.Make(ctx, v)
	if err != nil {
		return err
	}
	d.tellRepairs(plan)
	switch {
	case !plan.CanDo():
		return repairEnd(plan)
	case dry:
		return nil
	}
	if err := d.agree(yes, "coffer repair", "Do this?"); err != nil {
		return err
	}
	done, err := plan.Run(ctx)
	for _, w := range done.Warnings {
		d.note("warning: %s", plainText(w.Error()))
	}
	d.tellRepaired(done)
	if err != nil {
		return err
	}
	return repairEnd(plan)
}

// tellRepairs tells the plan.
func (d *door) tellRepairs(plan *repair.Plan) {
	if len(plan.Steps) == 0 {
		d.tellNothingToRepair()
	}
	for _, s := range plan.Steps {
		if d.json {
			d.emit("step", map[string]any{"kind": string(s.Kind), "object": s.Object, "error": s.Why.Error(), "how": s.How, "can_do": s.CanDo()})
			continue
		}
		fmt.Fprintf(d.out, "%s: %s\n  %s\n  %s\n", s.Kind, safeName(s.Object), plainText(s.Why.Error(), s.Object), safeText(s.How))
	}
}

func (d *door) tellNothingToRepair() {
	if d.json {
		d.tellRepaired(repair.Done{})
		return
	}
	fmt.Fprintln(d.out, "nothing to repair")
}

func (d *door) tellRepaired(r repair.Done) {
	if d.json {
		d.emit("summary", map[string]any{"put_back": r.PutBack, "written": r.Written, "chunks_moved": r.Moved, "state_rebuilt": r.Rebuilt, "chunks_known": r.Chunks, "snapshots_known": r.Catalog})
		return
	}
	if n := r.PutBack; n > 0 {
		fmt.Fprintf(d.out, "put back %s\n", plural(n, "object"))
	}
	if n := r.Written; n > 0 {
		fmt.Fprintf(d.out, "wrote %s anew; what was lost keeps its name, and these stand in for it\n", plural(n, "list"))
	}
	if n := r.Moved; n > 0 {
		fmt.Fprintf(d.out, "moved %s of bad packs to where they are as well; older snapshots find them there\n", plural(n, "chunk"))
	}
	if r.Rebuilt {
		fmt.Fprintf(d.out, "rebuilt the local state: %s and %s known again\n", plural(r.Chunks, "chunk"), plural(r.Catalog, "snapshot"))
	}
}

// repairEnd is the outcome: what could not be repaired must not be missed.
func repairEnd(plan *repair.Plan) error {
	kit, lost := 0, 0
	for _, s := range plan.Steps {
		switch s.Kind {
		case repair.NeedsKit:
			kit++
		case repair.Hopeless:
			lost++
		}
	}
	switch {
	case lost > 0:
		return outcome{exitDamage, plural(lost, "thing") + " can be had from nowhere, as told above; everything else can be restored"}
	case kit > 0:
		return told{fmt.Errorf("%s can be repaired with the kit only", plural(kit, "thing")), exitNoIdentity, "coffer repair --kit FILE"}
	}
	return nil
}
