package manifest

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/files"
)

// listed makes an entry of refs.
func listed(t testing.TB, s *store, refs []chunk.Ref) (*Entry, []chunk.Ref) {
	t.Helper()
	depth, top, chunks, err := BuildList(refs, s.put)
	if err != nil {
		t.Fatal(err)
	}
	e := file("big", 0)
	e.Size, e.ListDepth, e.Refs = int64(len(refs))<<20, depth, top
	if depth > 0 {
		e.ContentHash = ContentHash(chunk.NewHasher(testKey), IDs(refs))
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	return &e, chunks
}

func refsOf(t testing.TB, s *store, e *Entry) (refs []chunk.Ref) {
	t.Helper()
	for r, err := range Refs(t.Context(), e, s.get) {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, r)
	}
	return refs
}

func TestListComesBack(t *testing.T) {
	for _, c := range []struct{ n, depth int }{{0, 0}, {1, 0}, {64, 0}, {65, 1}, {1024, 1}, {5000, 1}, {60_000, 2}} {
		s := newStore()
		refs := dataRefs(1, c.n)
		e, chunks := listed(t, s, refs)
		if e.ListDepth != c.depth || len(e.Refs) > MaxInlineRefs {
			t.Errorf("%d refs: depth %d with %d refs on top, want depth %d", c.n, e.ListDepth, len(e.Refs), c.depth)
		}
		if got := refsOf(t, s, e); !slices.Equal(got, refs) {
			t.Errorf("%d refs: %d come back, or others", c.n, len(got))
		}
		if len(chunks) != len(s.refs) {
			t.Errorf("%d refs: %d list chunks named, %d stored", c.n, len(chunks), len(s.refs))
		}
		for _, r := range chunks {
			if s.refs[r.ID] != r {
				t.Errorf("%d refs: %v is not stored", c.n, r)
			}
		}
	}
}

// Refs whose IDs never cut are cut by their number, at every depth.
func TestListForcedCuts(t *testing.T) {
	s := newStore()
	n := byte(0)
	put := func(data []byte) (chunk.Ref, error) {
		r, err := s.put(data)
		n++
		s.data[chunk.ID{7: 1, 31: n}] = s.data[r.ID]
		r.ID = chunk.ID{7: 1, 31: n}
		return r, err
	}
	refs := dataRefs(1, 100_000)
	for i := range refs {
		refs[i].ID[0], refs[i].ID[7] = 0, 1
	}
	depth, top, chunks, err := BuildList(refs, put)
	if err != nil || depth != 2 || len(top) != 1 || len(chunks) != 98+1 {
		t.Fatalf("depth %d, %d on top, %d chunks, %v", depth, len(top), len(chunks), err)
	}
	e := file("big", 0)
	e.Size, e.ListDepth, e.Refs = math.MaxInt64, depth, top
	if got := refsOf(t, s, &e); !slices.Equal(got, refs) {
		t.Error("others come back")
	}
}

// A chunk that comes or goes in the middle of a large file changes a few list
// chunks.
func TestOneRefChangesAFewListChunks(t *testing.T) {
	refs := dataRefs(1, 100_000)
	s := newStore()
	listed(t, s, refs)
	whole := s.fresh
	for n := range 13 {
		i := n * len(refs) / 12
		changed := slices.Insert(slices.Clone(refs), i, dataRef(1<<40+uint64(n), 1<<20))
		s.fresh = 0
		e, _ := listed(t, s, changed)
		if most := 2 * e.ListDepth; s.fresh == 0 || s.fresh > most {
			t.Errorf("ref %d: %d of %d list chunks are new, want 1 to %d", i, s.fresh, whole, most)
		}
	}
}

func TestListTooDeep(t *testing.T) {
	l := NewListBuilder(func(data []byte) (chunk.Ref, error) { return chunk.Ref{Len: int64(len(data))}, nil })
	var err error
	for i := 0; err == nil && i < 1<<20; i++ {
		err = l.Add(chunk.Ref{Len: 1}) // an ID that always cuts: a list chunk each
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

// The content hash tells content from content, not place from place.
func TestContentHash(t *testing.T) {
	h := chunk.NewHasher(chunk.Key{9})
	refs := dataRefs(1, 100)
	moved := slices.Clone(refs)
	for i := range moved {
		moved[i].Number++
	}
	swapped := slices.Clone(refs)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	want := ContentHash(h, IDs(refs))
	if ContentHash(h, IDs(moved)) != want {
		t.Error("it depends on the place")
	}
	if ContentHash(h, IDs(swapped)) == want || ContentHash(h, IDs(refs[1:])) == want || ContentHash(chunk.NewHasher(chunk.Key{8}), IDs(refs)) == want {
		t.Error("it does not depend on the order, the number or the key")
	}
}

func TestLinkGroup(t *testing.T) {
	h := chunk.NewHasher(testKey)
	seen := map[[8]byte]bool{}
	for _, mount := range []string{"", "a", "a/b"} {
		for ino := range uint64(4) {
			seen[LinkGroup(h, []byte(mount), ino)] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d groups of 12", len(seen))
	}
	if LinkGroup(h, []byte("a"), 1) != LinkGroup(chunk.NewHasher(testKey), []byte("a"), 1) {
		t.Error("not the same twice")
	}
}

func TestForgedListsAreRefused(t *testing.T) {
	s := newStore()
	e, _ := listed(t, s, dataRefs(1, 2000))
	first := s.data[e.Refs[0].ID]
	header, rest, _ := bytes.Cut(first, newline)
	line, _, _ := bytes.Cut(rest, newline)
	for name, data := range map[string]string{
		"empty":           "",
		"no newline":      string(first[:len(first)-1]),
		"no table":        string(rest),
		"no refs":         `{"series":[]}` + "\n",
		"blank":           strings.Replace(string(first), ",", ", ", 1),
		"empty line":      string(first) + "\n",
		"unknown series":  `{"series":[]}` + "\n" + string(line) + "\n",
		"unused series":   string(header) + "\n" + string(line) + "\n",
		"too many":        strings.Repeat(string(line)+"\n", MaxListRefs+1),
		"data after":      string(first[:len(first)-1]) + "x\n",
		"not a ref":       string(header) + "\n{}\n",
		"larger than all": string(header) + "\n" + strings.Repeat("x", MaxSegment) + "\n",
	} {
		if name == "too many" {
			data = `{"series":["` + e.Refs[0].Series.String() + "\"]}\n" + data
		}
		s.data[e.Refs[0].ID] = []byte(data)
		forged := *e
		forged.Refs = slices.Clone(e.Refs)
		forged.Refs[0].Len = int64(len(data))
		n := 0
		var last error
		for _, err := range Refs(t.Context(), &forged, s.get) {
			n++
			last = err
		}
		if fault, ok := errors.AsType[*SegmentError](last); n != 1 || !ok || fault.Ref != forged.Refs[0] || fault.From != "big" {
			t.Errorf("%s: %d refs, %v", name, n, last)
		}
	}
	s.data[e.Refs[0].ID] = first
	e.Size--
	var last error
	for _, err := range Refs(t.Context(), e, s.get) {
		last = err
	}
	if fault, ok := errors.AsType[*SegmentError](last); !ok || fault.Ref.ID == (chunk.ID{}) || fault.From != "big" {
		t.Errorf("more content than the size says: %v", last)
	}
}

func TestLargeXattrs(t *testing.T) {
	s := newStore()
	e := file("a", 12345)
	e.Xattrs = []files.Xattr{
		{Name: "user.z", Value: bytes.Repeat([]byte("z"), MaxInlineXattr+1)},
		{Name: "user.b", Value: bytes.Repeat([]byte("b"), MaxInlineXattr)},
		{Name: "security.a", Value: bytes.Repeat([]byte("a"), 100_000)},
		{Name: "user.none"},
	}
	want := e.Clone()
	slices.SortFunc(want.Xattrs, byName)
	if err := StoreXattrs(&e, s.put); err != nil {
		t.Fatal(err)
	}
	if len(e.BigXattrs) != 2 || len(e.Xattrs) != 2 || e.Check() != nil {
		t.Fatalf("%d large and %d small, %v", len(e.BigXattrs), len(e.Xattrs), e.Check())
	}
	b, series := line(&e)
	var got Entry
	if err := ParseEntry(b, series, &got); err != nil {
		t.Fatal(err)
	}
	if err := LoadXattrs(t.Context(), &got, s.get); err != nil {
		t.Fatal(err)
	}
	if d := differ([]Entry{*want}, []Entry{got}); d != "" {
		t.Error(d)
	}
	s.broken[e.BigXattrs[0].Ref.ID] = true
	err := LoadXattrs(t.Context(), &e, s.get)
	if _, ok := errors.AsType[*SegmentError](err); !ok || len(e.Xattrs) != 3 || len(e.BigXattrs) != 1 {
		t.Errorf("with one missing: %d and %d, %v", len(e.Xattrs), len(e.BigXattrs), err)
	}

	many := file("many", 12345)
	for i := range 40 {
		many.Xattrs = append(many.Xattrs, files.Xattr{Name: "user." + string(rune('A'+i)), Value: bytes.Repeat([]byte{byte(i)}, 4000)})
	}
	if err := StoreXattrs(&many, s.put); err != nil || many.Check() != nil || len(many.Xattrs) != maxXattrs/4000 {
		t.Errorf("%d of 40 stay in the line, %v, %v", len(many.Xattrs), err, many.Check())
	}
	huge := file("huge", 12345)
	huge.Xattrs = []files.Xattr{{Name: "n", Value: make([]byte, MaxSegment+1)}}
	if err := StoreXattrs(&huge, s.put); !errors.Is(err, ErrTooLarge) || len(huge.Xattrs) != 1 {
		t.Errorf("value of 2 MiB and a byte: %v", err)
	}
}
