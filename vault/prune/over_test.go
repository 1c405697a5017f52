package prune_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"coffer/remote"
	"coffer/vault/ledger"
	"coffer/vault/prune"
)

// A move that went long ago is not missed because a roll is lost that could name
// what it replaced. It goes though the roll lists that pack: the snapshots after
// it do not need it.
func TestMoveThatIsOverByARoll(t *testing.T) {
	y := newYard(t)
	y.write("keeps", 200<<10, 9)
	grain()
	zeroth := y.back().Snapshot
	y.write("stays", 3000, 1)
	y.write("goes", 200<<10, 2)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	second := y.more("new", 3)
	y.forget(zeroth)
	y.forget(first)
	y.time.pass(9 * day)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	y.remove("stays")
	y.more("last", 4)
	y.forget(second)
	y.time.pass(9 * day)
	if n := len(y.under("moves/")); n != 1 {
		t.Fatalf("%d moves", n)
	}
	y.settled()
	if left := y.under("moves/"); len(left) != 0 {
		t.Fatalf("left: %q", left)
	}
	there := y.under("packs/")
	y.lose(func(p ledger.Pack) bool { return !slices.Contains(there, p.Name()) }, y.dataRoll())
	y.forgetCache()
	y.settled()
	y.check()
}

// A healed vault has a pack that was lost and healed by a move, whose map only a
// ledger may need that is lost: what stands in for it does not name the pack.
func newHealed(t *testing.T) (y *yard, list, mapped string, held map[string][]byte) {
	y = newYard(t)
	y.write("x", 50<<10, 1)
	y.write("y", 300<<10, 2)
	y.write("z", 50<<10, 3)
	grain()
	first := y.back().Snapshot
	var lost string
	for name, size := range y.sizes() {
		if strings.HasPrefix(name, "packs/") && size > 300<<10 {
			lost = name
		}
	}
	if err := y.room.Store.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	y.write("w", 1000, 4)
	grain()
	healed := y.back()
	if healed.Healed.Packs != 1 || healed.Healed.Left > 0 {
		t.Fatalf("%+v", healed.Healed)
	}
	y.remove("x")
	y.remove("y")
	grain()
	y.back()
	y.forget(healed.Snapshot)
	y.time.pass(9 * day)
	list, maps := y.ledgerOf(first), y.under("moves/")
	if len(maps) != 1 {
		t.Fatal(maps)
	}
	held = map[string][]byte{list: y.get(list), maps[0]: y.get(maps[0])}
	y.lose(func(p ledger.Pack) bool { return p.Name() == lost }, list)
	return y, list, maps[0], held
}

// A list is lost, and so is the map of a move that it alone may need; a repack
// would not know what snapshots need of the packs that the move had filled. Both
// are found again, and all is there.
func TestNoRepackWithoutAList(t *testing.T) {
	y, _, mapped, held := newHealed(t)
	if err := y.room.Store.Delete(t.Context(), mapped); err != nil {
		t.Fatal(err)
	}
	y.forgetCache()
	if p, res, err := y.tryRepack(t.Context()); err != nil || res.Repacked.Packs > 0 {
		t.Errorf("repacked: %+v, %v, %v", res.Repacked, p.Warnings, err)
	}
	for name, b := range held {
		if err := y.room.Store.Put(t.Context(), remote.NewObject(name, b)); err != nil {
			t.Fatal(err)
		}
	}
	y.settled()
	y.check()
}

// A listing lags, and does not show the map though it is there: then nothing of
// the move goes, nor any pack, whether a later listing shows the map or not.
func TestMapThatAListingHides(t *testing.T) {
	for _, hidden := range []int{1, 2} { // of two listings in each look
		y, list, mapped, held := newHealed(t)
		y.forgetCache()
		before := y.prunable()
		store := &hiding{Store: y.room.Store, name: mapped, times: hidden}
		for range 3 {
			if res, err := y.on(t, y.room.With(store)).tryPrune(t.Context(), all); err != nil || res.Condemned[prune.Packs].Count > 0 {
				t.Errorf("hidden %d times: %+v, %v", hidden, res, err)
			}
			y.time.pass(9 * day)
		}
		if store.hid == 0 {
			t.Fatal("nothing was hidden")
		}
		for _, name := range without(before, y.prunable()) {
			if !strings.HasPrefix(name, "ledgers/") && !strings.HasPrefix(name, "snapshots/") {
				t.Errorf("hidden %d times: %s is gone", hidden, name)
			}
		}
		if err := y.room.Store.Put(t.Context(), remote.NewObject(list, held[list])); err != nil {
			t.Fatal(err)
		}
		y.check()
	}
}

// hiding is a store whose listings do not show an object the first times after it
// was looked at the vault anew.
type hiding struct {
	remote.Store
	name  string
	times int

	left, hid int
}

func (s *hiding) Unwrap() remote.Store { return s.Store }

func (s *hiding) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	hides := false
	switch prefix {
	case "trust/":
		s.left = s.times
	case "moves/":
		if hides = s.left > 0; hides {
			s.left--
			s.hid++
		}
	}
	return func(yield func(remote.Info, error) bool) {
		for i, err := range s.Store.List(ctx, prefix, after) {
			if hides && i.Name == s.name {
				continue
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// Nor is a pack repacked of a stretch whose roll is lost: what names it by that
// roll besides, nobody sees.
func TestNoRepackWithoutARoll(t *testing.T) {
	y, _ := twoFolders(t)
	y.lose(none, y.dataRoll())
	y.forgetCache()
	if _, res, err := y.tryRepack(t.Context()); err != nil || res.Repacked.Packs > 0 {
		t.Errorf("repacked: %+v, %v", res.Repacked, err)
	}
	y.check()
}
