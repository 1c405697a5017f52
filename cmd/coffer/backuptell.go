package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"coffer/vault"
	"coffer/vault/backup"
)

// backupFailed says what is still safe when a backup fails.
func (d *door) backupFailed(err error, b *birth) error {
	if b != nil {
		d.tellBirth(b)
	}
	if errors.Is(err, context.Canceled) {
		return told{errors.New("interrupted; no snapshot was made"), exitInterrupted,
			"what was stored so far is kept: run the same command again, and it goes on from there"}
	}
	return err
}

// tellBackup tells the result, and fails with a code if it is partial or the
// vault has lost something.
func (d *door) tellBackup(v *vault.Vault, o backup.Options, res backup.Result, b *birth) error {
	if d.json {
		d.emit("summary", backupSummary(o, res))
	} else {
		d.printBackup(v, o, res)
	}
	if b != nil {
		d.tellBirth(b)
	} else if d.looksOn() { // a run by a timer has nobody to remind
		d.remindKit(v)
	}
	for _, w := range res.Warnings {
		if errors.Is(w, vault.ErrRollback) || errors.Is(w, vault.ErrMissing) {
			lost := outcome{exitDamage, "the snapshot was made, but the remote has lost older data; " + harmLeft(res.Healed)}
			return found(lost, newlyLost(v))
		}
	}
	if res.Partial {
		return outcome{exitPartial, fmt.Sprintf("the snapshot is partial: %s could not be read, named above; all else is stored", plural(res.UnreadCount, "entry"))}
	}
	return nil
}

func backupSummary(o backup.Options, res backup.Result) map[string]any {
	m := resultCounts(res)
	maps.Copy(m, map[string]any{
		"snapshot": res.Snapshot, "project": o.Label, "roots": o.Roots, "unchanged": res.Unchanged, "partial": res.Partial,
		"bytes_new": res.NewBytes, "bytes_stored": res.Stored, "chunks_new": res.NewChunks, "bytes_read": res.ReadBytes,
		"changed_while_read": res.ChangedCount,
		"healed":             map[string]any{"packs": res.Healed.Packs, "chunks": res.Healed.Chunks, "chunks_left": res.Healed.Left},
		"start":              res.Start.UTC(), "end": res.End.UTC(), "seconds": res.End.Sub(res.Start).Seconds(),
	})
	return m
}

func resultCounts(res backup.Result) map[string]any {
	return map[string]any{
		"files": res.Files, "dirs": res.Dirs, "others": res.Others, "bytes": res.Bytes,
		"files_new": res.NewFiles, "files_changed": res.ChangedFiles, "files_unmodified": res.KeptFiles, "files_removed": res.RemovedFiles,
		"unread": res.UnreadCount, "excluded": res.ExcludedCount, "left_out": res.LeftOutCount,
	}
}

func (d *door) printBackup(v *vault.Vault, o backup.Options, res backup.Result) {
	w := d.out
	fmt.Fprintf(w, "snapshot %s of %s: %s\n", res.Snapshot[:8], safeName(projectText(o.Label, o.Roots)), holds(res))
	fmt.Fprintf(w, "  %s; %s read, %s stored in %s\n", changes(res), bytesText(res.ReadBytes), bytesText(res.Stored), durationText(res.End.Sub(res.Start)))
	if n := res.ExcludedCount; n > 0 {
		fmt.Fprintf(w, "  %s left out by rules (-v names them)\n", countText(n))
	}
	if n := res.LeftOutCount; n > 0 {
		fmt.Fprintf(w, "  %s left out, of kinds that have no content of their own (-v names them)\n", countText(n))
	}
	if n := res.ChangedCount; n > 0 {
		fmt.Fprintf(w, "  %s changed while being read; kept as last read, and marked\n", plural(n, "file"))
	}
	tellHealed(w, res.Healed)
	fmt.Fprintf(w, "  in %s\n  to restore:  %s\n", safeName(v.Location()), d.restoreLine(v, res.Snapshot[:8]))
}

// newlyLost names what a run found to be missing that was there before.
func newlyLost(v *vault.Vault) (names []string) {
	for _, p := range v.Problems() {
		if errors.Is(p.Err, vault.ErrDamaged) || errors.Is(p.Err, vault.ErrRollback) {
			names = append(names, p.Object)
		}
	}
	return names
}

// harmLeft says what became of data that the remote has lost.
func harmLeft(h vault.Healed) string {
	if h.Packs > 0 && h.Left == 0 {
		return "what this machine knows of it is stored again;  coffer verify --deep  proves that all is"
	}
	return "coffer verify  tells which snapshots it harms"
}

// tellHealed tells what a run did for older snapshots.
func tellHealed(w io.Writer, h vault.Healed) {
	if h.Packs > 0 {
		fmt.Fprintf(w, "  healed: %s of %s that had gone bad or missing, stored again; older snapshots find them there\n", plural(h.Chunks, "chunk"), plural(h.Packs, "pack"))
	}
	if h.Packs > 0 && h.Left > 0 {
		fmt.Fprintf(w, "  not healed: %s that these folders do not hold any more; coffer verify --deep  names the files\n", plural(h.Left, "chunk"))
	}
}

// holds is what a snapshot has in it.
func holds(res backup.Result) string {
	return joined(plural(res.Files, "file")+" in "+plural(res.Dirs, "folder"), bytesText(res.Bytes))
}

func changes(res backup.Result) string {
	return fmt.Sprintf("%s new, %s changed, %s unchanged, %s gone",
		countText(res.NewFiles), countText(res.ChangedFiles), countText(res.KeptFiles), countText(res.RemovedFiles))
}

// projectText is how people are told of a project: by its name in the config,
// or by its folders.
func projectText(label string, roots []string) string {
	if !filepath.IsAbs(label) || len(roots) == 0 {
		return label
	}
	if all := strings.Join(roots, ", "); len(roots) == 1 || len(all) <= 60 {
		return all
	}
	return fmt.Sprintf("%s and %d more", roots[0], len(roots)-1)
}

// remindKit reminds that the kit is still on this machine.
func (d *door) remindKit(v *vault.Vault) {
	if d.quiet || v.State() == nil {
		return
	}
	dev, err := v.State().Device()
	if err != nil || dev.KitPath == "" {
		return
	}
	if _, err := os.Lstat(string(dev.KitPath)); err == nil {
		d.note("reminder: the recovery kit is still on this machine: %s\n  put a copy elsewhere, then:  coffer kit confirm COPY", safeName(string(dev.KitPath)))
	}
}
