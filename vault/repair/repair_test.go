package repair_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/prune"
	"coffer/vault/repair"
	"coffer/vault/state"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A scene is a vault with three snapshots, each with a file more.
type scene struct {
	*testing.T
	room *vaulttest.Room
	dir  string
	ids  []string
	was  []map[string]string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, room: vaulttest.New(t), dir: t.TempDir()}
	for i := range 3 {
		s.write(string(rune('a'+i)), byte(i+1))
		s.backUp()
	}
	return s
}

func (s *scene) write(name string, seed byte) {
	s.Helper()
	b := make([]byte, 20_000)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o644); err != nil {
		s.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
}

func (s *scene) backUp() backup.Result {
	s.Helper()
	v := s.room.Reopen(s)
	if err := v.State().BindProject("p", "00112233445566aa"); err != nil {
		s.Fatal(err)
	}
	res, err := backup.Run(s.Context(), v, backup.Options{Project: trust.ProjectID("00112233445566aa"), Key: "p", Label: "p", Roots: []string{s.dir}, Workers: 1})
	if err != nil {
		s.Fatal(err)
	}
	s.ids = append(s.ids, res.Snapshot)
	s.was = append(s.was, s.room.Read(s, res.Snapshot))
	return res
}

// device opens the vault as its device does, with or without the kit.
func (s *scene) device(kit bool) *vault.Vault {
	s.Helper()
	o := vault.OpenOptions{State: s.room.Dir(s)}
	if kit {
		o.Kit = s.room.Kit
	}
	v, err := vault.Open(s.Context(), s.room.Store, o)
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// repair makes a plan and does what it says. It returns the kinds of its steps.
func (s *scene) repair(kit bool) (kinds []repair.Kind, done repair.Done) {
	s.Helper()
	plan, err := repair.Make(s.Context(), s.device(kit))
	if err != nil {
		s.Fatal(err)
	}
	for _, step := range plan.Steps {
		kinds = append(kinds, step.Kind)
	}
	if done, err = plan.Run(s.Context()); err != nil {
		s.Fatal(err)
	}
	return kinds, done
}

// wantWhole wants all snapshots to restore as they were, nothing to be wrong,
// nothing to be repaired any more, and no prune to be stopped.
func (s *scene) wantWhole(replaced int) {
	s.Helper()
	s.wantReadable()
	for _, o := range []verify.Options{{Deep: true}, {}} {
		res, err := verify.Run(s.Context(), s.device(o.Deep), o)
		if err != nil || len(res.Problems) > 0 || len(res.Replaced) != replaced {
			s.Errorf("verify: %d replaced, want %d; %v, %+v", len(res.Replaced), replaced, err, res.Problems)
		}
	}
	plan, err := prune.Make(s.Context(), s.device(false), prune.Options{})
	if err != nil || len(plan.Stops) > 0 {
		s.Errorf("prune: %v, %+v", err, plan.Stops)
	}
	if kinds, _ := s.repair(true); len(kinds) > 0 {
		s.Errorf("there is still something to repair: %v", kinds)
	}
}

func (s *scene) wantReadable() {
	s.Helper()
	for i, id := range s.ids {
		if !maps.Equal(s.room.Read(s, id), s.was[i]) {
			s.Errorf("snapshot %d has changed", i+1)
		}
	}
}

func (s *scene) list(prefix string) (names []string) {
	s.Helper()
	for info, err := range s.room.Store.List(s.Context(), prefix, "") {
		if err != nil {
			s.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func (s *scene) remove(name string) {
	s.Helper()
	if err := s.room.Store.Delete(s.Context(), name); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) flip(name string) {
	s.Helper()
	b, err := s.room.Store.Get(s.Context(), nil, name, 0, -1)
	if err != nil {
		s.Fatal(err)
	}
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	s.remove(name)
	if err := s.room.Store.Put(s.Context(), remote.NewObject(name, b)); err != nil {
		s.Fatal(err)
	}
}

// forget takes the local copies of objects away.
func (s *scene) forget() {
	s.Helper()
	if err := os.RemoveAll(filepath.Join(s.room.StatePath(), "objects")); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) want(kinds []repair.Kind, want ...repair.Kind) {
	s.Helper()
	if !slices.Equal(kinds, want) {
		s.Fatalf("the plan has %v, want %v", kinds, want)
	}
}

func TestNothingToDo(t *testing.T) {
	s := newScene(t)
	s.wantWhole(0)
}

func TestLedgerIsPutBack(t *testing.T) {
	s := newScene(t)
	ledgers := s.list("ledgers/")
	s.remove(ledgers[len(ledgers)-1])
	s.wantReadable()
	kinds, done := s.repair(false)
	s.want(kinds, repair.PutBack)
	if done.PutBack != 1 {
		t.Errorf("%+v", done)
	}
	s.wantWhole(0)
}

// Bytes that are wrong cannot be overwritten; the copy says what they were.
func TestLedgerWithCopyIsReplaced(t *testing.T) {
	s := newScene(t)
	ledgers := s.list("ledgers/")
	s.flip(ledgers[len(ledgers)-1])
	s.wantReadable()
	kinds, _ := s.repair(false)
	s.want(kinds, repair.StandIn)
	s.forget()
	s.wantWhole(1)
}

// Without a copy the manifest tells which packs are needed.
func TestLedgerIsMadeAnew(t *testing.T) {
	for _, harm := range []func(*scene, string){(*scene).remove, (*scene).flip} {
		s := newScene(t)
		for _, name := range s.list("ledgers/") {
			harm(s, name)
		}
		s.forget()
		s.wantReadable()
		kinds, _ := s.repair(false)
		s.want(kinds, repair.NeedsKit, repair.NeedsKit, repair.NeedsKit)
		if plan, err := prune.Make(t.Context(), s.device(false), prune.Options{}); err != nil || len(plan.Stops) == 0 {
			t.Fatalf("a prune that cannot know what is needed goes on: %v", err)
		}
		kinds, _ = s.repair(true)
		s.want(kinds, repair.StandIn, repair.StandIn, repair.StandIn)
		s.forget()
		s.wantWhole(3)
		// The next run relies on the packs that the new list names.
		s.write("d", 4)
		if res := s.backUp(); res.NewBytes > 30_000 {
			t.Errorf("%d bytes were uploaded again", res.NewBytes)
		}
		s.wantWhole(3)
	}
}

// What stands in for a ledger is lost in its turn.
func TestStandInIsLost(t *testing.T) {
	s := newScene(t)
	first := s.list("ledgers/")
	s.remove(first[0])
	s.forget()
	s.repair(true)
	for _, name := range s.list("ledgers/") {
		if !slices.Contains(first, name) {
			s.remove(name)
		}
	}
	s.forget()
	s.wantReadable()
	kinds, _ := s.repair(true)
	s.want(kinds, repair.StandIn)
	s.forget()
	s.wantReadable()
	if res, err := verify.Run(t.Context(), s.device(true), verify.Options{Deep: true}); err != nil || len(res.Problems) > 0 {
		t.Errorf("%v, %+v", err, res.Problems)
	}
}

// A roll needs no key to be made anew: the names stand in the listing.
func TestRollIsMadeAnew(t *testing.T) {
	s := newScene(t)
	if _, err := s.room.Dir(t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == string(chunk.Data) {
				d.Series[i].Next = 1024 // as if its first folder were full
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.write("d", 4)
	s.backUp()
	rolls := s.list("rolls/")
	if len(rolls) != 1 {
		t.Fatalf("%d rolls", len(rolls))
	}
	s.flip(rolls[0])
	s.forget()
	s.wantReadable()
	kinds, _ := s.repair(false)
	s.want(kinds, repair.StandIn)
	s.forget()
	s.wantWhole(1)
}

func TestBodies(t *testing.T) {
	s := newScene(t)
	bodies := s.list("snapshots/")
	s.remove(bodies[len(bodies)-1])
	kinds, _ := s.repair(false)
	s.want(kinds, repair.PutBack)
	s.wantWhole(0)

	s.remove(bodies[0]) // of which nobody has a copy
	kinds, done := s.repair(true)
	s.want(kinds, repair.Hopeless)
	if done.PutBack+done.Written > 0 {
		t.Errorf("%+v", done)
	}
	s.ids, s.was = s.ids[1:], s.was[1:]
	s.wantReadable()
}

// What must not happen: a list that lacks packs, because a part of the manifest
// could not be read, makes a prune delete them.
func TestNoListWithoutWholeManifest(t *testing.T) {
	s := newScene(t)
	s.remove(s.list("ledgers/")[0])
	dev, err := s.room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range dev.Series {
		if series.Kind == string(chunk.Segment) {
			s.remove(s.list("packs/" + series.ID().String() + "/")[0])
		}
	}
	s.forget()
	kinds, done := s.repair(true)
	s.want(kinds, repair.Hopeless, repair.Heal)
	if done.Written > 0 || len(s.list("moves/")) > 0 {
		t.Errorf("%+v", done)
	}
}

// All local state but the keys is lost: it is read back, and the next backup
// uploads nothing twice.
func TestStateIsRebuilt(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"own.json", "catalog.jsonl", "projects.json", "index", "packs", "projects", "objects"} {
		if err := os.RemoveAll(filepath.Join(s.room.StatePath(), name)); err != nil {
			t.Fatal(err)
		}
	}
	kinds, _ := s.repair(false)
	s.want(kinds, repair.NeedsKit, repair.NeedsKit, repair.NeedsKit)
	kinds, done := s.repair(true)
	s.want(kinds, repair.State, repair.State, repair.State)
	if !done.Rebuilt || done.Chunks < 4 || done.Catalog != 3 {
		t.Errorf("%+v", done)
	}
	if res := s.backUp(); res.NewBytes > 0 || res.NewFiles != 3 {
		t.Errorf("the next backup: %+v", res)
	}
	id, err := s.room.Dir(t).Project("p")
	if err != nil || id != "00112233445566aa" {
		t.Errorf("project %s, %v", id, err)
	}
	s.wantWhole(0)
}

// A damaged index is told from a good one, and made good.
func TestIndexIsRebuilt(t *testing.T) {
	s := newScene(t)
	found, err := filepath.Glob(filepath.Join(s.room.StatePath(), "index", "*"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			continue
		}
		for i := len(b) / 3; i < len(b); i += 50 {
			b[i] ^= 1
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kinds, _ := s.repair(true)
	s.want(kinds, repair.State)
	if kinds, _ := s.repair(true); len(kinds) > 0 {
		t.Errorf("again: %v", kinds)
	}
	if err := os.RemoveAll(filepath.Join(s.room.StatePath(), "projects")); err != nil {
		t.Fatal(err)
	}
	if res := s.backUp(); res.NewBytes > 0 {
		t.Errorf("%d bytes were uploaded again", res.NewBytes)
	}
}
