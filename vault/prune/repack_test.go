package prune_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/prune"
)

// lent opens the vault with local state and kit, with a process of its own.
func (y *yard) lent(ctx context.Context) (*vault.Vault, error) {
	return vault.Open(ctx, y.room.Store, vault.OpenOptions{State: y.room.Dir(y.t), Kit: y.room.Kit, Safety: y.room.Safety})
}

func (y *yard) tryRepack(ctx context.Context) (*prune.Plan, prune.Result, error) {
	v, err := y.lent(ctx)
	if err != nil {
		return nil, prune.Result{}, err
	}
	p, err := prune.Make(ctx, v, prune.Options{MaxDelete: 1, Repack: true})
	if err != nil {
		return nil, prune.Result{}, err
	}
	res, err := p.Run(ctx)
	return p, res, err
}

func (y *yard) repack() (*prune.Plan, prune.Result) {
	y.t.Helper()
	p, res, err := y.tryRepack(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	for _, w := range p.Warnings {
		if !strings.Contains(w.Error(), "clock") && !strings.Contains(w.Error(), "another copy of its state") {
			y.t.Error(w)
		}
	}
	return p, res
}

// size sums up the packs.
func (y *yard) size() (n int64) {
	y.t.Helper()
	for i, err := range y.room.Store.List(y.t.Context(), "packs/", "") {
		if err != nil {
			y.t.Fatal(err)
		}
		n += i.Size
	}
	return n
}

// A pack of which little is needed is put together anew, and the old one goes
// when its grace is over. Older snapshots find what they need by the move, and
// newer ones need no move.
func TestRepack(t *testing.T) {
	y, _, second := story(t)
	big := y.size()
	p, res := y.repack()
	if p.Partly.Packs != 2 || p.Partly.Chosen != 1 || p.Partly.Dead < 190<<10 || p.Partly.Write > 10<<10 {
		t.Errorf("%+v", p.Partly)
	}
	if res.Repacked.Packs != 1 || res.Repacked.Chunks != 1 || len(y.under("moves/")) != 1 {
		t.Errorf("%+v", res)
	}
	if res.Condemned[prune.Packs].Count != 2 { // and the segments of the forgotten one
		t.Errorf("condemned: %+v", res.Condemned)
	}
	y.check()
	y.deep()
	y.time.pass(2 * day)
	if _, res := y.repack(); res.Deleted[prune.Packs].Count != 2 || res.Repacked.Packs != 0 {
		t.Errorf("%+v", res)
	}
	if now := y.size(); now > big/4 {
		t.Errorf("%d bytes, were %d", now, big)
	}
	y.check() // the second snapshot needs the move now
	y.deep()
	packs := y.under("packs/")
	again := y.back()
	if again.Unchanged || len(again.Warnings) > 0 {
		t.Errorf("%+v", again)
	}
	// What was moved is not stored once more: the new packs hold segments.
	if more := without(y.under("packs/"), packs); len(more) != 1 {
		t.Errorf("stored: %q", more)
	}
	if next := y.back(); !next.Unchanged {
		t.Errorf("%+v", next)
	}
	y.check()
	y.deep()

	// As long as the second snapshot lives, its move does.
	y.time.pass(10 * day)
	y.prune()
	y.time.pass(2 * day)
	y.prune()
	y.check()
	y.forget(second)
	y.time.pass(8 * day)
	y.prune()
	y.time.pass(2 * day)
	y.prune()
	if left := y.under("moves/"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	y.check()
	y.deep()
}

// What was moved may be moved again, and again.
func TestRepackTwice(t *testing.T) {
	y := newYard(t)
	for i := range 4 {
		y.write(fmt.Sprint("stays", i), 20<<10, byte(i))
		y.write(fmt.Sprint("goes", i), 60<<10, byte(10+i))
	}
	grain()
	old := []string{y.back().Snapshot}
	for i := range 4 {
		y.remove(fmt.Sprint("goes", i))
		grain()
		y.time.pass(day)
		old = append(old, y.back().Snapshot)
	}
	for _, id := range old[:len(old)-1] {
		y.forget(id)
		y.time.pass(8 * day)
		y.repack()
		y.time.pass(2 * day)
		y.repack()
		y.check()
		y.deep()
	}
	if moves := len(y.under("moves/")); moves < 2 {
		t.Errorf("%d moves", moves)
	}
	if n := y.size(); n > 150<<10 {
		t.Errorf("%d bytes are left", n)
	}
	y.back()
	y.check()
	y.deep()
}

// Without the identity there is nothing to repack with, and that is said before
// anything is looked at.
func TestRepackNeedsKit(t *testing.T) {
	y, _, _ := story(t)
	asked := 0
	v, err := y.on(t, y.room.With(hook(y.room.Store, func(remote.Op, string) error { asked++; return nil }))).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked = 0
	if p, err := prune.Make(t.Context(), v, prune.Options{Repack: true}); !errors.Is(err, vault.ErrNoIdentity) || p != nil || asked > 0 {
		t.Errorf("%v, %v, after %d requests", p, err, asked)
	}
}

// A repack may stop at each operation. All that lives restores, also what was
// backed up after it; the next repack and the next prune finish.
func TestCrashInRepack(t *testing.T) {
	y, _, _ := story(t)
	y.crashEverywhere(t, func(c *yard, ctx context.Context) error {
		_, _, err := c.tryRepack(ctx)
		return err
	}, func(c *yard) {
		c.repack()
		c.back()
		for range 3 {
			c.time.pass(8 * day)
			c.repack()
			c.check()
		}
		c.deep()
	})
}

// A snapshot that a copy of the state makes beside a repack may need the old
// pack, which the repack did not know: it stays until nothing does.
func TestRepackBesideClone(t *testing.T) {
	y, _, _ := story(t)
	twin := y.on(t, y.room.Image(t))
	for _, name := range y.under("packs/") {
		y.memory().SetTime(name, y.time.Now()) // too young to be condemned at once
	}
	_, res := y.repack()
	if res.Repacked.Packs != 1 || len(res.Lists) > 0 && res.Condemned[prune.Packs].Count > 0 {
		t.Errorf("%+v", res)
	}
	packs := y.under("packs/")
	twin.write("theirs", 1000, 77)
	grain()
	theirs := twin.back().Snapshot
	if more := without(y.under("packs/"), packs); len(more) != 2 {
		t.Errorf("the copy stored %q: it did not rely on the old pack", more)
	}
	y.want = twin.want
	for range 3 {
		y.time.pass(8 * day)
		y.prune()
		y.check()
		y.deep()
	}
	y.back() // joins the two histories
	y.forget(theirs)
	big := y.size()
	for range 3 {
		y.time.pass(8 * day)
		y.prune()
	}
	if now := y.size(); now > big-150<<10 {
		t.Errorf("%d bytes, were %d", now, big)
	}
	y.check()
	y.deep()
}

// A backup that runs while a repack is at work waits for it, or the other way
// round: they hold one lock.
func TestRepackHoldsLock(t *testing.T) {
	y, _, _ := story(t)
	tried := false
	c := y.on(t, y.room)
	c.room = y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		if op == remote.OpPut && strings.HasPrefix(name, "moves/") {
			tried = true
			if _, err := y.tryBack(t.Context()); err == nil {
				t.Error("a backup ran beside it")
			}
		}
		return nil
	}))
	if _, _, err := c.tryRepack(t.Context()); err != nil || !tried {
		t.Error(err, tried)
	}
	y.back()
	y.check()
}

// A pack in which a healed chunk lies is left alone: which chunks a snapshot of
// another device reaches there, by way of the pack that was lost, is found by
// no walk through this device's snapshots.
func TestRepackSparesHealed(t *testing.T) {
	y := newYard(t)
	y.write("stays", 100<<10, 1)
	grain()
	y.back()
	var largest remote.Info
	for i, err := range y.room.Store.List(t.Context(), "packs/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if i.Size > largest.Size {
			largest = i
		}
	}
	if err := y.room.Store.Delete(t.Context(), largest.Name); err != nil {
		t.Fatal(err)
	}
	y.write("goes", 400<<10, 2)
	grain()
	second, err := y.tryBack(t.Context())
	if err != nil || len(y.under("moves/")) != 1 {
		t.Fatalf("healing: %v, moves %q", err, y.under("moves/"))
	}
	y.remove("goes")
	grain()
	y.time.pass(day)
	y.back()
	y.forget(second.Snapshot)
	y.time.pass(8 * day)
	p, _, err := y.tryRepack(t.Context())
	if err != nil || p.Partly.Chosen != 0 {
		t.Errorf("%v, %+v", err, p.Partly)
	}
	y.check()
	y.deep()
}
