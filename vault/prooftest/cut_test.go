package prooftest_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"coffer/vault/vaulttest"
)

// fork is a copy of a world that goes its own way, but for the folder that is
// backed up.
func (w *world) fork(t testing.TB) *world {
	c := *w
	c.Home, c.Want = vaulttest.Folder(t), maps.Clone(w.Want)
	must(t, os.CopyFS(c.Home, os.DirFS(w.Home)))
	c.store = w.store.(*mem.Store).Clone()
	c.wind()
	return &c
}

// The remote is lost at each operation of each scene, for good, and the process
// lives to see it: not done, done and not acknowledged, done by half. What it
// then does to its own files must not be the end of them.
func TestCutOff(t *testing.T) {
	var operations, tried atomic.Int64
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				w := s.make(t)
				calm := w.fork(t)
				log := fault.New(calm.store, 1)
				calm.store = log
				must(t, s.play(t.Context(), calm))
				for i, e := range log.Log() {
					if s.long && !slices.Contains(fault.Writes, e.Op) || raced && i%20 != 7 {
						continue
					}
					operations.Add(1)
					for _, do := range []fault.Action{fault.Fail, fault.LoseAck, fault.Torn} {
						if do != fault.Fail && !slices.Contains(fault.Writes, e.Op) || do == fault.Torn && e.Op == remote.OpDelete {
							continue
						}
						tried.Add(1)
						t.Run(fmt.Sprintf("%d-%s-%d", i+1, e.Op, do), func(t *testing.T) { cutOff(t, s, w.fork(t), i+1, do) })
					}
				}
			})
		}
	})
	t.Logf("tried: cut off from the remote at %d operations, in %d ways", operations.Load(), tried.Load())
}

func cutOff(t *testing.T, s scene, w *world, n int, do fault.Action) {
	below := w.store
	store := fault.New(below, 1)
	store.Add(fault.Rule{Nth: n, Do: do, Err: fault.ErrCrashed})
	store.CrashAfter(n)
	w.store, w.torn = store, do == fault.Torn
	want := maps.Clone(w.Want)
	_ = s.play(t.Context(), w) // what it could not do it says, or does without
	for id, files := range want {
		w.Want[id] = files
	}
	w.store = below
	if s.right != nil {
		must(t, s.right(w))
	}
	must(t, w.check(t.Context()))
	must(t, s.after(t.Context(), w))
}
