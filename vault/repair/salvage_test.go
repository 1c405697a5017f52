package repair_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/vault/restore"
)

// Nothing is left but the trust and the packs: no commit, no list, no body. All
// trees that were ever saved are found, and restore.
func TestTreesFromPacksAlone(t *testing.T) {
	s := newScene(t)
	for _, prefix := range []string{"commits/", "ledgers/", "snapshots/", "moves/", "rolls/"} {
		for _, name := range s.list(prefix) {
			s.remove(name)
		}
	}
	v := s.room.Lent(t)
	packs := 0
	trees, err := v.Trees(t.Context(), func(done, total int) { packs = total })
	if err != nil {
		t.Fatal(err)
	}
	if len(trees) != 3 || packs != 6 {
		t.Fatalf("%d trees in %d packs", len(trees), packs)
	}
	for i, tree := range trees { // oldest first
		out := filepath.Join(t.TempDir(), "out")
		if _, err := restore.Run(t.Context(), v.SourceOf(tree, "/tree"), restore.Options{Target: out}); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for path, want := range s.was[i] {
			b, err := os.ReadFile(filepath.Join(out, strings.TrimPrefix(path, s.dir)))
			if err != nil || string(b) != want {
				t.Errorf("tree %d: %s: %v", i+1, path, err)
			}
			got[path] = true
		}
		if entries, _ := os.ReadDir(out); len(entries) != len(got) || int64(len(got)) != tree.Root.Count-1 {
			t.Errorf("tree %d: %d files, want %d", i+1, len(entries), len(got))
		}
	}
}
