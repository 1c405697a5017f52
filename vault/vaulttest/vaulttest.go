// Package vaulttest makes vaults for tests, as net/http/httptest makes
// servers: real ones, with real keys, on a store in memory or any other.
package vaulttest

import (
	"os"
	"path/filepath"
	"testing"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
)

// A Room is a vault, its store, and what one of its devices has.
type Room struct {
	Vault  *vault.Vault // of the device; it holds no identity
	Store  remote.Store
	Kit    *kit.Kit
	Home   string        // folder that holds state and kit
	Path   string        // of the kit
	Safety *vault.Safety // the ages in force from the next opening on; nil: the usual ones
}

// New makes a vault on a store in memory.
func New(t testing.TB) *Room { return On(t, mem.New()) }

// On makes a vault on a store.
func On(t testing.TB, store remote.Store) *Room {
	t.Helper()
	home := Folder(t)
	_, k, path, err := vault.Init(t.Context(), store, Options(home))
	if err != nil {
		t.Fatal(err)
	}
	r := &Room{Store: store, Kit: k, Home: home, Path: path}
	r.Vault = r.Reopen(t)
	return r
}

// Options are those of a vault whose first device keeps its state in home.
func Options(home string) vault.InitOptions {
	return vault.InitOptions{
		Label: "test", StateRoot: filepath.Join(home, "state"), KitDir: home, Remote: "mem:",
		Classic: true, // as safe for tests, and the keys are quicker to make
	}
}

// Folder makes a folder that goes with the test. Where the system has a disk
// in memory it lies there: state is synced often, and tests open it hundreds
// of times.
func Folder(t testing.TB) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "coffer-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// StatePath is where the device's local state is.
func (r *Room) StatePath() string { return filepath.Join(r.Home, "state", string(r.Kit.Vault)) }

// Reopen opens the vault again as the device does at each start: without the
// kit, from its local state.
func (r *Room) Reopen(t testing.TB) *vault.Vault {
	t.Helper()
	return r.open(t, vault.OpenOptions{State: r.Dir(t)})
}

// Dir opens the device's local state.
func (r *Room) Dir(t testing.TB) *state.Dir {
	t.Helper()
	dir, err := state.Open(r.StatePath())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Lent opens the vault by the kit alone, as on a new machine.
func (r *Room) Lent(t testing.TB) *vault.Vault {
	t.Helper()
	return r.open(t, vault.OpenOptions{Kit: r.Kit})
}

func (r *Room) open(t testing.TB, o vault.OpenOptions) *vault.Vault {
	t.Helper()
	o.Safety = r.Safety
	v, err := vault.Open(t.Context(), r.Store, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// With returns the room as it is on another store: one that fails, or an older
// copy.
func (r *Room) With(store remote.Store) *Room {
	c := *r
	c.Store, c.Vault = store, nil
	return &c
}

// Image copies what the device has, as an image of its disk does. Both may go
// on, with one store and one set of keys. The Room has no open Vault.
func (r *Room) Image(t testing.TB) *Room {
	t.Helper()
	c := r.With(r.Store)
	c.Home = Folder(t)
	c.Path = filepath.Join(c.Home, filepath.Base(r.Path))
	if err := os.CopyFS(c.Home, os.DirFS(r.Home)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Enrol lets a second machine into the vault. replace may be "".
func (r *Room) Enrol(t testing.TB, o vault.EnrolOptions) (*Room, vault.Enrolled) {
	t.Helper()
	c := r.With(r.Store)
	c.Home = Folder(t)
	o.StateRoot, o.Remote, o.Safety = filepath.Join(c.Home, "state"), "mem:", r.Safety
	if o.Label == "" {
		o.Label = "second"
	}
	v, done, err := vault.Enrol(t.Context(), r.Store, r.Kit, o)
	if err != nil {
		t.Fatal(err)
	}
	c.Vault = c.Reopen(t)
	_ = v
	return c, done
}
