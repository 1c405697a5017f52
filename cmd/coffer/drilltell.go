package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"coffer/vault/drill"
)

// drillProblem tells of a file, or an object, that was not proven.
func (d *door) drillProblem(path string, err error) {
	if d.json {
		d.emit("error", map[string]any{"event": "problem", "path": path, "error": fmt.Sprint(err)})
		return
	}
	d.note("not proven: %s: %s", safeName(path), plainText(fmt.Sprint(err), path))
}

func (d *door) tellDrill(r drill.Report, snap row) {
	if d.json {
		d.emit("summary", drillJSON(r))
		return
	}
	w := d.out
	fmt.Fprintf(w, "drill of snapshot %s of %s, taken %s (%s)\n", r.Snapshot.ID[:8], safeName(projectText(snap.label, snap.roots)), timeText(r.Snapshot.Taken), ageText(r.Snapshot.Taken))
	switch {
	case r.Level == drill.Restored && r.Files == 0:
		fmt.Fprintln(w, "  restored nothing")
	case r.Level == drill.Restored:
		fmt.Fprintf(w, "  restored %s of %s, %s, in %s\n", countText(r.Files), plural(r.Snapshot.Files, "file"), bytesText(r.Bytes), secondsText(r.Seconds))
		fmt.Fprintf(w, "  first byte after %s, then %s a second\n", secondsText(r.FirstByte), bytesText(r.Rate))
		fmt.Fprintf(w, "  %s read back, as the snapshot has them%s\n", countText(r.Verified), sourceText(r))
	default:
		fmt.Fprintf(w, "  read %s, %s\n", plural(r.Packs, "pack"), bytesText(r.PackBytes))
	}
	if r.Unsaved > 0 {
		fmt.Fprintf(w, "  %s could not be read when the snapshot was made, and are not in it\n", countText(r.Unsaved))
	}
	fmt.Fprintf(w, "  %s\n", r.Says)
	if r.Path != "" {
		fmt.Fprintf(w, "  signed report: %s\n", safeName(r.Path))
	}
	if r.NotRecorded != nil {
		d.note("this drill was not committed to the vault: %s", plainText(r.NotRecorded.Error()))
	}
}

// sourceText tells how the files compare with those on the disk.
func sourceText(r drill.Report) string {
	s := r.Source
	if s.Same+s.Changed+s.Gone+s.Different == 0 {
		return ""
	}
	parts := []string{countText(s.Same) + " equal to the files on the disk"}
	for _, p := range []struct {
		n    int64
		text string
	}{{s.Changed, "changed since"}, {s.Gone, "gone since"}, {s.Different, "different"}} {
		if p.n > 0 {
			parts = append(parts, countText(p.n)+" "+p.text)
		}
	}
	return "; " + strings.Join(parts, ", ")
}

// secondsText is a length of time that may be short.
func secondsText(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.2f s", s)
	}
	return durationText(time.Duration(s * float64(time.Second)))
}

// drillJSON is the report as it is signed, with what is not a part of it.
func drillJSON(r drill.Report) map[string]any {
	m := map[string]any{}
	if b, err := json.Marshal(r); err == nil {
		_ = json.Unmarshal(b, &m)
	}
	m["report"] = r.Path
	if r.NotRecorded != nil {
		m["not_recorded"] = r.NotRecorded.Error()
	}
	return m
}
