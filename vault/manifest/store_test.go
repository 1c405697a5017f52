package manifest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coffer/chunk"
	"coffer/files"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: the bytes changed (-want +got):\n%s", path, cmp.Diff(string(want), string(got)))
	}
}

// same makes entries comparable.
var same = cmp.Options{cmpopts.IgnoreUnexported(Entry{}), cmpopts.EquateEmpty()}

var testKey = chunk.Key{1, 2, 3}

// A store keeps segments as a vault does: the same bytes are stored once.
type store struct {
	mu     sync.Mutex
	h      *chunk.Hasher
	refs   map[chunk.ID]chunk.Ref
	data   map[chunk.ID][]byte
	fresh  int         // chunks put that were not there
	gets   []chunk.Ref // in the order of their begin
	broken map[chunk.ID]bool
	offset int64
}

func newStore() *store {
	return &store{h: chunk.NewHasher(testKey), refs: map[chunk.ID]chunk.Ref{}, data: map[chunk.ID][]byte{}, broken: map[chunk.ID]bool{}}
}

func (s *store) put(data []byte) (chunk.Ref, error) {
	id := s.h.ID(data)
	if r, ok := s.refs[id]; ok {
		return r, nil
	}
	r := chunk.Ref{ID: id, Series: chunk.Series{0xee, byte(len(s.refs) >> 7)}, Number: uint32(len(s.refs) / 16), Offset: s.offset, Len: int64(len(data))}
	s.offset += r.Len
	s.refs[id], s.data[id] = r, slices.Clone(data)
	s.fresh++
	return r, nil
}

var errBroken = errors.New("broken on purpose")

func (s *store) get(ctx context.Context, r chunk.Ref) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = append(s.gets, r)
	data, ok := s.data[r.ID]
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.broken[r.ID]:
		return nil, errBroken
	case !ok:
		return nil, fmt.Errorf("no chunk %s", r.ID)
	}
	return data, nil
}

// fetched returns how many segments were fetched since the last call.
func (s *store) fetched() int {
	n := len(s.gets)
	s.gets = nil
	return n
}

// build makes a tree by Add.
func build(t testing.TB, s *store, entries []Entry) Root {
	t.Helper()
	b := NewBuilder(testKey, s.put)
	for i := range entries {
		if err := b.Add(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// differ compares entries with all they have, places included, faster than
// cmp does; of the first that differ it says how.
func differ(want, got []Entry) string {
	var x, y table
	for i := range min(len(want), len(got)) {
		a, b := AppendEntry(nil, &want[i], x.at), AppendEntry(nil, &got[i], y.at)
		if string(a) != string(b) || !slices.Equal(x.series, y.series) {
			return fmt.Sprintf("entry %d: %s", i, cmp.Diff(&want[i], &got[i], same))
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("-%d entries\n+%d entries", len(want), len(got))
	}
	return ""
}

// collect is a whole walk, copied.
func collect(t testing.TB, s *store, root Root, opts WalkOptions) []Entry {
	t.Helper()
	var list []Entry
	for e, err := range Walk(t.Context(), root, s.get, opts) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, *e.Clone())
	}
	return list
}

// tree makes about n entries in the order of a walk, the same for each seed.
func tree(seed uint64, n int) []Entry {
	return treeOf(seed, n, "src", "a.", "ü-", "README ", "\xff")
}

func treeOf(seed uint64, n int, begin ...string) []Entry {
	r := rand.New(rand.NewPCG(seed, 1))
	list := []Entry{folder("")}
	dirs := []string{""}
	taken := map[string]bool{}
	for len(list) < n {
		dir := dirs[r.IntN(len(dirs))]
		name := fmt.Sprintf("%s%d%s", begin[r.IntN(len(begin))], r.IntN(n), []string{"", ".go", "!"}[r.IntN(3)])
		path := strings.TrimPrefix(dir+"/"+name, "/")
		if taken[path] {
			continue
		}
		taken[path] = true
		if r.IntN(8) == 0 {
			dirs = append(dirs, path)
			list = append(list, folder(path))
			continue
		}
		list = append(list, file(path, r.Uint64()))
	}
	slices.SortFunc(list, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
	return list
}

func folder(path string) Entry {
	return Entry{
		Path:   path,
		Stat:   files.Stat{Type: files.Dir, Mode: 0o755, Mtime: files.Time{Sec: 1_789_000_000}, UID: 1000, GID: 1000},
		Detail: files.Detail{User: "jo", Group: "staff"},
	}
}

// file makes a regular file of one chunk; n makes it one of its own.
func file(path string, n uint64) Entry {
	e := folder(path)
	e.Type, e.Mode, e.Size, e.Mtime.Nsec = files.Regular, 0o644, int64(n%100_000), int32(n%1e9)
	if e.Size > 0 {
		e.Refs = []chunk.Ref{dataRef(n, e.Size)}
	}
	return e
}

// dataRef makes a ref to content that does not exist.
func dataRef(n uint64, size int64) chunk.Ref {
	r := chunk.Ref{Series: chunk.Series{0xda, byte(n % 5)}, Number: uint32(n % 1000), Offset: int64(n % 16_000_000), Len: size}
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), byte(n >> 40)}).Read(r.ID[:])
	return r
}

func dataRefs(seed uint64, n int) []chunk.Ref {
	refs := make([]chunk.Ref, n)
	for i := range refs {
		refs[i] = dataRef(seed<<32+uint64(i), 1<<20)
	}
	return refs
}
