package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coffer/daemon"
	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// The life of a laptop, ninety days at a time, against the calendar: it sleeps,
// is rebooted and killed, its clock is set, its network goes away, and what the
// daemon remembers is torn as it dies. Every due time must be run, or be
// answered for by exactly one run that came later, and none twice.

// prompt is how soon after its due time a run begins if nothing holds it up.
const prompt = 30 * time.Second

// A laptop is a machine with a wall clock that jumps. The time of the bubble
// is what its processor sees: it stands still while the lid is closed.
type laptop struct {
	t    *testing.T
	rng  *rand.Rand
	dir  string // of the daemon's memory
	jobs []*work

	mu       sync.Mutex
	skew     time.Duration // guarded by mu: wall clock less the bubble's time
	offline  bool          // guarded by mu
	trouble  []stretch     // guarded by mu: walls at which something was the matter
	boots    int
	tornings int
}

// stretch is a piece of wall clock time.
type stretch struct{ from, to time.Time }

// work is a job of the laptop's, and the runs that got done: what a vault
// would remember.
type work struct {
	name, spec string
	sched      schedule.Schedule
	calendar   *calendar
	done       []report.Run // guarded by laptop.mu
}

var errOffline = errors.New("the network is down")

func (l *laptop) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wall()
}

func (l *laptop) wall() time.Time { return time.Now().Add(l.skew).Round(0) }

// jump sets the wall clock on or back.
func (l *laptop) jump(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.wall()
	l.skew += d
	to := l.wall()
	if to.Before(from) {
		from, to = to, from
	}
	l.trouble = append(l.trouble, stretch{from, to.Add(time.Minute)})
}

func (l *laptop) setOffline(off bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offline = off
	if off {
		l.trouble = append(l.trouble, stretch{l.wall(), l.wall().Add(1000 * time.Hour)})
		return
	}
	l.trouble[len(l.trouble)-1].to = l.wall().Add(40 * time.Minute) // the longest wait between tries, and a look
}

func (l *laptop) plan(w *work) daemon.Plan {
	p := daemon.Plan{Schedule: w.sched, RetryFor: time.Hour, Evidence: func() time.Time {
		l.mu.Lock()
		defer l.mu.Unlock()
		var last time.Time
		for _, r := range w.done {
			last = r.Begin
		}
		return last
	}}
	p.Job = job.Job{Name: w.name, Verb: "backup", Vault: w.name}
	p.Job.Reach = func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.offline {
			return errOffline
		}
		return nil
	}
	p.Job.Body = func(ctx context.Context, r *report.Run) error {
		l.mu.Lock()
		takes := time.Duration(1+l.rng.IntN(600)) * time.Second
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(takes):
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if l.offline {
			return errOffline
		}
		done := *r
		done.End = l.wall()
		w.done = append(w.done, done)
		return nil
	}
	p.Job.Judge = func(ctx context.Context, err error) job.Verdict {
		if err == nil {
			return job.Verdict{Result: report.OK}
		}
		return job.Verdict{Result: report.Failed, Code: 1, Why: err.Error(), Outage: errors.Is(err, errOffline)}
	}
	return p
}

// boot starts a daemon on the memory in l.dir, and returns how to end it.
func (l *laptop) boot() (stop func(kill bool)) {
	l.boots++
	store, err := report.Open(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	d, err := daemon.New(daemon.Options{Store: store, Device: "laptop", Now: l.now, Load: func() (*daemon.Settings, error) {
		s := &daemon.Settings{}
		for _, w := range l.jobs {
			s.Plans = append(s.Plans, l.plan(w))
		}
		return s, nil
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	return func(kill bool) {
		if kill {
			// What the dying daemon still writes, nobody will read.
			l.dir = l.copied()
			l.tear()
		}
		cancel()
		<-ended
	}
}

// copied copies the memory as it is on the disk at this moment.
func (l *laptop) copied() string {
	to := folder(l.t)
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(l.dir, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), data, 0o600)
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return to
}

// tear leaves a file of the memory as a power cut may leave it.
func (l *laptop) tear() {
	files := []string{"memory.json", "memory.json", "memory.json.old", "runs.jsonl"}
	path := filepath.Join(l.dir, files[l.rng.IntN(len(files))])
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 || l.rng.IntN(3) == 0 {
		return
	}
	l.tornings++
	switch cut := l.rng.IntN(len(data)); {
	case filepath.Base(path) == "runs.jsonl": // appended to: only its end is at stake
		data = data[:len(data)-min(len(data), 1+l.rng.IntN(200))]
	case l.rng.IntN(2) == 0:
		data = data[:cut]
	default:
		data[cut] ^= 0x41
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// live lets things happen until the wall clock reaches end.
func (l *laptop) live(end time.Time) {
	stop := l.boot()
	for l.now().Before(end) {
		time.Sleep(time.Duration(l.rng.IntN(14*3600)) * time.Second)
		switch l.rng.IntN(10) {
		case 0, 1, 2: // the lid is closed, for minutes or for days
			l.jump(time.Duration(l.rng.ExpFloat64() * float64(8*time.Hour)))
		case 3:
			stop(false)
			l.jump(time.Duration(l.rng.IntN(3600)) * time.Second)
			stop = l.boot()
		case 4, 5: // in the middle of whatever it does
			time.Sleep(time.Duration(l.rng.IntN(3600)) * time.Second)
			stop(true)
			l.jump(time.Duration(l.rng.IntN(36*3600)) * time.Second)
			stop = l.boot()
		case 6: // the clock was fast
			l.jump(-time.Duration(l.rng.IntN(2*3600)) * time.Second)
		case 7: // or slow
			l.jump(time.Duration(l.rng.IntN(2*3600)) * time.Second)
		default:
			l.setOffline(true)
			time.Sleep(time.Duration(l.rng.IntN(5*3600)) * time.Second)
			l.setOffline(false)
		}
	}
	time.Sleep(2 * time.Hour) // what is owed still gets done
	stop(false)
}

// calm tells whether nothing was the matter from a to b.
func (l *laptop) calm(a, b time.Time) bool {
	return !slices.ContainsFunc(l.trouble, func(s stretch) bool { return !s.to.Before(a) && !s.from.After(b) })
}

// check holds what was done against the calendar.
func (l *laptop) check(w *work, begin, end time.Time) (onTime, caughtUp int) {
	covered := begin
	for i, r := range w.done {
		if !w.calendar.has(r.Due) {
			l.t.Fatalf("%s: run %d is for %s, which is no due time", w.name, i, r.Due)
		}
		if !r.Due.After(covered) {
			l.t.Fatalf("%s: run %d is for %s, which was answered for (up to %s)", w.name, i, r.Due, covered)
		}
		if r.Begin.Before(r.Due) {
			l.t.Fatalf("%s: run %d began at %s, before %s", w.name, i, r.Begin, r.Due)
		}
		// The newest due time before it began, so that one run is enough.
		if newest := w.calendar.between(r.Due, r.Begin.Add(-prompt)); newest > 0 && l.calm(r.Due, r.Begin) {
			l.t.Fatalf("%s: run %d for %s left %d due times open at %s", w.name, i, r.Due, newest, r.Begin)
		}
		if l.calm(r.Due, r.Begin) && w.idle(i, r.Due) && r.Begin.Sub(r.Due) > prompt {
			l.t.Fatalf("%s: run %d for %s began at %s, and nothing held it up", w.name, i, r.Due, r.Begin)
		}
		// What came due before the last run began, that run answered for.
		answered := covered
		if i > 0 && w.done[i-1].Begin.After(answered) {
			answered = w.done[i-1].Begin
		}
		skipped := w.calendar.between(answered, r.Due) - 1
		if skipped > 0 {
			caughtUp++
		} else {
			onTime++
		}
		if skipped != r.Missed {
			l.t.Fatalf("%s: run %d for %s answers for %d more, and says %d", w.name, i, r.Due, skipped, r.Missed)
		}
		covered = r.Due
	}
	if open := w.calendar.between(covered, end); open > 0 {
		l.t.Fatalf("%s: %d due times after %s were never answered for", w.name, open, covered)
	}
	return onTime, caughtUp
}

// idle tells whether the run before the i-th one had ended a while before t.
func (w *work) idle(i int, t time.Time) bool {
	return i == 0 || w.done[i-1].End.Add(prompt).Before(t)
}

func TestNinetyDays(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for i, begin := range []time.Time{time.Date(2026, 2, 10, 9, 17, 0, 0, loc), time.Date(2026, 8, 30, 9, 17, 0, 0, loc)} {
			if raced && (zone != "Europe/Berlin" || i > 0) {
				continue
			}
			t.Run(fmt.Sprintf("%s from %s", zone, begin.Format(time.DateOnly)), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { ninetyDays(t, loc, begin, uint64(i)) })
			})
		}
	}
}

func ninetyDays(t *testing.T, loc *time.Location, begin time.Time, seed uint64) {
	l := &laptop{t: t, rng: rand.New(&dice{pcg: rand.NewPCG(seed, 3)}), dir: folder(t), skew: begin.Sub(time.Now())}
	end := begin.AddDate(0, 0, 90)
	for i, spec := range []string{"0 * * * *", "30 2 * * *", "30 1 * * *", "15 9-18 * * 1-5", "*/20 8,20 1,15 * 0"} {
		s, err := schedule.Parse(spec, loc)
		if err != nil {
			t.Fatal(err)
		}
		l.jobs = append(l.jobs, &work{
			name: fmt.Sprintf("job %d (%s)", i, spec), spec: spec, sched: s,
			calendar: newCalendar(t, spec, loc, begin, end.AddDate(0, 0, 30)),
		})
	}
	l.live(end)
	end = l.now().Add(-2 * time.Hour)
	for _, w := range l.jobs {
		onTime, caughtUp := l.check(w, begin, end)
		t.Logf("%s: %d due, %d runs alone, %d that caught up", w.name, w.calendar.between(begin, end), onTime, caughtUp)
		if onTime == 0 || caughtUp == 0 {
			t.Errorf("%s: the days were too calm, or too wild, to prove anything", w.name)
		}
	}
	t.Logf("tried: %d boots of the daemon, %d with its memory torn", l.boots, l.tornings)
}

// folder is a folder that goes with the test, on a disk in memory where there
// is one: the memory is synced often.
func folder(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "coffer-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
