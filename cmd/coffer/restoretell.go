package main

import (
	"context"
	"fmt"
	"time"

	"coffer/vault"
	"coffer/vault/restore"
)

// tellFound says which state of the vault was found.
func (d *door) tellFound(ctx context.Context, v *vault.Vault, snap *vault.Snapshot, expect string) error {
	witness, newest, err := v.Witness(ctx)
	if err != nil {
		return err
	}
	m := map[string]any{"snapshot": snap.ID(), "time": snap.Time().UTC(), "trust": v.Trust().N, "witness": witness, "newest": newest.Time.UTC()}
	d.note("vault %s, trust %d; newest commit %s (%s)\n  witness %s", v.ID()[:8], v.Trust().N, timeText(newest.Time), ageText(newest.Time), witness)
	if expect != "" {
		_, follow, err := v.Expect(ctx, expect)
		if err != nil {
			return err
		}
		m["commits_since_expected"] = follow
		d.note("the expected commit is there, and %s since", plural(follow, "commit"))
	}
	if d.json {
		d.emit("found", m)
	}
	return nil
}

// tellRestoring says what is about to be restored, and that there is more if
// nobody said which project is meant.
func (d *door) tellRestoring(src *vault.Source, snap *vault.Snapshot, name string, f restoreFlags) {
	body := src.Body()
	var roots []string
	for _, r := range body.Roots {
		roots = append(roots, r.Path)
	}
	d.note("restoring snapshot %s of %s, taken %s (%s)", snap.Short(), safeName(projectText(body.Label, roots)), timeText(snap.Time()), ageText(snap.Time()))
	if n := len(body.Newest); n > 0 && f.project == "" && name != snap.ID()[:min(len(name), 64)] {
		d.note("there are snapshots of %s too: coffer snapshots lists them, --project NAME picks one", plural(n, "other project"))
	}
}

func restoreSample(p *restore.Progress, t time.Duration) sample {
	files, bytes, total := p.Files.Load(), p.Bytes.Load(), p.TotalBytes.Load()
	s := sample{
		text:    joined(plural(files, "file"), bytesText(bytes), rate(bytes, t), left(bytes, total, t)),
		current: p.Current(),
		json: map[string]any{"files_done": files, "bytes_done": bytes, "total_files": p.TotalFiles.Load(), "total_bytes": total,
			"seconds_elapsed": int64(t.Seconds())},
	}
	if s.current != "" {
		s.json["current_file"] = s.current
	}
	return s
}

func (d *door) restoreEvent(e restore.Event, dry bool) {
	switch e.Action {
	case restore.Damaged, restore.Failed, restore.Refused, restore.Unsaved:
		if d.json {
			d.emit("error", map[string]any{"event": string(e.Action), "path": e.Path, "error": fmt.Sprint(e.Err)})
			return
		}
		why := e.Err
		if e.Action == restore.Failed {
			why = bareFile(why)
		}
		d.note("%s: %s: %s", restoreWord(e.Action), safeName(e.Path), plainText(fmt.Sprint(why)))
		return
	}
	switch {
	case !d.verbose:
	case d.json:
		d.emit("verbose", map[string]any{"event": string(e.Action), "path": e.Path, "size": e.Size, "dry_run": dry})
	default:
		d.note("%s: %s", doneWord(e.Action, dry), safeName(e.Path))
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

func doneWord(a restore.Action, dry bool) string {
	switch {
	case dry && a == restore.Restored:
		return "would restore"
	case dry && a == restore.Deleted:
		return "would delete"
	}
	return string(a)
}
