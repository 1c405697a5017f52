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
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/repair"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// An unlisted vault has a snapshot of which a pack was moved and has gone, and
// whose list, which alone named that pack, is lost after that.
type unlisted struct {
	*vaulttest.Room
	snap string
	was  map[string]string
	gone string // the pack
	held []byte // its bytes
	to   string // where what it held is now
}

// newUnlisted makes one. The list is the snapshot's ledger, or with roll a roll
// that its ledger goes by. The pack was moved alone, or with one that others need.
func newUnlisted(t *testing.T, roll, alone bool) *unlisted {
	t.Helper()
	u := &unlisted{Room: vaulttest.New(t)}
	dir := t.TempDir()
	write(t, dir, "a", 1)
	backUp(t, u.Reopen(t), dir)
	write(t, dir, "b", 2)
	backUp(t, u.Reopen(t), dir)
	if roll {
		if _, err := u.Dir(t).UpdateDevice(func(d *state.Device) error {
			for i := range d.Series {
				if d.Series[i].Kind == string(chunk.Data) {
					d.Series[i].Next = 1024 // as if its first folder were full
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "c", 3)
	u.snap = backUp(t, u.Reopen(t), dir).Snapshot
	u.was = u.Read(t, u.snap)
	packs := packsOf(t, u.Room, chunk.Data)
	u.gone = packs[2] // only the newest ledger names it
	if roll {
		u.gone = packs[1]
	}
	var err error
	if u.held, err = u.Store.Get(t.Context(), nil, u.gone, 0, -1); err != nil {
		t.Fatal(err)
	}
	together := []string{packs[0], u.gone} // of which the newest snapshot, without roll, needs the second only
	if alone {
		together = together[1:]
	}
	repack(t, u.Room, together...)
	now := packsOf(t, u.Room, chunk.Data)
	u.to = now[len(now)-1]
	remove(t, u.Room, u.gone)
	dead := packsNamed(t, u.Room, packs[0])[0]
	dead.Number, dead.Sum = 5000, [32]byte{1}
	put(t, u.Room, dead.Name(), []byte("rotten, and nobody needs it"))
	list := find(t, u.Lent(t), u.snap).Commit.Ledger
	if roll {
		list = first(t, u.Store, "rolls/")
	}
	remove(t, u.Room, list)
	if err := os.Remove(filepath.Join(u.StatePath(), "objects", strings.ReplaceAll(list, "/", "_"))); err != nil {
		t.Fatal(err)
	}
	return u
}

// wantRead wants the snapshot to restore by the kit alone.
func (u *unlisted) wantRead(t *testing.T) {
	t.Helper()
	if got, err := vaulttest.Read(t.Context(), u.Lent(t), find(t, u.Lent(t), u.snap)); err != nil || !maps.Equal(got, u.was) {
		t.Errorf("a move has what the pack held, and the snapshot does not restore: %v", err)
	}
}

// The chunks are found by the moves all the same, before a repair and after it,
// and whoever verifies with the kit sees that all is there.
func TestMovedPackThatNoListNames(t *testing.T) {
	for _, roll := range []bool{false, true} {
		u := newUnlisted(t, roll, true)
		u.wantRead(t)
		plan, err := repair.Make(t.Context(), lentDevice(t, u.Room))
		if err != nil {
			t.Fatal(err)
		}
		if done, err := plan.Run(t.Context()); err != nil || done.Written != 1 || len(plan.Steps) != 1 {
			t.Fatalf("roll %v: %+v, %+v, %v", roll, plan.Steps, done, err)
		}
		u.wantRead(t)
		// Without the kit nobody knows whether what stands in names all.
		for _, v := range []bool{false, true} {
			res := check(t, u.Reopen(t), verify.Options{ReadData: 1})
			if len(res.Problems) > 0 || len(res.Doubts)+len(res.Replaced) == 0 || v != (len(res.Doubts) == 0) {
				t.Errorf("roll %v, proven %v: %+v", roll, v, res)
			}
			res = check(t, lentDevice(t, u.Room), verify.Options{Deep: true})
			if len(res.Problems)+len(res.Doubts) > 0 || !slices.ContainsFunc(res.Replaced, func(r verify.Replacement) bool { return r.Proven && !strings.HasPrefix(r.Object, "packs/") }) {
				t.Errorf("roll %v, deep: %+v", roll, res)
			}
			if res.Unneeded != 1 {
				t.Errorf("roll %v, deep: %d packs are called unneeded, want the rotten one", roll, res.Unneeded)
			}
		}
		// The pack is back after all. How large it is no list says.
		put(t, u.Room, u.gone, u.held)
		if res := check(t, u.Reopen(t), verify.Options{}); len(res.Problems)+len(res.Doubts) > 0 || res.Repacked > 0 {
			t.Errorf("roll %v, the pack is back: %+v", roll, res)
		}
	}
}

// What the move has is lost in its turn: that is told, with the kit and, once it
// was proven that it is needed, without it.
func TestMovedPackThatNoListNamesIsMissed(t *testing.T) {
	for _, roll := range []bool{false, true} {
		u := newUnlisted(t, roll, false)
		plan, err := repair.Make(t.Context(), lentDevice(t, u.Room))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a proof does not rest on the one before
			check(t, lentDevice(t, u.Room), verify.Options{Deep: true})
		}
		remove(t, u.Room, u.to)
		for _, deep := range []bool{false, true} {
			v := u.Reopen(t)
			if deep {
				v = lentDevice(t, u.Room)
			}
			res := check(t, v, verify.Options{Deep: deep})
			if !slices.ContainsFunc(res.Problems, func(p verify.Problem) bool {
				return p.Object == u.to && slices.Contains(p.Snapshots, u.snap[:8])
			}) {
				t.Errorf("roll %v, deep %v: %+v", roll, deep, res)
			}
		}
	}
}

// A chunk is moved on as often as the format allows for, and still found.
func TestMovedOnAndOn(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, dir, "a", 1)
	old := backUp(t, room.Reopen(t), dir).Snapshot
	was := room.Read(t, old)
	for range 20 {
		packs := packsOf(t, room, chunk.Data)
		name := packs[len(packs)-1]
		repack(t, room, name)
		remove(t, room, name)
	}
	if !maps.Equal(room.Read(t, old), was) {
		t.Error("the snapshot has changed")
	}
	if res := check(t, room.Lent(t), verify.Options{Deep: true}); len(res.Problems)+len(res.Doubts) > 0 || res.Repacked != 20 {
		t.Errorf("%+v", res)
	}
	plan, err := repair.Make(t.Context(), lentDevice(t, room))
	if err != nil || len(plan.Steps) > 0 {
		t.Errorf("%+v, %v", plan.Steps, err)
	}
}

// Two moves each lead from one pack that is not there to the next: there are a
// thousand million ways, and whoever follows them is done all the same.
func TestMovesThatForkAreFollowedOnce(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, dir, "a", 1)
	snap := backUp(t, room.Reopen(t), dir).Snapshot
	refs := room.Entries(t, snap)[filepath.Join(dir, "a")].Refs
	lost := packsOf(t, room, chunk.Data)[0]
	remove(t, room, lost)
	for i := range uint32(30) {
		next := ledger.Pack{Series: chunk.Series{1}, Number: i, Sum: [32]byte{byte(i)}, Size: 1000}
		for j := range refs {
			refs[j].Series, refs[j].Number = next.Series, next.Number
		}
		for range 2 {
			if err := room.Reopen(t).CommitMove(t.Context(), vault.NewMove{Old: []string{lost}, Refs: refs, Packs: []ledger.Pack{next}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		lost = next.Name()
	}
	lent := room.Lent(t)
	if _, err := vaulttest.Read(t.Context(), lent, find(t, lent, snap)); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("restored: %v", err)
	}
	for _, deep := range []bool{false, true} {
		res := check(t, lent, verify.Options{Deep: deep})
		if len(res.Problems) != 31 || len(res.Problems[0].Snapshots) != 1 {
			t.Errorf("deep %v: %d problems: %+v", deep, len(res.Problems), res.Problems)
		}
	}
	if _, err := repair.Make(t.Context(), lentDevice(t, room)); err != nil {
		t.Error(err)
	}
}
