package daemon

import (
	"context"
	"time"

	"coffer/daemon/host"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// loop looks at the clock until ctx ends. It alone says that the daemon is
// alive, so that a loop that hangs is noticed.
func (d *Daemon) loop(ctx context.Context, m host.Manager, watchdog time.Duration) {
	for ctx.Err() == nil {
		d.reloadIfChanged(m)
		next := d.look(ctx)
		d.tell(m.Alive())
		if m.Listens() {
			d.tell(m.Status(d.statusLine()))
		}
		d.sleep(ctx, next, watchdog)
	}
}

// sleep waits for the next look: until something is due, and never longer than
// Step, so that a suspend or a clock that was set is noticed.
func (d *Daemon) sleep(ctx context.Context, next time.Time, watchdog time.Duration) {
	wait := Step
	if watchdog > 0 {
		wait = min(wait, watchdog)
	}
	if !next.IsZero() {
		wait = min(wait, max(next.Sub(d.o.Now()), shortest))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.poke:
	case <-ctx.Done():
	}
}

// shortest is the least time between two looks that nobody asked for.
const shortest = 100 * time.Millisecond

// again makes the loop look at once.
func (d *Daemon) again() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// look begins what is due, and tells when to look again.
func (d *Daemon) look(ctx context.Context) (next time.Time) {
	d.mu.Lock()
	plans := d.settings.Plans
	d.mu.Unlock()
	for i := range plans {
		if t := d.lookAt(ctx, &plans[i]); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if d.o.Voice != nil {
		d.o.Voice.Look(d.o.Now(), d.Status())
	}
	return next
}

// An owed run is one that a job should make now.
type owed struct {
	due     time.Time
	missed  int
	trigger report.Trigger
}

// lookAt begins a job's run if one is owed and nothing holds it up.
func (d *Daemon) lookAt(ctx context.Context, p *Plan) (next time.Time) {
	now := d.o.Now()
	o, next, ok := d.owed(p, now)
	if !ok {
		return next
	}
	if why := p.Job.Held(ctx, d.o.Machine); why != "" {
		d.hold(p, o, why)
		return time.Time{}
	}
	slot := d.slot(p.Job.Vault)
	select {
	case slot <- struct{}{}:
		// A run by hand may have answered for it while the conditions were
		// looked at.
		if o, next, ok = d.owed(p, d.o.Now()); !ok {
			<-slot
			return next
		}
		d.begin(p, o, slot)
	default:
		d.setWaiting(p.Job.Name, "another run is at work on the vault")
	}
	return time.Time{}
}

// owed finds out whether a job owes a run at now, and if not when to look
// again.
func (d *Daemon) owed(p *Plan, now time.Time) (o owed, next time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, p.Job.Name)
	if d.active[p.Job.Name] != nil {
		return o, time.Time{}, false
	}
	j := d.memory.Job(p.Job.Name, now)
	d.setClock(p, j, now)
	o, next, ok = p.owed(j, now.Add(-d.jitter(p)), now)
	if ok && p.Evidence != nil { // perhaps somebody made the run by hand
		d.trace(p, j, time.Time{})
		o, next, ok = p.owed(j, now.Add(-d.jitter(p)), now)
	}
	if ok && now.Before(d.memory.PausedUntil) {
		d.waiting[p.Job.Name] = "the daemon is paused"
		return o, d.memory.PausedUntil, false
	}
	if !next.IsZero() {
		next = next.Add(d.jitter(p))
	}
	return o, next, ok
}

// setClock takes back what a wrong clock wrote into the memory, and gives a new
// job its first Covered.
func (d *Daemon) setClock(p *Plan, j *report.Job, now time.Time) {
	if j.First.After(now) {
		j.First = now
	}
	if j.Covered.IsZero() && !p.AtOnce {
		j.Covered = j.First
	}
	if covered := schedule.Rebase(j.Covered, now); !covered.Equal(j.Covered) {
		d.o.Log.Warn("the clock was set back by more than a day; schedules go on from now", "job", p.Job.Name, "was", j.Covered)
		j.Covered = covered
	}
	if j.LastGood.Sub(now) > schedule.WrongClock {
		j.LastGood = now
	}
	if t := j.Trying; t != nil && (t.Next.Sub(now) > schedule.WrongClock || t.Due.Sub(now) > schedule.WrongClock) {
		j.Trying = nil
	}
}

// owed is what the schedule and the tries say. shifted is now less the jitter.
func (p *Plan) owed(j *report.Job, shifted, now time.Time) (o owed, next time.Time, ok bool) {
	if j.Covered.IsZero() { // it never had a good run
		if t := j.Trying; t != nil && now.Before(t.Next) {
			return o, t.Next, false
		}
		return owed{due: j.First, trigger: trigger(j, 0, false)}, now, true
	}
	due, missed, isDue := schedule.Due(p.Schedule, j.Covered, shifted)
	t := j.Trying
	switch {
	case t != nil && isDue && due.After(t.Due): // a newer time has come meanwhile
		return owed{due, missed, report.Scheduled}, now, true
	case t != nil && now.Before(t.Next):
		return o, earlier(t.Next, p.Schedule.Next(t.Due)), false
	case t != nil:
		return owed{t.Due, t.Missed, report.Retry}, now, true
	case isDue:
		return owed{due, missed, trigger(j, missed, shifted.Sub(due) > late)}, now, true
	}
	return o, p.Schedule.Next(j.Covered), false
}

// late is how long after its time a run begins that was not simply the next
// thing to do.
const late = 2 * time.Minute

func trigger(j *report.Job, missed int, isLate bool) report.Trigger {
	switch {
	case j.Trying != nil:
		return report.Retry
	case missed > 0 || isLate:
		return report.CatchUp
	}
	return report.Scheduled
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// hold notes, once for a due time, that a condition keeps a job from running.
// The run stays owed, and begins when the condition is over.
func (d *Daemon) hold(p *Plan, o owed, why string) {
	now := d.o.Now()
	r := d.newRun(p, o, now)
	r.End, r.Result, r.Why, r.Hint, r.Code = now, report.Skipped, why, "it runs as soon as that is over; at once by hand:  coffer backup now", exitSkipped
	if d.noteHeld(p, r) && d.o.Voice != nil {
		d.o.Voice.Ended(*r, false)
	}
}

// noteHeld notes a run that is kept from beginning, and tells whether that is
// news.
func (d *Daemon) noteHeld(p *Plan, r *report.Run) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[p.Job.Name] = r.Why
	j := d.memory.Job(p.Job.Name, r.Begin)
	if !j.Held.Before(r.Due) {
		return false
	}
	j.Held = r.Due
	if j.Last == nil || j.Last.Result != report.Failed { // that it waits is told beside a failure, not in its place
		j.Last = r
	}
	d.note(r)
	d.save()
	return true
}

// exitSkipped is the exit code that stands for a run that did not take place.
const exitSkipped = 6

func (d *Daemon) setWaiting(name, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[name] = why
}

// slot is what a run on a vault must hold: it has room for one.
func (d *Daemon) slot(vault string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vaults[vault] == nil {
		d.vaults[vault] = make(chan struct{}, 1)
	}
	return d.vaults[vault]
}
