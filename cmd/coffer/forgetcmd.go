package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/vault"
	"coffer/vault/retention"
	"coffer/vault/trust"
)

// forgetFlags are the flags of forget.
type forgetFlags struct {
	keep    config.Keep
	within  string
	project string
	claimed bool
	dryRun  bool
	yes     bool
}

func (d *door) forgetCommand() *cobra.Command {
	var f forgetFlags
	c := &cobra.Command{
		Use:   "forget [SNAPSHOT...]",
		Short: "Say which snapshots may go, by name or by a policy",
		Long: `Forget snapshots: those named, or those that a policy does not keep. The policy is
that of the flags, for all projects or one; without flags it is what the config's
keep says of each project of this machine.

Forgotten snapshots are hidden at once. For a week  coffer undelete  brings them
back; after that  coffer prune  frees the space that only they need.

A policy goes by the times of the remote, and by project and device. A snapshot is
only ever displaced by one at least as good: partial ones, empty ones and those that
lost most of their files take no good one's place. The newest good ones and those of
the last days always stay, as the vault's floor says (coffer device floor). What this
machine cannot judge stays too; with the kit it can judge everything.`,
		Example: `  coffer forget --dry-run
  coffer forget --keep-last 10 --keep-daily 14 --keep-monthly 24
  coffer forget --project website --keep-within 90d --keep-tag delivered
  coffer forget 1a2b3c4d`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.forget(cmd.Context(), f, args) },
	}
	fl := c.Flags()
	fl.IntVar(&f.keep.Last, "keep-last", 0, "how many of the newest stay")
	fl.IntVar(&f.keep.Hourly, "keep-hourly", 0, "of how many hours the last one stays")
	fl.IntVar(&f.keep.Daily, "keep-daily", 0, "of how many days the last one stays")
	fl.IntVar(&f.keep.Weekly, "keep-weekly", 0, "of how many weeks the last one stays")
	fl.IntVar(&f.keep.Monthly, "keep-monthly", 0, "of how many months the last one stays")
	fl.IntVar(&f.keep.Yearly, "keep-yearly", 0, "of how many years the last one stays")
	fl.StringVar(&f.within, "keep-within", "", "what is not older than this before the newest stays: `30d`, 12h, 2y5m7d3h")
	fl.StringArrayVar(&f.keep.Tags, "keep-tag", nil, "what has this `tag` stays (repeatable)")
	fl.StringVar(&f.project, "project", "", "only snapshots of this `project`: a name of the config, or a folder")
	fl.BoolVar(&f.claimed, "claimed-times", false, "go by the times that devices claim: for a vault that was copied, where\nthe remote's times are those of the copy")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "only show what would stay and what would go")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return c
}

func (d *door) forget(ctx context.Context, f forgetFlags, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	ch, k, err := d.find(useful)
	if err != nil {
		return err
	}
	v, err := d.openChosen(ctx, ch, k, shortPatience)
	if err != nil {
		return err
	}
	if ch.dir == nil {
		return fmt.Errorf("%w: this machine is not enrolled in it, and only a device can sign that", vault.ErrRevoked)
	}
	var plan []vault.Kept
	if len(args) > 0 {
		plan, err = d.planNamed(ctx, v, args)
	} else {
		plan, err = d.planPolicies(ctx, v, ch, f)
	}
	if err != nil {
		return err
	}
	return d.carryOut(ctx, v, f, plan)
}

// check refuses flags that contradict each other, and reads --keep-within.
func (f *forgetFlags) check(args []string) (err error) {
	if f.within != "" {
		if f.keep.Within, err = config.ParseSpan(f.within); err != nil {
			return usagef("write it like 30d, 12h or 2y5m7d3h (m is months)", "--keep-within %q is no stretch of time", f.within)
		}
	}
	k := f.keep
	switch {
	case min(k.Last, k.Hourly, k.Daily, k.Weekly, k.Monthly, k.Yearly) < 0:
		return usagef("", "what is to be kept cannot be less than nothing")
	case len(args) > 0 && (!k.IsZero() || len(k.Tags) > 0 || f.project != "" || f.claimed):
		return usagef("", "name snapshots, or say what a policy keeps: not both")
	case k.IsZero() && len(k.Tags) > 0:
		return usagef("say also how many to keep, as with --keep-daily 14", "--keep-tag alone would let go of all that has no tag")
	}
	return nil
}

// planNamed finds the snapshots that the command line names.
func (d *door) planNamed(ctx context.Context, v *vault.Vault, args []string) ([]vault.Kept, error) {
	var plan []vault.Kept
	seen := map[string]bool{}
	for _, a := range args {
		s, err := v.Find(ctx, a, vault.Filter{})
		if err != nil {
			return nil, err
		}
		if seen[s.ID()] {
			continue
		}
		seen[s.ID()] = true
		k := vault.Kept{Snapshot: s}
		k.Why = []string{"named"}
		if s.Forgotten {
			k.Stays, k.Why = true, []string{"forgotten already"}
		}
		plan = append(plan, k)
	}
	return plan, nil
}

// planPolicies applies the policy of the flags, or those of the config.
func (d *door) planPolicies(ctx context.Context, v *vault.Vault, ch chosen, f forgetFlags) ([]vault.Kept, error) {
	if f.keep.IsZero() {
		return d.planConfig(ctx, v, ch, f)
	}
	o := vault.KeepOptions{Policy: policyOf(f.keep), ClaimedTimes: f.claimed}
	if f.project != "" {
		filter, err := projectID(ctx, v, f.project)
		if err != nil {
			return nil, err
		}
		o.Projects = []trust.ProjectID{filter.Project}
	}
	return v.PlanForget(ctx, o)
}

// planConfig applies to each project of the config what it says to keep.
func (d *door) planConfig(ctx context.Context, v *vault.Vault, ch chosen, f forgetFlags) ([]vault.Kept, error) {
	c, err := d.loadConfig()
	if err != nil {
		return nil, err
	}
	const hint = "say what to keep, as in  coffer forget --keep-last 10 --keep-daily 14 --keep-monthly 24\nor write it to the config under [keep], or name snapshots"
	if f.project != "" {
		if _, err := c.Project(f.project); err != nil {
			return nil, usagef(hint, "the config has no project %q whose keep could be used", f.project)
		}
	}
	var policies []vault.KeepOptions
	found := false
	for _, p := range c.Projects {
		if p.Keep.IsZero() || f.project != "" && p.Name != f.project || p.Vault != "" && ch.vault.Name != "" && p.Vault != ch.vault.Name {
			continue
		}
		found = true
		id, ok, err := projectHere(v, p)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue // not backed up yet
		}
		policies = append(policies, vault.KeepOptions{
			Policy: policyOf(p.Keep), Projects: []trust.ProjectID{id}, OwnOnly: true, ClaimedTimes: f.claimed,
		})
	}
	if !found {
		return nil, usagef(hint, "nothing says which snapshots are to stay")
	}
	return v.PlanForget(ctx, policies...)
}

// projectHere finds the ID that this machine gave to a project of the config.
func projectHere(v *vault.Vault, p config.Project) (trust.ProjectID, bool, error) {
	known, err := v.State().Projects()
	if err != nil {
		return "", false, err
	}
	key := vault.ProjectKey(p.Name, p.Paths)
	for _, k := range known {
		if string(k.Key) == key {
			return trust.ProjectID(k.ID), true, nil
		}
	}
	return "", false, nil
}

// policyOf translates what the config or the flags say.
func policyOf(k config.Keep) retention.Policy {
	return retention.Policy{
		Last: k.Last, Hourly: k.Hourly, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly, Yearly: k.Yearly,
		Within: retention.Span(k.Within), Tags: k.Tags, Location: time.Local,
	}
}
