package prune_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
)

// lonely is a vault with a forgotten snapshot whose packs nothing else needs,
// while its files lie on the disk again: the next run knows their chunks.
func lonely(t testing.TB) *yard {
	y := newYard(t)
	y.write("goes", 200<<10, 2)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	y.write("new", 5000, 3)
	grain()
	y.time.pass(day)
	y.back()
	y.forget(first)
	y.time.pass(8 * day)
	y.write("goes", 200<<10, 2)
	grain()
	return y
}

// At any moment of a run, what it relies on may be forgotten by another device
// and, a week later, condemned by a prune: then the run relies on none of it,
// or it has committed before and the prune sees that. What is deleted another
// day later it does not need.
func TestWriterMeetsPrune(t *testing.T) {
	y := newYard(t)
	y.write("a", 200<<10, 2)
	grain()
	first := y.back().Snapshot
	room, _ := y.room.Enrol(t, vault.EnrolOptions{})
	y.write("b", 1000, 3)
	grain()
	y.time.pass(8 * day)
	base := y.memory().Clone()
	var ops atomic.Int64 // some are done at once
	y.on(t, y.room.Image(t).With(hook(base.Clone(), func(remote.Op, string) error { ops.Add(1); return nil }))).back()
	restarts := 0
	for at := int64(1); at <= ops.Load(); at++ {
		store := base.Clone()
		c := y.on(t, y.room.Image(t).With(store))
		other := y.on(t, room.Image(t).With(store))
		var n atomic.Int64
		writer := y.on(t, c.room.With(hook(store, func(remote.Op, string) error {
			if n.Add(1) == at {
				other.forget(first)
				y.time.pass(8 * day)
				other.prune()
			}
			return nil
		})))
		v, err := writer.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := writer.options()
		o.OnEvent = func(e backup.Event) {
			if e.Kind == backup.Restart {
				restarts++
			}
		}
		res, err := backup.Run(t.Context(), v, o)
		if err != nil || n.Load() < at {
			t.Fatalf("at %d: %v", at, err)
		}
		c.want = map[string]map[string]string{res.Snapshot: c.tree()}
		y.time.pass(2 * day)
		other.prune()
		c.check()
		c.whole()
		c.deep()
		if t.Failed() {
			t.Fatalf("when the list appears at operation %d of %d", at, ops.Load())
		}
	}
	if restarts == 0 {
		t.Error("no run had to start again")
	}
	t.Logf("%d operations, %d restarts", ops.Load(), restarts)
}

// A prune may delete at any moment of a run that stores anew what dead packs
// held.
func TestWriterMeetsDeletion(t *testing.T) {
	y := lonely(t)
	y.prune()
	y.time.pass(2 * day)
	base := y.memory().Clone()
	var ops atomic.Int64 // some are done at once
	y.on(t, y.room.Image(t).With(hook(base.Clone(), func(remote.Op, string) error { ops.Add(1); return nil }))).back()
	for at := int64(1); at <= ops.Load(); at++ {
		store := base.Clone()
		c := y.on(t, y.room.Image(t).With(store))
		other := y.on(t, c.room.Image(t))
		var n atomic.Int64
		writer := y.on(t, c.room.With(hook(store, func(remote.Op, string) error {
			if n.Add(1) == at {
				if res := other.prune(); res.Deleted.All().Count == 0 {
					t.Error("the prune deleted nothing")
				}
			}
			return nil
		})))
		writer.back()
		writer.check()
		writer.whole()
		writer.deep()
		if t.Failed() {
			t.Fatalf("when it deletes at operation %d of %d", at, ops.Load())
		}
	}
}

// A commit that was staged before a list and comes after the grace is refused
// by the store, so nothing that it needs was deleted under it.
func TestLateCommit(t *testing.T) {
	y := lonely(t)
	late := false
	other := y.on(t, y.room.Image(t))
	writer := y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		if op == remote.OpPublish && !late {
			late = true
			other.prune()
			y.time.pass(2 * day)
			if res := other.prune(); res.Deleted[4].Count == 0 {
				t.Error("the prune deleted no pack")
			}
		}
		return nil
	})))
	writer.back()
	writer.check()
	writer.deep()
	if !late {
		t.Error("no commit was published")
	}
}

// A damaged or missing object that is needed stops the deletion, and condemning
// too, until it is back.
func TestDamageStops(t *testing.T) {
	y, _, second := story(t)
	y.prune()
	y.time.pass(2 * day)
	snap, err := y.room.Lent(t).Find(t.Context(), second, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := y.room.Lent(t).Ledger(t.Context(), snap.Commit.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	base := y.memory().Clone()
	for what, name := range map[string]string{
		"ledger": snap.Commit.Ledger, "body": snap.Commit.Body, "commit": snap.Name.String(), "pack": l.Folders[0].Packs[0].Name(),
	} {
		for _, gone := range []bool{true, false} {
			if what == "body" && !gone {
				continue // what is in it is not looked at
			}
			store := base.Clone()
			c := y.on(t, y.room.Image(t).With(store))
			c.forgetCache()
			good := c.get(name)
			if gone {
				if err := store.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			} else {
				store.Overwrite(name, good[:len(good)-1])
			}
			before := c.prunable()
			p := c.make(all)
			if !has(p.Stops, name) {
				t.Errorf("%s, gone %v: %v", what, gone, p.Stops)
			}
			if _, err := p.Run(t.Context()); !isStopped(err) || !errors.Is(err, vault.ErrDamaged) && !errors.Is(err, vault.ErrRollback) {
				t.Errorf("%s, gone %v: %v", what, gone, err)
			}
			if now := c.prunable(); !slices.Equal(now, before) {
				t.Errorf("%s: gone: %q", what, without(before, now))
			}
			store.Overwrite(name, good)
			if res := c.prune(); res.Deleted.All().Count == 0 {
				t.Errorf("%s is back: %+v", what, res)
			}
		}
	}
}

// forgetCache removes the copies of small objects on this machine.
func (y *yard) forgetCache() {
	y.t.Helper()
	kept := filepath.Join(y.room.StatePath(), "objects")
	if err := os.Rename(kept, kept+".away"); err != nil {
		y.t.Fatal(err)
	}
}

// A commit that a forger puts under a device's name stops the deletion too: it
// might be a rotten one. When it is dismissed, it stops nothing any more.
func TestDismiss(t *testing.T) {
	y, _, second := story(t)
	y.prune()
	y.time.pass(2 * day)
	snap, err := y.room.Lent(t).Find(t.Context(), second, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	good := y.get(snap.Name.String())
	forged := snap.Name
	forged.Sum = remote.NewObject("", good[1:]).Sum
	y.memory().Overwrite(forged.String(), good[1:])
	if err := y.room.Store.Delete(t.Context(), snap.Commit.Body); err != nil {
		t.Fatal(err)
	}
	delete(y.want, second)
	p := y.make(all)
	if len(p.Stops) != 2 || !has(p.Stops, forged.String()) || !has(p.Stops, snap.Commit.Body) {
		t.Errorf("%v", p.Stops)
	}
	v, err := y.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Dismiss(t.Context(), []string{snap.Commit.Body, forged.String()}, nil); err != nil {
		t.Fatal(err)
	}
	if res := y.prune(); res.Deleted.All().Count == 0 {
		t.Errorf("%+v", res)
	}
	y.back()
	y.check()
}

// What another device has seen must be there too, and its lists are heeded.
func TestTwoDevices(t *testing.T) {
	y, _, _ := story(t)
	room, _ := y.room.Enrol(t, vault.EnrolOptions{})
	other := y.on(t, room)
	other.write("theirs", 4000, 7)
	grain()
	other.back()
	y.want = other.want
	y.prune()
	y.time.pass(2 * day)
	mine := slices.DeleteFunc(y.under("commits/"), func(s string) bool {
		return !strings.HasPrefix(s, "commits/"+string(y.room.Vault.Device()))
	})
	gone := mine[len(mine)-1]
	store := y.memory().Clone()
	if err := store.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	c := other.on(t, other.room.Image(t).With(store))
	if p := c.make(all); !has(p.Stops, gone) {
		t.Errorf("without %s: %v", gone, p.Stops)
	}
	if res := other.prune(); res.Deleted.All().Count != 3 {
		t.Errorf("%+v", res)
	}
	y.check()
	y.back()
	y.check()
	y.deep()
}

// A device that was put out keeps what it had committed, up to the commit that
// the trust names; what it signs afterwards neither counts nor stops anything.
// The device in its place goes on from there, and prunes.
func TestRevokedDevice(t *testing.T) {
	y, _, _ := story(t)
	old := y.room.Vault.Device()
	room, _ := y.room.Enrol(t, vault.EnrolOptions{Replace: old})
	heir := y.on(t, room)
	ends := y.under("commits/" + string(old) + "/")
	last := ends[len(ends)-1]
	late := y.say(func(c *commit.Commit) {
		c.Kind, c.Detail = commit.Check, &commit.Detail{Result: commit.OK}
	})
	if p := heir.make(all); len(p.Stops) > 0 || len(p.Condemn) != 3 {
		t.Errorf("stops %v, condemns %q", p.Stops, names(p.Condemn))
	}
	heir.prune()
	heir.time.pass(2 * day)
	for gone, stops := range map[string]bool{last: true, late.String(): false} {
		store := y.memory().Clone()
		if err := store.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		c := heir.on(t, heir.room.Image(t).With(store))
		c.forgetCache()
		if p := c.make(all); (len(p.Stops) > 0) != stops {
			t.Errorf("without %s: %v", gone, p.Stops)
		}
	}
	if res := heir.prune(); res.Deleted.All().Count != 3 {
		t.Errorf("%+v", res)
	}
	heir.back()
	heir.torn = []string{late.String()} // verify tells of it
	heir.check()
	heir.deep()
}

// A backup may commit at any moment of a prune's look, and another device may
// see it at once: that is no older state.
func TestCommitsMeanwhile(t *testing.T) {
	y, _, _ := story(t)
	room, _ := y.room.Enrol(t, vault.EnrolOptions{})
	other := y.on(t, room)
	other.back()
	y.prune()
	y.time.pass(2 * day)
	base := y.memory().Clone()
	var ops atomic.Int64 // some are done at once
	y.on(t, y.room.Image(t).With(hook(base.Clone(), func(remote.Op, string) error { ops.Add(1); return nil }))).prune()
	for at := int64(1); at <= ops.Load(); at++ {
		store := base.Clone()
		writer := y.on(t, y.room.Image(t).With(store))
		witness := other.on(t, other.room.Image(t).With(store))
		var n atomic.Int64
		c := y.on(t, writer.room.With(hook(store, func(remote.Op, string) error {
			if n.Add(1) == at {
				writer.back()
				witness.back() // names what the writer has just committed
			}
			return nil
		})))
		if res, err := c.tryPrune(t.Context(), all); err != nil || res.Deleted.All().Count == 0 {
			t.Errorf("at operation %d of %d: %+v, %v", at, ops.Load(), res, err)
		}
		writer.check()
		if t.Failed() {
			return
		}
	}
}
