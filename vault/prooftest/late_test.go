package prooftest_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
)

// A machine stops, or gives up, while a commit is on its way, and does the same
// again; only then the commit arrives, in time for the remote to take it. Both
// are its own, everything restores, and it is not taken for a clone.
func TestArrivesLate(t *testing.T) {
	var tried atomic.Int64
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes() {
			if s.long { // it commits as others do
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				w := s.make(t)
				calm := w.fork(t)
				log := fault.New(calm.store, 1)
				calm.store = log
				must(t, s.play(t.Context(), calm))
				nth := 0
				for i, e := range log.Log() {
					if e.Op != remote.OpPublish {
						continue
					}
					nth++
					for _, stops := range []bool{false, true} {
						tried.Add(1)
						after := -1
						if stops {
							after = i + 1
						}
						t.Run(fmt.Sprintf("%d-%t", nth, stops), func(t *testing.T) { arrivesLate(t, s, w.fork(t), nth, after) })
					}
				}
			})
		}
	})
	if t.Logf("tried: %d commits that arrived late", tried.Load()); tried.Load() < 20 {
		t.Error("hardly any was on its way")
	}
}

// arrivesLate lets the nth commit of a scene be late; the process stops after so
// many operations, unless that is negative.
func arrivesLate(t *testing.T, s scene, w *world, nth, stop int) {
	below, want := w.store, maps.Clone(w.Want)
	store := fault.New(below, 1)
	store.Add(fault.Rule{Op: remote.OpPublish, Nth: nth, Do: fault.Late, Later: 1 << 30})
	if stop >= 0 {
		store.CrashAfter(stop)
	}
	w.store = store
	_ = s.play(t.Context(), w) // what it could not do it says, or does without
	maps.Copy(w.Want, want)
	w.store = below
	w.pass(time.Minute)
	_ = s.play(t.Context(), w) // perhaps it must be finished in another way, as after does
	maps.Copy(w.Want, want)
	store.Arrive()
	must(t, w.check(t.Context()))
	must(t, s.after(t.Context(), w))
	must(t, w.backUp(t.Context()))
	must(t, w.check(t.Context()))
}
