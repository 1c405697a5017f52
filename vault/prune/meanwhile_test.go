package prune_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/prune"
	"coffer/vault/trust"
)

// Whoever loses the role after the plan was made deletes nothing any more, on
// nobody's word.
func TestRoleTakenMeanwhile(t *testing.T) {
	y, _, _ := story(t)
	room, _ := y.room.Enrol(t, vault.EnrolOptions{})
	other := y.on(t, room)
	y.retrust(func(tr *trust.Trust) { tr.Devices[1].Roles = tr.Devices[0].Roles })
	other.prune()
	y.time.pass(2 * day)
	p := y.make(all)
	if len(p.Delete) != 3 || len(p.Condemn) != 0 {
		t.Fatalf("%+v", p)
	}
	y.retrust(func(tr *trust.Trust) { tr.Devices[0].Roles = []trust.Role{trust.Write} })
	y.time.pass(2 * day)
	before := y.prunable()
	if res, err := p.Run(t.Context()); !errors.Is(err, vault.ErrNoRole) || res.Deleted.All().Count != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if gone := without(before, y.prunable()); len(gone) > 0 {
		t.Errorf("gone: %q", gone)
	}
}

// Commits that counted when the plan was made and do not count any more, because
// their device was revoked from an earlier one on, stop it: before it deletes,
// and before it condemns what a repack has freed.
func TestRevokedMeanwhile(t *testing.T) {
	y, _, _ := story(t)
	room, _ := y.room.Enrol(t, vault.EnrolOptions{})
	other := y.on(t, room)
	first := other.back().Snapshot
	other.write("theirs", 3000, 7)
	grain()
	other.back()
	until, err := commit.ParseBase(y.base(first))
	if err != nil {
		t.Fatal(err)
	}
	for _, repacks := range []bool{true, false} {
		c := y.on(t, y.room.Image(t).With(y.memory().Clone()))
		revoke := func() {
			c.retrust(func(tr *trust.Trust) { tr.Devices[1].Until = &trust.Until{Seq: until.Seq, Hash: until.Hash()} })
		}
		o := all
		if repacks {
			o.Repack = true
			c.room = c.room.With(afterMoves(c.room.Store, revoke))
		} else {
			c.prune()
			c.time.pass(2 * day)
		}
		v, err := c.lent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, err := prune.Make(t.Context(), v, o)
		if err != nil {
			t.Fatal(err)
		}
		if !repacks {
			revoke()
		}
		lists, before := c.under("condemned/"), c.prunable()
		res, err := p.Run(t.Context())
		if !errors.Is(err, vault.ErrRollback) || res.Deleted.All().Count != 0 || (res.Repacked.Packs == 1) != repacks {
			t.Errorf("repacks %v: %+v, %v", repacks, res, err)
		}
		if more := without(c.under("condemned/"), lists); len(more) > 0 {
			t.Errorf("repacks %v: condemned by %q", repacks, more)
		}
		if gone := without(before, c.prunable()); len(gone) > 0 {
			t.Errorf("repacks %v: gone: %q", repacks, gone)
		}
	}
}

// afterMoves is a store that calls do when the first look begins after a move
// was committed. do may use the store.
func afterMoves(s remote.Store, do func()) remote.Store {
	var mu sync.Mutex
	moved, done := false, false
	return hook(s, func(op remote.Op, name string) error {
		n, err := commit.ParseName(name)
		mu.Lock()
		moved = moved || op == remote.OpPublish && err == nil && n.Kind == commit.Move
		due := moved && !done && op == remote.OpList && name == "trust/"
		done = done || due
		mu.Unlock()
		if due {
			do()
		}
		return nil
	})
}

// A sweeper is a store that clears away staged commits.
type sweeper struct {
	remote.Store
	n   int
	err error
}

func (s *sweeper) Sweep(context.Context) (int, error) { return s.n, s.err }

// What cannot be cleared away may become visible, so nothing is deleted.
func TestSweepFails(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	before := y.prunable()
	store := &sweeper{y.room.Store, 2, errOnce}
	c := y.on(t, y.room.With(store))
	if res, err := c.tryPrune(t.Context(), all); !errors.Is(err, errOnce) || res.Swept != 2 || res.Deleted.All().Count != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if gone := without(before, y.prunable()); len(gone) > 0 {
		t.Errorf("gone: %q", gone)
	}
	store.err = nil
	if res, err := c.tryPrune(t.Context(), all); err != nil || res.Swept != 2 || res.Deleted.All().Count != 3 {
		t.Errorf("%+v, %v", res, err)
	}
}

// remembers fails the test if the note for the next prune does not have what no
// commit follows.
func (y *yard) remembers(when string) {
	y.t.Helper()
	note, err := os.ReadFile(filepath.Join(y.room.StatePath(), "prune.json"))
	if err != nil {
		y.t.Fatal(err)
	}
	for _, c := range y.heads(y.room.Vault.Device()) {
		if !strings.Contains(string(note), c.Name().String()) {
			y.t.Errorf("%s: %s is not in %s", when, c.Name(), note)
		}
	}
}

// The next prune must see what the last look of this one has seen, not only
// what was there when its plan was made.
func TestRemembersItsLastLook(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.remembers("condemned")
	y.time.pass(2 * day)
	p := y.make(all)
	y.back()
	if res, err := p.Run(t.Context()); err != nil || res.Deleted.All().Count != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	y.remembers("deleted")
	if _, res := y.repack(); res.Repacked.Packs != 1 {
		t.Errorf("%+v", res)
	}
	y.remembers("repacked")
}
