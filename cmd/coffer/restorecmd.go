package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coffer/vault"
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

func (d *door) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:     "restore SNAPSHOT[:PATH ...] --target DIR",
		Aliases: []string{"extract"},
		Short:   "Restore files from a snapshot (needs the kit)",
		Long: `Restore a snapshot, or the files and folders of it that PATH names. SNAPSHOT is
latest, latest~N, the beginning of an ID, or a date such as 2026-11-22 or
2026-11-22T14:30, which means the newest snapshot not after it.

On a machine that has nothing but the kit:
  coffer restore --kit coffer-kit.txt latest --target DIR

A file is written under a temporary name and gets its own when its last byte was
verified. An interrupted restore goes on where it was: run it again.`,
		Example: `  coffer restore latest --target ~/restored
  coffer restore latest:website/index.html --target .
  coffer restore 2026-11-01 --in-place --include '*.psd'`,
		Args: between(1, 1, "coffer restore SNAPSHOT[:PATH] --target DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.restore(cmd.Context(), f, args[0]) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.target, "target", "t", "", "`folder` to restore into; it is made if it is not there")
	fl.BoolVar(&f.inPlace, "in-place", false, "put everything back where it was saved from")
	fl.StringArrayVarP(&f.include, "include", "i", nil, "restore only what matches this gitignore `pattern` (repeatable)")
	fl.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches this gitignore `pattern` (repeatable)")
	fl.StringVar(&f.overwrite, "overwrite", "if-changed", "what to do about files that exist: always, if-changed, if-newer, never")
	fl.BoolVar(&f.delete, "delete", false, "remove what the snapshot does not have from the folders restored")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "tell what would be done, and do nothing")
	fl.BoolVar(&f.verify, "verify", false, "read every file back and compare it with the snapshot")
	fl.BoolVar(&f.sparse, "sparse", false, "make long runs of zeros holes")
	fl.BoolVar(&f.owner, "owner", false, "restore owner and group (as root this is the default)")
	fl.BoolVar(&f.byName, "ownership-by-name", false, "owner and group by their names here, not by number")
	fl.BoolVar(&f.devices, "devices", false, "restore device nodes (as root this is the default)")
	fl.BoolVar(&f.setid, "setuid", false, "restore setuid and setgid bits (as root this is the default)")
	fl.StringVar(&f.expect, "expect", "", "fail unless the vault shows the commit with this `witness` (see coffer status)")
	fl.StringVar(&f.project, "project", "", "of this `project` only, where SNAPSHOT is latest or a date")
	return c
}

func (f restoreFlags) options() (restore.Options, error) {
	o := restore.Options{
		InPlace: f.inPlace, Include: f.include, Exclude: f.exclude, Overwrite: restore.Overwrite(f.overwrite), Delete: f.delete,
		DryRun: f.dryRun, Verify: f.verify, Sparse: f.sparse, ByName: f.byName, Progress: new(restore.Progress),
	}
	switch {
	case f.target == "" && !f.inPlace:
		return o, usageError{errors.New("restore: where to?"), "add --target DIR, or --in-place to put everything back where it was"}
	case f.target != "" && f.inPlace:
		return o, usageError{errors.New("restore: --target and --in-place exclude each other"), ""}
	case f.target != "":
		abs, err := filepath.Abs(f.target)
		if err != nil {
			return o, err
		}
		o.Target = abs
	}
	switch o.Overwrite {
	case restore.Always, restore.IfChanged, restore.IfNewer, restore.Never:
	default:
		return o, usageError{fmt.Errorf("--overwrite %q", f.overwrite), "it is one of always, if-changed, if-newer, never"}
	}
	for _, c := range []struct {
		on bool
		to *restore.Choice
	}{{f.owner, &o.Owner}, {f.devices, &o.Devices}, {f.setid, &o.SetID}} {
		if c.on {
			*c.to = restore.Yes
		}
	}
	return o, nil
}

func (d *door) restore(ctx context.Context, f restoreFlags, spec string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	v, err := d.open(ctx, lent)
	if err != nil {
		return err
	}
	name, path := splitSpec(spec)
	if path != "" {
		o.Paths = []string{path}
	}
	filter, err := d.projectFilter(ctx, v, f.project)
	if err != nil {
		return err
	}
	snap, err := v.Find(ctx, name, filter)
	if err != nil {
		return err
	}
	if err := d.tellFound(ctx, v, snap, f.expect); err != nil {
		return err
	}
	src, err := v.Source(ctx, snap)
	if err != nil {
		return err
	}
	began := time.Now()
	o.OnEvent = d.restoreEvent
	m := d.showProgress(func() sample { return restoreSample(o.Progress, time.Since(began)) })
	res, err := restore.Run(ctx, src, o)
	m.finish()
	d.tellProblems(v)
	d.tellRestore(res, o)
	return d.restoreError(ctx, res, err)
}

// projectFilter finds the ID of a project by what people call it.
func (d *door) projectFilter(ctx context.Context, v *vault.Vault, project string) (vault.Filter, error) {
	if project == "" {
		return vault.Filter{}, nil
	}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return vault.Filter{}, err
		}
		b, err := v.Body(ctx, s)
		if err != nil {
			if vault.IsRemote(err) {
				return vault.Filter{}, err
			}
			continue
		}
		if b.Label == project || string(s.Commit.Project) == project {
			return vault.Filter{Project: s.Commit.Project}, nil
		}
	}
	return vault.Filter{}, hinted{fmt.Errorf("no snapshot of a project %q", project), "coffer snapshots lists them"}
}

// tellFound says which state of the vault was found, so that a rollback to an
// older one can be seen, and holds it against a witness.
func (d *door) tellFound(ctx context.Context, v *vault.Vault, snap *vault.Snapshot, expect string) error {
	witness, newest, err := v.Witness(ctx)
	if err != nil {
		return err
	}
	follow := -1
	if expect != "" {
		if _, follow, err = v.Expect(ctx, expect); err != nil {
			return err
		}
	}
	if d.json {
		m := map[string]any{"snapshot": snap.ID(), "time": snap.Time().UTC(), "trust": v.Trust().N, "witness": witness, "newest": newest.Time.UTC()}
		if follow >= 0 {
			m["commits_since_expected"] = follow
		}
		d.emit("found", m)
		return nil
	}
	d.line(fmt.Sprintf("vault %s, trust %d; newest commit %s (%s), witness %s", v.ID()[:8], v.Trust().N, timeText(newest.Time), ageText(newest.Time), witness))
	if follow >= 0 {
		d.line(fmt.Sprintf("the expected commit is there, and %s since", plural(int64(follow), "commit")))
	}
	d.line(fmt.Sprintf("restoring snapshot %s of %s (%s)", snap.Short(), timeText(snap.Time()), ageText(snap.Time())))
	return nil
}

func restoreSample(p *restore.Progress, t time.Duration) sample {
	files, bytes, total := p.Files.Load(), p.Bytes.Load(), p.TotalBytes.Load()
	return sample{
		text:    joined(plural(files, "file"), bytesText(bytes), rate(bytes, t), left(bytes, total, t)),
		current: p.Current(),
		json: map[string]any{"files_done": files, "bytes_done": bytes, "total_files": p.TotalFiles.Load(), "total_bytes": total,
			"seconds_elapsed": int64(t.Seconds()), "current_file": p.Current()},
	}
}

func (d *door) restoreEvent(e restore.Event) {
	switch e.Action {
	case restore.Damaged, restore.Failed, restore.Refused, restore.Unsaved:
		if d.json {
			d.emit("error", map[string]any{"event": string(e.Action), "path": e.Path, "error": fmt.Sprint(e.Err)})
			return
		}
		d.line(fmt.Sprintf("%s: %s: %v", restoreWord(e.Action), safeName(e.Path), e.Err))
	default:
		if d.verbose && !d.json {
			d.line(fmt.Sprintf("%s: %s", e.Action, safeName(e.Path)))
		}
	}
}

func restoreWord(a restore.Action) string {
	switch a {
	case restore.Damaged:
		return "damaged in the vault"
	case restore.Refused:
		return "refused"
	case restore.Unsaved:
		return "not in the snapshot"
	}
	return "not restored"
}

// restoreError says how to go on after an interruption, and turns what is
// lacking into a code.
func (d *door) restoreError(ctx context.Context, res restore.Result, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		d.line("interrupted: what is complete stays, nothing half written is left; run the same command again to go on")
		return codeError{exitInterrupted, ""}
	case errors.Is(err, restore.ErrPartial):
		return codeError{exitPartial, err.Error()}
	case errors.Is(err, vault.ErrDamaged) && res.Damaged.Count > 0:
		return codeError{exitDamage, err.Error() + "; everything else was restored"}
	}
	return err
}

// tellRestore prints the result and the fidelity report.
func (d *door) tellRestore(r restore.Result, o restore.Options) {
	if d.json {
		d.emit("summary", restoreSummary(r, o))
		return
	}
	w := d.out
	verb := "restored"
	if r.DryRun {
		verb = "would restore"
	}
	where := o.Target
	if o.InPlace {
		where = "where they were"
	}
	fmt.Fprintf(w, "%s %s, %s, %s in %s to %s\n", verb, plural(r.Files, "file"), plural(r.Folders, "folder"), bytesText(r.Bytes), durationText(r.Elapsed), safeName(where))
	if n := r.Symlinks + r.Links + r.Specials; n > 0 {
		fmt.Fprintf(w, "  %s, %s, %s\n", plural(r.Symlinks, "symlink"), plural(r.Links, "hard link"), plural(r.Specials, "special file"))
	}
	if r.Unchanged > 0 {
		fmt.Fprintf(w, "  %s were equal already\n", countText(r.Unchanged))
	}
	if r.Kept > 0 {
		fmt.Fprintf(w, "  %s differ and were kept (--overwrite %s)\n", countText(r.Kept), o.Overwrite)
	}
	if r.Deleted > 0 {
		fmt.Fprintf(w, "  %s deleted, not in the snapshot\n", countText(r.Deleted))
	}
	if r.Verified > 0 {
		fmt.Fprintf(w, "  %s read back and found equal\n", countText(r.Verified))
	}
	if r.Changed > 0 {
		fmt.Fprintf(w, "  %s changed while they were backed up\n", plural(r.Changed, "file"))
	}
	d.tellLosses(r)
}

// tellLosses is the fidelity report: every kind of metadata that could not be
// restored, or that there was nothing of the kind.
func (d *door) tellLosses(r restore.Result) {
	if r.DryRun {
		return
	}
	if len(r.Losses) == 0 {
		fmt.Fprintln(d.out, "  all metadata was restored")
		return
	}
	for _, l := range r.Losses {
		fmt.Fprintf(d.out, "  not restored: %s of %s (%v), such as", l.Kind, plural(l.Count, "entry"), l.Err)
		for i, name := range l.First {
			if i == 3 {
				break
			}
			fmt.Fprintf(d.out, " %s", safeName(name))
		}
		fmt.Fprintln(d.out)
	}
}

func restoreSummary(r restore.Result, o restore.Options) map[string]any {
	var losses []map[string]any
	for _, l := range r.Losses {
		losses = append(losses, map[string]any{"kind": l.Kind, "count": l.Count, "first": l.First, "error": fmt.Sprint(l.Err)})
	}
	return map[string]any{
		"target": o.Target, "in_place": o.InPlace, "dry_run": r.DryRun, "files": r.Files, "dirs": r.Folders, "symlinks": r.Symlinks, "links": r.Links,
		"specials": r.Specials, "bytes": r.Bytes, "unchanged": r.Unchanged, "kept": r.Kept, "deleted": r.Deleted, "verified": r.Verified,
		"damaged": r.Damaged.Count, "failed": r.Failed.Count, "refused": r.Refused.Count, "unsaved": r.Unsaved.Count,
		"losses": losses, "seconds": r.Elapsed.Seconds(), "interrupted": r.Interrupted,
	}
}
