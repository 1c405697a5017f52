package daemon

import (
	"fmt"
	"os"
	"time"

	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// Status tells how everything stands.
func (d *Daemon) Status() report.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	s := report.Status{
		Version: d.o.Version, PID: os.Getpid(), Since: d.since, Now: now, Config: d.settings.Config, PausedUntil: d.memory.PausedUntil,
	}
	if d.configError != nil {
		s.ConfigError = d.configError.Error()
	}
	for i := range d.settings.Plans {
		s.Jobs = append(s.Jobs, d.jobStatus(&d.settings.Plans[i], now))
	}
	return s
}

// jobStatus tells how a job stands. The caller holds mu.
func (d *Daemon) jobStatus(p *Plan, now time.Time) report.JobStatus {
	j := d.memory.Job(p.Job.Name, now)
	s := report.JobStatus{
		Job: p.Job.Name, Verb: p.Job.Verb, Project: p.Job.Project, Vault: p.Job.Vault, Schedule: p.Schedule.String(),
		MaxAge: p.MaxAge, Waiting: d.waiting[p.Job.Name], Last: j.Last, First: j.First, LastGood: j.LastGood, GoodRun: j.GoodRun, Trying: j.Trying,
	}
	covered := j.Covered
	if covered.IsZero() {
		covered = now
	}
	if next := schedule.NextAfter(p.Schedule, covered, now); !next.IsZero() {
		s.Next = next.Add(d.jitter(p))
	}
	if t := j.Trying; t != nil && (s.Next.IsZero() || t.Next.Before(s.Next) || !s.Next.After(now)) {
		s.Next = t.Next
	}
	if a := d.active[p.Job.Name]; a != nil {
		s.Running = &report.Running{Run: a.run, Stage: a.stage}
		if a.progress != nil {
			s.Running.Progress = a.progress()
		}
	}
	return s
}

// statusLine is the state in one line, for the service manager.
func (d *Daemon) statusLine() string {
	s := d.Status()
	next, running, failing := time.Time{}, "", 0
	for _, j := range s.Jobs {
		if j.Running != nil {
			running = j.Job
		}
		if j.Last != nil && j.Last.Result == report.Failed {
			failing++
		}
		if !j.Next.IsZero() && (next.IsZero() || j.Next.Before(next)) {
			next = j.Next
		}
	}
	switch {
	case running != "":
		return "running " + running
	case s.Now.Before(s.PausedUntil):
		return "paused"
	case failing > 0:
		return fmt.Sprintf("%d of %d jobs failed last time; next run at %s", failing, len(s.Jobs), next.Format(time.DateTime))
	case next.IsZero():
		return "no job has a schedule"
	}
	return "idle; next run at " + next.Format(time.DateTime)
}
