package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"coffer/vault"
)

func (d *door) snapshotsCommand() *cobra.Command {
	var project string
	var forgotten bool
	c := &cobra.Command{
		Use: "snapshots", Aliases: []string{"list"}, Short: "List snapshots",
		Long: `List the snapshots of the vault, oldest first; of each of the vaults, if this
machine knows several and nothing says which. What this machine made it can name
without a key; of others it shows label and folders only with the kit.`,
		Args: exactly(0, "coffer snapshots"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.eachVault(cmd.Context(), func() error { return d.snapshots(cmd.Context(), project, forgotten) })
		},
	}
	c.Flags().BoolVar(&forgotten, "forgotten", false, "also those that were forgotten and can still be brought back")
	c.Flags().StringVar(&project, "project", "", "only those of this `project`: a name of the config, or a folder")
	return c
}

func (d *door) snapshots(ctx context.Context, project string, forgotten bool) error {
	v, err := d.open(ctx, useful)
	if err != nil {
		return err
	}
	if err := v.CheckSeen(ctx); err != nil {
		return err
	}
	now, err := v.Store().Now(ctx)
	if err != nil {
		return err
	}
	hidden := 0
	rows, err := describeAll(ctx, v, func(s *vault.Snapshot) bool {
		young := now.Before(s.Goes)
		if s.Forgotten && young && !forgotten {
			hidden++
		}
		return !s.Forgotten || forgotten && young
	})
	if err != nil {
		return err
	}
	if project != "" {
		rows = slices.DeleteFunc(rows, func(r row) bool { return !r.isOf(project) })
	}
	d.tellProblems(v)
	if d.json {
		for _, r := range rows {
			d.emit("snapshot", r.json())
		}
		return damageFound(v)
	}
	if len(rows) == 0 && project != "" {
		fmt.Fprintf(d.out, "no snapshot is of a project %q\n", project)
		return damageFound(v)
	}
	if err := d.printRows(v, rows); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(d.out, "not shown: %s, which  coffer undelete  can bring back; --forgotten  lists them\n", plural(hidden, "forgotten snapshot"))
	}
	return damageFound(v)
}

func (d *door) printRows(v *vault.Vault, rows []row) error {
	if len(rows) == 0 {
		fmt.Fprintln(d.out, "no snapshot yet")
		return nil
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIME\tFILES\tSIZE\tSTORED\tPROJECT\tNOTES")
	for _, r := range rows {
		label, files, size, stored := "("+string(r.snap.Commit.Project)+")", "", "", ""
		if r.known {
			label, files, size = projectText(r.label, r.roots), countText(r.files), bytesText(r.bytes)
		}
		if r.stored >= 0 {
			stored = bytesText(r.stored)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.snap.Short(), timeText(r.snap.Time()), files, size, stored, safeName(label), safeName(r.notes(v)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(d.out, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(d.out, "%s in %s\n", plural(len(rows), "snapshot"), safeName(v.Location()))
	return nil
}
