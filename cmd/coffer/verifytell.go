package main

import (
	"fmt"
	"strings"
	"time"

	"coffer/vault/verify"
)

func verifySample(p *verify.Progress, t time.Duration) sample {
	stage := ""
	if s := p.Stage.Load(); s != nil {
		stage = *s
	}
	done, total := p.Bytes.Load(), p.TotalBytes.Load()
	s := sample{text: stage, json: map[string]any{
		"stage": stage, "packs_done": p.Packs.Load(), "total_packs": p.TotalPacks.Load(), "bytes_done": done, "total_bytes": total, "seconds_elapsed": int64(t.Seconds()),
	}}
	if total > 0 {
		s.text = joined(stage, fmt.Sprintf("%s of %s", countText(p.Packs.Load()), plural(p.TotalPacks.Load(), "pack")), bytesText(done), rate(done, t), left(done, total, t))
	}
	return s
}

func (d *door) verifyProblem(p verify.Problem) {
	if d.json {
		d.emit("error", map[string]any{"event": "problem", "object": p.Object, "error": p.Err.Error(), "harms": p.Harms, "snapshots": p.Snapshots, "files": p.Files, "file_count": p.FileCount})
		return
	}
	d.tellProblem(p.Object, p.Err, p.Harms)
	if len(p.Snapshots) > 0 {
		d.note("  snapshots: %s", strings.Join(p.Snapshots, " "))
	}
	if len(p.Files) > 0 {
		d.note("  files:")
	}
	for _, f := range p.Files {
		d.note("    %s", safeName(f))
	}
	if more := p.FileCount - int64(len(p.Files)); more > 0 {
		d.note("    and %s more", countText(more))
	}
}

// verifyReplaced tells of a bad pack or list that moves replace.
func (d *door) verifyReplaced(r verify.Replacement) {
	if d.json {
		d.emit("status", map[string]any{"event": "replaced", "object": r.Object, "error": r.Err.Error(), "moves": r.Moves, "snapshots": r.Snapshots, "proven": r.Proven, "sure": r.Sure, "proven_before": timeOrNil(r.Before), "note": r.Note})
		return
	}
	word := "healed"
	if !r.Sure {
		word = "healed in part, or wholly"
	}
	d.note("%s: %s\n  %s\n  %s", word, safeName(r.Object), plainText(r.Err.Error(), r.Object), howReplaced(r))
	if r.Note != "" {
		d.note("  %s", r.Note)
	}
}

// howReplaced says how it is known, or that it is not, that nothing is lost.
func howReplaced(r verify.Replacement) string {
	isPack := strings.HasPrefix(r.Object, "packs/")
	what := "all that snapshots need of it is stored elsewhere"
	if !isPack {
		what = "every pack that snapshots need by it is named"
	}
	switch {
	case r.Proven:
		return "proven: " + what
	case !r.Before.IsZero():
		return fmt.Sprintf("%s, as --deep proved here %s", what, timeText(r.Before))
	case r.Sure && isPack:
		return "this device knew every chunk that was in it, and all of them are stored elsewhere"
	case r.Sure:
		return "this device has a copy, and " + what
	case isPack:
		return "moves say where chunks of it are now; whether these are all that snapshots need only the kit can tell"
	}
	return "another list stands in for it; whether that names every pack that snapshots need only the kit can tell"
}

func (d *door) tellVerify(r verify.Result, o verify.Options) {
	if d.json {
		d.emit("summary", verifySummary(r))
		return
	}
	w := d.out
	if r.Snapshots == 0 {
		fmt.Fprintln(w, "no snapshot yet")
	} else {
		fmt.Fprintf(w, "%s in %s, %s\n", plural(r.Snapshots, "snapshot"), plural(r.Packs, "pack"), bytesText(r.Bytes))
	}
	switch {
	case r.Snapshots == 0:
	case r.Deep:
		fmt.Fprintf(w, "  opened everything in %s: %s hashed again, %s followed\n", durationText(r.Duration), plural(r.Chunks, "chunk"), plural(r.Entries, "ref"))
	case o.ReadData > 0:
		fmt.Fprintf(w, "  read and hashed %s, %s of %s, in %s; that they open only --deep can tell\n", plural(r.ReadPacks, "pack"), bytesText(r.ReadBytes), bytesText(r.Bytes), durationText(r.Duration))
	default:
		fmt.Fprintln(w, "  looked at signatures, names and sizes; --read-data reads all bytes, --deep opens them")
	}
	if r.Stopped {
		fmt.Fprintln(w, "  the time was over; the next one goes on from there")
	}
	if s := coverageText(r.Coverage, r.Bytes); s != "" && o.ReadData > 0 && !o.Deep {
		fmt.Fprintf(w, "  %s\n", s)
	}
	if r.Unneeded > 0 {
		fmt.Fprintf(w, "  %s, %s, that no snapshot needs: of runs at work or interrupted, or to be pruned\n", plural(r.Unneeded, "further pack"), bytesText(r.UnneededBytes))
	}
	if n := len(r.Replaced); n > 0 {
		fmt.Fprintf(w, "  %s bad or missing, and healed: moves say where their chunks are now\n", packsAndLists(r.Replaced))
	}
	if len(r.Doubts) > 0 {
		fmt.Fprintf(w, "  %s bad or missing, and healed in part at least: whether wholly is not known\n", packsAndLists(r.Doubts))
	}
	if len(r.Problems)+len(r.Doubts) == 0 {
		fmt.Fprintln(w, "  no problem found")
	}
	if r.NotRecorded != nil {
		d.note("this check was not committed to the vault: %s", plainText(r.NotRecorded.Error()))
	}
	if r.NotRemembered != nil {
		d.note("this machine could not note this check, so neither  coffer status  nor the next backup knows of it: %s", plainText(r.NotRemembered.Error()))
	}
}

// packsAndLists counts what was replaced.
func packsAndLists(list []verify.Replacement) string {
	packs := 0
	for _, r := range list {
		if strings.HasPrefix(r.Object, "packs/") {
			packs++
		}
	}
	switch lists := len(list) - packs; {
	case lists == 0:
		return plural(packs, "pack")
	case packs == 0:
		return plural(lists, "list")
	default:
		return plural(packs, "pack") + " and " + plural(lists, "list")
	}
}

func verifySummary(r verify.Result) map[string]any {
	m := map[string]any{
		"snapshots": r.Snapshots, "packs": r.Packs, "bytes": r.Bytes, "packs_read": r.ReadPacks, "bytes_read": r.ReadBytes,
		"chunks": r.Chunks, "refs": r.Entries, "packs_unneeded": r.Unneeded, "bytes_unneeded": r.UnneededBytes, "problems": len(r.Problems), "packs_replaced": len(r.Replaced), "packs_unproven": len(r.Doubts), "packs_repacked": r.Repacked,
		"deep": r.Deep, "stopped": r.Stopped, "packs_never_read": r.Coverage.Never, "bytes_never_read": r.Coverage.NeverBytes, "seconds": r.Duration.Seconds(),
	}
	if !r.Coverage.Oldest.IsZero() {
		m["oldest_read"] = r.Coverage.Oldest.UTC()
	}
	if r.NotRecorded != nil {
		m["not_recorded"] = r.NotRecorded.Error()
	}
	if r.NotRemembered != nil {
		m["not_remembered"] = r.NotRemembered.Error()
	}
	return m
}

// coverageText tells how much of the packs was read, ever and how lately; ""
// where there are none.
func coverageText(c verify.Coverage, bytes int64) string {
	switch {
	case bytes == 0:
		return ""
	case c.Never > 0 && c.Oldest.IsZero():
		return bytesText(c.NeverBytes) + " was never read in full"
	case c.Never > 0:
		return fmt.Sprintf("%s of %s was never read in full; the rest was, since %s", bytesText(c.NeverBytes), bytesText(bytes), timeText(c.Oldest))
	case c.Oldest.IsZero():
		return ""
	}
	return fmt.Sprintf("every byte was read since %s (%s)", timeText(c.Oldest), ageText(c.Oldest))
}

// nextAfter says what to do about problems.
func nextAfter(r verify.Result) string {
	for _, p := range r.Problems {
		if strings.HasPrefix(p.Object, "packs/") {
			return "what is still on the disk is stored again by the next backup, for older snapshots too:  coffer backup now"
		}
	}
	return ""
}
