package repair_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/ledger"
	"coffer/vault/repair"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A pack is lost and its file is gone from the disk; but another device has
// stored the same one. The kit finds it there.
func TestChunksOfAnotherDevice(t *testing.T) {
	s := newScene(t)
	packs := s.packsOf(s.room, chunk.Data)
	other, _ := s.room.Enrol(t, vault.EnrolOptions{})
	o := backup.Options{Project: "aabbccddeeff0011", Key: "q", Label: "q", Roots: []string{s.dir}, Workers: 1}
	if _, err := backup.Run(t.Context(), other.Vault, o); err != nil {
		t.Fatal(err)
	}
	for _, name := range packs {
		s.remove(name)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.write("d", 4)
	s.backUp()
	kinds, done := s.repair(true)
	s.want(kinds, repair.Move, repair.Move, repair.Move)
	if done.Moved != 3 {
		t.Errorf("%+v", done)
	}
	s.wantReadable()
	res, err := verify.Run(t.Context(), s.device(true), verify.Options{Deep: true})
	if err != nil || len(res.Problems) > 0 || len(res.Replaced) != 3 {
		t.Errorf("%v, %+v", err, res)
	}
	res, err = verify.Run(t.Context(), s.device(false), verify.Options{})
	if err != nil || len(res.Problems) > 0 || len(res.Replaced) != 3 {
		t.Errorf("without the identity: %v, %+v", err, res)
	}
	if kinds, _ := s.repair(true); len(kinds) > 0 {
		t.Errorf("there is still something to repair: %v", kinds)
	}
}

// What is nowhere else is told, and only that.
func TestChunksThatAreNowhere(t *testing.T) {
	s := newScene(t)
	packs := s.packsOf(s.room, chunk.Data)
	s.remove(packs[0])
	plan, err := repair.Make(t.Context(), s.device(true))
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Steps) != 1 || plan.Steps[0].Kind != repair.Heal || plan.Steps[0].Object != packs[0] || !strings.HasPrefix(plan.Steps[0].How, "1 of its chunks are nowhere else") || plan.CanDo() {
		t.Errorf("%+v", plan.Steps)
	}
	s.backUp() // the file is still there
	s.wantWhole(1)
}

func (s *scene) packsOf(room *vaulttest.Room, kind chunk.Kind) (names []string) {
	s.Helper()
	dev, err := room.Dir(s).Device()
	if err != nil {
		s.Fatal(err)
	}
	for _, name := range s.list("packs/") {
		p, err := ledger.ParsePackName(name)
		if err != nil {
			s.Fatal(err)
		}
		for _, series := range dev.Series {
			if series.ID() == p.Series && series.Kind == string(kind) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// A pack is lost, and so is the list that named it. Its name stands in the move
// that healed a part of it; the rest is found in a pack of another device.
func TestChunksOfAPackThatNoListNames(t *testing.T) {
	s := newScene(t)
	before := s.packsOf(s.room, chunk.Data)
	for i, name := range []string{"a", "b", "c"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
		s.write([]string{"x", "y", "z"}[i], byte(10+i))
	}
	s.backUp()
	lost := slices.DeleteFunc(s.packsOf(s.room, chunk.Data), func(name string) bool { return slices.Contains(before, name) })
	if len(lost) != 1 {
		t.Fatal(lost)
	}
	other, _ := s.room.Enrol(t, vault.EnrolOptions{})
	o := backup.Options{Project: "aabbccddeeff0011", Key: "q", Label: "q", Roots: []string{s.dir}, Workers: 1}
	if _, err := backup.Run(t.Context(), other.Vault, o); err != nil {
		t.Fatal(err)
	}
	s.remove(lost[0])
	if err := os.Remove(filepath.Join(s.dir, "y")); err != nil {
		t.Fatal(err)
	}
	s.write("d", 4)
	if res := s.backUp(); res.Healed.Chunks != 2 || res.Healed.Left != 1 {
		t.Fatalf("healed %+v", res.Healed)
	}
	lent := s.room.Lent(t)
	snap, err := lent.Find(t.Context(), s.ids[3], vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	s.remove(snap.Commit.Ledger)
	s.forget()
	kinds, done := s.repair(true)
	s.want(kinds, repair.StandIn, repair.Move)
	if done.Moved != 1 {
		t.Errorf("%+v", done)
	}
	s.wantReadable()
	if kinds, _ := s.repair(true); len(kinds) > 0 {
		t.Errorf("there is still something to repair: %v", kinds)
	}
}

// The list of packs that a move goes by is lost, and another one stands in for
// it: the move counts all the same.
func TestLedgerOfAMoveIsReplaced(t *testing.T) {
	s := newScene(t)
	s.remove(s.packsOf(s.room, chunk.Data)[0])
	if res := s.backUp(); res.Healed.Packs != 1 {
		t.Fatalf("healed %+v", res.Healed)
	}
	moves, err := s.room.Lent(t).Moves(t.Context())
	if err != nil || len(moves) != 1 {
		t.Fatal(moves, err)
	}
	s.flip(moves[0].Commit.Ledger)
	kinds, _ := s.repair(false)
	s.want(kinds, repair.StandIn)
	s.forget()
	s.wantWhole(2)
}

// Where nothing stands in for it, a restore takes the packs that are listed; with
// the kit verify sees that nothing is harmed, and repair writes the list anew.
func TestLedgerOfAMoveIsLost(t *testing.T) {
	for _, spare := range []bool{false, true} {
		s := newScene(t)
		s.remove(s.packsOf(s.room, chunk.Data)[0])
		s.backUp()
		moves, err := s.room.Lent(t).Moves(t.Context())
		if err != nil || len(moves) != 1 {
			t.Fatal(moves, err)
		}
		list := moves[0].Commit.Ledger
		s.remove(list)
		s.forget()
		s.wantReadable()
		for _, deep := range []bool{false, true} {
			res, err := verify.Run(t.Context(), s.device(deep), verify.Options{Deep: deep})
			named := slices.ContainsFunc(res.Problems, func(p verify.Problem) bool {
				return p.Object == list && len(p.Files) == 0 && strings.HasPrefix(p.Harms, "nothing that restore does not find")
			})
			if err != nil || !named || deep && len(res.Problems) != 1 {
				t.Errorf("deep %v: %v, %+v", deep, err, res)
			}
		}
		if spare { // what stands in may lack the packs, and keeps nobody from them
			if err := s.device(false).Replace(t.Context(), []string{list}, nil, nil); err != nil {
				t.Fatal(err)
			}
			s.wantReadable()
			if kinds, _ := s.repair(true); len(kinds) > 0 {
				t.Errorf("there is still something to repair: %v", kinds)
			}
			continue
		}
		kinds, _ := s.repair(false)
		s.want(kinds, repair.NeedsKit)
		kinds, _ = s.repair(true)
		s.want(kinds, repair.StandIn)
		s.forget()
		s.wantWhole(2)
	}
}

// Of a move whose old packs no snapshot needs any more, a prune deletes list and
// map, and the commit stays: that is nothing to repair.
func TestMoveThatIsOver(t *testing.T) {
	s := newScene(t)
	old := ledger.Pack{Series: chunk.Series{7}, Sum: [32]byte{1}}
	name := s.packsOf(s.room, chunk.Data)[0]
	p, err := ledger.ParsePackName(name)
	if err != nil {
		t.Fatal(err)
	}
	p.Size = 1
	move := vault.NewMove{Old: []string{old.Name()}, Packs: []ledger.Pack{p}, Refs: []chunk.Ref{{ID: chunk.ID{1}, Series: p.Series, Number: p.Number, Len: 1}}}
	if err := s.device(false).CommitMove(t.Context(), move, nil); err != nil {
		t.Fatal(err)
	}
	moves, err := s.room.Lent(t).Moves(t.Context())
	if err != nil || len(moves) != 1 {
		t.Fatal(moves, err)
	}
	s.remove(moves[0].Commit.Ledger)
	s.remove(moves[0].Commit.Body)
	for _, copies := range []bool{true, false} {
		for _, kit := range []bool{false, true} {
			plan, err := repair.Make(t.Context(), s.device(kit))
			if err != nil || len(plan.Steps) > 0 {
				t.Errorf("copies %v, kit %v: %+v, %v", copies, kit, plan.Steps, err)
			}
		}
		s.forget()
	}
}
