package verify_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// many makes a vault with several packs: one of data and one of segments a run.
func many(t *testing.T, runs int) (*vaulttest.Room, string) {
	t.Helper()
	room, dir := vaulttest.New(t), t.TempDir()
	for i := range runs {
		write(t, dir, string(rune('a'+i)), byte(i+1))
		backUp(t, room.Reopen(t), dir)
	}
	return room, dir
}

// counted counts the reads of each pack.
func counted(room *vaulttest.Room) (*vaulttest.Room, map[string]int) {
	n := map[string]int{}
	return room.With(&vaulttest.Hook{Store: room.Store, Before: func(op remote.Op, name string) error {
		if op == remote.OpGet && strings.HasPrefix(name, "packs/") {
			n[name]++
		}
		return nil
	}}), n
}

// Part by part every byte is read once, before any is read again.
func TestPartsCoverAll(t *testing.T) {
	plain, _ := many(t, 4)
	room, reads := counted(plain)
	all := packsOf(t, plain, chunk.Data, chunk.Segment)
	one := verify.Options{ReadData: 1e-6, Parallel: 1}
	var last verify.Result
	for i := range all {
		last = check(t, room.Reopen(t), one)
		if last.ReadPacks != 1 || last.Coverage.Never != int64(len(all)-i-1) {
			t.Fatalf("run %d: %d packs read, never %d", i, last.ReadPacks, last.Coverage.Never)
		}
	}
	for _, name := range all {
		if reads[name] != 1 {
			t.Errorf("%s was read %d times", name, reads[name])
		}
	}
	if last.Coverage.NeverBytes != 0 || time.Since(last.Coverage.Oldest) > time.Hour {
		t.Errorf("coverage %+v", last.Coverage)
	}
	if s := verify.Last(room.Dir(t)); s == nil || s.Coverage.Never != 0 || s.Bytes != last.Bytes {
		t.Errorf("summary %+v", s)
	}
	// All of it was read lately, so nothing is due.
	o := verify.Options{ReadData: 1, MaxAge: time.Hour}
	if res := check(t, room.Reopen(t), o); res.ReadPacks != 0 {
		t.Errorf("%d packs read again", res.ReadPacks)
	}
}

// Out of time it ends in order, got on by a pack at least, and goes on there.
func TestTimeLimit(t *testing.T) {
	plain, _ := many(t, 3)
	room, reads := counted(plain)
	all := packsOf(t, plain, chunk.Data, chunk.Segment)
	o := verify.Options{ReadData: 1, MaxAge: time.Hour, MaxDuration: time.Nanosecond, Parallel: 1}
	for i := range all {
		res := check(t, room.Reopen(t), o)
		if last := i == len(all)-1; res.ReadPacks != 1 || res.Stopped == last {
			t.Errorf("run %d: %d packs read, stopped %v", i, res.ReadPacks, res.Stopped)
		}
	}
	for _, name := range all {
		if reads[name] != 1 {
			t.Errorf("%s was read %d times", name, reads[name])
		}
	}
}

// What is read while a backup is at work is not forgotten, nor what it says.
func TestReadBesideBackup(t *testing.T) {
	room, dir := many(t, 2)
	packs := packsOf(t, room, chunk.Data)
	flip(t, room, packs[0])
	run, err := room.Reopen(t).Begin(t.Context(), vault.RunOptions{Project: "00112233445566aa"})
	if err != nil {
		t.Fatal(err)
	}
	res := check(t, room.Reopen(t), verify.Options{ReadData: 1})
	if len(res.Problems) != 1 || res.Coverage.Never != 0 {
		t.Fatalf("%+v", res)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if res := check(t, room.Reopen(t), verify.Options{ReadData: 1, MaxAge: time.Hour}); res.ReadPacks != 1 {
		t.Errorf("%d packs were read again, want the bad one", res.ReadPacks)
	}
	if res := backUp(t, room.Reopen(t), dir); res.Healed.Packs != 1 {
		t.Errorf("healed %+v", res.Healed)
	}
}

// A pack that was bad stays so until its bytes are right again.
func TestBadIsRemembered(t *testing.T) {
	room, _ := many(t, 2)
	name := packsOf(t, room, chunk.Data)[0]
	good, err := room.Store.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, room, name)
	check(t, room.Reopen(t), verify.Options{ReadData: 1})
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Problems) != 1 || res.Problems[0].Object != name {
		t.Errorf("it was forgotten: %+v", res.Problems)
	}
	remove(t, room, name)
	put(t, room, name, good)
	if res := check(t, room.Reopen(t), verify.Options{ReadData: 1, MaxAge: time.Hour}); len(res.Problems) != 0 || res.ReadPacks != 1 {
		t.Errorf("it is good again: %+v", res)
	}
	if res := check(t, room.Reopen(t), verify.Options{}); len(res.Problems) != 0 {
		t.Errorf("it is good again: %+v", res.Problems)
	}
}

func put(t *testing.T, room *vaulttest.Room, name string, b []byte) {
	t.Helper()
	if err := room.Store.Put(t.Context(), remote.NewObject(name, b)); err != nil {
		t.Fatal(err)
	}
}

// Each check is committed, and says what it found.
func TestRecord(t *testing.T) {
	room, _ := many(t, 1)
	if c := newest(t, room, commit.Check); c != nil {
		t.Fatalf("%v", c)
	}
	record := func(o verify.Options) commit.Detail {
		t.Helper()
		o.Record = true
		if res := check(t, room.Reopen(t), o); res.NotRecorded != nil {
			t.Fatal(res.NotRecorded)
		}
		c := newest(t, room, commit.Check)
		if c == nil {
			t.Fatal("nothing was recorded")
		}
		return *c.Detail
	}
	want := func(o verify.Options, d commit.Detail) {
		t.Helper()
		if got := record(o); got != d {
			t.Errorf("recorded %+v, want %+v", got, d)
		}
	}
	res := check(t, room.Reopen(t), verify.Options{})
	want(verify.Options{ReadData: 1}, commit.Detail{Result: commit.OK, Objects: 2, Bytes: uint64(res.Bytes)})
	got := record(verify.Options{ReadData: 1, MaxDuration: 1, Parallel: 1})
	// Which of the two packs it is depends on when each was read before.
	if got.Bytes == 0 || got.Bytes >= uint64(res.Bytes) || got != (commit.Detail{Result: commit.Incomplete, Objects: 2, Bytes: got.Bytes}) {
		t.Errorf("recorded %+v", got)
	}
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	want(verify.Options{}, commit.Detail{Result: commit.Damaged, Objects: 1, Missing: 1})

	run, err := room.Reopen(t).Begin(t.Context(), vault.RunOptions{Project: "00112233445566aa"})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if res := check(t, room.Reopen(t), verify.Options{Record: true}); !errors.Is(res.NotRecorded, state.ErrLocked) {
		t.Errorf("recorded beside a backup: %v", res.NotRecorded)
	}
}

// What only snapshots need whose days are over may be gone.
func TestGoneIsNotNeeded(t *testing.T) {
	store := mem.New()
	now := time.Now().AddDate(0, 0, -30)
	store.SetClock(func() time.Time { return now })
	room, dir := vaulttest.On(t, store), t.TempDir()
	write(t, dir, "a", 1)
	old := backUp(t, room.Reopen(t), dir)
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // the floor holds these
		now = now.AddDate(0, 0, 1)
		write(t, dir, "b", byte(i+2))
		backUp(t, room.Reopen(t), dir)
	}
	now = now.AddDate(0, 0, 10)
	v := room.Reopen(t)
	snap, err := v.Find(t.Context(), old.Snapshot[:16], vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Forget(t.Context(), []*vault.Snapshot{snap}, nil); err != nil {
		t.Fatal(err)
	}
	remove(t, room, packsOf(t, room, chunk.Data)[0])
	if res := check(t, room.Lent(t), verify.Options{Deep: true}); len(res.Problems) == 0 || res.Snapshots != 4 {
		t.Errorf("it can still be brought back: %+v", res)
	}
	now = now.AddDate(0, 0, 8)
	if res := check(t, room.Lent(t), verify.Options{Deep: true}); len(res.Problems) != 0 || res.Snapshots != 3 {
		t.Errorf("its days are over: %+v", res)
	}
}

// newest returns the newest commit of a kind, or nil.
func newest(t *testing.T, room *vaulttest.Room, kind commit.Kind) *commit.Commit {
	t.Helper()
	c, err := room.Lent(t).Newest(t.Context(), func(*commit.Commit) bool { return true }, kind)
	if err != nil {
		t.Fatal(err)
	}
	return c[0]
}
