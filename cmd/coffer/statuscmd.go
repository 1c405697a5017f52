package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/vault"
	"coffer/vault/state"
)

func (d *door) statusCommand() *cobra.Command {
	var o statusOptions
	var maxAge string
	c := &cobra.Command{
		Use: "status", Short: "Say how each project stands, and the vault's witness",
		Long: `Say how each project stands: its newest snapshot, as the remote shows it, and how
old it is; when the vault was last verified; when a drill last proved that it can be
restored; and of each scheduled job the next run, and how the last one ended. The
witness tells which state of the vault was seen; a later restore can be held against
it with --expect. Where this machine knows several vaults and nothing says which is
meant, all are told of.

A remote that shows an older state than this machine has seen is named as such. That
stays so, though backups go on, until you say with --acknowledge that you know of it.

The exit code tells the health: 0 if all is well, 3 if the last run of a job failed or
was partial, 5 if a project has had no good snapshot for longer than max-age allows,
4 if the vault is damaged or shows an older state than was seen.`,
		Example: `  coffer status --max-age 26h || echo "look after the backups"`,
		Args:    exactly(0, "coffer status"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if maxAge != "" {
				if o.maxAge, err = config.ParseDuration(maxAge); err != nil {
					return usagef("", "--max-age: %w", err)
				}
			}
			return d.status(cmd.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.acknowledge, "acknowledge", false, "the rollbacks found so far are known: tell of them no more")
	c.Flags().StringVar(&maxAge, "max-age", "", "the `age`, such as 26h or 3d, that no newest snapshot may exceed (default: by config)")
	return c
}

type statusOptions struct {
	acknowledge bool
	maxAge      time.Duration // 0 goes by the config
}

// status tells what the remote shows, then what the schedule says. A remote
// that cannot be reached does not keep the second from being told.
func (d *door) status(ctx context.Context, o statusOptions) error {
	var rows []row
	err := d.eachVault(ctx, func() error {
		of, err := d.vaultStatus(ctx, o.acknowledge)
		rows = append(rows, of...)
		return err
	})
	jobs, known := d.jobsStatus(ctx)
	var several outcome // by which all vaults were told of
	if !known && err != nil && !errors.As(err, &several) {
		return err
	}
	if err != nil && ctx.Err() == nil && jobs.ConfigError == "" { // else it is that, and told below
		d.tellFailedLook(ctx, err)
	}
	d.tellJobs(jobs, known)
	return worst(err, d.health(rows, jobs, o.maxAge))
}

// vaultStatus tells the newest snapshot of each project that this device made,
// or with the kit of all.
func (d *door) vaultStatus(ctx context.Context, acknowledge bool) (rows []row, err error) {
	v, err := d.open(ctx, keyless)
	if err != nil {
		return nil, err
	}
	if acknowledge && v.State() != nil {
		if err := v.AcknowledgeRollbacks(); err != nil {
			return nil, err
		}
	}
	if err := v.CheckSeen(ctx); err != nil {
		return nil, err
	}
	if rows, err = newestRows(ctx, v); err != nil {
		return nil, err
	}
	return rows, d.tellVault(ctx, v, rows)
}

func (d *door) tellVault(ctx context.Context, v *vault.Vault, rows []row) error {
	lost := lostProjects(v, rows)
	witness, last, err := v.Witness(ctx)
	if err != nil {
		return err
	}
	proof, err := d.proofOf(ctx, v)
	if err != nil {
		return err
	}
	rolled := rollbacks(v)
	d.tellProblems(v)
	if d.json {
		for _, r := range rows {
			d.emit("project", r.json())
		}
		m := map[string]any{"vault": string(v.ID()), "remote": v.Location(), "device": string(v.Device()), "trust": v.Trust().N, "witness": witness, "projects_lost": lost}
		if witness != "" {
			m["newest"] = last.Time.UTC()
		}
		maps.Copy(m, proof.json())
		m["rollbacks"] = rollbacksJSON(rolled)
		d.emit("vault", m)
		return statusEnd(v, rolled)
	}
	fmt.Fprintf(d.out, "vault %s at %s, trust %d\n", v.ID()[:8], safeName(v.Location()), v.Trust().N)
	for _, r := range rows {
		d.tellProject(v, r)
	}
	for _, label := range lost {
		fmt.Fprintf(d.out, "  %s: no snapshot is left on the remote\n", safeName(label))
	}
	if witness == "" {
		fmt.Fprintln(d.out, "  no snapshot yet:  coffer backup now FOLDER")
	} else {
		fmt.Fprintf(d.out, "  newest commit %s (%s), witness %s\n", timeText(last.Time), ageText(last.Time), witness)
	}
	if witness != "" || len(lost) > 0 {
		d.tellProof(v, proof)
	}
	d.tellRollbacks(v, rolled)
	d.remindKit(v)
	return statusEnd(v, rolled)
}

func (d *door) tellProject(v *vault.Vault, r row) {
	label, size := "("+string(r.snap.Commit.Project)+")", ""
	if r.known {
		label, size = projectText(r.label, r.roots), ", "+plural(r.files, "file")+", "+bytesText(r.bytes)
	}
	notes := r.notes(v)
	if notes != "" {
		notes = ", " + notes
	}
	when := r.snap.Time()
	fmt.Fprintf(d.out, "  %s: newest snapshot %s of %s (%s)%s%s\n", safeName(label), r.snap.Short(), timeText(when), ageText(when), size, safeName(notes))
}

// newestRows describes the newest snapshot of each project, in the order in
// which the projects came to be. A forgotten one stands only where there is no
// other.
func newestRows(ctx context.Context, v *vault.Vault) ([]row, error) {
	newest := map[string]*vault.Snapshot{}
	all := map[string][]*vault.Snapshot{}
	var order []string
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return nil, err
		}
		id := string(s.Commit.Project)
		all[id] = append(all[id], s)
		switch former := newest[id]; {
		case former == nil:
			order = append(order, id)
		case s.Forgotten && !former.Forgotten:
			continue
		}
		newest[id] = s
	}
	var rows []row
	b := newBook(v)
	for _, id := range order {
		r, err := b.describe(ctx, newest[id])
		if err != nil {
			return nil, err
		}
		if r.good, err = b.newestGood(ctx, r, all[id]); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// newestGood is the time of the newest snapshot of a project of which it is not
// known that it is partial; zero if all are. r is the newest.
func (b *book) newestGood(ctx context.Context, r row, all []*vault.Snapshot) (time.Time, error) {
	for i := len(all) - 1; r.partial && i >= 0; i-- {
		if all[i].Forgotten {
			continue
		}
		var err error
		if r, err = b.describe(ctx, all[i]); err != nil {
			return time.Time{}, err
		}
	}
	if r.partial {
		return time.Time{}, nil
	}
	return r.snap.Time(), nil
}

// lostProjects names the projects of which this device made snapshots, and the
// remote shows none.
func lostProjects(v *vault.Vault, rows []row) []string {
	if v.State() == nil {
		return nil
	}
	there := map[string]bool{}
	for _, r := range rows {
		there[string(r.snap.Commit.Project)] = true
	}
	var lost []string
	for s, err := range v.State().Snapshots() {
		if err == nil && !there[s.Project] {
			there[s.Project] = true
			lost = append(lost, catalogText(s))
		}
	}
	return lost
}

func catalogText(s state.Snapshot) string {
	var roots []string
	for _, r := range s.Roots {
		roots = append(roots, string(r))
	}
	return projectText(string(s.Label), roots)
}
