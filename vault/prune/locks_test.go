package prune_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault/prune"
)

// extend extends locks with a process of its own.
func (y *yard) extend() (prune.Extended, error) {
	y.t.Helper()
	v, err := y.open(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	return prune.ExtendLocks(y.t.Context(), v, prune.Options{})
}

// Twice in a period everything that a snapshot needs gets a whole period, what
// is dead gets nothing, and in between nothing is asked of the remote.
func TestExtendLocks(t *testing.T) {
	y, first, _ := story(t)
	y.memory().SetLock(30 * day)
	start := y.time.Now()
	e, err := y.extend()
	if err != nil || !e.Done || e.Objects == 0 || len(e.Problems) > 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	dead := map[string]bool{}
	for _, o := range y.make(prune.Options{DryRun: true}).Condemn {
		dead[o.Name] = true
	}
	if len(dead) == 0 {
		t.Fatalf("nothing is dead though %s was forgotten", first)
	}
	for name := range y.memory().Sums() {
		if locked := !y.memory().LockedUntil(name).Before(start.Add(30 * day)); locked == dead[name] {
			t.Errorf("%s: dead %v, locked %v", name, dead[name], locked)
		}
	}
	for _, d := range []struct {
		days time.Duration
		done bool
	}{{0, false}, {14, false}, {1, true}, {14, false}, {40, true}} {
		y.time.pass(d.days * day)
		before := y.time.Now()
		e, err := y.extend()
		if err != nil || e.Done != d.done {
			t.Errorf("after %d more days: %+v, %v, want done %v", d.days, e, err, d.done)
		}
		if d.done && !e.Until.Equal(before.Add(30*day)) {
			t.Errorf("until %s, want a whole period", e.Until)
		}
	}
	y.deep()
}

// Where nothing is locked nothing is done; where locking is refused it is said,
// and the next call tries again.
func TestExtendLocksRefused(t *testing.T) {
	y, _, _ := story(t)
	if e, err := y.extend(); err != nil || e.Done || e.Period != 0 {
		t.Errorf("without locks: %+v, %v", e, err)
	}
	y.memory().SetLock(30 * day)
	whole := y.room
	y.room = whole.With(refusing{y.room.Store})
	for range 2 {
		if e, err := y.extend(); !errors.Is(err, fs.ErrPermission) || e.Done {
			t.Errorf("refused: %+v, %v", e, err)
		}
	}
	y.room = whole
	if e, err := y.extend(); err != nil || !e.Done {
		t.Errorf("allowed again: %+v, %v", e, err)
	}
}

// refusing is a store whose credentials may not lock.
type refusing struct{ remote.Store }

func (refusing) LockPeriod() time.Duration { return 30 * day }

func (refusing) ExtendLock(context.Context, string, time.Time) error { return fs.ErrPermission }
