package verify_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

func backUp(t *testing.T, v *vault.Vault, dir string) backup.Result {
	t.Helper()
	if err := v.State().BindProject("p", "00112233445566aa"); err != nil {
		t.Fatal(err)
	}
	o := backup.Options{Project: trust.ProjectID("00112233445566aa"), Label: "p", Roots: []string{dir}, Workers: 1} // one pack of data
	res, err := backup.Run(t.Context(), v, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// filled makes a vault with one snapshot of a few files.
func filled(t *testing.T) (*vaulttest.Room, string) {
	t.Helper()
	room, dir := vaulttest.New(t), t.TempDir()
	for i, text := range []string{"one", "two", strings.Repeat("three ", 200_000)} {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	backUp(t, room.Vault, dir)
	return room, dir
}

func check(t *testing.T, v *vault.Vault, o verify.Options) verify.Result {
	t.Helper()
	res, err := verify.Run(t.Context(), v, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// first returns the first object whose name begins with prefix.
func first(t *testing.T, s remote.Store, prefix string) string {
	t.Helper()
	for i, err := range s.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		return i.Name
	}
	t.Fatalf("no object %s", prefix)
	return ""
}

func TestSoundVault(t *testing.T) {
	room, _ := filled(t)
	for _, o := range []verify.Options{{}, {ReadData: 1}, {Deep: true}} {
		if res := check(t, room.Lent(t), o); len(res.Problems) != 0 || res.Snapshots != 1 || res.Packs == 0 {
			t.Errorf("%+v: %+v", o, res)
		}
	}
	if _, err := verify.Run(t.Context(), room.Reopen(t), verify.Options{Deep: true}); !errors.Is(err, vault.ErrNoIdentity) {
		t.Errorf("deep without the identity: %v", err)
	}
}

// Every kind of object that a snapshot needs is missed when it is gone, by
// name, and with the snapshot it harms.
func TestMissingObjects(t *testing.T) {
	for _, prefix := range []string{"packs/", "ledgers/", "snapshots/"} {
		room, _ := filled(t)
		name := first(t, room.Store, prefix)
		if err := room.Store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		res := check(t, room.Lent(t), verify.Options{})
		hit := slices.ContainsFunc(res.Problems, func(p verify.Problem) bool { return p.Object == name && len(p.Snapshots) == 1 })
		if !hit {
			t.Errorf("%s is gone: %+v", name, res.Problems)
		}
	}
}

// A request that fails, whichever it is, fails a verify: what was not read is
// neither whole nor damaged.
func TestVerifyFailsWithTheRemote(t *testing.T) {
	room, dir := filled(t)
	write(t, dir, "d", 7)
	backUp(t, room.Reopen(t), dir)
	for what, o := range map[string]verify.Options{"plain": {}, "bytes": {ReadData: 1}, "deep": {Deep: true}} {
		n := vaulttest.EachFails(t, room, func(r *vaulttest.Room, arm func()) error {
			v := r.Lent(t)
			arm()
			res, err := verify.Run(t.Context(), v, o)
			if len(res.Problems) > 0 || err == nil && res.Snapshots != 2 {
				t.Errorf("%s: %+v", what, res)
			}
			return err
		})
		t.Logf("%s: %d requests", what, n)
	}
}

// What is gone must not be relied on by the next run, whether verify found it
// first or the run itself: its snapshot holds everything that is still on the
// disk.
func TestNextRunStoresAnewWhatIsMissing(t *testing.T) {
	t.Run("verified", func(t *testing.T) { storesAnew(t, true) })
	t.Run("unseen", func(t *testing.T) { storesAnew(t, false) })
}

func storesAnew(t *testing.T, verified bool) {
	room, dir := filled(t)
	for range 2 { // the pack of data and that of segments
		if err := room.Store.Delete(t.Context(), first(t, room.Store, "packs/")); err != nil {
			t.Fatal(err)
		}
	}
	if verified && len(check(t, room.Reopen(t), verify.Options{}).Problems) == 0 {
		t.Fatal("missing packs were not found")
	}
	if res := backUp(t, room.Reopen(t), dir); res.Unchanged || res.Stored == 0 {
		t.Errorf("the next run relied on packs that are gone: %+v", res)
	}
	lent := room.Lent(t)
	snap, err := lent.Find(t.Context(), "latest", vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	res := check(t, room.Lent(t), verify.Options{Deep: true})
	for _, p := range res.Problems {
		if slices.Contains(p.Snapshots, snap.Short()) {
			t.Errorf("the new snapshot is harmed too: %+v", p)
		}
	}
}
