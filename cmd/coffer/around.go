package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"coffer/config"
	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/remote"
	"coffer/vault/state"
)

// A body is the work of one run. It fills in what the run stored.
type body func(ctx context.Context, r *report.Run) error

// around runs the body of a project's backup with the hooks that the config
// has for it. In a daemon it is the daemon that does so.
func (d *door) around(ctx context.Context, p config.Project, do body) error {
	if d.onBehalf != nil && d.onBehalf.around != nil {
		return d.onBehalf.around(ctx, p, do)
	}
	hooks := hooksOf(p)
	if hooks == (job.Hooks{}) {
		return do(ctx, new(report.Run))
	}
	j := job.Job{Name: backupJob(p.Name), Verb: "backup", Project: p.Name, Vault: p.Vault, Hooks: hooks}
	r := &report.Run{ID: report.NewID(), Job: j.Name, Verb: j.Verb, Project: p.Name, Vault: p.Vault, Trigger: report.Hand, Begin: time.Now()}
	return d.runJob(ctx, &j, r, do, func() { j.Run(ctx, r, job.RunOptions{Log: d.hookLog()}) })
}

// backupJob is the name of a project's backup among the daemon's jobs.
func backupJob(project string) string { return "backup " + project }

// runJob runs a job whose body is do, and returns the error of do, or that of
// what is around it.
func (d *door) runJob(ctx context.Context, j *job.Job, r *report.Run, do body, run func()) error {
	var err error
	began := false
	j.Judge = d.judge
	j.Body = func(ctx context.Context, r *report.Run) error {
		began = true
		err = do(ctx, r)
		return err
	}
	run()
	return aroundError(r, err, began)
}

// aroundError is the error of a run: of its body, or else of a hook.
func aroundError(r *report.Run, err error, began bool) error {
	switch {
	case err != nil, r.Result == report.OK:
		return err
	case !began:
		return told{errors.New(r.Why), r.Code, r.Hint}
	}
	return outcome{r.Code, r.Why}
}

// hooksOf are a project's hooks.
func hooksOf(p config.Project) job.Hooks {
	hook := func(h config.Hook) job.Hook {
		if h.Timeout == 0 {
			h.Timeout = p.HookTimeout
		}
		if h.Command == "" {
			return job.Hook{}
		}
		return job.Hook{Command: h.Command, Timeout: h.Timeout}
	}
	return job.Hooks{Before: hook(p.RunBefore), After: hook(p.RunAfter), Failed: hook(p.RunFailed), Finally: hook(p.RunFinally)}
}

// judge turns the error of a run into a verdict.
func (d *door) judge(ctx context.Context, err error) job.Verdict {
	if err == nil {
		return job.Verdict{Result: report.OK}
	}
	if errors.Is(err, state.ErrLocked) {
		_, text, hint := explain(ctx, err)
		return job.Verdict{Result: report.Skipped, Code: exitFailed, Why: text, Hint: hint, Busy: true}
	}
	code, text, hint := explainAny(ctx, err)
	v := job.Verdict{Result: report.Failed, Code: code, Why: plainText(text), Hint: plainText(hint)}
	v.Outage = errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrNoBucket)
	if f, ok := errors.AsType[finding](err); ok {
		v.Found = f.digest
	}
	var o outcome
	if errors.As(err, &o) && (o.code == exitPartial || o.code == exitDamage) {
		v.Result = report.Partial // the work was done; what it lacks or found is told
	}
	return v
}

// hookLog is where the output of hooks goes when no daemon keeps a log: to
// whoever looks on.
func (d *door) hookLog() *slog.Logger {
	if d.json || d.quiet {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(&noteHandler{note: d.note, level: slog.LevelInfo})
}
