package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"coffer/files"
	"coffer/vault/restore"
)

// tellRestore prints the result, and at the end of the work the fidelity
// report. Of work that was cut short it says how far it came.
func (d *door) tellRestore(r restore.Result, o restore.Options, whole bool) {
	if d.json {
		d.emit("summary", restoreSummary(r, o))
		return
	}
	w := d.out
	did := counted(count{r.Files, "file"}, count{r.Folders, "folder"}, count{r.Symlinks, "symlink"}, count{r.Links, "hard link"}, count{r.Specials, "special file"})
	if did == "" && !whole {
		return
	}
	where := "to " + safeName(o.Target)
	if o.InPlace {
		where = "where they were"
	}
	switch {
	case did == "" && r.DryRun:
		fmt.Fprintf(w, "would restore nothing %s\n", where)
	case did == "":
		fmt.Fprintf(w, "restored nothing %s\n", where)
	case r.DryRun:
		fmt.Fprintf(w, "would restore %s, %s, %s\n", did, bytesText(r.Bytes), where)
	case !whole:
		fmt.Fprintf(w, "restored so far: %s, %s, %s\n", did, bytesText(r.Bytes), where)
	default:
		fmt.Fprintf(w, "restored %s, %s in %s, %s\n", did, bytesText(r.Bytes), durationText(r.Elapsed), where)
	}
	tellRest(w, r, o)
	if whole && !r.DryRun {
		tellLosses(w, r)
	}
}

// tellRest prints what else there is to say, a line each.
func tellRest(w io.Writer, r restore.Result, o restore.Options) {
	if len(o.Include) > 0 && r.Files+r.Symlinks+r.Specials+r.Links+r.Unchanged+r.Kept == 0 {
		fmt.Fprintf(w, "  nothing in the snapshot matches --include %s\n", strings.Join(o.Include, " "))
	}
	deleted := "deleted, not in the snapshot"
	if r.DryRun {
		deleted = "would be deleted, not in the snapshot"
	}
	for _, l := range []struct {
		n    int64
		text string
	}{
		{r.Unchanged, "there already, as in the snapshot"},
		{r.Kept, keptText(o.Overwrite)},
		{r.Deleted, deleted},
		{r.Verified, "read back and found equal"},
		{r.Changed, "had changed while they were backed up"},
	} {
		if l.n > 0 {
			fmt.Fprintf(w, "  %s %s\n", countText(l.n), l.text)
		}
	}
}

// tellLosses is the fidelity report: every kind of metadata that could not be
// restored, or that there was nothing of the kind.
func tellLosses(w io.Writer, r restore.Result) {
	if len(r.Losses) == 0 && r.Files+r.Folders+r.Symlinks+r.Links+r.Specials > 0 {
		fmt.Fprintln(w, "  all metadata was restored")
	}
	for _, l := range r.Losses {
		why := fmt.Sprint(l.Err)
		if errors.Is(l.Err, files.ErrNotAsked) {
			why = "ask with " + lossFlag(l.Kind)
		}
		fmt.Fprintf(w, "  not restored: %s of %s (%s)\n", lossText(l.Kind), lossNames(l), safeName(why))
	}
}

// lossNames names what lost something, or the first of many.
func lossNames(l restore.Loss) string {
	var names []string
	for _, n := range l.First[:min(3, len(l.First))] {
		names = append(names, safeName(n))
	}
	few := strings.Join(names, ", ")
	if l.Count == int64(len(names)) {
		return few
	}
	return fmt.Sprintf("%s, such as %s", plural(l.Count, "entry"), few)
}

// lossText names a kind of metadata as people do.
func lossText(kind string) string {
	switch kind {
	case "folder":
		return "owner, mode and times"
	case "setuid":
		return "setuid or setgid"
	case "acl":
		return "access list"
	case "unsaved":
		return "metadata"
	}
	return safeName(kind)
}

// lossFlag is the flag that would have restored a kind of metadata.
func lossFlag(kind string) string {
	switch kind {
	case "setuid":
		return "--setuid"
	case "device":
		return "--devices"
	}
	return "--owner"
}

func restoreSummary(r restore.Result, o restore.Options) map[string]any {
	losses := []map[string]any{}
	for _, l := range r.Losses {
		losses = append(losses, map[string]any{"kind": l.Kind, "count": l.Count, "first": l.First, "error": fmt.Sprint(l.Err)})
	}
	return map[string]any{
		"target": o.Target, "in_place": o.InPlace, "dry_run": r.DryRun, "files": r.Files, "dirs": r.Folders, "symlinks": r.Symlinks, "links": r.Links,
		"specials": r.Specials, "bytes": r.Bytes, "unchanged": r.Unchanged, "kept": r.Kept, "deleted": r.Deleted, "verified": r.Verified,
		"changed_while_read": r.Changed, "damaged": r.Damaged.Count, "failed": r.Failed.Count, "refused": r.Refused.Count, "unsaved": r.Unsaved.Count,
		"losses": losses, "seconds": r.Elapsed.Seconds(), "interrupted": r.Interrupted,
	}
}

// keptText says why what was there stays. With never nothing of it is looked at.
func keptText(o restore.Overwrite) string {
	if o == restore.Never {
		return "there already, and kept as they are (--overwrite never)"
	}
	return "there already, different, and kept (--overwrite " + string(o) + ")"
}
