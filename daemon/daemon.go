package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"coffer/daemon/host"
	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// Step is the longest time between two looks at the clock.
const Step = 30 * time.Second

// Options make a Daemon.
type Options struct {
	Store *report.Store
	// Load reads the config anew. An error leaves the daemon with what it had;
	// at the start it ends Run.
	Load func() (*Settings, error)
	// Changed tells whether what Load reads may have changed since it was
	// called last; nil: never.
	Changed func() bool

	Version string
	Device  string // spreads jitter over the devices that share a config
	Machine job.Machine
	Voice   Voice            // nil is silent
	Log     *slog.Logger     // nil discards
	Now     func() time.Time // the wall clock; nil is time.Now
}

// Settings are what a config amounts to.
type Settings struct {
	Config string // the file, for people
	Plans  []Plan
}

// A Plan is a job and when it is due.
type Plan struct {
	Job      job.Job
	Schedule schedule.Schedule
	Jitter   time.Duration // a run begins up to this long after its due time
	MaxAge   time.Duration // how old the newest good run may become; 0: no limit
	RetryFor time.Duration // a failed run is tried again for so long
	// Evidence tells when the newest good run began that left a trace outside
	// of the daemon's own memory, or zero; nil: there is no such trace.
	Evidence func() time.Time
	// AtOnce: a job that never had a good run is due right away.
	AtOnce bool
}

// A Voice tells others how things stand. Its methods return soon: what takes
// time is their own affair.
type Voice interface {
	Began(r report.Run)
	// Ended: final tells whether the run's due time is answered for, so that
	// it is not tried again.
	Ended(r report.Run, final bool)
	// Look is called at each look at the clock, one call at a time.
	Look(now time.Time, s report.Status)
	// Close waits, not long, for what is on its way.
	Close()
}

// A Daemon runs jobs. Its exported methods are safe for concurrent use.
type Daemon struct {
	o    Options
	poke chan struct{} // makes the loop look again
	work sync.WaitGroup
	ctx  context.Context // of all runs
	end  context.CancelFunc

	mu          sync.Mutex
	memory      *report.Memory           // guarded by mu
	settings    *Settings                // guarded by mu; replaced as a whole
	configError error                    // guarded by mu: of the last reload
	active      map[string]*active       // guarded by mu: runs at work, by job
	waiting     map[string]string        // guarded by mu: why a due job does not begin, by job
	vaults      map[string]chan struct{} // guarded by mu: each has room for the one run at work on that vault
	reload      bool                     // guarded by mu: asked for
	ending      bool                     // guarded by mu: nothing begins any more

	reloading sync.Mutex // one Reload at a time
	since     time.Time
}

// active is a run at work.
type active struct {
	run      report.Run
	stage    string
	progress func() string           // nil until the work has something to tell
	cancel   context.CancelCauseFunc // ends it
}

// errYield ends a run that only waits for its remote, so that one that somebody
// asked for can begin.
var errYield = errors.New("a run by hand comes first")

// New makes a daemon and reads what it remembers.
func New(o Options) (*Daemon, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// The wall clock alone: the other one, which times carry along, stands still
	// while the machine sleeps.
	wall := o.Now
	o.Now = func() time.Time { return wall().Round(0) }
	d := &Daemon{
		o: o, poke: make(chan struct{}, 1), since: o.Now(),
		active: map[string]*active{}, waiting: map[string]string{}, vaults: map[string]chan struct{}{},
	}
	d.ctx, d.end = context.WithCancel(context.Background())
	memory, err := o.Store.LoadMemory()
	if err != nil && !errors.Is(err, report.ErrDamaged) {
		return nil, fmt.Errorf("read what the daemon remembers: %w", err)
	}
	if err != nil {
		o.Log.Warn("beginning with a new memory; the vaults and the history tell what ran", "why", err)
	}
	d.memory = memory
	if d.settings, err = o.Load(); err != nil {
		return nil, err
	}
	d.recall()
	return d, nil
}

// recall brings the memory in line with what left traces elsewhere, and gives
// up the runs that died with the daemon before.
func (d *Daemon) recall() {
	noted, err := d.o.Store.LastGood()
	if err != nil {
		d.o.Log.Warn("the history of runs cannot be read", "why", err)
	}
	for i := range d.settings.Plans {
		p := &d.settings.Plans[i]
		j := d.memory.Job(p.Job.Name, d.o.Now())
		d.trace(p, j, noted[p.Job.Name])
		if j.Begun != nil {
			d.o.Log.Warn("a run was cut off; it is made up for", "job", p.Job.Name, "run", j.Begun.ID, "begun", j.Begun.Begin)
			j.Begun = nil
		}
	}
}

// trace notes a good run that the memory does not know of, as one that another
// process made. The caller holds mu, once the daemon is at work.
func (d *Daemon) trace(p *Plan, j *report.Job, noted time.Time) {
	good := noted
	if p.Evidence != nil {
		if t := p.Evidence(); t.After(good) {
			good = t
		}
	}
	// What a clock wrote that was far ahead would silence the job until then.
	if !good.After(j.LastGood) || good.Sub(d.o.Now()) > schedule.WrongClock {
		return
	}
	j.LastGood = good
	d.cover(p, j, good)
}

// cover counts every due time up to a good run's begin as answered for.
func (d *Daemon) cover(p *Plan, j *report.Job, begin time.Time) {
	covered := begin.Add(-d.jitter(p))
	if due, _, ok := schedule.Due(p.Schedule, j.Covered, covered); ok {
		j.Covered = p.Schedule.Cover(due, begin)
	} else if j.Covered.IsZero() {
		j.Covered = begin
	}
	if j.Trying != nil && !j.Trying.Due.After(j.Covered) {
		j.Trying = nil
	}
}

func (d *Daemon) jitter(p *Plan) time.Duration {
	return schedule.Jitter(d.o.Device, p.Job.Name, p.Jitter)
}

// Run works until ctx ends, and returns when all runs have.
func (d *Daemon) Run(ctx context.Context) {
	defer context.AfterFunc(ctx, d.end)()
	var m host.Manager
	watchdog, err := m.Watchdog()
	if err != nil {
		d.o.Log.Warn("nobody watches over the loop", "why", err)
	}
	d.tell(m.Ready())
	d.loop(ctx, m, watchdog)
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	d.end()
	d.tell(m.Stopping())
	d.work.Wait()
	if d.o.Voice != nil {
		d.o.Voice.Close()
	}
}

// tell logs what the service manager could not be told.
func (d *Daemon) tell(err error) {
	if err != nil {
		d.o.Log.Debug(err.Error())
	}
}

// save saves the memory. A disk that is full must not keep a backup from
// running: what could not be noted is told, and the vault knows it too.
// The caller holds mu.
func (d *Daemon) save() {
	if err := d.o.Store.SaveMemory(d.memory); err != nil {
		d.o.Log.Error("what the daemon remembers could not be saved", "why", err)
	}
}
