package verify_test

import (
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
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A rolled vault has a roll that is lost and rewritten while a pack was away.
type rolled struct {
	*vaulttest.Room
	old  string // the snapshot whose ledger goes by the roll
	more string // another one, or ""
	was  map[string]string
	away string // the pack
	held []byte
}

// newRolled makes one. With some, the ledger does not need all that the roll
// listed. copies says whether the device still has its copy of the roll. With
// more another snapshot's ledger goes by the roll too, after more has changed the
// folder.
func newRolled(t *testing.T, some, copies bool, more func(dir string)) *rolled {
	t.Helper()
	r := &rolled{Room: vaulttest.New(t)}
	dir := t.TempDir()
	write(t, dir, "a", 1)
	backUp(t, r.Reopen(t), dir)
	write(t, dir, "b", 2)
	backUp(t, r.Reopen(t), dir)
	nextFolder(t, r.Room)
	if some {
		if err := os.Remove(filepath.Join(dir, "a")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "c", 3)
	r.old = backUp(t, r.Reopen(t), dir).Snapshot
	r.was = r.Read(t, r.old)
	if more != nil {
		more(dir)
		r.more = backUp(t, r.Reopen(t), dir).Snapshot
	}
	r.away = packsOf(t, r.Room, chunk.Data)[1]
	var err error
	if r.held, err = r.Store.Get(t.Context(), nil, r.away, 0, -1); err != nil {
		t.Fatal(err)
	}
	remove(t, r.Room, r.away)
	roll := first(t, r.Store, "rolls/")
	remove(t, r.Room, roll)
	keep := filepath.Join(r.StatePath(), "objects", strings.ReplaceAll(roll, "/", "_"))
	copied, err := os.ReadFile(keep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keep); err != nil {
		t.Fatal(err)
	}
	plan, err := repair.Make(t.Context(), lentDevice(t, r.Room))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := plan.Run(t.Context()); err != nil || done.Written != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if copies {
		if err := os.WriteFile(keep, copied, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// What stands in for a roll was made while a pack was away, and does not name
// it. When the pack is back a restore finds it, and verify says what it knows.
func TestStandInLacksWhatWasAway(t *testing.T) {
	for _, some := range []bool{false, true} {
		r := newRolled(t, some, false, nil)
		put(t, r.Room, r.away, r.held)
		if got, err := vaulttest.Read(t.Context(), r.Lent(t), find(t, r.Lent(t), r.old)); err != nil || !maps.Equal(got, r.was) {
			t.Errorf("some %v: the pack is back, and its snapshot does not restore: %v", some, err)
		}
		res := wantDoubt(t, r.Room, 1, 0)
		if len(res.Doubts) == 1 && !strings.HasPrefix(res.Doubts[0].Note, "of packs that it does not name there are 1;") {
			t.Errorf("some %v: %+v", some, res.Doubts)
		}
		res = check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
		if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 || !res.Replaced[0].Proven {
			t.Errorf("some %v: deep: %+v", some, res)
		}
		wantDoubt(t, r.Room, 0, 1)
		// Now that it counts, it is missed, by who has not the kit either.
		remove(t, r.Room, r.away)
		missed := func(p verify.Problem) bool { return p.Object == r.away && slices.Contains(p.Snapshots, r.old[:8]) }
		if res := check(t, r.Reopen(t), verify.Options{}); !slices.ContainsFunc(res.Problems, missed) {
			t.Errorf("some %v: it is gone again, and not missed: %+v", some, res)
		}
		if res := check(t, lentDevice(t, r.Room), verify.Options{Deep: true}); len(res.Problems) == 0 {
			t.Errorf("some %v: it is gone again: %+v", some, res)
		}
	}
}

// The pack is lost. Where the ledger says by its number that it needs it, that
// is seen without the kit; else only with it, and nobody says otherwise. (The
// ledger of the snapshot before names the pack in full: that it is missing is
// told in any case.)
func TestStandInLacksWhatIsLost(t *testing.T) {
	told := func(res verify.Result) bool {
		return slices.ContainsFunc(res.Problems, func(p verify.Problem) bool {
			return strings.Contains(p.Err.Error(), "what stands in for it does not name pack") && strings.HasPrefix(p.Object, "rolls/") && len(p.Snapshots) == 1
		})
	}
	r := newRolled(t, true, false, nil)
	if res := check(t, r.Reopen(t), verify.Options{}); !told(res) || len(res.Problems) != 2 || len(res.Replaced)+len(res.Doubts) > 0 {
		t.Errorf("some: %+v", res)
	}
	r = newRolled(t, false, false, nil)
	for range 2 {
		if res := check(t, r.Reopen(t), verify.Options{}); told(res) || len(res.Problems) != 1 || len(res.Replaced) > 0 || len(res.Doubts) != 1 {
			t.Errorf("all: %+v", res)
		}
		res := check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
		if !slices.ContainsFunc(res.Problems, func(p verify.Problem) bool { return strings.Contains(p.Err.Error(), "it does not name pack") }) || len(res.Replaced) > 0 {
			t.Errorf("all, deep: %+v", res)
		}
	}
}

// A device that has a copy of the roll goes by that, whatever stands in.
func TestStandInIsHeldAgainstTheCopy(t *testing.T) {
	r := newRolled(t, false, true, nil)
	res := check(t, r.Reopen(t), verify.Options{})
	if len(res.Problems) != 1 || res.Problems[0].Object != r.away || len(res.Replaced) != 1 {
		t.Errorf("%+v", res)
	}
	put(t, r.Room, r.away, r.held)
	wantDoubt(t, r.Room, 0, 1)
	// It says too that this one is nobody's.
	dead := packsNamed(t, r.Room, r.away)[0]
	dead.Number, dead.Sum = 5, [32]byte{1}
	put(t, r.Room, dead.Name(), []byte("rotten"))
	if res := check(t, r.Reopen(t), verify.Options{ReadData: 1}); len(res.Problems)+len(res.Doubts) > 0 || res.Unneeded != 1 {
		t.Errorf("%+v", res)
	}
}

// Whatever stands in for a list, all snapshots that need the list are asked what
// they need of it, not one of them only.
func TestStandInOfManySnapshots(t *testing.T) {
	r := newRolled(t, false, false, func(dir string) { write(t, dir, "d", 4) })
	put(t, r.Room, r.away, r.held)
	res := check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
	if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 || len(res.Replaced[0].Snapshots) != 2 {
		t.Errorf("deep: %+v", res)
	}
	remove(t, r.Room, r.away)
	res = check(t, r.Reopen(t), verify.Options{})
	if !slices.ContainsFunc(res.Problems, func(p verify.Problem) bool { return p.Object == r.away && slices.Contains(p.Snapshots, r.more[:8]) }) {
		t.Errorf("without the kit: %+v", res)
	}
}

// The pack was all that a snapshot needed of its series, so what stands in for
// its ledger names nothing there. And packs that nobody needs have rotted.
func TestStandInLacksASeries(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, dir, "a", 1)
	backUp(t, room.Reopen(t), dir)
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "b", 2)
	old := backUp(t, room.Reopen(t), dir).Snapshot
	packs := packsOf(t, room, chunk.Data)
	held, err := room.Store.Get(t.Context(), nil, packs[1], 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, room, packs[1])
	list := find(t, room.Lent(t), old).Commit.Ledger
	remove(t, room, list)
	if err := os.RemoveAll(filepath.Join(room.StatePath(), "objects")); err != nil {
		t.Fatal(err)
	}
	plan, err := repair.Make(t.Context(), lentDevice(t, room))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := plan.Run(t.Context()); err != nil || done.Written != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	put(t, room, packs[1], held)
	for _, beside := range []string{packs[1], packsOf(t, room, chunk.Segment)[0]} {
		dead := ledger.Pack{Number: 7, Sum: [32]byte{1}}
		if dead.Series, err = chunk.ParseSeries(strings.Split(beside, "/")[1]); err != nil {
			t.Fatal(err)
		}
		put(t, room, dead.Name(), []byte("rotten"))
	}
	res := check(t, lentDevice(t, room), verify.Options{Deep: true})
	if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 || res.Unneeded != 2 {
		t.Errorf("deep: %+v", res)
	}
	wantDoubt(t, room, 0, 1)
	remove(t, room, packs[1])
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Problems) != 1 || res.Problems[0].Object != packs[1] {
		t.Errorf("it is lost again, and not missed: %+v", res)
	}
}

// A snapshot that does not need the pack is not said to, whatever was proven of
// another one.
func TestProvenSpareIsOfItsSnapshots(t *testing.T) {
	r := newRolled(t, false, false, func(dir string) {
		if err := os.Remove(filepath.Join(dir, "b")); err != nil {
			t.Fatal(err)
		}
	})
	put(t, r.Room, r.away, r.held)
	check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
	remove(t, r.Room, r.away)
	for _, p := range check(t, r.Reopen(t), verify.Options{}).Problems {
		if p.Object != r.away || !slices.Contains(p.Snapshots, r.old[:8]) || slices.Contains(p.Snapshots, r.more[:8]) {
			t.Errorf("%+v", p)
		}
	}
}

// What was proven by a copy on this device is not, once the copy has gone.
func TestProofByACopy(t *testing.T) {
	r := newRolled(t, false, true, nil)
	put(t, r.Room, r.away, r.held)
	check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
	wantDoubt(t, r.Room, 0, 1)
	if err := os.RemoveAll(filepath.Join(r.StatePath(), "objects")); err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, r.Room, 1, 0)
}

// Under numbers that the list may have named, and did not, there are a rotten
// pack and one of which a move says where it was put. Prunes have let both go,
// and the move's map: nothing is wrong with that.
func TestStandInLacksWhatIsDead(t *testing.T) {
	r := newRolled(t, false, false, nil)
	put(t, r.Room, r.away, r.held)
	dead := packsNamed(t, r.Room, r.away)[0]
	dead.Number, dead.Sum = 5, [32]byte{1}
	move := vault.NewMove{Old: []string{dead.Name()}, Packs: packsNamed(t, r.Room, packsOf(t, r.Room, chunk.Data)[:1]...)}
	move.Refs = []chunk.Ref{{ID: chunk.ID{1}, Series: move.Packs[0].Series, Number: move.Packs[0].Number, Len: 1}}
	if err := r.Reopen(t).CommitMove(t.Context(), move, nil); err != nil {
		t.Fatal(err)
	}
	remove(t, r.Room, first(t, r.Store, "moves/"))
	wantDoubt(t, r.Room, 1, 0)
	dead.Number = 6
	put(t, r.Room, dead.Name(), []byte("rotten"))
	res := check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
	if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 {
		t.Errorf("deep: %+v", res)
	}
	res = check(t, r.Reopen(t), verify.Options{ReadData: 1})
	if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 {
		t.Errorf("after that: %+v", res)
	}
}

// What was proven of a list that stands in says nothing of another one, which is
// back though it was lost, too.
func TestProofIsOfTheListThatStoodIn(t *testing.T) {
	r := newRolled(t, false, false, nil)
	put(t, r.Room, r.away, r.held)
	moves, err := r.Lent(t).Moves(t.Context())
	if err != nil || len(moves) != 1 {
		t.Fatal(moves, err)
	}
	lacking, roll := moves[0].Commit.Ledger, moves[0].Commit.Old[0]
	list, err := r.Store.Get(t.Context(), nil, lacking, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, r.Room, lacking)
	packs := packsNamed(t, r.Room, packsOf(t, r.Room, chunk.Data)...)
	if err := r.Reopen(t).Replace(t.Context(), []string{roll}, packs, nil); err != nil {
		t.Fatal(err)
	}
	check(t, lentDevice(t, r.Room), verify.Options{Deep: true})
	wantDoubt(t, r.Room, 0, 1)
	put(t, r.Room, lacking, list)
	wantDoubt(t, r.Room, 1, 0)
}
