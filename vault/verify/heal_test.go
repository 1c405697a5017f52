package verify_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A pack that is lost or rotten heals at the next backup while its files are
// on the disk, and the snapshots from before that need it are whole again.
func TestPacksHeal(t *testing.T) {
	for _, c := range []struct {
		name  string
		kinds []chunk.Kind
		harm  func(*testing.T, *vaulttest.Room, string)
	}{
		{"data missing", []chunk.Kind{chunk.Data}, remove},
		{"data flipped", []chunk.Kind{chunk.Data}, flip},
		{"segments missing", []chunk.Kind{chunk.Segment}, remove},
		{"segments flipped", []chunk.Kind{chunk.Segment}, flip},
		{"all missing", []chunk.Kind{chunk.Data, chunk.Segment}, remove},
		{"all flipped", []chunk.Kind{chunk.Data, chunk.Segment}, flip},
	} {
		t.Run(c.name, func(t *testing.T) {
			room, dir := vaulttest.New(t), t.TempDir()
			fill(t, dir)
			old := backUp(t, room.Vault, dir).Snapshot
			was := room.Read(t, old)
			for _, name := range packsOf(t, room, c.kinds...) {
				c.harm(t, room, name)
			}
			if res := check(t, room.Reopen(t), verify.Options{ReadData: 1}); len(res.Problems) != len(c.kinds) || len(res.Replaced) > 0 {
				t.Fatalf("before healing: %+v", res)
			}
			res := backUp(t, room.Reopen(t), dir)
			if res.Healed.Packs != len(c.kinds) || res.Healed.Left != 0 {
				t.Errorf("healed %+v", res.Healed)
			}
			wantWhole(t, room, len(c.kinds))
			if !maps.Equal(room.Read(t, old), was) {
				t.Error("the older snapshot has changed")
			}
			if again := backUp(t, room.Reopen(t), dir); !again.Unchanged || again.Healed.Packs > 0 {
				t.Errorf("the run after healing: %+v", again)
			}
		})
	}
}

// What is not on the disk any more is lost, is named, and is all that is lost.
func TestHealingNamesWhatIsLost(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	old := backUp(t, room.Vault, dir)
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 || res.Healed.Left != 1 {
		t.Errorf("healed %+v", res.Healed)
	}
	res := check(t, room.Reopen(t), verify.Options{})
	if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].Harms, "1 chunk that was not on the disk any more") {
		t.Errorf("without the identity: %+v", res)
	}
	res = check(t, room.Lent(t), verify.Options{Deep: true})
	if len(res.Problems) != 1 || len(res.Replaced) != 0 {
		t.Fatalf("%+v", res)
	}
	if p := res.Problems[0]; !slices.Equal(p.Files, []string{old.Snapshot[:8] + ":b"}) || p.FileCount != 1 {
		t.Errorf("harmed files %v", p.Files)
	}
	// It comes back, and is found.
	write(t, dir, "b", 2)
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 || res.Healed.Left != 0 {
		t.Errorf("healed %+v", res.Healed)
	}
	wantWhole(t, room, 1)
}

// The pack that took the place of a bad one goes bad in its turn.
func TestHealingGoesOn(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	old := backUp(t, room.Vault, dir).Snapshot
	was := room.Read(t, old)
	for i := range 3 {
		packs := packsOf(t, room, chunk.Data)
		remove(t, room, packs[len(packs)-1])
		backUp(t, room.Reopen(t), dir)
		wantWhole(t, room, i+1)
	}
	if !maps.Equal(room.Read(t, old), was) {
		t.Error("the older snapshot has changed")
	}
}

// A run that was cut off after it had stored everything again leaves the move
// to the next one.
func TestHealingSurvivesInterruption(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	backUp(t, room.Vault, dir)
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	cut := room.With(&vaulttest.Hook{Store: room.Store, Before: func(op remote.Op, name string) error {
		if op == remote.OpPut && strings.HasPrefix(name, "moves/") {
			return os.ErrDeadlineExceeded
		}
		return nil
	}})
	backUp(t, cut.Reopen(t), dir)
	if res := check(t, room.Lent(t), verify.Options{}); len(res.Problems) != 1 {
		t.Fatalf("not cut off: %+v", res)
	}
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 || !res.Unchanged {
		t.Errorf("the next run: %+v", res)
	}
	wantWhole(t, room, 1)
}

// wantWhole wants a vault in which nothing is harmed, though packs are bad:
// with the identity that is proven, and without it nothing speaks against it.
func wantWhole(t *testing.T, room *vaulttest.Room, replaced int) {
	t.Helper()
	res := check(t, room.Lent(t), verify.Options{Deep: true})
	if len(res.Problems) > 0 || len(res.Replaced) != replaced {
		t.Errorf("deep: %d replaced, want %d; problems %+v", len(res.Replaced), replaced, res.Problems)
	}
	for _, r := range res.Replaced {
		if !r.Proven {
			t.Errorf("%s is not proven to be replaced", r.Object)
		}
	}
	res = check(t, room.Reopen(t), verify.Options{ReadData: 1})
	if len(res.Problems) > 0 || len(res.Replaced) != replaced || res.Replaced[0].Proven {
		t.Errorf("without the identity: %+v", res)
	}
}

// fill writes a tree of several files, with more than one folder.
func fill(t *testing.T, dir string) {
	t.Helper()
	for i, name := range []string{"a", "b", "c/d", "c/e"} {
		write(t, dir, name, byte(i+1))
	}
	write(t, dir, "big", 99)
	time.Sleep(100 * time.Millisecond)
}

func write(t *testing.T, dir, name string, seed byte) {
	t.Helper()
	b := make([]byte, 3000+int(seed)*20_000)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// packsOf lists the packs of some kinds, those of each series in order.
func packsOf(t *testing.T, room *vaulttest.Room, kinds ...chunk.Kind) (names []string) {
	t.Helper()
	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range room.Store.List(t.Context(), "packs/", "") {
		if err != nil {
			t.Fatal(err)
		}
		p, err := ledger.ParsePackName(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(dev.Series, func(s state.SeriesState) bool {
			return s.ID() == p.Series && slices.Contains(kinds, chunk.Kind(s.Kind[0]))
		}) {
			names = append(names, info.Name)
		}
	}
	return names
}

func remove(t *testing.T, room *vaulttest.Room, name string) {
	t.Helper()
	if err := room.Store.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, room *vaulttest.Room, name string) {
	t.Helper()
	b, err := room.Store.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	remove(t, room, name)
	if err := room.Store.Put(t.Context(), remote.NewObject(name, b)); err != nil {
		t.Fatal(err)
	}
}

// Which chunks were not found is kept no longer than the index keeps those that
// no manifest names; that there were some is not forgotten.
func TestLostChunksAreLetGo(t *testing.T) {
	store := mem.New()
	now := time.Now()
	store.SetClock(func() time.Time { return now })
	room, dir := vaulttest.On(t, store), t.TempDir()
	fill(t, dir)
	backUp(t, room.Vault, dir)
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{0, 29, 2} {
		now = now.AddDate(0, 0, days)
		backUp(t, room.Reopen(t), dir)
		wounds, err := room.Dir(t).Wounds()
		if err != nil || len(wounds) != 1 {
			t.Fatal(wounds, err)
		}
		n, err := room.Dir(t).Wound(wounds[0])
		if over := days == 2; err != nil || len(n.Refs) == 1 == over || n.Gone == 1 != over {
			t.Errorf("%d days on: %+v, %v", days, n, err)
		}
		res := check(t, room.Reopen(t), verify.Options{})
		if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].Harms, "1 chunk that was not on the disk any more") {
			t.Errorf("%d days on: %+v", days, res.Problems)
		}
	}
}

// A pack was healed by two moves, and a rollback of the remote has taken the
// second one away: without the kit nobody knows any more that it is whole.
func TestRollbackOfAHealing(t *testing.T) {
	for _, proven := range []bool{false, true} {
		rollBackAHealing(t, proven)
	}
}

func rollBackAHealing(t *testing.T, proven bool) {
	room, dir := vaulttest.New(t), t.TempDir()
	fill(t, dir)
	old := backUp(t, room.Vault, dir)
	lost := packsOf(t, room, chunk.Data)[0]
	remove(t, room, lost)
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Left != 1 {
		t.Fatalf("healed %+v", res.Healed)
	}
	before := map[string]bool{}
	for _, name := range under(t, room, "commits/") {
		before[name] = true
	}
	write(t, dir, "b", 2)
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 || res.Healed.Left != 0 {
		t.Fatalf("healed %+v", res.Healed)
	}
	wantWhole(t, room, 1)
	if proven { // this device has seen so itself
		check(t, lentDevice(t, room), verify.Options{Deep: true})
	}
	for _, name := range under(t, room, "commits/") {
		if !before[name] {
			remove(t, room, name)
		}
	}
	backUp(t, room.Reopen(t), dir)
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Replaced) > 0 || len(res.Doubts) != 1 || res.Doubts[0].Object != lost {
		t.Errorf("proven %v, without the kit: %+v", proven, res)
	}
	res := check(t, lentDevice(t, room), verify.Options{Deep: true})
	if len(res.Problems) != 1 || !slices.Equal(res.Problems[0].Files, []string{old.Snapshot[:8] + ":b"}) {
		t.Errorf("deep: %+v", res)
	}
}

// under lists all objects whose names begin with prefix.
func under(t *testing.T, room *vaulttest.Room, prefix string) (names []string) {
	t.Helper()
	for info, err := range room.Store.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// nextFolder lets the next pack of data be the first of a folder, as if the one
// before were full: then a ledger names those by a roll.
func nextFolder(t *testing.T, room *vaulttest.Room) {
	t.Helper()
	if _, err := room.Dir(t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == string(chunk.Data) {
				d.Series[i].Next = 1024
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
