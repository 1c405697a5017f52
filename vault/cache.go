package vault

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// The cache keeps small objects that were fetched or made: commits, ledgers,
// rolls, condemned lists, and the sealed bodies of the newest snapshots. The
// hash in an object's name guards its bytes; a cache that is gone or wrong
// costs a fetch.

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
	if err != nil && strings.HasPrefix(key, "commits_") {
		return v.folded(key)
	}
	return b, err == nil && len(b) <= maxLedger
}

// hasCached tells whether there is something under a key, without reading it:
// a run asks for each commit of a folder, up to 1,024.
func (v *Vault) hasCached(key string) bool {
	if v.dir == nil {
		return false
	}
	if _, err := os.Lstat(v.cachePath(key)); err == nil {
		return true
	}
	_, ok := v.cached(key)
	return ok
}

// ReadThrough says whether ledgers, rolls and condemned lists are read from the
// remote although copies are kept here: so reads who wants to know whether the
// remote still has them whole.
func (v *Vault) ReadThrough(on bool) { v.direct.Store(on) }

// kept is cached, unless the remote is to be read.
func (v *Vault) kept(key string) ([]byte, bool) {
	if v.direct.Load() {
		return nil, false
	}
	return v.cached(key)
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
	if b, ok := v.kept(cacheName(name)); ok && checkNamed(name, b) == nil {
		return b, nil
	}
	b, err := v.fetchNamed(ctx, name, max)
	if err == nil {
		v.cache(cacheName(name), b)
	}
	return b, err
}

// Peek fetches an object whose name ends in the hash of its bytes, and compares
// them. It takes what is in the cache and adds nothing to it: for who reads the
// whole history once.
func (v *Vault) Peek(ctx context.Context, name string, max int64) ([]byte, error) {
	if b, ok := v.kept(cacheName(name)); ok && checkNamed(name, b) == nil {
		return b, nil
	}
	return v.fetchNamed(ctx, name, max)
}

// PeekLedger is Peek for a ledger.
func (v *Vault) PeekLedger(ctx context.Context, name string) (*ledger.Ledger, error) {
	b, err := v.Peek(ctx, name, maxLedger)
	if err != nil {
		return nil, err
	}
	return v.parseLedger(name, b)
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

// dropStale removes what nothing asks for any more, so that the cache does not
// grow with history: ledgers and rolls that no live snapshot or progress of
// this device names, and former trusts. Commits of folders before those in which
// history goes on are folded. At best effort: it is a cache.
func (v *Vault) dropStale(h *ownHistory) {
	keep := map[string]bool{cacheName(v.TrustName()): true}
	for _, name := range h.liveLedgers() {
		keep[cacheName(name)] = true
		if b, ok := v.cached(cacheName(name)); ok {
			if l, err := ledger.Parse(b); err == nil {
				for _, roll := range l.Rolls() {
					keep[cacheName(roll)] = true
				}
			}
		}
	}
	for _, p := range h.Projects {
		keep[cacheName(p.Body)] = true
	}
	for _, w := range h.Rolls {
		keep[cacheName(w.Name)] = true
	}
	entries, err := os.ReadDir(filepath.Join(v.dir.Path(), "objects"))
	if err != nil {
		return
	}
	var old []string
	for _, e := range entries {
		switch name := e.Name(); {
		case keep[name] || !h.isStale(name):
		case strings.HasPrefix(name, "commits_"):
			old = append(old, name)
		default:
			_ = os.Remove(v.cachePath(name))
		}
	}
	v.fold(old)
}

// isStale tells whether a cached object may go that nothing in particular keeps.
func (h *ownHistory) isStale(key string) bool {
	kind, rest, _ := strings.Cut(key, "_")
	switch kind {
	case "ledgers", "rolls", "trust", "snapshots":
		return true
	case "commits":
		n, err := commit.ParseName(strings.ReplaceAll(key, "_", "/"))
		if err != nil {
			return true
		}
		low := h.Others[n.Device].Seq
		for i, x := range h.Heads {
			if head, err := commit.ParseName(x); err == nil && head.Device == n.Device && (i == 0 || head.Seq < low) {
				low = head.Seq
			}
		}
		return commit.FolderOf(n.Seq) < commit.FolderOf(low)
	}
	return rest == ""
}
