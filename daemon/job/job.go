// Package job runs one piece of scheduled work together with all that belongs
// around it: it waits until the remote answers, runs the hooks, keeps the
// machine awake, and turns whatever happens into a result.
//
// A [Job] is made by who wires the program; its Body does the work. [Job.Held]
// tells whether a condition keeps it from running now, and [Job.Run] runs it.
// Both may be called from any goroutine, but one Run of a job at a time.
//
// A run never fails because of what is around it, apart from its run-before
// hook: a sleep inhibitor that the system does not grant is logged, and a
// run-after hook that fails makes the run partial.
package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"coffer/daemon/report"
)

// A Job is work that is run again and again.
type Job struct {
	Name    string // unique: the verb and the project or vault
	Verb    string // backup, verify, drill, forget or prune
	Project string // "" for work on a whole vault
	Vault   string

	Conditions Conditions
	Hooks      Hooks

	// Reach asks the remote for a sign of life, without retries of its own;
	// nil where there is nothing to wait for.
	Reach func(ctx context.Context) error
	// WaitReach is how long Run asks for it; 0 is 15 minutes.
	WaitReach time.Duration
	// Body does the work and fills in what is special to it. Its error is
	// judged by Judge.
	Body func(ctx context.Context, r *report.Run) error
	// Judge turns the error of Body into a verdict.
	Judge func(ctx context.Context, err error) Verdict
}

// A Verdict is how Body ended.
type Verdict struct {
	Result    report.Result
	Code      int
	Why, Hint string
	Found     string // which damage was found; see report.Run
	Outage    bool   // the remote could not be reached
	Busy      bool   // another process is at work
}

// A Machine is what the machine can tell and grant. Every field may be nil.
type Machine struct {
	Power   func() (onBattery bool, percent int, err error)
	Metered func(ctx context.Context) (bool, error)
	Inhibit func(ctx context.Context, why string) (release func(), err error)
}

// RunOptions go with one run.
type RunOptions struct {
	Machine Machine
	Log     *slog.Logger       // nil discards
	OnStage func(stage string) // what it is doing now; may be nil
}

// StageWaiting is the stage of a run that waits for its remote: nothing of it
// has begun yet, so it can be cancelled at no loss.
const StageWaiting = "waiting for the remote"

// defaultWaitReach is how long a run waits for the remote: longer than Wi-Fi
// and a VPN take after a wake-up, shorter than a user's patience.
const defaultWaitReach = 15 * time.Minute

// Run runs the job and fills in how r ended; its identity and its times are the
// caller's. It returns when all of it, the hooks too, is over.
func (j *Job) Run(ctx context.Context, r *report.Run, o RunOptions) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnStage == nil {
		o.OnStage = func(string) {}
	}
	o.OnStage(StageWaiting)
	if err := j.waitReach(ctx, o.Log); err != nil {
		v := j.Judge(ctx, err)
		// What was called off, or waits still, has not begun: no hook is to know.
		if v.end(r); ctx.Err() == nil && !v.Outage && !v.Busy {
			_ = j.after(ctx, r, &o)
		}
		return
	}
	j.run(ctx, r, &o).end(r)
	if err := j.after(ctx, r, &o); err != nil && r.Result == report.OK {
		r.Result, r.Why, r.Code = report.Partial, err.Error(), exitPartial
	}
}

// exitPartial is the exit code of what was done, but not wholly.
const exitPartial = 3

// end notes a verdict in a run.
func (v Verdict) end(r *report.Run) {
	r.Result, r.Code, r.Why, r.Hint, r.Found, r.Outage, r.Busy = v.Result, v.Code, v.Why, v.Hint, v.Found, v.Outage, v.Busy
}

// run is the work with the hook before it.
func (j *Job) run(ctx context.Context, r *report.Run, o *RunOptions) Verdict {
	if err := j.Hooks.run(ctx, before, r, o); err != nil {
		return Verdict{Result: report.Failed, Code: 1, Why: err.Error(), Hint: "nothing was changed; mend the run-before command, or look at its output:  coffer logs"}
	}
	defer j.inhibit(ctx, o)()
	o.OnStage(j.Verb)
	return j.Judge(ctx, j.Body(ctx, r))
}

// after runs the hooks that follow.
func (j *Job) after(ctx context.Context, r *report.Run, o *RunOptions) error {
	which := failed
	if r.Result.Good() {
		which = after
	}
	return errors.Join(j.follow(ctx, which, r, o), j.follow(ctx, finally, r, o))
}

// follow runs one hook that follows. It runs even when ctx has ended, since it
// may have to undo what run-before did, but then not for long: somebody waits
// for the end.
func (j *Job) follow(ctx context.Context, which hookName, r *report.Run, o *RunOptions) error {
	if ctx.Err() != nil {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
		defer cancel()
		ctx = limited
	}
	return j.Hooks.run(ctx, which, r, o)
}

// inhibit keeps the machine awake until the function it returns is called.
func (j *Job) inhibit(ctx context.Context, o *RunOptions) (release func()) {
	if o.Machine.Inhibit == nil {
		return func() {}
	}
	release, err := o.Machine.Inhibit(ctx, "Coffer: "+j.Name)
	if err != nil {
		o.Log.Debug("the machine may fall asleep during the run", "job", j.Name, "why", err)
	}
	if release == nil {
		return func() {}
	}
	return release
}

// waitReach asks the remote until it answers. After a wake-up the network is
// often not there yet: that is a wait, not a failure.
func (j *Job) waitReach(ctx context.Context, log *slog.Logger) error {
	if j.Reach == nil {
		return nil
	}
	limit := j.WaitReach
	if limit == 0 {
		limit = defaultWaitReach
	}
	began, wait := time.Now(), time.Second
	for {
		err := j.Reach(ctx)
		if err == nil || ctx.Err() != nil || !j.Judge(ctx, err).Outage {
			return err
		}
		if time.Since(began)+wait > limit {
			return fmt.Errorf("after waiting %s: %w", time.Since(began).Round(time.Second), err)
		}
		log.Info("waiting for the remote", "job", j.Name, "next_try", wait.String(), "why", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}
