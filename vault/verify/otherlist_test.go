package verify_test

import (
	"crypto/ed25519"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/vault/commit"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// What stands in for a ledger was written by another program: it goes by a roll,
// of which it names a part. A restore finds what it lacks all the same; and that
// the roll is lost is told, and ends no verification.
func TestStandInByARoll(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	for i, name := range []string{"a", "b"} {
		write(t, dir, name, byte(i+1))
		backUp(t, room.Reopen(t), dir)
	}
	nextFolder(t, room)
	write(t, dir, "c", 3)
	old := backUp(t, room.Reopen(t), dir).Snapshot
	was := room.Read(t, old)
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "d", 4)
	last := find(t, room.Lent(t), backUp(t, room.Reopen(t), dir).Snapshot)
	list := find(t, room.Lent(t), old).Commit.Ledger

	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	c := &commit.Commit{
		Version: 1, Vault: last.Commit.Vault, Device: last.Commit.Device, Kind: commit.Move,
		Time: last.Commit.Time.Add(time.Minute), Old: []string{list}, Ledger: last.Commit.Ledger, Trust: last.Commit.Trust,
	}
	if err := c.Follow(last.Commit); err != nil {
		t.Fatal(err)
	}
	obj, err := c.Sign(ed25519.PrivateKey(dev.SignKey()))
	if err != nil {
		t.Fatal(err)
	}
	put(t, room, c.Name().String(), obj)
	remove(t, room, list)
	if err := os.RemoveAll(filepath.Join(room.StatePath(), "objects")); err != nil {
		t.Fatal(err)
	}
	if got, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), old)); err != nil || !maps.Equal(got, was) {
		t.Errorf("it does not restore: %v", err)
	}
	roll := first(t, room.Store, "rolls/")
	remove(t, room, roll)
	if got, err := vaulttest.Read(t.Context(), room.Lent(t), find(t, room.Lent(t), old)); err != nil || !maps.Equal(got, was) {
		t.Errorf("the roll is lost, and it does not restore: %v", err)
	}
	for _, deep := range []bool{false, true} {
		res := check(t, lentDevice(t, room), verify.Options{Deep: deep})
		if len(res.Problems) == 0 {
			t.Errorf("deep %v: the roll is lost: %+v", deep, res)
		}
	}
}
