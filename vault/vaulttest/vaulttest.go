// Package vaulttest makes vaults for tests, as net/http/httptest makes
// servers: real ones, with real keys, on a store in memory or any other.
package vaulttest

import (
	"path/filepath"
	"testing"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
)

// A Room is a vault, its store, and what its first device has.
type Room struct {
	Vault *vault.Vault // of the device; it holds no identity
	Store remote.Store
	Kit   *kit.Kit
	Home  string // folder that holds state and kit
	Path  string // of the kit
}

// New makes a vault on a store in memory.
func New(t testing.TB) *Room { return On(t, mem.New()) }

// On makes a vault on a store.
func On(t testing.TB, store remote.Store) *Room {
	t.Helper()
	home := t.TempDir()
	_, k, path, err := vault.Init(t.Context(), store, vault.InitOptions{
		Label: "test", StateRoot: filepath.Join(home, "state"), KitDir: home, Remote: store.Location(),
		Classic: true, // as safe for tests, and the keys are quicker to make
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &Room{Store: store, Kit: k, Home: home, Path: path}
	r.Vault = r.Reopen(t)
	return r
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
	v, err := vault.Open(t.Context(), r.Store, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
