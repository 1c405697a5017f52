package backup_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault"
	"coffer/vault/vaulttest"
)

// A scene is something that a crash may interrupt.
type scene struct {
	name string
	play func(k *keeper, ctx context.Context) error
	// again finishes what was interrupted, with a process of its own.
	again func(k *keeper) error
}

// backUp is the scene of a run.
func backUp(name string) scene {
	run := func(k *keeper, ctx context.Context) error {
		_, err := k.try(ctx)
		return err
	}
	return scene{name, run, func(k *keeper) error { return run(k, k.t.Context()) }}
}

// A crash at each operation of a run, in each way an operation can end: not
// done, done and not acknowledged, done by half. Whatever was committed before
// still restores, the next run finishes, sends little again, and then all is
// in order.
func TestCrash(t *testing.T) {
	t.Run("first", func(t *testing.T) {
		k := newKeeper(t)
		k.fill()
		k.crashEverywhere(t, backUp("first"))
	})
	t.Run("incremental", func(t *testing.T) {
		k := newKeeper(t)
		k.fill()
		waitGrain()
		k.run()
		k.write("a/new", 300<<10, 50)
		k.write("b/1", 2000, 51)
		k.crashEverywhere(t, backUp("incremental"))
	})
	t.Run("unchanged", func(t *testing.T) {
		k := newKeeper(t)
		k.fill()
		waitGrain()
		k.run()
		k.crashEverywhere(t, backUp("unchanged"))
	})
}

// fill makes the tree that the crashes are played on.
func (k *keeper) fill() {
	for i := range 6 {
		k.write(fmt.Sprintf("a/%d", i), 1000*i, uint64(i))
		k.write(fmt.Sprintf("b/%d", i), 50, uint64(10+i))
	}
	k.write("large", 1<<20, 30)
}

// crashEverywhere plays the scene once to the end, and then once for every
// operation and every way in which that may fail.
func (k *keeper) crashEverywhere(t *testing.T, s scene) {
	base := k.room.Store.(interface{ Clone() *memStore }).Clone()
	calm := fault.New(base.Clone(), 1)
	c := k.on(t, k.room.Image(t).With(calm))
	if err := s.play(c, t.Context()); err != nil {
		t.Fatal(err)
	}
	packs, _ := bytesUnder(t, calm.Unwrap(), "packs/")
	log := calm.Log()
	for i, e := range log {
		for _, way := range ways(e.Op) {
			t.Run(fmt.Sprintf("%d-%s-%s", i+1, e.Op, way.name), func(t *testing.T) {
				t.Parallel()
				store := fault.New(base.Clone(), 1)
				c := k.on(t, k.room.Image(t).With(store))
				way.plan(store, i+1)
				err := s.play(c, t.Context())
				if err == nil && !way.mayPass {
					t.Fatalf("%s went through", s.name)
				}
				store.Clear()
				c.afterCrash(t, s, way, packs)
			})
		}
	}
	t.Logf("tried: crashes of a backup at %d operations", len(log))
}

// A way is how an operation fails when the machine does.
type way struct {
	name    string
	plan    func(s *fault.Store, n int)
	mayPass bool // the scene may not notice
	torn    bool
}

func ways(op remote.Op) []way {
	// All that is asked of a store after the crash fails too.
	lose := func(do fault.Action) func(s *fault.Store, n int) {
		return func(s *fault.Store, n int) {
			s.Add(fault.Rule{Nth: n, Do: do, Err: fault.ErrCrashed})
			s.CrashAfter(n)
		}
	}
	out := []way{{name: "before", plan: func(s *fault.Store, n int) { s.CrashAfter(n - 1) }, mayPass: op == remote.OpDiscard}}
	switch op {
	case remote.OpPut, remote.OpPublish:
		out = append(out, way{name: "lost", plan: lose(fault.LoseAck)}, way{name: "torn", plan: lose(fault.Torn), torn: true})
	case remote.OpDelete:
		out = append(out, way{name: "lost", plan: lose(fault.LoseAck)})
	}
	return out
}

// afterCrash is what must hold once the machine is on again.
func (c *keeper) afterCrash(t *testing.T, s scene, w way, packs int) {
	c.check()
	if err := s.again(c); err != nil {
		t.Fatalf("the next time: %v", err)
	}
	c.check()
	// What was on its way when the machine stopped is sent again: one pack of
	// each kind.
	if n, _ := bytesUnder(t, c.room.Store, "packs/"); n > packs+2 {
		t.Errorf("%d packs, %d without a crash", n, packs)
	}
	for _, p := range c.deep() {
		if !w.torn {
			t.Errorf("%s: %v (%s)", p.Object, p.Err, p.Harms)
		}
	}
	if got, want := c.latest(), tree(t, c.dir); different(got, want) != "" {
		t.Error(different(got, want))
	}
}

// latest reads the newest snapshot.
func (k *keeper) latest() map[string]string { return k.room.Read(k.t, "latest") }

// init may stop anywhere too: either the next opening finishes it, or nothing
// was begun and it can be done again.
func TestCrashInInit(t *testing.T) {
	calm := fault.New(newMem(), 1)
	if _, _, _, err := vault.Init(t.Context(), calm, vaulttest.Options(vaulttest.Folder(t))); err != nil {
		t.Fatal(err)
	}
	for i, e := range calm.Log() {
		for _, w := range ways(e.Op) {
			t.Run(fmt.Sprintf("%d-%s-%s", i+1, e.Op, w.name), func(t *testing.T) { crashInInit(t, w, i+1) })
		}
	}
}

func crashInInit(t *testing.T, w way, n int) {
	store := fault.New(newMem(), 1)
	w.plan(store, n)
	home := vaulttest.Folder(t)
	_, _, _, err := vault.Init(t.Context(), store, vaulttest.Options(home))
	if err == nil && !w.mayPass {
		t.Fatal("init went through")
	}
	store.Clear()
	kits, _ := filepath.Glob(filepath.Join(home, "coffer-kit-*.txt"))
	states, _ := filepath.Glob(filepath.Join(home, "state", "*"))
	if len(kits) != len(states) || len(kits) > 1 {
		t.Fatalf("left: %q, %q", kits, states)
	}
	if len(kits) == 0 {
		if _, _, _, err := vault.Init(t.Context(), store, vaulttest.Options(home)); err != nil {
			t.Fatal("again:", err)
		}
		kits, _ = filepath.Glob(filepath.Join(home, "coffer-kit-*.txt"))
	}
	k := &keeper{t: t, room: roomAt(t, store, home, kits[0]), dir: vaulttest.Folder(t), want: map[string]map[string]string{}}
	k.write("f", 1000, 1)
	k.run()
	k.check()
	if !w.torn {
		k.clean()
	}
	if _, _, _, err := vault.Init(t.Context(), store, vaulttest.Options(vaulttest.Folder(t))); !errors.Is(err, vault.ErrVaultExists) {
		t.Error("a second init:", err)
	}
}
