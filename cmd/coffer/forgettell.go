package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"coffer/vault"
	"coffer/vault/retention"
)

// carryOut shows the plan, asks, and forgets what goes.
func (d *door) carryOut(ctx context.Context, v *vault.Vault, f forgetFlags, plan []vault.Kept) error {
	if err := d.tellKept(ctx, v, plan); err != nil {
		return err
	}
	var going []*vault.Snapshot
	for _, k := range plan {
		if !k.Stays {
			going = append(going, k.Snapshot)
		}
	}
	if len(going) == 0 || f.dryRun {
		d.tellForgotten(v, plan, vault.Forgotten{}, f.dryRun)
		return damageFound(v)
	}
	if err := d.agree(f.yes, "coffer forget", "forget "+plural(len(going), "snapshot")+"?"); err != nil {
		return err
	}
	done, err := v.Forget(ctx, going, func(err error) { d.note("warning: %s", plainText(err.Error())) })
	if err != nil {
		return err
	}
	d.tellForgotten(v, plan, done, false)
	return damageFound(v)
}

// tellKept prints for each snapshot whether it stays, and why.
func (d *door) tellKept(ctx context.Context, v *vault.Vault, plan []vault.Kept) error {
	b := newBook(v)
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIME\tPROJECT\tPLAN\tWHY")
	for _, k := range plan {
		r, err := b.describe(ctx, k.Snapshot)
		if err != nil {
			return err
		}
		if d.json {
			m := r.json()
			m["stays"], m["why"], m["kind"] = k.Stays, k.Why, k.Kind.String()
			d.emit("decision", m)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Snapshot.Short(), timeText(k.Snapshot.Time()), safeName(r.name()), standing(k), safeName(strings.Join(k.Why, "; ")))
	}
	d.tellProblems(v)
	if err := w.Flush(); err != nil || d.json || d.quiet || len(plan) == 0 {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(d.out, strings.TrimRight(line, " \n"))
	}
	return nil
}

// name is the project's, or its ID where that is all that is known.
func (r row) name() string {
	if !r.known {
		return "(" + string(r.snap.Commit.Project) + ")"
	}
	return projectText(r.label, r.roots)
}

func standing(k vault.Kept) string {
	text := "goes"
	if k.Stays {
		text = "stays"
	}
	if k.Kind != retention.Good {
		text += " (" + k.Kind.String() + ")"
	}
	return text
}

// tellForgotten says how many stay and go, and how to bring back what went.
func (d *door) tellForgotten(v *vault.Vault, plan []vault.Kept, done vault.Forgotten, dry bool) {
	stay, unknown := 0, 0
	for _, k := range plan {
		if k.Stays {
			stay++
		}
		if k.Kind == retention.Unknown {
			unknown++
		}
	}
	if d.json {
		m := map[string]any{"stay": stay, "go": len(plan) - stay, "unknown": unknown, "forgotten": done.Snapshots, "dry_run": dry}
		if done.Snapshots > 0 {
			m["goes"] = done.Goes.UTC()
		}
		d.emit("summary", m)
		return
	}
	switch {
	case done.Snapshots > 0:
		text := plural(done.Snapshots, "snapshot") + " forgotten"
		if stay > 0 { // none do if they were named, which says nothing of those that were not
			text += fmt.Sprintf(", %s left", countText(int64(stay)))
		}
		fmt.Fprintln(d.out, text)
		fmt.Fprintf(d.out, "  until %s  %s  brings them back; then  %s  frees what only they need\n", timeText(done.Goes), d.lineFor(v, "coffer undelete ID"), d.lineFor(v, "coffer prune"))
	case len(plan) == stay:
		fmt.Fprintf(d.out, "%s, all stay\n", plural(stay, "snapshot"))
	default:
		fmt.Fprintf(d.out, "%s of %s would go; nothing was done\n", countText(int64(len(plan)-stay)), plural(len(plan), "snapshot"))
	}
	if unknown > 0 {
		d.note("%s cannot be judged by this machine, and stay; lend the kit to judge all:  --kit FILE", plural(unknown, "snapshot"))
	}
}
