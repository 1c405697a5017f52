package main

import (
	"context"
	"errors"
	"fmt"

	"coffer/config"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/backup"
)

// backupFailed says what is still safe when a backup fails.
func (d *door) backupFailed(err error, res backup.Result, b *birth) error {
	if b != nil && !d.json {
		d.tellBirth(b)
	}
	if errors.Is(err, context.Canceled) {
		d.line("interrupted: no snapshot was made; what was stored so far is kept, and the next run goes on from there")
		return codeError{exitInterrupted, ""}
	}
	return err
}

// tellBackup tells the result, and fails with a code if it is partial or the
// vault has lost something.
func (d *door) tellBackup(ctx context.Context, v *vault.Vault, o backup.Options, res backup.Result, b *birth) error {
	if d.json {
		d.emit("summary", backupSummary(o, res, b))
	} else {
		d.printBackup(v, o, res)
		if b != nil {
			d.tellBirth(b)
		} else {
			d.remindKit(v)
		}
	}
	for _, w := range res.Warnings {
		if errors.Is(w, vault.ErrRollback) {
			return codeError{exitDamage, "the snapshot was made, but the remote has lost older ones; coffer verify tells which"}
		}
	}
	if res.Partial {
		return codeError{exitPartial, fmt.Sprintf("the snapshot lacks %s; they are named above and kept in it", plural(res.UnreadCount, "entry that could not be read"))}
	}
	return nil
}

func backupSummary(o backup.Options, res backup.Result, b *birth) map[string]any {
	m := map[string]any{
		"snapshot": res.Snapshot, "project": o.Label, "roots": o.Roots, "unchanged": res.Unchanged, "partial": res.Partial,
		"files": res.Files, "dirs": res.Dirs, "others": res.Others, "bytes": res.Bytes,
		"files_new": res.NewFiles, "files_changed": res.ChangedFiles, "files_unmodified": res.KeptFiles, "files_removed": res.RemovedFiles,
		"bytes_read": res.ReadBytes, "bytes_new": res.NewBytes, "bytes_stored": res.Stored, "chunks_new": res.NewChunks,
		"unread": res.UnreadCount, "changed_while_read": res.ChangedCount, "excluded": res.ExcludedCount, "left_out": res.LeftOutCount,
		"start": res.Start.UTC(), "end": res.End.UTC(), "seconds": res.End.Sub(res.Start).Seconds(),
	}
	if b != nil {
		m["kit"] = b.kitPath
		m["vault"] = b.remote.String()
	}
	return m
}

func (d *door) printBackup(v *vault.Vault, o backup.Options, res backup.Result) {
	w := d.out
	fmt.Fprintf(w, "snapshot %s of %s: %s in %s, %s\n", res.Snapshot[:8], safeName(o.Label), plural(res.Files, "file"), plural(res.Dirs, "folder"), bytesText(res.Bytes))
	fmt.Fprintf(w, "  %s new, %s changed, %s unchanged, %s gone; %s read, %s stored in %s\n",
		countText(res.NewFiles), countText(res.ChangedFiles), countText(res.KeptFiles), countText(res.RemovedFiles),
		bytesText(res.ReadBytes), bytesText(res.Stored), durationText(res.End.Sub(res.Start)))
	if n := res.ExcludedCount; n > 0 {
		fmt.Fprintf(w, "  %s left out by rules (-v names them)\n", countText(n))
	}
	if n := res.LeftOutCount; n > 0 {
		fmt.Fprintf(w, "  %s left out: sockets, which have no content (-v names them)\n", countText(n))
	}
	if n := res.ChangedCount; n > 0 {
		fmt.Fprintf(w, "  %s changed while they were read; they are kept as they were last read, and marked\n", countText(n))
	}
	fmt.Fprintf(w, "  in %s; to restore:  coffer restore %s --target DIR\n", safeName(v.Location()), res.Snapshot[:8])
}

// remindKit reminds that the kit is still on this machine.
func (d *door) remindKit(v *vault.Vault) {
	dev, err := v.State().Device()
	if err == nil && dev.KitConfirmed == "" {
		d.line("reminder: the recovery kit is not confirmed; copy " + safeName(string(dev.KitPath)) + " elsewhere, then:  coffer kit confirm COPY")
	}
}

// dryRun looks at what a backup would read.
func (d *door) dryRun(ctx context.Context, f backupFlags, p config.Project, ch chosen) error {
	opts := backup.DryOptions{Roots: p.Paths, Walk: walkOptions(f, p), OnEvent: d.backupEvent}
	if ch.dir != nil {
		id, err := ch.dir.Project(vault.ProjectKey(p.Name, p.Paths))
		if err != nil {
			return err
		}
		opts.State, opts.Project = ch.dir, id
	}
	res, err := backup.DryRun(ctx, opts)
	if err != nil {
		return err
	}
	if d.json {
		d.emit("summary", map[string]any{
			"dry_run": true, "project": p.Name, "roots": p.Paths, "files": res.Files, "dirs": res.Dirs, "others": res.Others, "bytes": res.Bytes,
			"files_new": res.NewFiles, "files_changed": res.ChangedFiles, "files_unmodified": res.KeptFiles, "files_removed": res.RemovedFiles,
			"bytes_to_read": res.ReadBytes, "unread": res.UnreadCount, "excluded": res.ExcludedCount,
		})
	} else {
		fmt.Fprintf(d.out, "would back up %s: %s in %s, %s\n", safeName(p.Name), plural(res.Files, "file"), plural(res.Dirs, "folder"), bytesText(res.Bytes))
		fmt.Fprintf(d.out, "  %s new, %s changed, %s unchanged, %s gone; %s to read, %s left out by rules\n",
			countText(res.NewFiles), countText(res.ChangedFiles), countText(res.KeptFiles), countText(res.RemovedFiles), bytesText(res.ReadBytes), countText(res.ExcludedCount))
		fmt.Fprintln(d.out, "  nothing was stored")
	}
	if res.Partial {
		return codeError{exitPartial, plural(res.UnreadCount, "entry") + " could not be read"}
	}
	return nil
}

var _ files.Options
