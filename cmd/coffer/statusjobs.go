package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"coffer/daemon"
	"coffer/daemon/report"
)

// schedulePart is what the schedule knows, and who told it.
type schedulePart struct {
	report.Status
	running bool // a daemon told it; else it is what the last one remembered
}

// jobsStatus asks the daemon how its jobs stand. Without one it works out the
// same from the config and from what the last daemon remembered. known is false
// if there is no config to go by.
func (d *door) jobsStatus(ctx context.Context) (s schedulePart, known bool) {
	if client, err := d.dialDaemon(ctx); err == nil {
		defer client.Close()
		if s.Status, err = client.Status(ctx); err == nil {
			return schedulePart{s.Status, true}, true
		}
	}
	dir, err := daemonDir()
	if err != nil {
		return s, false
	}
	quiet := slog.New(slog.DiscardHandler)
	resting, err := daemon.New(daemon.Options{
		Store: report.At(dir), Log: quiet, Device: deviceSeed(),
		Load: func() (*daemon.Settings, error) { settings, _, err := d.settings(quiet, nil); return settings, err },
	})
	if err != nil {
		return s, false
	}
	rested := resting.Status()
	return schedulePart{rested, false}, len(rested.Jobs) > 0
}

// tellJobs tells how the scheduled jobs stand.
func (d *door) tellJobs(s schedulePart, known bool) {
	if !known {
		return
	}
	if d.json {
		d.emitJobs(s)
		return
	}
	switch now := time.Now(); {
	case !s.running:
		fmt.Fprintln(d.out, "no daemon is running: nothing runs by itself  (coffer service install)")
	case now.Before(s.PausedUntil):
		fmt.Fprintf(d.out, "daemon at work since %s, paused%s\n", timeText(s.Since), untilText(s.PausedUntil, now))
	default:
		fmt.Fprintf(d.out, "daemon at work since %s\n", timeText(s.Since))
	}
	if s.ConfigError != "" {
		d.note("the config was changed and cannot be used; the daemon goes by the one before:\n%s", s.ConfigError)
	}
	for i := range s.Jobs {
		d.tellJob(&s.Jobs[i], s)
	}
}

func untilText(t, now time.Time) string {
	if t.Sub(now) > 10000*time.Hour {
		return " until  coffer daemon resume"
	}
	return " until " + timeText(t)
}

// tellJob tells of one job in a line or two.
func (d *door) tellJob(j *report.JobStatus, s schedulePart) {
	if j.Verb == "backup" && j.Schedule == "" && j.Last == nil && j.Running == nil {
		return // by hand only, and nothing to tell
	}
	fmt.Fprintf(d.out, "  %s: %s\n", safeName(j.Job), strings.Join(jobParts(j, s), "; "))
	if l := j.Last; l != nil && l.Why != "" {
		fmt.Fprintf(d.out, "    %s\n", safeName(plainText(l.Why)))
	}
}

func jobParts(j *report.JobStatus, s schedulePart) []string {
	var parts []string
	if r := j.Running; r != nil {
		text := fmt.Sprintf("running since %s (%s)", timeText(r.Run.Begin), r.Stage)
		parts = append(parts, joined(text, r.Progress))
	}
	if l := j.Last; l != nil {
		parts = append(parts, lastText(l))
	} else if j.LastGood.IsZero() {
		parts = append(parts, "never ran")
	}
	if !j.LastGood.IsZero() && (j.Last == nil || !j.Last.Result.Good()) {
		parts = append(parts, "last good one "+ageText(j.LastGood))
	}
	switch {
	case j.Waiting != "":
		parts = append(parts, "due, but "+j.Waiting)
	case j.Running == nil && s.running && j.Trying != nil:
		parts = append(parts, "tried again at "+timeText(j.Next))
	case j.Running == nil && s.running && !j.Next.IsZero():
		parts = append(parts, fmt.Sprintf("next %s (%s)", timeText(j.Next), ageText(j.Next)))
	}
	if j.Stale(s.Now) {
		parts = append(parts, "too old: the limit is "+durationText(j.MaxAge))
	}
	return parts
}

func lastText(l *report.Run) string {
	text := fmt.Sprintf("last run %s, %s", ageText(l.Begin), l.Result)
	if st := l.Stored; st != nil {
		text = joined(text, bytesText(st.Uploaded)+" stored")
	}
	return text
}

func (d *door) emitJobs(s schedulePart) {
	m := map[string]any{"running": s.running, "config": s.Config, "paused_until": timeOrNil(s.PausedUntil)}
	if s.running {
		m["pid"], m["since"], m["version"] = s.PID, s.Since.UTC(), s.Version
	}
	if s.ConfigError != "" {
		m["config_error"] = s.ConfigError
	}
	d.emit("daemon", m)
	for i := range s.Jobs {
		j := &s.Jobs[i]
		d.emit("job", map[string]any{
			"job": j.Job, "verb": j.Verb, "project": j.Project, "vault": j.Vault, "schedule": j.Schedule, "next": timeOrNil(j.Next),
			"max_age_seconds": int64(j.MaxAge.Seconds()), "stale": j.Stale(s.Now), "waiting": j.Waiting,
			"last": j.Last, "last_good": timeOrNil(j.LastGood), "running": j.Running, "trying": j.Trying,
		})
	}
}

// tellFailedLook says that the remote could not be looked at, and goes on.
func (d *door) tellFailedLook(ctx context.Context, err error) {
	var o outcome
	if errors.As(err, &o) {
		return // it has been told of
	}
	_, text, _ := explain(ctx, err)
	if d.json {
		d.emit("error", map[string]any{"event": "remote", "error": text})
		return
	}
	d.note("the vault could not be looked at: %s", plainText(text))
}

// health is the error that the state of things amounts to, the worst first.
// limit, if not 0, replaces what the config allows.
func (d *door) health(rows []row, s schedulePart, limit time.Duration) error {
	now := time.Now()
	var stale, ill []string
	for i := range s.Jobs {
		j := s.Jobs[i]
		if limit > 0 && j.Verb == "backup" {
			j.MaxAge = limit
		}
		switch {
		case j.Stale(now):
			stale = append(stale, j.Job)
		case j.Last != nil && (j.Last.Result == report.Failed || j.Last.Result == report.Partial):
			ill = append(ill, j.Job)
		}
	}
	for _, r := range rows {
		if limit > 0 && !s.running && now.Sub(r.good) > limit {
			stale = append(stale, projectText(r.label, r.roots))
		}
	}
	switch {
	case len(stale) > 0:
		return outcome{exitStale, fmt.Sprintf("no good run for too long: %s", strings.Join(stale, ", "))}
	case len(ill) > 0:
		return outcome{exitPartial, fmt.Sprintf("not well: %s", strings.Join(ill, ", "))}
	}
	return nil
}

// worst is the error that says more: damage before age, age before the rest.
func worst(vault, health error) error {
	var v, h outcome
	if errors.As(health, &h) && (vault == nil || errors.As(vault, &v) && v.code != exitDamage) {
		return h
	}
	if vault == nil {
		return health
	}
	return vault
}
