package verify_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/vault/repair"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A rolled vault has a roll that is lost and rewritten while a pack was away.
type rolled struct {
	*vaulttest.Room
	old  string // the snapshot whose ledger goes by the roll
	was  map[string]string
	away string // the pack
	held []byte
}

// newRolled makes one. With some, the ledger does not need all that the roll
// listed. copies says whether the device still has its copy of the roll.
func newRolled(t *testing.T, some, copies bool) *rolled {
	t.Helper()
	r := &rolled{Room: vaulttest.New(t)}
	dir := t.TempDir()
	write(t, dir, "a", 1)
	backUp(t, r.Reopen(t), dir)
	write(t, dir, "b", 2)
	backUp(t, r.Reopen(t), dir)
	if _, err := r.Dir(t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == string(chunk.Data) {
				d.Series[i].Next = 1024 // as if its first folder were full
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if some {
		if err := os.Remove(filepath.Join(dir, "a")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "c", 3)
	r.old = backUp(t, r.Reopen(t), dir).Snapshot
	r.was = r.Read(t, r.old)
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
		r := newRolled(t, some, false)
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
		// Now that it counts, it is missed.
		remove(t, r.Room, r.away)
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
	r := newRolled(t, true, false)
	if res := check(t, r.Reopen(t), verify.Options{}); !told(res) || len(res.Problems) != 2 || len(res.Replaced)+len(res.Doubts) > 0 {
		t.Errorf("some: %+v", res)
	}
	r = newRolled(t, false, false)
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
	r := newRolled(t, false, true)
	res := check(t, r.Reopen(t), verify.Options{})
	if len(res.Problems) != 1 || res.Problems[0].Object != r.away || len(res.Replaced) != 1 {
		t.Errorf("%+v", res)
	}
	put(t, r.Room, r.away, r.held)
	wantDoubt(t, r.Room, 0, 1)
}
