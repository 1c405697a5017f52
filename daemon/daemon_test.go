package daemon_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/daemon"
	"coffer/daemon/job"
	"coffer/daemon/report"
	"coffer/daemon/schedule"
)

// A world is one daemon with one job, in a bubble.
type world struct {
	t       *testing.T
	daemon  *daemon.Daemon
	store   *report.Store
	runs    atomic.Int64
	reach   func(context.Context) error
	now     func() time.Time
	battery atomic.Bool
	broken  atomic.Bool // runs fail
	stop    func()

	mu   sync.Mutex
	told []string // guarded by mu
}

func newWorld(t *testing.T, spec string, change func(*world, *daemon.Plan)) *world {
	t.Helper()
	w := &world{t: t}
	s, err := schedule.Parse(spec, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if w.store, err = report.Open(folder(t)); err != nil {
		t.Fatal(err)
	}
	plan := daemon.Plan{Schedule: s, RetryFor: time.Hour}
	plan.Job = job.Job{
		Name: "backup work", Verb: "backup", Project: "work", Vault: "home",
		Reach: func(ctx context.Context) error {
			if w.reach == nil {
				return nil
			}
			return w.reach(ctx)
		},
		Body: func(_ context.Context, _ *report.Run) error {
			w.runs.Add(1)
			if w.broken.Load() {
				return errors.New("no luck")
			}
			return nil
		},
		Judge: func(_ context.Context, err error) job.Verdict {
			if err == nil {
				return job.Verdict{Result: report.OK}
			}
			return job.Verdict{Result: report.Failed, Code: 1, Why: err.Error(), Outage: errors.Is(err, errOffline)}
		},
	}
	if change != nil {
		change(w, &plan)
	}
	w.daemon, err = daemon.New(daemon.Options{
		Store: w.store, Voice: w, Now: w.now, Load: func() (*daemon.Settings, error) { return &daemon.Settings{Plans: []daemon.Plan{plan}}, nil },
		Machine: job.Machine{Power: func() (bool, int, error) { return w.battery.Load(), 50, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.daemon.Run(ctx) }()
	w.stop = func() { cancel(); <-ended }
	return w
}

func (w *world) Began(report.Run) {}
func (w *world) Ended(r report.Run, final bool) {
	text := string(r.Result)
	if final {
		text += " final"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, text)
}
func (w *world) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}
func (w *world) Look(time.Time, report.Status) {}
func (w *world) Close()                        {}

func (w *world) status() report.JobStatus { return w.daemon.Status().Jobs[0] }

// A run that fails is tried again until its window is over, and then when it is
// next due.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "0 6 * * *", nil) // the bubble begins at midnight
		defer w.stop()
		w.broken.Store(true)
		time.Sleep(6*time.Hour + time.Minute)
		if got := w.status(); w.runs.Load() != 1 || got.Trying == nil || got.Last.Result != report.Failed {
			t.Fatalf("%d runs, %+v", w.runs.Load(), got)
		}
		time.Sleep(2 * time.Hour)
		tries := w.runs.Load()
		if got := w.status(); got.Trying != nil || tries < 4 || tries > 8 || !got.Next.Equal(time.Date(2000, 1, 2, 6, 0, 0, 0, time.UTC)) {
			t.Fatalf("after the window: %d runs, %+v", tries, got)
		}
		finals := 0
		for _, s := range w.heard() {
			if s == "failed final" {
				finals++
			}
		}
		if finals != 1 {
			t.Errorf("told %q", w.heard())
		}
		w.broken.Store(false)
		time.Sleep(24 * time.Hour)
		if got := w.status(); w.runs.Load() != tries+1 || got.Last.Result != report.OK {
			t.Errorf("the next day: %d runs more, %+v", w.runs.Load()-tries, got)
		}
	})
}

// A condition holds a run up, is told of once, and the run is made up for when
// it is over.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "0 * * * *", func(_ *world, p *daemon.Plan) { p.Job.Conditions.NoBattery = true })
		defer w.stop()
		w.battery.Store(true)
		time.Sleep(90 * time.Minute)
		if got := w.status(); w.runs.Load() != 0 || got.Waiting == "" || got.Last.Result != report.Skipped || len(w.heard()) != 1 {
			t.Fatalf("%d runs, told %q, %+v", w.runs.Load(), w.heard(), got)
		}
		w.battery.Store(false)
		time.Sleep(time.Minute)
		if got := w.status(); w.runs.Load() != 1 || got.Last.Result != report.OK || got.Last.Trigger != report.CatchUp {
			t.Errorf("%d runs, %+v", w.runs.Load(), got)
		}
		time.Sleep(20 * time.Minute)
		if w.runs.Load() != 1 {
			t.Errorf("%d runs", w.runs.Load())
		}
	})
}

// A pause holds scheduled runs up, not those by hand; its end is one catch-up.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "*/10 * * * *", nil)
		defer w.stop()
		w.daemon.Pause(time.Hour)
		time.Sleep(45 * time.Minute)
		if w.runs.Load() != 0 {
			t.Fatalf("%d runs during the pause", w.runs.Load())
		}
		hand := false
		r, err := w.daemon.Hand(t.Context(), "backup work", func(context.Context, *report.Run) error { hand = true; return nil }, nil)
		if err != nil || !hand || r.Result != report.OK || r.Trigger != report.Hand {
			t.Fatalf("by hand: %+v, %v", r, err)
		}
		time.Sleep(16 * time.Minute)
		if got := w.status(); w.runs.Load() != 1 || got.Last.Missed != 1 { // the run by hand answered for what came before it
			t.Errorf("%d runs after the pause, %+v", w.runs.Load(), got.Last)
		}
		if _, err := w.daemon.Hand(t.Context(), "backup other", nil, nil); !errors.Is(err, daemon.ErrNoJob) {
			t.Errorf("no such job: %v", err)
		}
	})
}

// A scheduled run that only waits for its remote makes way for one by hand, and
// two by hand take turns.
func TestHandComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "0 * * * *", func(w *world, _ *daemon.Plan) { w.reach = func(context.Context) error { return errOffline } })
		defer w.stop()
		time.Sleep(time.Hour + time.Minute)
		if got := w.status(); got.Running == nil || got.Running.Stage != job.StageWaiting {
			t.Fatalf("%+v", got)
		}
		var atWork, most atomic.Int64
		body := func(context.Context, *report.Run) error {
			most.Store(max(most.Load(), atWork.Add(1)))
			time.Sleep(time.Minute)
			atWork.Add(-1)
			return nil
		}
		began := time.Now()
		done := make(chan error, 2)
		for range 2 {
			go func() { _, err := w.daemon.Hand(t.Context(), "backup work", body, nil); done <- err }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 3*time.Minute || most.Load() != 1 {
			t.Errorf("they took %s, %d at a time", took, most.Load())
		}
		runs, err := w.store.Runs()
		if err != nil || len(runs) != 2 {
			t.Errorf("%d runs are noted, %v: %+v", len(runs), err, runs)
		}
	})
}

// A vault at which another process is at work makes a scheduled run wait, and
// one by hand say so; neither is a failure.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Bool
		w := newWorld(t, "0 * * * *", func(w *world, p *daemon.Plan) {
			p.Job.Judge = func(context.Context, error) job.Verdict {
				if busy.Load() {
					return job.Verdict{Result: report.Skipped, Busy: true, Why: "another process"}
				}
				return job.Verdict{Result: report.OK}
			}
		})
		defer w.stop()
		busy.Store(true)
		time.Sleep(65 * time.Minute)
		r, err := w.daemon.Hand(t.Context(), "backup work", func(context.Context, *report.Run) error { return nil }, nil)
		if err != nil || r.Result != report.Skipped {
			t.Errorf("by hand: %+v, %v", r, err)
		}
		if got := w.status(); got.Last != nil || got.Trying == nil || len(w.heard()) != 0 {
			t.Errorf("told %q, %+v", w.heard(), got)
		}
		busy.Store(false)
		time.Sleep(2 * time.Minute)
		if got := w.status(); got.Last == nil || got.Last.Result != report.OK || got.Trying != nil || !got.Last.Due.Equal(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", got.Last)
		}
	})
}

// A job that never had a good run begins at once if that is asked for.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "0 12 1 6 *", func(_ *world, p *daemon.Plan) { p.AtOnce = true })
		time.Sleep(time.Minute)
		if w.runs.Load() != 1 {
			t.Errorf("%d runs", w.runs.Load())
		}
		w.stop()
		again := newWorld(t, "0 12 1 6 *", func(w *world, p *daemon.Plan) {
			p.AtOnce, p.Evidence = true, func() time.Time { return time.Now().Add(-time.Hour) }
		})
		defer again.stop()
		time.Sleep(time.Minute)
		if again.runs.Load() != 0 {
			t.Errorf("%d runs of a job that has a snapshot", again.runs.Load())
		}
	})
}

// A daemon that ran while the clock was a year ahead goes on when it is right
// again.
func TestClockThatWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var skew atomic.Int64
		w := newWorld(t, "0 * * * *", func(w *world, _ *daemon.Plan) {
			w.now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())).Round(0) }
		})
		defer w.stop()
		skew.Store(int64(365 * 24 * time.Hour))
		time.Sleep(time.Minute)
		skew.Store(0)
		time.Sleep(3 * time.Hour)
		if got := w.runs.Load(); got != 4 { // one for the year that seemed to pass
			t.Errorf("%d runs in three hours", got)
		}
	})
}

// A snapshot from a clock that was a year ahead does not silence the schedule.
func TestEvidenceFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "0 * * * *", func(_ *world, p *daemon.Plan) {
			p.AtOnce, p.Evidence = true, func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
		})
		defer w.stop()
		time.Sleep(5*time.Hour + time.Minute)
		if got := w.runs.Load(); got != 6 { // at once, and each hour
			t.Errorf("%d runs in five hours", got)
		}
	})
}

// What another process did meanwhile counts.
func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Pointer[time.Time]
		good.Store(new(time.Time))
		w := newWorld(t, "0 * * * *", func(_ *world, p *daemon.Plan) {
			p.Job.Conditions.NoBattery = true
			p.Evidence = func() time.Time { return *good.Load() }
		})
		defer w.stop()
		w.battery.Store(true)
		time.Sleep(70 * time.Minute)
		begin := time.Now().Add(-5 * time.Minute) // after the due time, by hand
		good.Store(&begin)
		w.battery.Store(false)
		time.Sleep(10 * time.Minute)
		if w.runs.Load() != 0 || !w.status().LastGood.Equal(begin) {
			t.Errorf("%d runs, though one was made by hand: %+v", w.runs.Load(), w.status())
		}
		time.Sleep(time.Hour)
		if w.runs.Load() != 1 {
			t.Errorf("%d runs in the next hour", w.runs.Load())
		}
	})
}
