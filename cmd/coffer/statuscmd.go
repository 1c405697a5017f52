package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/vault/state"
)

func (d *door) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say how each project stands, and the vault's witness", Args: exactly(0, "coffer status"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.status(cmd.Context()) },
	}
}

// status tells the newest snapshot of each project this device knows.
func (d *door) status(ctx context.Context) error {
	v, err := d.open(ctx, keyless)
	if err != nil {
		return err
	}
	newest := map[string]state.Snapshot{}
	var order []string
	for s, err := range v.State().Snapshots() {
		if err != nil {
			continue
		}
		if _, ok := newest[s.Project]; !ok {
			order = append(order, s.Project)
		}
		newest[s.Project] = s
	}
	witness, last, err := v.Witness(ctx)
	if err != nil {
		return err
	}
	d.tellProblems(v)
	if d.json {
		for _, id := range order {
			s := newest[id]
			d.emit("project", map[string]any{"project": string(s.Label), "project_id": id, "commit": s.Commit, "time": s.Time, "files": s.Files, "bytes": s.Bytes, "partial": s.Partial})
		}
		d.emit("status", map[string]any{"vault": string(v.ID()), "remote": v.Location(), "device": string(v.Device()), "trust": v.Trust().N, "witness": witness, "newest": last.Time.UTC()})
		return nil
	}
	fmt.Fprintf(d.out, "vault %s at %s, trust %d\n", v.ID()[:8], safeName(v.Location()), v.Trust().N)
	for _, id := range order {
		s := newest[id]
		note := ""
		if s.Partial {
			note = ", partial"
		}
		when := stateTime(s)
		fmt.Fprintf(d.out, "  %s: newest snapshot %s (%s), %s, %s%s\n", safeName(string(s.Label)), timeText(when), ageText(when), plural(s.Files, "file"), bytesText(s.Bytes), note)
	}
	if witness == "" {
		fmt.Fprintln(d.out, "  no commit yet")
	} else {
		fmt.Fprintf(d.out, "  newest commit %s (%s), witness %s\n", timeText(last.Time), ageText(last.Time), witness)
	}
	d.remindKit(v)
	return nil
}
