package main

import (
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"coffer/vault/restore"
)

// restoreFlags are those of coffer restore.
type restoreFlags struct {
	target           string
	inPlace          bool
	include, exclude []string
	overwrite        string
	delete           bool
	dryRun           bool
	verify           bool
	sparse           bool
	byName           bool
	owner            bool
	devices, setid   bool
	expect           string
	project          string
}

const restoreUsage = "coffer restore SNAPSHOT[:PATH] [PATH ...] --target DIR"

func (d *door) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:     "restore SNAPSHOT[:PATH] [PATH ...]",
		Aliases: []string{"extract"},
		Short:   "Restore files from a snapshot (needs the kit)",
		Long: `Restore a snapshot, or the files and folders of it that PATH names, as coffer ls
shows them. SNAPSHOT is latest, latest~N, the first 4 or more digits of an ID, or a
date such as 2026-11-22 or 2026-11-22T14:30: the newest snapshot not after it.

On a machine that has nothing but the kit:
  coffer restore --kit coffer-kit.txt latest --target DIR

A file is written under a temporary name and gets its own when its last byte was
verified. An interrupted restore goes on where it was: run it again.

--delete removes all that the snapshot does not have, also what rules had left out
of it. Look first with --dry-run -v.`,
		Example: `  coffer restore latest --target ~/restored
  coffer restore latest:website/index.html --target .
  coffer restore 2026-11-01 --in-place --include '*.psd'`,
		ValidArgsFunction: offerSnapshots,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usagef("usage:  "+restoreUsage, "say which snapshot to restore: latest, or one that coffer snapshots lists")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return d.restore(cmd.Context(), f, args) },
	}
	f.bind(c)
	return c
}

func (f *restoreFlags) bind(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVarP(&f.target, "target", "t", "", "`folder` to restore into; it is made if it is not there")
	fl.BoolVar(&f.inPlace, "in-place", false, "put everything back where it was saved from")
	fl.StringArrayVarP(&f.include, "include", "i", nil, "restore only what matches this gitignore `pattern` (repeatable)")
	fl.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches this gitignore `pattern` (repeatable)")
	fl.StringVar(&f.overwrite, "overwrite", "if-changed", "`when` to replace what exists: always, if-changed, if-newer, never")
	fl.BoolVar(&f.delete, "delete", false, "remove what the snapshot does not have from the folders restored")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "tell what would be done, and do nothing")
	fl.BoolVar(&f.verify, "verify", false, "read every file back and compare it with the snapshot")
	fl.BoolVar(&f.sparse, "sparse", false, "make long runs of zeros holes")
	fl.BoolVar(&f.owner, "owner", false, "restore owner and group (as root this is the default)")
	fl.BoolVar(&f.byName, "ownership-by-name", false, "owner and group by their names here, not by number")
	fl.BoolVar(&f.devices, "devices", false, "restore device nodes (as root this is the default)")
	fl.BoolVar(&f.setid, "setuid", false, "restore setuid and setgid bits (as root this is the default)")
	fl.StringVar(&f.expect, "expect", "", "fail unless the vault shows the commit with this `witness` (see coffer status)")
	fl.StringVar(&f.project, "project", "", "the newest of this `project`, where SNAPSHOT is latest or a date")
	offer(c, "overwrite", overwrites...)
}

var (
	overwrites  = []string{string(restore.Always), string(restore.IfChanged), string(restore.IfNewer), string(restore.Never)}
	witnessForm = regexp.MustCompile(`^[0-9a-fA-F]{16,64}$`)
)

// check refuses flags that make no sense together, before anything is asked of
// the remote.
func (f *restoreFlags) check() error {
	switch {
	case f.target == "" && !f.inPlace:
		return usagef("add --target DIR, or --in-place to put everything back where it was", "say where to restore to")
	case f.target != "" && f.inPlace:
		return usagef("", "--target and --in-place exclude each other")
	case !slices.Contains(overwrites, f.overwrite):
		return usagef("it is one of always, if-changed, if-newer, never", "--overwrite %q is not known", f.overwrite)
	case f.delete && restore.Overwrite(f.overwrite) == restore.Never:
		return usagef("", "--overwrite never and --delete contradict each other")
	case f.expect != "" && !witnessForm.MatchString(f.expect):
		return usagef("coffer status  shows it on a machine that backs up", "--expect %q: a witness has 16 digits or more, from 0 to 9 and a to f", f.expect)
	}
	return nil
}

func (f *restoreFlags) options() (restore.Options, error) {
	o := restore.Options{
		InPlace: f.inPlace, Include: f.include, Exclude: f.exclude, Overwrite: restore.Overwrite(f.overwrite), Delete: f.delete,
		DryRun: f.dryRun, Verify: f.verify, Sparse: f.sparse, ByName: f.byName, Progress: new(restore.Progress),
	}
	if err := f.check(); err != nil {
		return o, err
	}
	for _, c := range []struct {
		on bool
		to *restore.Choice
	}{{f.owner, &o.Owner}, {f.devices, &o.Devices}, {f.setid, &o.SetID}} {
		if c.on {
			*c.to = restore.Yes
		}
	}
	var err error
	if f.target != "" {
		o.Target, err = filepath.Abs(f.target)
	}
	return o, err
}
