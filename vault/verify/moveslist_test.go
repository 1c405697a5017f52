package verify_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A moveListed vault has a pack that was healed by a move, and the list of that
// move is lost, of which this device has no copy.
type moveListed struct {
	*vaulttest.Room
	snap string // the snapshot that needs the pack
	was  map[string]string
	bad  string // the pack
	to   string // the new one
	list string
}

// newMoveListed makes one. With moved the new pack was repacked in its turn, and
// has gone.
func newMoveListed(t *testing.T, moved bool) *moveListed {
	t.Helper()
	m := &moveListed{Room: vaulttest.New(t)}
	dir := t.TempDir()
	fill(t, dir)
	m.snap = backUp(t, m.Reopen(t), dir).Snapshot
	m.was = m.Read(t, m.snap)
	m.bad = packsOf(t, m.Room, chunk.Data)[0]
	remove(t, m.Room, m.bad)
	if res := backUp(t, m.Reopen(t), dir); res.Healed.Packs != 1 || res.Healed.Left != 0 {
		t.Fatalf("healed %+v", res.Healed)
	}
	packs := packsOf(t, m.Room, chunk.Data)
	m.to = packs[len(packs)-1]
	moves, err := m.Lent(t).Moves(t.Context())
	if err != nil || len(moves) != 1 {
		t.Fatal(moves, err)
	}
	if moved {
		repack(t, m.Room, m.to)
		remove(t, m.Room, m.to)
	}
	m.list = moves[0].Commit.Ledger
	remove(t, m.Room, m.list)
	forgetCopies(t, m.Room)
	return m
}

// forgetCopies takes away a device's copies of lists.
func forgetCopies(t *testing.T, room *vaulttest.Room) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(room.StatePath(), "objects")); err != nil {
		t.Fatal(err)
	}
}

// replace lets a list stand in that names none of the packs.
func (m *moveListed) replace(t *testing.T) {
	t.Helper()
	if err := m.Reopen(t).Replace(t.Context(), []string{m.list}, nil, nil); err != nil {
		t.Fatal(err)
	}
	forgetCopies(t, m.Room)
}

// wantRead wants the snapshot to restore by the kit alone.
func (m *moveListed) wantRead(t *testing.T) {
	t.Helper()
	if got, err := vaulttest.Read(t.Context(), m.Lent(t), find(t, m.Lent(t), m.snap)); err != nil || !maps.Equal(got, m.was) {
		t.Errorf("the snapshot does not restore: %v", err)
	}
}

// missed tells whether a pack is said to be missing for the snapshot.
func (m *moveListed) missed(res verify.Result, pack string) bool {
	return slices.ContainsFunc(res.Problems, func(p verify.Problem) bool {
		return p.Object == pack && slices.Contains(p.Snapshots, m.snap[:8])
	})
}

// What stands in for the list of a move names no pack. A restore finds it, and so
// does who verifies with the kit; who has no kit knows nothing before that, and
// misses the pack after it.
func TestStandInOfAMoveLacksWhatWasAway(t *testing.T) {
	m := newMoveListed(t, false)
	m.replace(t)
	m.wantRead(t)
	wantDoubt(t, m.Room, 2, 0) // list and pack
	res := check(t, lentDevice(t, m.Room), verify.Options{Deep: true})
	if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 2 {
		t.Errorf("deep: %+v", res)
	}
	wantDoubt(t, m.Room, 0, 2)
	remove(t, m.Room, m.to)
	if res := check(t, m.Reopen(t), verify.Options{}); !m.missed(res, m.to) || !m.missed(res, m.bad) {
		t.Errorf("the new pack is gone, and is not missed: %+v", res)
	}
	res = check(t, lentDevice(t, m.Room), verify.Options{Deep: true})
	if !m.missed(res, m.bad) || len(res.Replaced) > 0 {
		t.Errorf("deep: the new pack is gone: %+v", res)
	}
	// That was no proof: nobody says that the pack is healed.
	if res := check(t, m.Reopen(t), verify.Options{}); len(res.Replaced) > 0 {
		t.Errorf("after that: %+v", res.Replaced)
	}
}

// The new pack was moved on, and has gone. A restore follows, with a list that
// stands in for the lost one and without, and so does who verifies with the kit.
func TestMovedOnFromALostList(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		m := newMoveListed(t, true)
		if replaced {
			m.replace(t)
		}
		m.wantRead(t)
		res := check(t, lentDevice(t, m.Room), verify.Options{Deep: true})
		harmed := slices.DeleteFunc(res.Problems, func(p verify.Problem) bool {
			return !replaced && p.Object == m.list && strings.HasPrefix(p.Harms, "nothing that restore does not find")
		})
		if len(harmed)+len(res.Doubts) > 0 {
			t.Errorf("replaced %v: deep: %+v, %+v", replaced, harmed, res.Doubts)
		}
	}
}

// The map of the move is lost, too. It is looked for twice, and not for each
// chunk that the pack held.
func TestLostMapIsNotFetchedForEachChunk(t *testing.T) {
	m := newMoveListed(t, false)
	moves := first(t, m.Store, "moves/")
	remove(t, m.Room, moves)
	fetched := 0
	store := &vaulttest.Hook{Store: m.Store, Before: func(op remote.Op, name string) error {
		if op == remote.OpGet && name == moves {
			fetched++
		}
		return nil
	}}
	v := m.With(store).Lent(t)
	snap := find(t, v, m.snap)
	src, err := v.Source(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	refs := 0
	for _, e := range m.Entries(t, m.snap) {
		for _, ref := range e.Refs {
			refs++
			if err := src.Read(t.Context(), chunk.Data, []chunk.Ref{ref}, func(int, []byte) error { return nil }); !errors.Is(err, vault.ErrDamaged) {
				t.Errorf("%v", err)
			}
		}
	}
	if fetched != 2 || refs < 5 {
		t.Errorf("the map was fetched %d times for %d chunks", fetched, refs)
	}
}
