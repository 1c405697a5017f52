package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/drill"
	"coffer/vault/restore"
)

// drillFlags are those of coffer drill.
type drillFlags struct {
	files    int
	all      bool
	target   string
	project  string
	noRecord bool
}

func (d *door) drillCommand() *cobra.Command {
	var f drillFlags
	c := &cobra.Command{
		Use:   "drill [SNAPSHOT]",
		Short: "Prove that restore works, by restoring (needs the kit for all of it)",
		Long: `Restore files of a snapshot, latest if none is named, to a scratch folder: some drawn
by chance, the oldest and the largest, or with --all every one. Each is read back and
compared with the snapshot, and with the file on the disk where that has not changed
since. How long the first byte took and how fast the rest came is measured.

The report, signed by this device, is kept with its local state, and that there was a
drill is committed to the vault: coffer status tells when a restore was last proven.

Without the kit only the objects can be looked at: that they are there, that their
bytes are those that were stored, and that they begin as they should. That is less,
and the report says so.`,
		Example: `  coffer drill --kit coffer-kit.txt
  coffer drill 2026-11-01 --all --target ~/drill --kit coffer-kit.txt`,
		ValidArgsFunction: offerSnapshots,
		Args:              between(0, 1, "coffer drill [SNAPSHOT] [--files N | --all]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "latest"
			if len(args) == 1 {
				name = args[0]
			}
			if f.all && cmd.Flags().Changed("files") {
				return usagef("", "--files and --all exclude each other")
			}
			return d.drill(cmd.Context(), f, name)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.files, "files", 20, "draw this `number` of files, beside the oldest and the largest")
	fl.BoolVar(&f.all, "all", false, "restore every file")
	fl.StringVarP(&f.target, "target", "t", "", "`folder` to restore to, which must be empty and stays (default: one that goes)")
	fl.StringVar(&f.project, "project", "", "the newest of this `project`, where SNAPSHOT is latest or a date")
	fl.BoolVar(&f.noRecord, "no-record", false, "do not commit that there was a drill")
	return c
}

func (d *door) drill(ctx context.Context, f drillFlags, name string) error {
	if f.files < 1 {
		return usagef("it is 1 or more", "--files %d draws nothing", f.files)
	}
	o := drill.Options{Files: f.files, All: f.all, NoRecord: f.noRecord, Progress: new(restore.Progress), OnProblem: d.drillProblem}
	var err error
	if f.target != "" {
		if o.Target, err = filepath.Abs(f.target); err != nil {
			return err
		}
	}
	v, err := d.open(ctx, useful)
	if err != nil {
		return err
	}
	var filter vault.Filter
	if f.project != "" {
		if filter, err = projectID(ctx, v, f.project); err != nil {
			return err
		}
	}
	if o.Snapshot, err = v.Find(ctx, name, filter); err != nil {
		return err
	}
	row, err := newBook(v).describe(ctx, o.Snapshot)
	if err != nil {
		return err
	}
	o.Label = row.label
	began := time.Now()
	m := d.showProgress(func() sample { return restoreSample(o.Progress, time.Since(began)) })
	rep, err := drill.Run(ctx, v, o)
	m.finish()
	d.tellProblems(v)
	if err != nil {
		return err
	}
	d.tellDrill(rep, row)
	return drillEnd(rep)
}

// drillEnd is the outcome of a drill.
func drillEnd(r drill.Report) error {
	switch r.Result {
	case commit.OK:
		return nil
	case commit.Damaged:
		return told{errors.New(r.Says), exitDamage, "coffer verify --deep  names all that is harmed;  coffer backup now  stores again what is still on the disk"}
	}
	return outcome{exitPartial, r.Says}
}
