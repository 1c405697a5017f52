package vault

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/vault/commit"
	"coffer/vault/state"
)

// Commits that are folded are found as before, one by one or many at a time,
// and their files are gone; a fold that is damaged is like none from there on.
func TestFolds(t *testing.T) {
	dir, err := state.Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	v := &Vault{dir: dir}
	var keys []string
	texts := map[string][]byte{}
	for i := range 30 {
		text := fmt.Appendf(nil, "commit %d\nwith two lines\n", i)
		n := commit.Name{Device: "00112233445566aa", Seq: uint64(1 + i*100), Kind: commit.Snapshot, Time: time.Unix(1e9, 0), Sum: sha256.Sum256(text)}
		key := cacheName(n.String())
		v.cache(key, text)
		keys, texts[key] = append(keys, key), text
	}
	check := func(v *Vault, what string, keys []string) {
		t.Helper()
		for _, key := range keys {
			if b, ok := v.cached(key); !ok || !bytes.Equal(b, texts[key]) {
				t.Errorf("%s: %s: %q, %v", what, key, b, ok)
			}
		}
	}
	v.fold(keys[:20])
	check(v, "some folded", keys)
	v.fold(keys[20:])
	check(v, "all folded", keys)
	check(&Vault{dir: dir}, "another process", keys)
	entries, err := os.ReadDir(filepath.Join(dir.Path(), "objects"))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files, want 3 folds: %v, %v", len(entries), entries, err)
	}
	fold, _, _ := foldOf(keys[0])
	b, err := os.ReadFile(v.cachePath(fold))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.cachePath(fold), b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	lost := 0
	cut := &Vault{dir: dir}
	for _, key := range keys[:11] { // those of the first folder
		if b, ok := cut.cached(key); !ok {
			lost++
		} else if !bytes.Equal(b, texts[key]) {
			t.Errorf("%s: %q", key, b)
		}
	}
	if lost != 1 {
		t.Errorf("%d lost by a cut off end, want 1", lost)
	}
}
