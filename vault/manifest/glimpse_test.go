package manifest

import (
	"fmt"
	"testing"

	"coffer/chunk"
	"coffer/files"
)

// Each segment of a tree tells by itself what the segments above say of it, so
// that a tree can be found from below.
func TestLook(t *testing.T) {
	s := newStore()
	var entries []Entry
	for i := range 20_000 {
		e := Entry{Path: fmt.Sprintf("f%05d", i)}
		e.Type, e.Mtime = files.Regular, files.Time{Sec: int64(i)}
		entries = append(entries, e)
	}
	root := Entry{}
	root.Type = files.Dir
	tree := build(t, s, append([]Entry{root}, entries...))
	if tree.Level < 1 {
		t.Fatalf("level %d", tree.Level)
	}
	var count int64
	var newest files.Time
	var walk func(ref chunk.Ref, level int)
	walk = func(ref chunk.Ref, level int) {
		data, err := s.get(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		g, ok := Look(data)
		if !ok || (g.Children == nil) != (level == 0) {
			t.Fatalf("level %d: %v, %d children", level, ok, len(g.Children))
		}
		if level == tree.Level && (g.First != "" || g.Count != tree.Count) {
			t.Errorf("root: first %q, %d entries", g.First, g.Count)
		}
		if level == 0 {
			count += g.Count
			if g.Newest.Sec > newest.Sec {
				newest = g.Newest
			}
		}
		for _, c := range g.Children {
			walk(c, level-1)
		}
	}
	walk(tree.Ref, tree.Level)
	if count != tree.Count || newest.Sec != 19_999 {
		t.Errorf("%d entries, newest %d", count, newest.Sec)
	}
	for _, no := range []string{"", "text", "{\"series\":[]}\n", "{\"series\":[\"9f00112233445566\"]}\n[\"KxEmXGNAyW6dsbClNqtwGqbdGEeDFz9d__D_9OMviI4\",0,0,8,6]\n"} {
		if _, ok := Look([]byte(no)); ok {
			t.Errorf("%q passes for a segment", no)
		}
	}
}
