package main

import (
	"context"
	"fmt"
	"maps"

	"coffer/config"
	"coffer/vault"
	"coffer/vault/backup"
)

// dryRun looks at what a backup would read. It changes nothing, here or there.
func (d *door) dryRun(ctx context.Context, f backupFlags, p config.Project, ch chosen) error {
	opts := backup.DryOptions{Roots: p.Paths, Walk: walkOptions(f, p), Never: ownPlaces(ch.vault.Remote), OnEvent: d.backupEvent}
	if ch.dir != nil {
		known, err := ch.dir.Projects()
		if err != nil {
			return err
		}
		for _, k := range known {
			if string(k.Key) == vault.ProjectKey(p.Name, p.Paths) {
				opts.State, opts.Project = ch.dir, k.ID
			}
		}
	}
	res, err := backup.DryRun(ctx, opts)
	if err != nil {
		return err
	}
	d.tellDryRun(p, res)
	if res.Partial {
		return outcome{exitPartial, fmt.Sprintf("%s could not be read, named above", plural(res.UnreadCount, "entry"))}
	}
	return nil
}

func (d *door) tellDryRun(p config.Project, res backup.Result) {
	if d.json {
		m := resultCounts(res)
		maps.Copy(m, map[string]any{"dry_run": true, "project": p.Name, "roots": p.Paths, "bytes_to_read": res.ReadBytes, "partial": res.Partial})
		d.emit("summary", m)
		return
	}
	fmt.Fprintf(d.out, "would back up %s: %s\n", safeName(projectText(p.Name, p.Paths)), holds(res))
	fmt.Fprintf(d.out, "  %s; %s to read\n", changes(res), bytesText(res.ReadBytes))
	if n := res.ExcludedCount; n > 0 {
		fmt.Fprintf(d.out, "  %s left out by rules (-v names them)\n", countText(n))
	}
	fmt.Fprintln(d.out, "  nothing was stored")
}
