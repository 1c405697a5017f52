package backup_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

var project = trust.ProjectID("00112233445566aa")

// run backs up the roots and fails the test on any error.
func run(t testing.TB, v *vault.Vault, roots ...string) backup.Result {
	t.Helper()
	res, err := backup.Run(t.Context(), v, backup.Options{Project: project, Label: "p", Roots: roots, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// write makes a file with content that does not compress.
func write(t testing.TB, path string, size int, seed uint64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, noise(size, seed), 0o644); err != nil {
		t.Fatal(err)
	}
}

func noise(size int, seed uint64) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func names(t testing.TB, s remote.Store) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for i, err := range s.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		out[i.Name] = true
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	room := vaulttest.New(t)
	dir := t.TempDir()
	want := map[string][]byte{}
	for i, size := range []int{0, 1, 100, 4096, 600 << 10, 5 << 20, 20 << 20} {
		path := filepath.Join(dir, "d", string(rune('a'+i)))
		write(t, path, size, uint64(i))
		want[path] = noise(size, uint64(i))
	}
	res := run(t, room.Vault, dir)
	if res.Files != 7 || res.Partial || res.NewFiles != 7 {
		t.Errorf("%+v", res)
	}
	got := room.Read(t, "latest")
	for path, b := range want {
		if got[path] != string(b) {
			t.Errorf("%s: %d bytes, want %d", path, len(got[path]), len(b))
		}
	}
}

// A run that changes nothing opens no file and writes one object.
func TestUnchanged(t *testing.T) {
	room := vaulttest.New(t)
	dir := t.TempDir()
	for i := range 300 {
		write(t, filepath.Join(dir, "d", string(rune('a'+i%26)), string(rune('a'+i/26))), 1000+i, uint64(i))
	}
	waitGrain()
	first := run(t, room.Vault, dir)
	before := names(t, room.Store)
	res := run(t, room.Reopen(t), dir)
	if res.ReadBytes != 0 || res.KeptFiles != first.Files || !res.Unchanged {
		t.Errorf("%+v", res)
	}
	after := names(t, room.Store)
	if len(after) != len(before)+1 {
		t.Errorf("%d objects became %d", len(before), len(after))
	}
	if res.Snapshot == first.Snapshot || len(room.Read(t, res.Snapshot)) != 300 {
		t.Error("the second snapshot is not one of its own, or not whole")
	}
}

func TestIncrement(t *testing.T) {
	room := vaulttest.New(t)
	dir := t.TempDir()
	for i := range 50 {
		write(t, filepath.Join(dir, string(rune('a'+i%26)), string(rune('a'+i/26))), 10000, uint64(i))
	}
	big := filepath.Join(dir, "big")
	write(t, big, 30<<20, 99)
	waitGrain()
	first := run(t, room.Vault, dir)
	b := noise(30<<20, 99)
	b = append(b[:15<<20:15<<20], append([]byte("x"), b[15<<20:]...)...)
	if err := os.WriteFile(big, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a", "a")); err != nil {
		t.Fatal(err)
	}
	res := run(t, room.Reopen(t), dir)
	if res.NewBytes > 12<<20 || res.ChangedFiles != 1 || res.RemovedFiles != 1 {
		t.Errorf("%+v", res)
	}
	if got := room.Read(t, "latest")[big]; got != string(b) {
		t.Error("the changed file does not restore")
	}
	if got := room.Read(t, first.Snapshot); got[big] != string(noise(30<<20, 99)) || len(got) != 51 {
		t.Error("the first snapshot does not restore")
	}
}
