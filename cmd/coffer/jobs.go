package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"coffer/config"
	"coffer/daemon"
	"coffer/daemon/host"
	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/verify"
)

// planner turns a config into the daemon's plans.
type planner struct {
	d    *door
	c    *config.Config
	path string         // of the config
	loc  *time.Location // in which schedules are meant
	log  *slog.Logger
	now  time.Time
	out  []daemon.Plan

	onProgress func(job string, look func() string) // of runs at work
}

// settings are what the daemon goes by. Schedules are checked with the config.
func (d *door) settings(log *slog.Logger, onProgress func(job string, look func() string)) (*daemon.Settings, *config.Config, error) {
	path, err := d.configPath()
	if err != nil {
		return nil, nil, err
	}
	c, err := configChecks().Load(path)
	if err != nil {
		return nil, nil, err
	}
	p := &planner{d: d, c: c, path: path, loc: zoneOf(c), log: log, now: time.Now(), onProgress: onProgress}
	if err := p.all(); err != nil {
		return nil, nil, err
	}
	return &daemon.Settings{Config: path, Plans: p.out}, c, nil
}

// all plans every project and every vault.
func (p *planner) all() error {
	for i := range p.c.Projects {
		pr := p.c.Projects[i]
		v, err := p.c.Vault(pr.Vault)
		if err != nil {
			return err
		}
		if err := errors.Join(p.backup(pr, v), p.forget(pr, v)); err != nil {
			return err
		}
	}
	for _, v := range p.c.Vaults {
		if err := p.vault(v); err != nil {
			return err
		}
	}
	return nil
}

// backup plans a project's backups. One without a schedule stays a job, which
// can be handed over.
func (p *planner) backup(pr config.Project, v config.Vault) error {
	plan := daemon.Plan{AtOnce: true, Evidence: func() time.Time { return p.d.newestBegin(p.c, pr) }}
	plan.Job = job.Job{Name: backupJob(pr.Name), Verb: "backup", Project: pr.Name, Vault: v.Name, Hooks: hooksOf(pr)}
	plan.Job.Body = func(ctx context.Context, r *report.Run) error {
		sub := p.sub(r)
		sub.quiet = true
		return sub.backupProject(ctx, p.c, backupFlags{}, pr, r)
	}
	return p.add(plan, pr.Schedule.Backup, pr.Conditions, v)
}

// forget plans what goes by a project's policy.
func (p *planner) forget(pr config.Project, v config.Vault) error {
	if pr.Keep.IsZero() {
		return nil
	}
	return p.command("forget", pr.Name, v, pr.Schedule.Forget, always("forget", "--project", pr.Name, "--yes"))
}

// vault plans what is done to a vault as a whole.
func (p *planner) vault(v config.Vault) error {
	return errors.Join(
		p.command("verify", "", v, v.Schedule.Verify, func() []string { return p.verifyArgs(v, time.Now()) }),
		p.command("drill", "", v, v.Schedule.Drill, always("drill")),
		p.command("prune", "", v, v.Schedule.Prune, always("prune", "--yes")),
		p.command("locks", "", v, locksSchedule(v), always("prune", "--extend-locks")),
	)
}

// locksSchedule is when the locks on what snapshots need are looked at, in a
// vault with object-lock: each prune extends those that are half over, and where
// none is scheduled the daemon does just that.
func locksSchedule(v config.Vault) string {
	if v.ObjectLock == (config.Span{}) || v.Schedule.Prune != "" {
		return ""
	}
	return "@daily"
}

func always(args ...string) func() []string { return func() []string { return args } }

// command plans a job that is a command line of ours.
func (p *planner) command(verb, project string, v config.Vault, spec string, args func() []string) error {
	if spec == "" {
		return nil
	}
	plan := daemon.Plan{Job: job.Job{Name: verb + " " + v.Name, Verb: verb, Project: project, Vault: v.Name}}
	if project != "" {
		plan.Job.Name = verb + " " + project
	}
	plan.Job.Body = func(ctx context.Context, r *report.Run) error {
		err := p.sub(r).execute(ctx, slices.Concat(args(), []string{"--vault", v.Name, "--quiet", "--config", p.path}))
		if t := (told{}); verb == "verify" && errors.As(err, &t) && t.code == exitDamage {
			done := outcome{exitDamage, t.Error()} // it was done, and found what is told
			if f, ok := errors.AsType[finding](err); ok {
				return finding{done, f.digest}
			}
			return done
		}
		return err
	}
	return p.add(plan, spec, p.c.Daemon.Conditions, v)
}

// add completes a plan. spec "" is a job that runs only by hand.
func (p *planner) add(plan daemon.Plan, spec string, cond config.Conditions, v config.Vault) error {
	j := &plan.Job
	plan.RetryFor, plan.Jitter = p.c.Daemon.RetryFor, cond.Jitter
	if spec == "" {
		plan.AtOnce = false
	} else {
		s, err := schedule.Parse(spec, p.loc)
		if err != nil {
			return fmt.Errorf("schedule of %s: %w", j.Name, err)
		}
		plan.Schedule = s
		if j.Verb == "backup" {
			plan.MaxAge = maxAge(cond, s, p.now)
		}
	}
	j.Conditions = conditions(cond)
	j.Judge = p.d.judge
	j.Reach = func(ctx context.Context) error {
		if cond.Network == config.NetworkWait {
			if err := p.reach(ctx, v); err != nil {
				return err
			}
		}
		return p.free(v) // before any hook runs
	}
	do := j.Body
	j.Body = func(ctx context.Context, r *report.Run) error {
		defer debug.FreeOSMemory() // a daemon rests most of the time, and should be small then
		return do(ctx, r)
	}
	p.out = append(p.out, plan)
	return nil
}

func conditions(c config.Conditions) job.Conditions {
	out := job.Conditions{NoMetered: c.Metered == config.MeteredSkip}
	switch c.OnBattery {
	case config.BatteryRun:
	case config.BatterySkip:
		out.NoBattery = true
	default:
		out.BelowPercent = int(c.OnBattery)
	}
	return out
}

// Where the config names no limit, a snapshot may be two hours older than the
// longest pause in the schedule, and at least 26 hours: a machine that is off
// overnight raises no alarm.
const (
	leastMaxAge = 26 * time.Hour
	maxAgeSlack = 2 * time.Hour
)

func maxAge(c config.Conditions, s schedule.Schedule, now time.Time) time.Duration {
	if c.MaxAge > 0 {
		return c.MaxAge
	}
	return max(leastMaxAge, schedule.LargestGap(s, now)+maxAgeSlack)
}

// reachTimeout bounds one question to the remote.
const reachTimeout = 20 * time.Second

// reach waits for a remote only where there should be something: the first
// backup makes its folder.
func (p *planner) reach(ctx context.Context, v config.Vault) error {
	err := reach(ctx, v)
	if errors.Is(err, remote.ErrNoBucket) && v.Remote.Dir != "" {
		// Only its last folder is made: where more is missing, a disk is.
		_, above := os.Stat(filepath.Dir(v.Remote.Dir))
		if ch, e := p.d.choose(p.c, v.Name, nil); e == nil && ch.dir == nil && above == nil {
			return nil
		}
	}
	return err
}

// free fails with state.ErrLocked while another process is at work on a vault.
func (p *planner) free(v config.Vault) error {
	ch, err := p.d.choose(p.c, v.Name, nil)
	if err != nil || ch.dir == nil {
		return nil // the run itself tells
	}
	lock, err := ch.dir.TryLockRun("look")
	if err != nil {
		return err
	}
	return lock.Unlock()
}

// reach asks the remote of a vault for a sign of life.
func reach(ctx context.Context, v config.Vault) error {
	limited, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	store, err := openBare(limited, v)
	if err == nil {
		_, err = store.Now(limited)
	}
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || !remote.Final(err)) {
		return fmt.Errorf("%w: %w", remote.ErrUnreachable, err)
	}
	return err
}

// sub is a door for a scheduled run: what it says goes to the log.
func (p *planner) sub(r *report.Run) *door {
	args := []any{"job", r.Job, "run", r.ID}
	out := &lineLog{log: p.log, to: slog.LevelDebug, args: args}
	sub := p.d.sub(out, &lineLog{log: p.log, to: slog.LevelWarn, args: args}, &behalf{
		progress: func(look func() string) { p.onProgress(r.Job, look) },
	})
	sub.zone = p.loc
	return sub
}

// verifyArgs makes a command line that reads, bit by bit, every byte of a vault
// within the time that the config gives: as large a part of the vault as the
// time since the last look is of that.
func (p *planner) verifyArgs(v config.Vault, now time.Time) []string {
	within := now.Sub(v.VerifyWithin.Before(now))
	since := 24 * time.Hour
	if ch, err := p.d.choose(p.c, v.Name, nil); err == nil && ch.dir != nil {
		if last := verify.Last(ch.dir); last != nil {
			since = now.Sub(last.At)
		}
	}
	return []string{"verify", fmt.Sprintf("--read-data=%.3f%%", partOf(since, within)), "--max-duration", verifyLongest}
}

// verifyLongest bounds one look: what it leaves is the first of the next.
const verifyLongest = "2h"

// partOf is a part in percent, with something to spare, so that all is read in
// time although packs are read whole.
func partOf(since, within time.Duration) float64 {
	return min(100, max(0.001, 105*float64(since)/float64(max(within, time.Hour))))
}

// newestBegin tells when the newest snapshot of a project was begun, by what
// this machine remembers of its own; zero if there is none.
func (d *door) newestBegin(c *config.Config, p config.Project) time.Time {
	ch, err := d.chooseFor(c, p)
	if err != nil || ch.dir == nil {
		return time.Time{}
	}
	known, err := ch.dir.Projects()
	if err != nil {
		return time.Time{}
	}
	id := ""
	for _, k := range known {
		if string(k.Key) == vault.ProjectKey(p.Name, p.Paths) {
			id = k.ID
		}
	}
	var begin time.Time
	for s, err := range ch.dir.Snapshots() {
		if err != nil {
			break
		}
		if t := time.Unix(s.Time-s.Seconds, 0); s.Project == id && id != "" && t.After(begin) {
			begin = t
		}
	}
	return begin
}

// machine is what the machine can tell and grant.
func machine() job.Machine {
	return job.Machine{
		Power: func() (bool, int, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			b, err := host.Power(ctx)
			return b.InUse, b.Percent, err
		},
		Metered: host.Metered,
		Inhibit: host.Inhibit,
	}
}
