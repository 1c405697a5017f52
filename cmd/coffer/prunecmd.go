package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/vault"
	"coffer/vault/prune"
)

// pruneFlags are those of coffer prune.
type pruneFlags struct {
	dryRun      bool
	yes         bool
	maxDelete   string
	dismiss     []string
	repack      bool
	maxUnused   string
	locks       bool
	profile     string
	credentials string
}

func (d *door) pruneCommand() *cobra.Command {
	var f pruneFlags
	c := &cobra.Command{
		Use: "prune", Short: "Delete what no snapshot needs any more",
		Long: `Delete what no snapshot needs any more, without a lock and beside backups at
work. A prune first says what it means to delete, in a list that every backup
heeds, and deletes it when it is called again a day later, if nothing has come to
need it. So it is something to repeat: each call does both. A forgotten snapshot
counts as needed for a week, and what is younger than a week is left alone.

Nothing is deleted unless the whole history of the vault was seen and fits. What
is damaged or missing stops it until it has healed, or --dismiss names it.

Of packs that are needed for a part only, the rest stays: whole packs are deleted,
and which part is needed only the kit can tell. With --repack and the kit, what is
needed of this machine's packs is stored again where more than --max-unused of them
is dead, and the old ones go like all else. The next backup then reads the files
again whose content was in them.

Where the config has object-lock, it first extends the locks on what snapshots need,
twice in a lock's period; --extend-locks does only that.

It needs the role maintain, and credentials that may delete: better not those of
the backups. coffer init --print-policy --maintain has a policy for them.`,
		Example: `  coffer prune --dry-run
  coffer prune --profile maintain
  coffer prune --yes
  coffer prune --repack --max-unused 10% --kit coffer-kit.txt`,
		Args: exactly(0, "coffer prune [--dry-run] [--yes]"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.prune(cmd.Context(), f) },
	}
	c.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be done, and do nothing")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&f.maxDelete, "max-delete", "", "refuse to delete more than this `part` of the packs at once\n(default 50% with --yes, where nobody has seen the plan)")
	c.Flags().StringArrayVar(&f.dismiss, "dismiss", nil, "let deletion go on although this `object` is damaged or missing")
	c.Flags().BoolVar(&f.repack, "repack", false, "also free what is dead inside of packs that are needed (needs the kit)")
	c.Flags().StringVar(&f.maxUnused, "max-unused", "5%", "with --repack: how `much` may stay dead, a part such as 5% or a size such as 2GiB")
	c.Flags().BoolVar(&f.locks, "extend-locks", false, "delete nothing; only extend object locks on what snapshots need, if it is time")
	d.credentialFlags(c, &f.profile, &f.credentials)
	return c
}

// credentialFlags are those of verbs that need more rights than a backup.
func (d *door) credentialFlags(c *cobra.Command, profile, file *string) {
	c.Flags().StringVar(profile, "profile", "", "`name` of the profile whose credentials may delete (default maintain-profile of the config)")
	c.Flags().StringVar(file, "credentials-file", "", "`file` the profile is in")
}

// openMaintaining opens the vault with the credentials that may delete.
func (d *door) openMaintaining(ctx context.Context, l lending, profile, file string) (*vault.Vault, chosen, error) {
	ch, k, err := d.find(l)
	if err != nil {
		return nil, ch, err
	}
	ch.vault.Profile = cmp.Or(profile, ch.vault.MaintainProfile, ch.vault.Profile)
	if file != "" {
		if ch.vault.CredentialsFile, err = filepath.Abs(file); err != nil {
			return nil, ch, err
		}
	}
	v, err := d.openChosen(ctx, ch, k, shortPatience)
	return v, ch, err
}

func (d *door) prune(ctx context.Context, f pruneFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	l := keyless
	if f.repack {
		l = needed
	}
	v, ch, err := d.openMaintaining(ctx, l, f.profile, f.credentials)
	if err != nil {
		return err
	}
	if err := d.extendLocks(ctx, v, o, f.locks); err != nil || f.locks {
		return err
	}
	plan, err := d.planPrune(ctx, v, o)
	if err != nil {
		return err
	}
	if len(f.dismiss) > 0 {
		return d.dismiss(ctx, v, plan, f)
	}
	d.tellPlan(plan, ch.vault.Price, f)
	if err := plan.Stopped(); err != nil {
		return explainPrune(err)
	}
	if f.dryRun || len(plan.Delete)+len(plan.Condemn) == 0 && plan.Partly.Chosen == 0 {
		return explainPrune(plan.TooMany())
	}
	if f.maxDelete == "" && !f.yes && d.canAsk() {
		plan.Allow(1) // the plan is seen, and asked about
	}
	if err := plan.TooMany(); err != nil {
		return explainPrune(err)
	}
	if err := d.agree(f.yes, "coffer prune", "go on?"); err != nil {
		return err
	}
	return d.runPrune(ctx, plan, o, ch.vault.Price)
}

// options are those of the prune that the flags ask for.
func (f *pruneFlags) options() (o prune.Options, err error) {
	o = prune.Options{DryRun: f.dryRun || len(f.dismiss) > 0, Repack: f.repack, Progress: new(prune.Progress)}
	if f.maxDelete != "" {
		if o.MaxDelete, err = parseShare("--max-delete", f.maxDelete); err != nil {
			return o, err
		}
	}
	if strings.HasSuffix(f.maxUnused, "%") && f.maxUnused != "0%" {
		o.MaxUnused, err = parseShare("--max-unused", f.maxUnused)
		return o, err
	}
	n, err := humanize.ParseBytes(strings.TrimSuffix(f.maxUnused, "%"))
	if err != nil || n > math.MaxInt64 {
		return o, usagef("write it as --max-unused 5% or --max-unused 2GiB", "--max-unused %s is not understood", f.maxUnused)
	}
	o.MaxUnusedBytes = max(1, int64(n)) // 0 would be the default
	return o, nil
}

// planPrune makes the plan, with a meter.
func (d *door) planPrune(ctx context.Context, v *vault.Vault, o prune.Options) (*prune.Plan, error) {
	began := time.Now()
	m := d.showProgress(func() sample { return pruneSample(o.Progress, time.Since(began)) })
	plan, err := prune.Make(ctx, v, o)
	m.finish()
	return plan, explainPrune(err)
}

func (d *door) runPrune(ctx context.Context, plan *prune.Plan, o prune.Options, price config.Price) error {
	began := time.Now()
	m := d.showProgress(func() sample { return pruneSample(o.Progress, time.Since(began)) })
	res, err := plan.Run(ctx)
	m.finish()
	d.tellPruned(res, price, err)
	return explainPrune(err)
}

// dismiss commits that objects need not heal before something is deleted. Only
// what stands in the way can be named: a slip of the pen must not.
func (d *door) dismiss(ctx context.Context, v *vault.Vault, plan *prune.Plan, f pruneFlags) error {
	var objects []string
	for _, want := range f.dismiss {
		i := slices.IndexFunc(plan.Stops, func(p vault.Problem) bool { return p.Object == want })
		if i < 0 {
			return usagef("coffer prune --dry-run  names what does", "%q does not stand in the way of deletion", want)
		}
		objects = append(objects, want)
		d.tellProblem(want, plan.Stops[i].Err, plan.Stops[i].Harms)
	}
	what := "coffer prune --dismiss " + strings.Join(objects, " --dismiss ")
	if err := d.agree(f.yes, what, "let deletion go on without them? What only they named is then deleted"); err != nil {
		return err
	}
	if err := v.Dismiss(ctx, objects, d.tellWarning); err != nil {
		return explainPrune(err)
	}
	if d.json {
		d.emit("dismissed", map[string]any{"objects": objects})
		return nil
	}
	d.note("dismissed %s; coffer prune  goes on without them", plural(len(objects), "object"))
	return nil
}

// explainPrune adds to an error of a prune what to do next.
func explainPrune(err error) error {
	var stopped *prune.StoppedError
	var many *prune.TooManyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stopped):
		return told{err, exitDamage, "the next backup heals what is still on the disk;  coffer verify  tells what is harmed\nfor what is lost for good:  coffer prune --dismiss OBJECT"}
	case errors.As(err, &many):
		return told{err, exitFailed, "if that is meant:  coffer prune --max-delete 100%"}
	case errors.Is(err, fs.ErrPermission):
		return hinted(err, "a prune needs credentials that may delete:  coffer prune --profile NAME --credentials-file FILE\na policy for them:  coffer init --print-policy --maintain")
	}
	return err
}
