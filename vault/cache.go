package vault

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"coffer/vault/ledger"
)

// The cache keeps small objects that were fetched or made: commits, ledgers,
// rolls and condemned lists. The hash in an object's name guards its bytes; a
// cache that is gone or wrong costs a fetch.

// cacheName turns an object name into a file name.
func cacheName(name string) string { return strings.ReplaceAll(name, "/", "_") }

func (v *Vault) cachePath(key string) string {
	return filepath.Join(v.dir.Path(), "objects", key)
}

func (v *Vault) cached(key string) ([]byte, bool) {
	if v.dir == nil {
		return nil, false
	}
	b, err := os.ReadFile(v.cachePath(key))
	return b, err == nil && len(b) <= maxLedger
}

// cache stores b, at best effort: nothing depends on it.
func (v *Vault) cache(key string, b []byte) {
	if v.dir == nil {
		return
	}
	path := v.cachePath(key)
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	tmp := path + ".tmp"
	if os.WriteFile(tmp, b, 0o600) == nil {
		_ = os.Rename(tmp, path)
	}
}

// fetchCached is fetchNamed by way of the cache.
func (v *Vault) fetchCached(ctx context.Context, name string, max int64) ([]byte, error) {
	if b, ok := v.cached(cacheName(name)); ok && checkNamed(name, b) == nil {
		return b, nil
	}
	b, err := v.fetchNamed(ctx, name, max)
	if err == nil {
		v.cache(cacheName(name), b)
	}
	return b, err
}

func (v *Vault) cachedLedger(ctx context.Context, name string) (*ledger.Ledger, error) {
	b, err := v.fetchCached(ctx, name, maxLedger)
	if err != nil {
		return nil, err
	}
	return v.parseLedger(name, b)
}

func (v *Vault) cachedRoll(ctx context.Context, name string) ([]ledger.Pack, error) {
	b, err := v.fetchCached(ctx, name, ledger.MaxRoll)
	if err != nil {
		return nil, err
	}
	packs, err := ledger.ParseRoll(name, b)
	if err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	return packs, nil
}

// dropStale removes cached ledgers that no live snapshot or progress of this
// device names, so that the cache does not grow with history.
func (v *Vault) dropStale(h *ownHistory) {
	live := map[string]bool{}
	for _, name := range h.liveLedgers() {
		live[cacheName(name)] = true
	}
	entries, err := os.ReadDir(filepath.Join(v.dir.Path(), "objects"))
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "ledgers_") && !live[e.Name()] {
			_ = os.Remove(filepath.Join(v.dir.Path(), "objects", e.Name()))
		}
	}
}
