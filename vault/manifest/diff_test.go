package manifest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"coffer/chunk"
	"coffer/files"
)

// edit changes about n entries of a tree and keeps it one.
func edit(r *rand.Rand, entries []Entry, n int) []Entry {
	changed := slices.Clone(entries)
	for i := range n {
		at := r.IntN(len(changed))
		e := &changed[at]
		switch kind := r.IntN(4); {
		case kind == 0 && e.Type == files.Regular:
			changed = slices.Delete(changed, at, at+1)
		case kind == 1 && e.Type == files.Regular:
			*e = file(e.Path, r.Uint64())
		case kind == 2:
			e.Mtime.Sec += 1 + int64(i)
		case e.Type == files.Regular:
			changed = append(changed, file(fmt.Sprintf("%s\x02%d", e.Path, i), r.Uint64()))
			slices.SortFunc(changed, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
		default: // a folder goes with all it holds
			path := e.Path
			if path != "" {
				changed = slices.DeleteFunc(changed, func(e Entry) bool { return e.Path == path || below(e.Path, path) })
			}
		}
	}
	return changed
}

// naive is the difference by looking at everything.
func naive(a, b []Entry) (list []string) {
	old := map[string]*Entry{}
	for i := range a {
		old[a[i].Path] = &a[i]
	}
	for i := range b {
		o := old[b[i].Path]
		delete(old, b[i].Path)
		if o == nil {
			list = append(list, "+"+b[i].Path)
		} else if !Equal(o, &b[i]) {
			list = append(list, "~"+b[i].Path)
		}
	}
	for p := range old {
		list = append(list, "-"+p)
	}
	slices.SortFunc(list, func(a, b string) int { return files.Compare(a[1:], b[1:]) })
	return list
}

func diff(t testing.TB, s *store, a, b Root) (list []string) {
	t.Helper()
	for c, err := range Diff(t.Context(), a, b, s.get) {
		if err != nil {
			t.Fatal(err)
		}
		sign := "~"
		if c.Old == nil {
			sign = "+"
		} else if c.New == nil {
			sign = "-"
		}
		list = append(list, sign+c.Path())
	}
	return list
}

func TestDiffIsTheDifference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := genTree(5000).Draw(rt, "tree")
		b := edit(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "edits"), 2)), a, rapid.SampledFrom([]int{0, 1, 5, 300}).Draw(rt, "n"))
		if rapid.IntRange(0, 9).Draw(rt, "other") == 0 {
			b = genTree(5000).Draw(rt, "other tree")
		}
		s := newStore()
		x, y := build(t, s, a), build(t, s, b)
		if got, want := diff(t, s, x, y), naive(a, b); !slices.Equal(got, want) {
			rt.Fatalf("diff %q, want %q", got, want)
		}
	})
}

// What two trees share is not fetched.
func TestDiffSkipsWhatIsShared(t *testing.T) {
	a := tree(31, 30_000)
	s := newStore()
	x := build(t, s, a)
	whole := s.fresh
	s.fetched()
	if got := diff(t, s, x, x); len(got) != 0 || s.fetched() != 0 {
		t.Error("a tree differs from itself, or was fetched to see")
	}
	b := edit(rand.New(rand.NewPCG(1, 1)), a, 3)
	s.fresh = 0
	y := build(t, s, b)
	s.fetched()
	if got, want := diff(t, s, x, y), naive(a, b); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("diff %q, want %q", got, want)
	}
	// As many of the old tree go as of the new come, or nearly.
	if n := s.fetched(); n > 3*s.fresh {
		t.Errorf("%d of %d segments fetched where %d are new", n, whole, s.fresh)
	}
}

// A chunk that was moved to another pack is no difference.
func TestDiffLooksAtContentNotAtPlaces(t *testing.T) {
	a := tree(37, 2000)
	big, _ := listed(t, newStore(), dataRefs(1, 100))
	big.Path = "\xff~"
	a = append(a, *big)
	b := slices.Clone(a)
	for i := range b {
		b[i].Refs = slices.Clone(b[i].Refs)
		for j := range b[i].Refs {
			b[i].Refs[j].Number += 1000
			b[i].Refs[j].Series[7]++
		}
	}
	b[len(b)-1].Refs[0].ID[5]++ // a list chunk that names other packs has another ID
	s := newStore()
	x, y := build(t, s, a), build(t, s, b)
	if x == y {
		t.Fatal("the trees are the same")
	}
	if got := diff(t, s, x, y); len(got) != 0 {
		t.Errorf("diff %q", got)
	}
	b[len(b)-1].ContentHash[5]++
	if got := diff(t, s, x, build(t, s, b)); !slices.Equal(got, []string{"~\xff~"}) {
		t.Errorf("with another content hash: %q", got)
	}
}

func TestEqualSeesEveryField(t *testing.T) {
	for i, change := range []func(e *Entry){
		func(e *Entry) { e.Path = "b" }, func(e *Entry) { e.Type = files.Dir }, func(e *Entry) { e.Mode++ }, func(e *Entry) { e.Size++ },
		func(e *Entry) { e.Mtime.Nsec++ }, func(e *Entry) { e.UID++ }, func(e *Entry) { e.GID++ }, func(e *Entry) { e.User = "x" },
		func(e *Entry) { e.Group = "x" }, func(e *Entry) { e.Rdev++ }, func(e *Entry) { e.Target = "x" }, func(e *Entry) { e.Link[0]++ },
		func(e *Entry) { e.Xattrs[0].Value[0]++ }, func(e *Entry) { e.BigXattrs[0].Ref.ID[0]++ }, func(e *Entry) { e.Holes[0].Len++ },
		func(e *Entry) { e.Refs[0].ID[0]++ }, func(e *Entry) { e.Changed = true }, func(e *Entry) { e.Err = "x" },
		func(e *Entry) { e.ListDepth, e.ContentHash = 1, chunk.ID{1} },
	} {
		a := file("a", 12345)
		a.Xattrs, a.BigXattrs, a.Holes = []files.Xattr{{Name: "n", Value: []byte("v")}}, []BigXattr{{"o", dataRef(1, 5)}}, []files.Hole{{Off: 1, Len: 1}}
		b := a.Clone()
		if !Equal(&a, b) {
			t.Fatal("an entry is not equal to its clone")
		}
		if change(b); Equal(&a, b) {
			t.Errorf("change %d is not seen", i)
		}
	}
}

func TestDiffSaysWhatIsBroken(t *testing.T) {
	s := newStore()
	a := tree(41, 3000)
	x, y := build(t, s, a), build(t, s, a[:1000])
	for _, r := range []chunk.Ref{x.Ref, y.Ref} {
		s.broken = map[chunk.ID]bool{r.ID: true}
		var last error
		for _, err := range Diff(t.Context(), x, y, s.get) {
			last = err
		}
		if fault, ok := errors.AsType[*SegmentError](last); !ok || fault.Ref != r {
			t.Errorf("error %v", last)
		}
	}
}
