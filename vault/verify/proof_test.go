package verify_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// device opens the vault with local state, and with the kit lent.
func lentDevice(t *testing.T, room *vaulttest.Room) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), room.Store, vault.OpenOptions{State: room.Dir(t), Kit: room.Kit, Safety: room.Safety})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantDoubt wants a check without the kit to say that it does not know whether
// as many bad objects are healed, and nothing else to be wrong.
func wantDoubt(t *testing.T, room *vaulttest.Room, doubts, replaced int) verify.Result {
	t.Helper()
	res := check(t, room.Reopen(t), verify.Options{Record: true})
	if len(res.Doubts) != doubts || len(res.Replaced) != replaced || len(res.Problems) > 0 {
		t.Errorf("without the identity: want %d doubts, %d replaced: %+v", doubts, replaced, res)
	}
	return res
}

// A pack is lost of which this device's index had let some chunks go: older
// snapshots need them, and no move has them. Without the kit nobody knows that,
// so nobody says that it is healed.
func TestHealedInPartIsDoubted(t *testing.T) {
	store := mem.New()
	now := time.Now()
	store.SetClock(func() time.Time { return now })
	room, dir := vaulttest.On(t, store), t.TempDir()
	fill(t, dir)
	old := backUp(t, room.Vault, dir)
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		now = now.AddDate(0, 0, 20)
		backUp(t, room.Reopen(t), dir)
	}
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 || res.Healed.Left != 0 {
		t.Fatalf("healed %+v", res.Healed)
	}
	wantDoubt(t, room, 1, 0)
	res := check(t, lentDevice(t, room), verify.Options{Deep: true})
	if len(res.Problems) != 1 || !slices.Equal(res.Problems[0].Files, []string{old.Snapshot[:8] + ":b"}) {
		t.Errorf("deep: %+v", res.Problems)
	}
	wantDoubt(t, room, 1, 0)
	// Its file comes back, and what lacked is stored by the way. That all is
	// whole only the kit can tell, and then this device remembers it.
	write(t, dir, "b", 2)
	last := backUp(t, room.Reopen(t), dir)
	packs := packsOf(t, room, chunk.Data)
	if _, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), old.Snapshot)); err == nil {
		t.Fatal("no move has it, and it is read")
	}
	b := room.Entries(t, last.Snapshot)[filepath.Join(dir, "b")]
	move := vault.NewMove{Old: []string{lostOf(t, res)}, Refs: b.Refs, Packs: packsNamed(t, room, packs[len(packs)-1])}
	err := lentDevice(t, room).CommitMove(t.Context(), move, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, room, 1, 0)
	res = check(t, lentDevice(t, room), verify.Options{Deep: true})
	if len(res.Problems) > 0 || len(res.Replaced) != 1 || !res.Replaced[0].Proven {
		t.Errorf("deep: %+v", res)
	}
	if res := wantDoubt(t, room, 0, 1); res.Replaced[0].Proven || !res.Replaced[0].Sure || res.Replaced[0].Before.IsZero() {
		t.Errorf("after the proof: %+v", res.Replaced)
	}
}

// What was proven was proven for the snapshots of then: of one that came later
// nobody has asked what it needs of the bad pack.
func TestProofsAreOfTheirSnapshots(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	backUp(t, room.Reopen(t), dir)
	clone, second := room.Image(t), secondDevice(t, room)
	name := packsOf(t, room, chunk.Data)[0]
	flip(t, room, name)
	check(t, room.Reopen(t), verify.Options{ReadData: 1})
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 {
		t.Fatalf("%+v", res.Healed)
	}
	wantDoubt(t, room, 0, 1)
	check(t, second.Reopen(t), verify.Options{ReadData: 1})
	wantDoubt(t, second, 1, 0) // it never knew what was in that pack
	if res := check(t, lentDevice(t, second), verify.Options{Deep: true}); len(res.Problems) > 0 || len(res.Replaced) != 1 {
		t.Fatalf("deep: %+v", res)
	}
	wantDoubt(t, second, 0, 1)
	// The clone knows nothing of it, and relies on the pack.
	write(t, dir, "more", 7)
	backUp(t, clone.Reopen(t), dir)
	wantDoubt(t, second, 1, 0)
	check(t, lentDevice(t, second), verify.Options{Deep: true})
	wantDoubt(t, second, 0, 1)
	// The first device knows every chunk of the pack, whoever may need it; a proof
	// takes nothing from that.
	check(t, lentDevice(t, room), verify.Options{Deep: true})
	write(t, dir, "still more", 8)
	backUp(t, clone.Reopen(t), dir)
	wantDoubt(t, room, 0, 1)
	wantDoubt(t, second, 1, 0)
}

// A healed pack whose new pack is lost in its turn is healed no more, whatever
// was known of it.
func TestProofsRestOnTheNewPacks(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	backUp(t, room.Reopen(t), dir)
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	backUp(t, room.Reopen(t), dir)
	wantDoubt(t, room, 0, 1)
	packs := packsOf(t, room, chunk.Data)
	remove(t, room, packs[len(packs)-1])
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Problems) != 2 || len(res.Replaced)+len(res.Doubts) > 0 {
		t.Errorf("%+v", res)
	}
	remove(t, room, first(t, room.Store, "moves/"))
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Replaced)+len(res.Doubts) > 0 {
		t.Errorf("the map is lost too: %+v", res)
	}
}

// A repack lets a pack go for the snapshots that its device had before it. One
// that it did not know, of a clone, still needs the pack.
func TestRepackFreesOnlyWhatItKnew(t *testing.T) {
	for _, clones := range []bool{false, true} {
		room, dir := vaulttest.New(t), t.TempDir()
		fill(t, dir)
		backUp(t, room.Reopen(t), dir)
		clone := room.Image(t)
		write(t, dir, "more", 7)
		backUp(t, room.Reopen(t), dir)
		name := packsOf(t, room, chunk.Data)[0]
		repack(t, room, name)
		if clones {
			write(t, dir, "other", 8)
			backUp(t, clone.Reopen(t), dir)
		}
		remove(t, room, name)
		res := check(t, room.Reopen(t), verify.Options{})
		if clones && (len(res.Doubts) != 1 || res.Repacked != 0) || !clones && (len(res.Doubts) != 0 || res.Repacked != 1) || len(res.Problems) > 0 {
			t.Errorf("clones %v: %+v", clones, res)
		}
		if res := check(t, room.Lent(t), verify.Options{Deep: true}); len(res.Problems)+len(res.Doubts) > 0 || res.Repacked != 1 {
			t.Errorf("clones %v, deep: %+v", clones, res)
		}
		// What was proven here is known from then on.
		check(t, lentDevice(t, room), verify.Options{Deep: true})
		if clones {
			wantDoubt(t, room, 0, 1)
		}
	}
}

// repack moves all that packs hold, in one move.
func repack(t *testing.T, room *vaulttest.Room, names ...string) {
	t.Helper()
	run, err := lentDevice(t, room).BeginRepack(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []vault.Partly
	for _, p := range packsNamed(t, room, names...) {
		all = append(all, vault.Partly{Pack: p, Needed: func(int64) bool { return true }})
	}
	if _, err := run.Repack(t.Context(), all, vault.RepackOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
}

func secondDevice(t *testing.T, room *vaulttest.Room) *vaulttest.Room {
	t.Helper()
	second, _ := room.Enrol(t, vault.EnrolOptions{})
	return second
}

func find(t *testing.T, v *vault.Vault, id string) *vault.Snapshot {
	t.Helper()
	s, err := v.Find(t.Context(), id, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lostOf is the one pack that a check found missing.
func lostOf(t *testing.T, res verify.Result) string {
	t.Helper()
	for _, p := range res.Problems {
		if strings.HasPrefix(p.Object, "packs/") {
			return p.Object
		}
	}
	t.Fatalf("no pack is lost: %+v", res.Problems)
	return ""
}

// packsNamed are packs by their names, with their sizes.
func packsNamed(t *testing.T, room *vaulttest.Room, names ...string) (out []ledger.Pack) {
	t.Helper()
	for _, name := range names {
		p, err := ledger.ParsePackName(name)
		if err != nil {
			t.Fatal(err)
		}
		for info, err := range room.Store.List(t.Context(), name, "") {
			if err != nil {
				t.Fatal(err)
			}
			p.Size = info.Size
		}
		out = append(out, p)
	}
	return out
}
