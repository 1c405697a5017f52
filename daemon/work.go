package daemon

import (
	"context"
	"errors"
	"time"

	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// busyAgain is when a run that another process kept from working is tried
// again.
const busyAgain = time.Minute

func (d *Daemon) newRun(p *Plan, o owed, now time.Time) *report.Run {
	return &report.Run{
		ID: report.NewID(), Job: p.Job.Name, Verb: p.Job.Verb, Project: p.Job.Project, Vault: p.Job.Vault,
		Trigger: o.trigger, Due: o.due, Missed: o.missed, Begin: now,
	}
}

// begin starts a run that is owed. The caller has taken the vault's slot.
func (d *Daemon) begin(p *Plan, o owed, slot chan struct{}) {
	r := d.newRun(p, o, d.o.Now())
	ctx, cancel := context.WithCancelCause(d.ctx)
	d.enter(r, cancel)
	d.work.Go(func() {
		defer cancel(nil)
		d.execute(ctx, &p.Job, r)
		r.Busy = r.Busy || errors.Is(context.Cause(ctx), errYield)
		d.finish(p, r)
		<-slot
		d.again()
	})
}

// enter notes that a run begins, and saves it: a run that dies is owed still.
func (d *Daemon) enter(r *report.Run, cancel context.CancelCauseFunc) {
	d.mu.Lock()
	j := d.memory.Job(r.Job, r.Begin)
	if j.Trying != nil {
		r.Attempts = j.Trying.Attempts
	}
	begun := *r // the run itself changes while this is saved
	j.Begun = &begun
	d.active[r.Job] = &active{run: *r, cancel: cancel}
	d.save()
	d.mu.Unlock()
	fields := []any{"job", r.Job, "run", r.ID, "trigger", r.Trigger}
	if !r.Due.IsZero() {
		fields = append(fields, "due", r.Due, "missed", r.Missed)
	}
	d.o.Log.Info("run begins", fields...)
}

// execute runs the job, whatever happens in it.
func (d *Daemon) execute(ctx context.Context, j *job.Job, r *report.Run) {
	begun := *r // while it waits for its remote it has not begun, for others
	told := false
	j.Run(ctx, r, job.RunOptions{
		Machine: d.o.Machine, Log: d.o.Log,
		OnStage: func(stage string) {
			if stage != job.StageWaiting && !told && d.o.Voice != nil {
				told = true
				d.o.Voice.Began(begun)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if a := d.active[r.Job]; a != nil {
				a.stage = stage
			}
		},
	})
	r.End = d.o.Now()
}

// finish notes how a run ended and what is owed now. The history comes first:
// with it, what the memory could not keep is known all the same.
func (d *Daemon) finish(p *Plan, r *report.Run) {
	final := d.settle(p, r)
	level := d.o.Log.Info
	if !r.Result.Good() {
		level = d.o.Log.Warn
	}
	level("run ended", logFields(r)...)
	if d.o.Voice != nil && !r.Busy {
		d.o.Voice.Ended(*r, final)
	}
}

func logFields(r *report.Run) []any {
	fields := []any{"job", r.Job, "run", r.ID, "result", r.Result, "took", r.End.Sub(r.Begin).Round(time.Millisecond).String()}
	if r.Why != "" {
		fields = append(fields, "why", r.Why)
	}
	if s := r.Stored; s != nil {
		fields = append(fields, "snapshot", s.Snapshot, "files", s.Files, "bytes", s.Bytes, "bytes_stored", s.Uploaded)
	}
	return fields
}

// settle is finish up to telling others.
func (d *Daemon) settle(p *Plan, r *report.Run) (final bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.active, r.Job)
	j := d.memory.Job(r.Job, r.Begin)
	cut := d.ctx.Err() != nil && !r.Result.Good() && r.Trigger != report.Hand
	if !r.Busy && !(r.Outage && r.Attempts > 0) { // an outage is told once
		d.note(r)
	}
	switch {
	case r.Busy || cut: // it says nothing of how the job fares
		j.Begun = nil
	default:
		j.Ended(r)
	}
	switch {
	case r.Result.Good():
		d.answered(p, j, r)
		final = true
	case r.Trigger == report.Hand: // whoever asked for it knows
	case r.Busy:
		j.Trying = d.tryAgain(j, r, busyAgain, p.RetryFor)
	case !cut:
		final = d.failed(p, j, r)
	}
	d.save()
	return final
}

// answered counts the run's due time, and all before its begin, as answered for.
func (d *Daemon) answered(p *Plan, j *report.Job, r *report.Run) {
	if r.Trigger != report.Hand && r.Due.After(j.Covered) {
		j.Covered = p.Schedule.Cover(r.Due, r.Begin)
	}
	if r.Trigger != report.Hand {
		j.Trying = nil
	}
	d.cover(p, j, r.Begin)
}

// failed sets when a failed run is tried again, or that it has failed for good.
// A remote that cannot be reached is no reason to give up: the run is owed until
// it can, or until the next one is due.
func (d *Daemon) failed(p *Plan, j *report.Job, r *report.Run) (final bool) {
	wait := schedule.Backoff(r.Attempts+1, d.o.Device+" "+r.Job)
	t := d.tryAgain(j, r, wait, p.RetryFor)
	t.Attempts = r.Attempts + 1
	r.Attempts = t.Attempts
	if r.Outage || t.Next.Before(t.Until) {
		j.Trying = t
		return false
	}
	j.Trying = nil
	j.Covered = p.Schedule.Cover(r.Due, r.Begin)
	return true
}

// tryAgain is a try of the same due time, and keeps the window of those before.
func (d *Daemon) tryAgain(j *report.Job, r *report.Run, wait, window time.Duration) *report.Trying {
	now := d.o.Now()
	t := &report.Trying{Due: r.Due, Missed: r.Missed, Attempts: r.Attempts, Next: now.Add(wait), Until: r.Begin.Add(window)}
	if j.Trying != nil { // of a due time before, too: else one that comes often would never have failed for good
		t.Until = j.Trying.Until
	}
	return t
}

// note appends a run to the history.
func (d *Daemon) note(r *report.Run) {
	if err := d.o.Store.AddRun(r); err != nil {
		d.o.Log.Error("the history of runs could not be written", "why", err)
	}
}

var (
	// ErrNoJob: the daemon's config has no such job.
	ErrNoJob = errors.New("no such job in the daemon's config")
	// ErrAtWork: the job is at work already, on a vault that the config named
	// before.
	ErrAtWork = errors.New("a run of it, begun under another config, is still at work")
	// ErrEnding: the daemon ends, and begins nothing any more.
	ErrEnding = errors.New("the daemon is ending")
)

// Hand runs a job now because somebody asked for it, with body in the place of
// the job's own, by the same gates as a scheduled run: the vault's turn, the
// hooks, the memory. onWait, which may be nil, is told what is waited for.
// Conditions do not hold it up. It returns the run as it ended; the error is
// ErrNoJob or that ctx ended before the run began.
func (d *Daemon) Hand(ctx context.Context, name string, body func(context.Context, *report.Run) error, onWait func(why string)) (*report.Run, error) {
	p, ok := d.plan(name)
	if !ok {
		return nil, ErrNoJob
	}
	if !d.join() {
		return nil, ErrEnding
	}
	defer d.work.Done()
	slot := d.slot(p.Job.Vault)
	d.yield(p.Job.Vault)
	if err := d.queue(ctx, slot, p.Job.Vault, onWait); err != nil {
		return nil, err
	}
	defer d.again()
	defer func() { <-slot }()
	if d.atWorkOn(name) {
		return nil, ErrAtWork
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(context.Canceled) })()
	j := p.Job
	j.Body, j.Reach = body, nil // whoever waits sees the remote's own retries
	now := d.o.Now()
	r := d.newRun(p, owed{trigger: report.Hand}, now)
	d.enter(r, cancel)
	d.execute(ctx, &j, r)
	d.finish(p, r)
	return r, nil
}

// join counts one more piece of work, unless the daemon ends.
func (d *Daemon) join() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return false
	}
	d.work.Add(1)
	return true
}

func (d *Daemon) atWorkOn(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active[name] != nil
}

// queue waits for a vault's turn.
func (d *Daemon) queue(ctx context.Context, slot chan struct{}, vault string, onWait func(string)) error {
	select {
	case slot <- struct{}{}:
		return nil
	default:
	}
	if onWait != nil {
		onWait(d.atWork(vault))
	}
	select {
	case slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ctx.Done():
		return ErrEnding
	}
}

// yield ends a scheduled run on a vault that has not begun its work.
func (d *Daemon) yield(vault string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.active {
		if a.run.Vault == vault && a.run.Trigger != report.Hand && a.stage == job.StageWaiting {
			a.cancel(errYield)
		}
	}
}

// atWork names the run at work on a vault.
func (d *Daemon) atWork(vault string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.active {
		if a.run.Vault != vault {
			continue
		}
		return "waiting for the run of " + a.run.Job + " that began at " + a.run.Begin.Format("15:04:05")
	}
	return "waiting for a run that is about to end"
}

// plan finds a job of the present config.
func (d *Daemon) plan(name string) (*Plan, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.settings.Plans {
		if d.settings.Plans[i].Job.Name == name {
			return &d.settings.Plans[i], true
		}
	}
	return nil, false
}

// OnProgress gives a run at work a way to say how far it is.
func (d *Daemon) OnProgress(name string, progress func() string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.active[name]; a != nil {
		a.progress = progress
	}
}
