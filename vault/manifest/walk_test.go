package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coffer/chunk"
	"coffer/files"
)

func TestLookup(t *testing.T) {
	entries := tree(11, 20_000)
	s := newStore()
	root := build(t, s, entries)
	s.fetched()
	for i := 0; i < len(entries); i += 97 {
		e, err := Lookup(t.Context(), root, entries[i].Path, s.get)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&entries[i], e, same); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		if n := s.fetched(); n != root.Level+1 {
			t.Errorf("%d segments fetched, want one for each of %d levels", n, root.Level+1)
		}
		for _, p := range []string{entries[i].Path + "\x01", entries[i].Path + "/zzz", "zzzz", "!"} {
			if e, err := Lookup(t.Context(), root, p, s.get); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: %v, %v", p, e, err)
			}
		}
		s.fetched()
	}
}

// A walk below a prefix is the whole walk, filtered, and does not fetch a
// segment that has none of it.
func TestWalkPrefix(t *testing.T) {
	entries := tree(13, 8000)
	s := newStore()
	root := build(t, s, entries)
	var leaves []node
	for g, err := range segments(t.Context(), root, s.get, WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if g.node.level == 0 {
			leaves = append(leaves, g.node)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		path := func(name string) string {
			p := entries[rapid.IntRange(0, len(entries)-1).Draw(rt, name)].Path
			return rapid.SampledFrom([]string{p, p, p[:max(strings.IndexByte(p, '/'), 0)], p + "\x01", ""}).Draw(rt, name)
		}
		opts := WalkOptions{Prefix: path("prefix"), From: path("from"), Ahead: rapid.IntRange(0, 4).Draw(rt, "ahead")}
		wanted := func(p string) bool {
			return (p == opts.Prefix || below(p, opts.Prefix)) && files.Compare(p, opts.From) >= 0
		}
		var want []Entry
		for _, e := range entries {
			if wanted(e.Path) {
				want = append(want, e)
			}
		}
		s.fetched()
		if d := differ(want, collect(t, s, root, opts)); d != "" {
			rt.Fatalf("%+v: (-want +got)\n%s", opts, d)
		}
		needed := map[chunk.ID]bool{}
		for i, n := range leaves {
			from := opts.From
			if files.Compare(from, opts.Prefix) < 0 {
				from = opts.Prefix
			}
			reaches := i == len(leaves)-1 || files.Compare(leaves[i+1].path, from) > 0
			if begins := n.path == opts.Prefix || below(n.path, opts.Prefix) || files.Compare(n.path, opts.Prefix) < 0; reaches && begins {
				needed[n.ref.ID] = true
			}
		}
		for _, r := range s.gets {
			for _, n := range leaves {
				if n.ref.ID == r.ID && !needed[r.ID] {
					rt.Fatalf("%+v: the segment from %q was fetched for nothing", opts, n.path)
				}
			}
		}
	})
}

// A walk that is left early ends its fetches, and one that is cancelled says
// so.
func TestWalkEnds(t *testing.T) {
	s := newStore()
	root := build(t, s, tree(17, 20_000))
	s.fetched()
	for range Walk(t.Context(), root, s.get, WalkOptions{Ahead: 2}) {
		break
	}
	if n := s.fetched(); n > 2+3 {
		t.Errorf("%d segments fetched for the first entry", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range Walk(ctx, root, s.get, WalkOptions{}) {
		if n++; n == 1000 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 5000 {
		t.Errorf("cancelled walk ends with %v after %d entries", last, n)
	}
}

// One bad segment hides its own entries, names itself, and nothing else.
func TestWalkGoesOnBehindDamage(t *testing.T) {
	entries := tree(107, 20_000) // by luck of three levels
	s := newStore()
	root := build(t, s, entries)
	var all []node
	for g, err := range segments(t.Context(), root, s.get, WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g.node)
	}
	if root.Level < 2 {
		t.Fatal("no inner segment but the root")
	}
	for i, bad := range all {
		if i == 0 || bad.level == 0 && i%9 != 1 && i != len(all)-1 {
			continue
		}
		s.broken = map[chunk.ID]bool{bad.ref.ID: true}
		var want, got []string
		for _, e := range entries {
			if files.Compare(e.Path, bad.path) < 0 || !bad.last && files.Compare(e.Path, bad.next) >= 0 {
				want = append(want, e.Path)
			}
		}
		faults := 0
		for e, err := range Walk(t.Context(), root, s.get, WalkOptions{}) {
			if err == nil {
				got = append(got, strings.Clone(e.Path))
				continue
			}
			faults++
			var fault *SegmentError
			if !errors.As(err, &fault) || fault.Ref != bad.ref || fault.From != bad.path || fault.To != bad.next || !errors.Is(err, errBroken) {
				t.Fatalf("level %d: %v", bad.level, err)
			}
		}
		if !slices.Equal(got, want) || faults != 1 {
			t.Errorf("level %d from %q: %d entries and %d errors, want %d and 1", bad.level, bad.path, len(got), faults, len(want))
		}
	}
}

// However slow the reader is, only the segments ahead of it are held.
func TestWalkHoldsFewSegments(t *testing.T) {
	s := newStore()
	root := build(t, s, tree(23, 20_000))
	for _, ahead := range []int{1, 3, 8} {
		s.fetched()
		n := 0
		synctest.Test(t, func(t *testing.T) {
			for range Walk(t.Context(), root, s.get, WalkOptions{Ahead: ahead}) {
				synctest.Wait() // all that can be fetched has been
				s.mu.Lock()
				n = len(s.gets)
				s.mu.Unlock()
				break
			}
		})
		// One of each level, those in the queue, and the one that waits to go
		// there is not fetched yet.
		if want := root.Level + 1 + ahead; n != want {
			t.Errorf("%d ahead: %d segments fetched at the first entry, want %d", ahead, n, want)
		}
	}
}

// forge stores a segment of these lines under a root that says what is given.
func forge(t *testing.T, s *store, level int, count int64, lines ...string) Root {
	t.Helper()
	ref, err := s.put([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return Root{Level: level, Count: count, Ref: ref}
}

// nodeLine is the line of a segment with that series at position 0.
func nodeLine(path string, r Root) string {
	return string(appendNode(nil, &node{path: path, count: r.Count, ref: r.Ref}, 0))
}

func TestForgedSegmentsAreRefused(t *testing.T) {
	const (
		none = `{"series":[]}`
		top  = `{"path":"","type":"d"}`
		dirA = `{"path":"a","type":"d"}`
		fifo = `{"path":"a","type":"p"}`
		inA  = `{"path":"a/x","type":"p"}`
		b    = `{"path":"b","type":"p"}`
		z    = `{"path":"z","type":"p"}`
		used = `{"path":"a","type":"f","size":9,"refs":[["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",%d,1,2,3],["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",%d,1,2,3]]}`
		two  = `{"series":["0101010101010101","0202020202020202"]}`
	)
	s := newStore()
	table := fmt.Sprintf(`{"series":["%s"]}`, chunk.Series{0xee})
	left := forge(t, s, 0, 3, none, top, dirA, inA)
	right := forge(t, s, 0, 2, none, b, z)
	child := forge(t, s, 0, 1, none, `{"path":"a/y","type":"p"}`)
	orphan := forge(t, s, 0, 1, none, `{"path":"c/y","type":"p"}`)
	lying := right
	lying.Count = 1
	big := left
	big.Count = math.MaxInt64
	wrongLen := left
	wrongLen.Ref.Len--

	good := []Root{
		forge(t, s, 0, 3, none, top, dirA, inA),
		forge(t, s, 1, 5, table, nodeLine("", left), nodeLine("b", right)),
		forge(t, s, 1, 6, table, nodeLine("", left), nodeLine("a/y", child), nodeLine("b", right)),
		forge(t, s, 0, 2, two, top, fmt.Sprintf(used, 0, 1)),
	}
	for i, root := range good {
		if faults, n := faultsOf(t, s, root); len(faults) != 0 || n != root.Count {
			t.Errorf("good tree %d: %d entries, %v", i, n, faults)
		}
	}
	for name, root := range map[string]Root{
		"no root entry":         forge(t, s, 0, 1, none, b),
		"out of order":          forge(t, s, 0, 3, none, top, z, b),
		"path twice":            forge(t, s, 0, 3, none, top, b, b),
		"parent missing":        forge(t, s, 0, 2, none, top, inA),
		"parent is a pipe":      forge(t, s, 0, 3, none, top, fifo, inA),
		"count too high":        forge(t, s, 0, 4, none, top, dirA, inA),
		"count too low":         forge(t, s, 0, 2, none, top, dirA, inA),
		"no lines":              forge(t, s, 0, 1, none),
		"no table":              forge(t, s, 0, 1, top),
		"empty line":            forge(t, s, 0, 2, none, top, ""),
		"series not used":       forge(t, s, 0, 1, table, top),
		"series in wrong order": forge(t, s, 0, 2, two, top, fmt.Sprintf(used, 1, 0)),
		"series twice":          forge(t, s, 0, 2, `{"series":["0101010101010101","0101010101010101"]}`, top, fmt.Sprintf(used, 0, 1)),
		"series in upper case":  forge(t, s, 0, 2, `{"series":["010101010101010A","0202020202020202"]}`, top, fmt.Sprintf(used, 0, 1)),
		"series with a blank":   forge(t, s, 0, 3, `{"series": []}`, top, dirA, inA),
		"node at level 0":       forge(t, s, 0, 3, table, nodeLine("", left)),
		"entry at level 1":      forge(t, s, 1, 3, none, top, dirA, inA),
		"nodes out of order":    forge(t, s, 1, 8, table, nodeLine("", left), nodeLine("b", right), nodeLine("a", left)),
		"node twice":            forge(t, s, 1, 6, table, nodeLine("", left), nodeLine("", left)),
		"wrong first path":      forge(t, s, 1, 5, table, nodeLine("", left), nodeLine("aa", right)),
		"wrong path of first":   forge(t, s, 1, 2, table, nodeLine("b", right)),
		"count of a node lies":  forge(t, s, 1, 4, table, nodeLine("", left), nodeLine("b", lying)),
		"counts do not add up":  forge(t, s, 1, 6, table, nodeLine("", left), nodeLine("b", right)),
		"counts overflow":       forge(t, s, 1, 1, table, nodeLine("", big), nodeLine("a", big), nodeLine("b", left)),
		"entry of later node":   forge(t, s, 1, 4, table, nodeLine("", left), nodeLine("a/a", forge(t, s, 0, 1, none, `{"path":"a/a","type":"p"}`))),
		"parent in no segment":  forge(t, s, 1, 6, table, nodeLine("", left), nodeLine("b", right), nodeLine("c/y", orphan)),
		"length lies":           forge(t, s, 1, 3, table, nodeLine("", wrongLen)),
		"level too high":        {Level: MaxLevel + 1, Count: 3, Ref: left.Ref},
		"level negative":        {Level: -1, Count: 3, Ref: left.Ref},
		"count zero":            {Level: 0, Count: 0, Ref: left.Ref},
		"too many entries":      forge(t, s, 0, MaxItems+1, append([]string{none, top}, manyLines(MaxItems)...)...),
		"too long a line":       forge(t, s, 0, 2, none, top, `{"path":"a","type":"p","error":"`+strings.Repeat("x", MaxLine)+`"}`),
	} {
		faults, _ := faultsOf(t, s, root)
		if len(faults) == 0 {
			t.Errorf("%s: accepted", name)
			continue
		}
		if _, fault := errors.AsType[*SegmentError](faults[0]); !fault && root.check() == nil {
			t.Errorf("%s: %v names no segment", name, faults[0])
		}
	}
}

func manyLines(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"path":"a%06d","type":"p"}`, i))
	}
	return lines
}

// faultsOf walks a tree to its end.
func faultsOf(t *testing.T, s *store, root Root) (faults []error, entries int64) {
	for _, err := range Walk(t.Context(), root, s.get, WalkOptions{}) {
		if err != nil {
			faults = append(faults, err)
		} else {
			entries++
		}
	}
	return faults, entries
}

// Every chunk that a tree needs is named, and nothing else.
func TestClosure(t *testing.T) {
	s := newStore()
	entries := tree(29, 5000)
	want := map[chunk.Ref]chunk.Kind{}
	for i := range entries {
		e := &entries[i]
		if e.Type == files.Regular && i%100 == 0 {
			e.Xattrs = []files.Xattr{{Name: "user.big", Value: []byte(strings.Repeat(e.Path, 5000))}}
			if err := StoreXattrs(e, s.put); err != nil {
				t.Fatal(err)
			}
		}
		if e.Type == files.Regular && i%500 == 0 {
			refs := dataRefs(uint64(i), 3000)
			depth, top, _, err := BuildList(refs, s.put)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range refs {
				want[r] = chunk.Data
			}
			e.Size, e.ListDepth, e.Refs, e.ContentHash = 3000<<20, depth, top, chunk.ID{1}
		}
		if e.ListDepth == 0 {
			for _, r := range e.Refs {
				want[r] = chunk.Data
			}
		}
	}
	root := build(t, s, entries)
	segs := map[chunk.Ref]bool{}
	for _, r := range s.refs {
		want[r], segs[r] = chunk.Segment, true
	}
	got := map[chunk.Ref]chunk.Kind{}
	for u, err := range Closure(t.Context(), root, s.get) {
		if err != nil {
			t.Fatal(err)
		}
		got[u.Ref] = u.Kind
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for r, err := range WalkRefs(t.Context(), root, s.get) {
		if err != nil || got[r] != chunk.Segment {
			t.Fatalf("%v, %v", r, err)
		}
		delete(segs, r)
	}
	if len(segs) > 0 {
		t.Errorf("%d segments not named", len(segs))
	}
	// Each missing chunk gives one error, and hides only what lies below it.
	for r, kind := range want {
		if kind != chunk.Segment {
			continue
		}
		s.broken = map[chunk.ID]bool{r.ID: true}
		faults, named := 0, false
		for u, err := range Closure(t.Context(), root, s.get) {
			if err != nil {
				faults++
			}
			named = named || u.Ref == r
		}
		want := 1
		if !bytes.HasPrefix(s.data[r.ID], []byte(`{"series":`)) {
			want = 0 // a large xattr: its bytes are not read
		}
		if !named || faults != want {
			t.Errorf("without %s: %d errors, want %d; named: %v", r.ID, faults, want, named)
		}
	}
}
