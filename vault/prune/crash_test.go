package prune_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"coffer/remote"
	"coffer/remote/fault"
)

// A prune may stop at each operation, in each way an operation can end. What is
// live restores, no ledger names what is gone, the next backup and the next
// prune finish, and in the end as much is left as without a crash.
func TestCrash(t *testing.T) {
	play := func(c *yard, ctx context.Context) error {
		_, err := c.tryPrune(ctx, all)
		return err
	}
	settle := func(c *yard) { c.settle() }
	t.Run("condemning", func(t *testing.T) {
		y, _, _ := story(t)
		y.crashEverywhere(t, play, settle)
	})
	t.Run("deleting", func(t *testing.T) {
		y, _, _ := story(t)
		y.prune()
		y.time.pass(2 * day)
		y.crashEverywhere(t, play, settle)
	})
}

// crashEverywhere plays the scene once to the end, and then once for every
// operation and every way in which that may fail. settle finishes what there is
// to do.
func (y *yard) crashEverywhere(t *testing.T, scene func(c *yard, ctx context.Context) error, settle func(c *yard)) {
	base := y.memory().Clone()
	calm := fault.New(base.Clone(), 1)
	c := y.on(t, y.room.Image(t).With(calm))
	if err := scene(c, t.Context()); err != nil {
		t.Fatal(err)
	}
	log := calm.Log()
	settle(c)
	left := c.prunable()
	for i, e := range log {
		for _, do := range ways(e.Op) {
			t.Run(fmt.Sprintf("%d-%s-%d", i+1, e.Op, do), func(t *testing.T) {
				store := fault.New(base.Clone(), 1)
				c := y.on(t, y.room.Image(t).With(store))
				if do == crash {
					store.CrashAfter(i)
				} else {
					store.Add(fault.Rule{Nth: i + 1, Do: do, Err: fault.ErrCrashed})
					store.CrashAfter(i + 1)
				}
				if err := scene(c, t.Context()); err == nil && e.Op != remote.OpDiscard {
					t.Error("it went through")
				}
				store.Clear()
				c.check()
				c.whole()
				c.mend()
				settle(c)
				c.check()
				if now := c.prunable(); len(now) != len(left) {
					t.Errorf("left %d objects, without a crash %d: %q", len(now), len(left), now)
				}
			})
		}
	}
	t.Logf("tried: crashes of a prune at %d operations", len(log))
}

const crash = fault.Action(-1)

func ways(op remote.Op) []fault.Action {
	switch op {
	case remote.OpPut, remote.OpPublish:
		return []fault.Action{crash, fault.LoseAck, fault.Torn}
	case remote.OpDelete:
		return []fault.Action{crash, fault.LoseAck}
	}
	return []fault.Action{crash}
}

// settle backs up and prunes until nothing is left to do.
func (y *yard) settle() {
	y.t.Helper()
	y.back()
	for range 2 {
		y.prune()
		y.time.pass(8 * day)
	}
	y.prune()
	y.deep()
}

// mend removes lists of which a store without atomic writes kept half, because
// no backup is made beside them, and dismisses such commits.
func (y *yard) mend() {
	y.t.Helper()
	for _, name := range y.under("commits/") {
		if remote.NewObject(name, y.get(name)).Sum == sumOf(y.t, name) {
			continue
		}
		y.torn = append(y.torn, name)
		v, err := y.open(y.t.Context())
		if err == nil {
			err = v.Dismiss(y.t.Context(), []string{name}, nil)
		}
		if err != nil {
			y.t.Fatal(err)
		}
	}
	for _, name := range y.under("condemned/") {
		if remote.NewObject(name, y.get(name)).Sum == sumOf(y.t, name) {
			continue
		}
		if err := y.room.Store.Delete(y.t.Context(), name); err != nil {
			y.t.Fatal(err)
		}
	}
}

// Whatever of a listing is cut off, nothing is deleted that is needed. Where it
// is one of commits, nothing is deleted at all.
func TestShortListing(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	base := y.memory().Clone()
	for keep := range len(y.under("commits/")) {
		for _, prefix := range []string{"", "commits/", "trust/", "packs/", "ledgers/", "snapshots/", "condemned/"} {
			store := fault.New(base.Clone(), 1)
			store.Add(fault.Rule{Op: remote.OpList, Name: prefix, Do: fault.Short, Keep: keep})
			c := y.on(t, y.room.Image(t).With(store))
			res, err := c.tryPrune(t.Context(), all)
			if prefix == "commits/" && (!isStopped(err) || res.Deleted.All().Count > 0) {
				t.Errorf("%s cut after %d: %+v, %v", prefix, keep, res, err)
			}
			store.Clear()
			c.check()
			c.whole()
		}
	}
}

// Any one commit that hides stops all, also the newest, because this machine
// has seen it.
func TestHiddenCommit(t *testing.T) {
	y, _, _ := story(t)
	y.back()
	y.prune()
	y.time.pass(2 * day)
	for _, name := range y.under("commits/") {
		store := y.memory().Clone()
		if err := store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		c := y.on(t, y.room.Image(t).With(store))
		if p := c.make(all); !has(p.Stops, name) {
			t.Errorf("without %s: %v", name, p.Stops)
		}
	}
}

// An older state of the remote is noticed, and nothing is deleted on its word.
func TestOlderState(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	old := y.memory().Clone()
	y.write("more", 3000, 9)
	grain()
	y.back()
	y.time.pass(2 * day)
	before := len(old.Sums())
	if _, err := y.on(t, y.room.With(old)).tryPrune(t.Context(), all); !isStopped(err) {
		t.Error(err)
	}
	// Where what the machine remembers of its commits is lost, the last prune
	// has still seen them.
	y.prune()
	c := y.on(t, y.room.Image(t).With(old))
	if err := c.room.Dir(t).WriteSmall("own.json", struct {
		Heads []string `json:"heads"`
	}{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.tryPrune(t.Context(), all); !isStopped(err) {
		t.Error(err)
	}
	if now := len(old.Sums()); now != before {
		t.Errorf("%d objects, were %d", now, before)
	}
}

// A commit that hides between the plan and the deletion stops it.
func TestHiddenMeanwhile(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	store := fault.New(y.room.Store, 1)
	c := y.on(t, y.room.With(store))
	p := c.make(all)
	if len(p.Delete) == 0 {
		t.Fatal("nothing to delete")
	}
	store.Add(fault.Rule{Name: c.under("commits/")[1], Do: fault.Hide})
	before := y.prunable()
	if _, err := p.Run(t.Context()); !isStopped(err) {
		t.Error(err)
	}
	if now := y.prunable(); !slices.Equal(now, before) {
		t.Errorf("gone: %q", without(before, now))
	}
}

// Two prunes at once delete what both found dead, and nothing else.
func TestTwoAtOnce(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	a, b := y.make(all), y.make(all)
	ra, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rb, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ra.Deleted.All().Count != 3 || rb.Deleted.All().Count != 0 {
		t.Errorf("%+v, %+v", ra, rb)
	}
	y.check()
	y.whole()
	y.back()
	y.check()
}

// A prune that was asleep between its look and its deletions, however long,
// deletes nothing that lives: what it deletes was dead when it looked, and
// nobody has relied on it since it was condemned.
func TestSleepsBeforeDeleting(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	slept := false
	c := y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, _ string) error {
		if op == remote.OpDelete && !slept {
			slept = true
			y.time.pass(30 * day)
			y.write("goes", 200<<10, 2)
			y.write("stays", 3000, 1)
			grain()
			y.back()
		}
		return nil
	})))
	c.prune()
	if !slept {
		t.Error("nothing was deleted")
	}
	y.check()
	y.deep()
}
