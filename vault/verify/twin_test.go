package verify_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/repair"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// Two packs may have one number: a cloned machine makes them. What a move of one
// of them has, a restore finds for the other one too, since the IDs of the chunks
// tell; and so does verify, who has the kit. Without it nobody knows, and a prune
// neither: a repair commits a move of the pack itself, which is kept with it.
func TestMoveOfATwin(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, dir, "a", 1)
	snap := backUp(t, room.Reopen(t), dir).Snapshot
	was := room.Read(t, snap)
	other, _ := room.Enrol(t, vault.EnrolOptions{})
	theirs := backUp(t, other.Reopen(t), dir).Snapshot
	refs := room.Entries(t, theirs)[filepath.Join(dir, "a")].Refs
	lost := packsNamed(t, room, packsOf(t, room, chunk.Data)...)[0]
	remove(t, room, lost.Name())
	twin := lost
	twin.Sum[0] ^= 1
	move := vault.NewMove{Old: []string{twin.Name()}, Refs: refs, Packs: packsNamed(t, room, packsOf(t, other, chunk.Data)...)}
	if err := room.Reopen(t).CommitMove(t.Context(), move, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), snap)); err != nil || !maps.Equal(got, was) {
		t.Fatalf("it does not restore: %v", err)
	}
	for range 2 { // what the first has proven is nothing to go by
		if res := check(t, room.Reopen(t), verify.Options{}); len(res.Replaced) > 0 || len(res.Problems) != 1 || res.Problems[0].Object != lost.Name() {
			t.Errorf("without the kit: %+v", res)
		}
		res := check(t, lentDevice(t, room), verify.Options{Deep: true})
		if len(res.Problems)+len(res.Doubts) > 0 || len(res.Replaced) != 1 || !res.Replaced[0].Proven {
			t.Errorf("deep: %+v", res)
		}
	}
	plan, err := repair.Make(t.Context(), lentDevice(t, room))
	if err != nil || len(plan.Steps) != 1 || plan.Steps[0].Kind != repair.Move || plan.Steps[0].Object != lost.Name() {
		t.Fatalf("a repair says %+v, %v", plan.Steps, err)
	}
	moves, err := room.Reopen(t).Moves(t.Context())
	if err != nil || len(moves) != 1 {
		t.Fatalf("%d moves, %v", len(moves), err)
	}
	if _, err := plan.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plan, err = repair.Make(t.Context(), lentDevice(t, room)); err != nil || len(plan.Steps) > 0 {
		t.Errorf("the next repair says %+v, %v", plan.Steps, err)
	}
	remove(t, room, moves[0].Commit.Body) // a prune takes it once nothing needs the twin
	if got, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), snap)); err != nil || !maps.Equal(got, was) {
		t.Errorf("after the move of the twin has gone it does not restore: %v", err)
	}
}

// A list is lost, and under the number of a pack that only it named another one is
// listed. Nobody takes that for the right one, whether a move has what the right
// one held or not.
func TestAnotherPackIsListed(t *testing.T) {
	for _, moved := range []bool{false, true} {
		room, dir := vaulttest.New(t), t.TempDir()
		write(t, dir, "a", 1)
		snap := find(t, room.Lent(t), backUp(t, room.Reopen(t), dir).Snapshot)
		was := room.Read(t, snap.ID())
		lost := packsOf(t, room, chunk.Data)[0]
		if moved {
			repack(t, room, lost)
		}
		remove(t, room, lost)
		putTwin(t, room, lost)
		remove(t, room, snap.Commit.Ledger)
		forgetCopies(t, room)
		for range 2 { // the list is lost, and then another one stands in for it
			got, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), snap.ID()))
			if moved && (err != nil || !maps.Equal(got, was)) || !moved && err == nil {
				t.Errorf("moved %v: a restore: %v", moved, err)
			}
			res := check(t, room.Lent(t), verify.Options{Deep: true})
			harmed := slices.ContainsFunc(res.Problems, func(p verify.Problem) bool { return slices.Equal(p.Files, []string{snap.Short() + ":a"}) })
			if harmed == moved {
				t.Errorf("moved %v: %+v", moved, res.Problems)
			}
			plan, err := repair.Make(t.Context(), lentDevice(t, room))
			if err != nil {
				t.Fatal(err)
			}
			if lost := slices.ContainsFunc(plan.Steps, func(s repair.Step) bool { return s.Kind == repair.Heal }); lost == moved {
				t.Errorf("moved %v: a repair says %+v", moved, plan.Steps)
			}
			if _, err := plan.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			forgetCopies(t, room)
		}
	}
}

// putTwin stores a good pack of other content under the number of another one.
func putTwin(t *testing.T, room *vaulttest.Room, name string) {
	t.Helper()
	b := pack.NewBuilder(pack.TargetData, pack.Default)
	data := []byte("something else")
	b.Add(chunk.Data, room.Lent(t).Hasher(chunk.Data).ID(data), data)
	recipients, err := seal.ParseRecipients(room.Lent(t).Trust().Recipients)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := b.Seal(recipients)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := ledger.ParsePackName(name)
	if err != nil {
		t.Fatal(err)
	}
	twin.Sum = sealed.Sum
	put(t, room, twin.Name(), sealed.Object)
}
