package manifest

import (
	"fmt"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/files"
)

// The bytes of whole trees: their cuts, the levels, list chunks and the keyed
// hashes. What is here is on somebody's remote.
func TestTreeIsGolden(t *testing.T) {
	var out []byte
	s := newStore()
	put := func(data []byte) (chunk.Ref, error) {
		r, err := s.put(data)
		out = fmt.Appendf(out, "chunk %s\n%s\n", r.ID, data)
		return r, err
	}

	refs := dataRefs(1, 70)
	clear(refs[40].ID[:8]) // begins a list chunk
	depth, top, _, err := BuildList(refs, put)
	if err != nil {
		t.Fatal(err)
	}
	big := file("big", 0)
	big.Size, big.ListDepth, big.Refs = 70<<20, depth, top
	big.ContentHash = ContentHash(chunk.NewHasher(chunk.Key{9}), IDs(refs))
	big.Link = LinkGroup(chunk.NewHasher(testKey), []byte("mnt"), 77)
	big.Xattrs = []files.Xattr{{Name: "user.long", Value: fmt.Appendf(nil, "%05000d", 1)}, {Name: "user.short", Value: []byte("v")}}
	if err := StoreXattrs(&big, put); err != nil {
		t.Fatal(err)
	}

	entries := []Entry{folder(""), big}
	c := cutter{h: chunk.NewHasher(testKey)}
	for i := 0; len(entries) < 12; i++ { // the names that cut, and a neighbour of each
		if name := fmt.Sprintf("n%d", i); c.cuts(0, []byte(name)) {
			entries = append(entries, file(name, uint64(i)), file(name+"x", uint64(i)))
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
	b := NewBuilder(testKey, put)
	for i := range entries {
		if err := b.Add(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	out = fmt.Appendf(out, "root of level %d with %d entries: %s\n", root.Level, root.Count, root.Ref.ID)
	golden(t, "tree.txt", out)
	if d := differ(entries, collect(t, s, root, WalkOptions{})); d != "" {
		t.Error(d)
	}
}
