package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/vault"
	"coffer/vault/restore"
)

func (d *door) restore(ctx context.Context, f restoreFlags, args []string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	name, path := splitSpec(args[0])
	if path != "" {
		o.Paths = []string{path}
	}
	o.Paths = append(o.Paths, args[1:]...)
	v, err := d.open(ctx, needed)
	if err != nil {
		return err
	}
	snap, err := d.findSnapshot(ctx, v, name, f)
	if err != nil {
		return err
	}
	src, err := v.Source(ctx, snap)
	if err != nil {
		return err
	}
	d.tellRestoring(src, snap, name, f)
	began := time.Now()
	o.OnEvent = func(e restore.Event) { d.restoreEvent(e, o.DryRun) }
	m := d.showProgress(func() sample { return restoreSample(o.Progress, time.Since(began)) })
	res, err := restore.Run(ctx, src, o)
	m.finish()
	d.tellProblems(v)
	d.tellRestore(res, o, !res.Interrupted && whole(err))
	return restoreError(ctx, res, o, err)
}

// findSnapshot finds the snapshot, says which state of the vault was found, so
// that a rollback to an older one can be seen, and holds it against a witness.
func (d *door) findSnapshot(ctx context.Context, v *vault.Vault, name string, f restoreFlags) (*vault.Snapshot, error) {
	var filter vault.Filter
	if err := v.CheckSeen(ctx); err != nil {
		return nil, err
	}
	if f.project != "" {
		var err error
		if filter, err = projectID(ctx, v, f.project); err != nil {
			return nil, err
		}
	}
	snap, err := v.Find(ctx, name, filter)
	if err != nil {
		return nil, err
	}
	return snap, d.tellFound(ctx, v, snap, f.expect)
}

// whole tells whether a restore came to its end, whatever it found on the way.
func whole(err error) bool {
	return err == nil || errors.Is(err, restore.ErrPartial) || errors.Is(err, vault.ErrDamaged)
}

// restoreError says how to go on after an interruption, and turns what is
// lacking into a code.
func restoreError(ctx context.Context, res restore.Result, o restore.Options, err error) error {
	lacks := joined(
		some(res.Damaged.Count, "%s damaged in the vault"), some(res.Failed.Count, "%s not taken by the target"),
		some(res.Refused.Count, "%s refused for the name"), some(res.Unsaved.Count, "%s not in the snapshot"))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return told{errors.New("interrupted"), exitInterrupted,
			"what is complete stays, and nothing half written is left: run the same command again to go on"}
	case lacks != "" && errors.Is(err, restore.ErrPartial) && o.DryRun:
		return outcome{exitPartial, "the restore would be partial: " + lacks + "; all else would be restored"}
	case lacks != "" && errors.Is(err, restore.ErrPartial):
		return outcome{exitPartial, "the restore is partial: " + lacks + "; all else was restored"}
	case lacks != "" && res.Damaged.Count > 0 && errors.Is(err, vault.ErrDamaged):
		return outcome{exitDamage, "not all could be restored: " + lacks + "; all else was"}
	}
	return pathError(err)
}

// some is "3 files ..." where there are any.
func some(n int64, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, plural(n, "entry"))
}
