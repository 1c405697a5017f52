package daemon

import (
	"time"

	"coffer/daemon/host"
)

// Forever is the end of a pause that lasts until somebody resumes.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Pause keeps scheduled runs from beginning for a while; 0 is until Resume. A
// run at work goes on. What comes due meanwhile is made up for once.
func (d *Daemon) Pause(length time.Duration) {
	d.mu.Lock()
	d.memory.PausedUntil = forever
	if length > 0 {
		d.memory.PausedUntil = d.o.Now().Add(length)
	}
	until := d.memory.PausedUntil
	d.save()
	d.mu.Unlock()
	d.o.Log.Info("paused", "until", until)
	d.again()
}

// Resume ends a pause.
func (d *Daemon) Resume() {
	d.mu.Lock()
	d.memory.PausedUntil = time.Time{}
	d.save()
	d.mu.Unlock()
	d.o.Log.Info("resumed")
	d.again()
}

// Reload reads the config anew. If it cannot be used, the daemon goes on with
// what it had, says so in its status, and returns the error.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	settings, err := d.o.Load()
	d.mu.Lock()
	d.configError = err
	if err == nil {
		d.settings = settings
		d.recallNew()
	}
	d.mu.Unlock()
	if err != nil {
		d.o.Log.Error("the config was changed and cannot be used; going on with the one before", "why", err)
		return err
	}
	d.o.Log.Info("config read anew", "jobs", len(settings.Plans))
	d.again()
	return nil
}

// recallNew looks for traces of jobs that the memory never saw. The caller
// holds mu.
func (d *Daemon) recallNew() {
	for i := range d.settings.Plans {
		p := &d.settings.Plans[i]
		if d.memory.Jobs[p.Job.Name] == nil {
			d.trace(p, d.memory.Job(p.Job.Name, d.o.Now()), time.Time{})
		}
	}
	d.save()
}

// AskReload makes the loop reload at its next look, which is at once.
func (d *Daemon) AskReload() {
	d.mu.Lock()
	d.reload = true
	d.mu.Unlock()
	d.again()
}

// reloadIfChanged reloads if somebody asked for it or the file is another one.
func (d *Daemon) reloadIfChanged(m host.Manager) {
	d.mu.Lock()
	asked := d.reload
	d.reload = false
	d.mu.Unlock()
	if !asked && (d.o.Changed == nil || !d.o.Changed()) {
		return
	}
	d.tell(m.Reloading())
	_ = d.Reload() // it has told, and Status shows it
	d.tell(m.Ready())
}
