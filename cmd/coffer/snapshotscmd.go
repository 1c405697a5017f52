package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"coffer/vault"
	"coffer/vault/state"
)

func (d *door) snapshotsCommand() *cobra.Command {
	var project string
	c := &cobra.Command{
		Use: "snapshots", Aliases: []string{"list"}, Short: "List snapshots",
		Long: `List the snapshots of the vault, oldest first. What this machine made it can
name without a key; of others it shows label and folders only with the kit.`,
		Args: exactly(0, "coffer snapshots"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.snapshots(cmd.Context(), project) },
	}
	c.Flags().StringVar(&project, "project", "", "only those of this `project`: a name of the config or a folder")
	return c
}

// row is what a listing says of a snapshot.
type row struct {
	snap    *vault.Snapshot
	label   string
	roots   []string
	tags    []string
	files   int64
	bytes   int64
	stored  int64 // uploaded by its run; -1 if not known
	partial bool
	known   bool // the fields above are
}

func (d *door) snapshots(ctx context.Context, project string) error {
	v, err := d.open(ctx, ifGiven)
	if err != nil {
		return err
	}
	own := map[string]state.Snapshot{}
	if v.State() != nil {
		for s, err := range v.State().Snapshots() {
			if err == nil {
				own[s.Commit] = s
			}
		}
	}
	var rows []row
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		r, err := describe(ctx, v, s, own)
		if err != nil {
			return err
		}
		if project == "" || r.label == project || len(r.roots) > 0 && sameFolder(r.roots, project) {
			rows = append(rows, r)
		}
	}
	d.tellProblems(v)
	if d.json {
		for _, r := range rows {
			d.emit("snapshot", r.json())
		}
		return nil
	}
	return d.printRows(v, rows)
}

func sameFolder(roots []string, arg string) bool {
	abs, err := filepath.Abs(arg)
	return err == nil && len(roots) == 1 && roots[0] == abs
}

// describe fills a row from this machine's catalog, or with the kit from the
// snapshot's body.
func describe(ctx context.Context, v *vault.Vault, s *vault.Snapshot, own map[string]state.Snapshot) (row, error) {
	r := row{snap: s, stored: -1}
	if c, ok := own[s.Name.Base()]; ok {
		r.label, r.tags, r.files, r.bytes, r.stored, r.partial, r.known = string(c.Label), c.Tags, c.Files, c.Bytes, c.NewBytes, c.Partial, true
		for _, root := range c.Roots {
			r.roots = append(r.roots, string(root))
		}
		return r, nil
	}
	if !v.HasIdentity() {
		return r, nil
	}
	b, err := v.Body(ctx, s)
	if err != nil {
		if vault.IsRemote(err) {
			return r, err
		}
		return r, nil // it is listed, and verify tells what is wrong with it
	}
	r.label, r.tags, r.files, r.bytes, r.partial, r.known = b.Label, b.Tags, b.Counts.Files, b.Counts.Bytes, b.Partial, true
	for _, root := range b.Roots {
		r.roots = append(r.roots, root.Path)
	}
	return r, nil
}

func (r row) json() map[string]any {
	m := map[string]any{
		"id": r.snap.ID(), "short_id": r.snap.Short(), "time": r.snap.Time().UTC(), "device": string(r.snap.Name.Device),
		"project_id": string(r.snap.Commit.Project), "forgotten": r.snap.Forgotten,
	}
	if r.known {
		m["project"], m["roots"], m["tags"], m["files"], m["bytes"], m["partial"] = r.label, r.roots, r.tags, r.files, r.bytes, r.partial
	}
	if r.stored >= 0 {
		m["bytes_stored"] = r.stored
	}
	return m
}

func (d *door) printRows(v *vault.Vault, rows []row) error {
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIME\tPROJECT\tFILES\tSIZE\tSTORED\tNOTES")
	for _, r := range rows {
		label, files, size, stored := "("+string(r.snap.Commit.Project)+")", "", "", ""
		if r.known {
			label, files, size = r.label, countText(r.files), bytesText(r.bytes)
		}
		if r.stored >= 0 {
			stored = bytesText(r.stored)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.snap.Short(), timeText(r.snap.Time()), safeName(label), files, size, stored, safeName(r.notes(v)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s\n", plural(int64(len(rows)), "snapshot"))
	return nil
}

func (r row) notes(v *vault.Vault) string {
	var out []string
	if r.partial {
		out = append(out, "partial")
	}
	if r.snap.Forgotten {
		out = append(out, "forgotten")
	}
	if r.snap.Name.Device != v.Device() {
		out = append(out, "by "+deviceLabel(v, string(r.snap.Name.Device)))
	}
	for _, t := range r.tags {
		out = append(out, "#"+t)
	}
	return strings.Join(out, ", ")
}

func deviceLabel(v *vault.Vault, id string) string {
	for _, dev := range v.Trust().Devices {
		if string(dev.ID) == id && dev.Label != "" {
			return dev.Label
		}
	}
	return id
}

// tellProblems prints what the vault noticed on the way.
func (d *door) tellProblems(v *vault.Vault) {
	for _, p := range v.Problems() {
		if d.json {
			d.emit("error", map[string]any{"event": "problem", "object": p.Object, "error": p.Err.Error(), "harms": p.Harms})
			continue
		}
		d.line(fmt.Sprintf("problem: %s: %v; harms: %s", p.Object, p.Err, p.Harms))
	}
}
