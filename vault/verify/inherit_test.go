package verify_test

import (
	"maps"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/trust"
	"coffer/vault/verify"
)

// Who takes the place of another device opens some of its packs: one whose
// bytes are wrong, which no listing shows, is not relied on, and its files are
// stored again.
func TestInheritedPacksAreSampled(t *testing.T) {
	room, dir := many(t, 2)
	packs := packsOf(t, room, chunk.Data)
	flip(t, room, packs[0])
	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	v, counts := counted(room)
	heir, done := v.Enrol(t, vault.EnrolOptions{Replace: trust.DeviceID(dev.Device)})
	if done.Chunks == 0 || counts[packs[0]] == 0 || counts[packs[1]] == 0 {
		t.Errorf("%+v, read %v", done, counts)
	}
	heir = heir.With(room.Store)
	res := backUp(t, heir.Reopen(t), dir)
	if res.Healed.Packs != 1 || res.NewChunks == 0 {
		t.Errorf("it relied on the pack: %+v", res)
	}
	if got := heir.Read(t, res.Snapshot); len(got) != 2 {
		t.Errorf("files: %q", slices.Sorted(maps.Keys(got)))
	}
	if res := check(t, heir.Lent(t), verify.Options{Deep: true}); len(res.Problems) > 0 || len(res.Replaced) != 1 {
		t.Errorf("%+v", res)
	}
}
