package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/vault"
	"coffer/vault/manifest"
	"coffer/vault/vaulttest"
)

// covered checks that the snapshot's ledger names the pack of every ref: of
// content, segments, lists and large attributes. What it does not name, a prune
// may delete.
func covered(t *testing.T, room *vaulttest.Room) {
	t.Helper()
	v := room.Lent(t)
	snap, err := v.Find(t.Context(), "latest", vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := v.Source(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range src.Body().Roots {
		for use, err := range manifest.Closure(t.Context(), root.Root, src.Segment) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := src.PackName(t.Context(), use.Ref.Series, use.Ref.Number); err != nil {
				t.Errorf("%q: %v", use.Path, err)
			}
		}
	}
}

// A large attribute is a chunk of its own, in a pack that the file's entry must
// count among its packs: in the next run, which keeps the entry and writes the
// manifest elsewhere, nothing else names it.
func TestLargeXattrStaysCovered(t *testing.T) {
	room := vaulttest.New(t)
	dir, err := os.MkdirTemp("/dev/shm", "coffer-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write(t, filepath.Join(dir, "a"), 1000, 1)
	if err := unix.Setxattr(filepath.Join(dir, "a"), "user.big", noise(8000, 3), 0); err != nil {
		t.Fatal(err)
	}
	waitGrain()
	run(t, room.Vault, dir)
	covered(t, room)
	write(t, filepath.Join(dir, "b"), 1000, 2)
	if res := run(t, room.Reopen(t), dir); res.KeptFiles != 1 {
		t.Errorf("%d files kept, want 1", res.KeptFiles)
	}
	covered(t, room)
}
