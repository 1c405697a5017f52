package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/chunk"
	"coffer/files"
)

// genTree draws a tree: entries in the order of a walk, below folders.
func genTree(most int) *rapid.Generator[[]Entry] {
	return rapid.Custom(func(t *rapid.T) []Entry {
		return tree(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, most).Draw(t, "entries"))
	})
}

func TestWalkGivesWhatWasBuilt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		entries := genTree(4000).Draw(rt, "tree")
		s := newStore()
		root := build(t, s, entries)
		if d := differ(entries, collect(t, s, root, WalkOptions{})); d != "" {
			rt.Fatalf("(-want +got)\n%s", d)
		}
		if root.Count != int64(len(entries)) {
			rt.Fatalf("count %d, want %d", root.Count, len(entries))
		}
	})
}

// What comes from lines of the last run is what comes from the entries, byte
// for byte, whatever table the lines were written with.
func TestAddLineIsAdd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		entries := genTree(3000).Draw(rt, "tree")
		var tab table
		for i := range rapid.IntRange(0, 20).Draw(rt, "other series") {
			tab.at(chunk.Series{0xda, byte(20 - i)})
		}
		lines := make([][]byte, len(entries))
		for i := range entries {
			lines[i] = AppendEntry(nil, &entries[i], tab.at)
		}
		s := newStore()
		want := build(t, s, entries)
		s.fresh = 0
		b := NewBuilder(testKey, s.put)
		for i := range entries {
			var err error
			if i%7 == 3 {
				err = b.Add(&entries[i])
			} else {
				err = b.AddLine([]byte(entries[i].Path), lines[i], tab.series)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		got, err := b.Finish()
		if err != nil || got != want || s.fresh != 0 {
			rt.Fatalf("%+v, %v, %d new segments; want %+v and none", got, err, s.fresh, want)
		}
	})
}

func TestAddLineKeepsOddEntries(t *testing.T) {
	list := samples()
	list[10].Path = "names/pipe"
	list[5].Refs = dataRefs(2, 64) // 12 and more series positions
	for i := range list[5].Refs {
		list[5].Refs[i].Series = chunk.Series{byte(i)}
	}
	list = append(list, folder("dev"), folder("\xff"))
	slices.SortFunc(list, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
	var tab table
	for i := range 64 {
		tab.at(chunk.Series{byte(63 - i)})
	}
	s := newStore()
	want := build(t, s, list)
	b := NewBuilder(testKey, s.put)
	for i := range list {
		if err := b.AddLine([]byte(list[i].Path), AppendEntry(nil, &list[i], tab.at), tab.series); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Finish(); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// An entry that comes, goes or gets another name changes a few segments only.
func TestOneEntryChangesAFewSegments(t *testing.T) {
	entries := tree(7, 12_000)
	s := newStore()
	before := build(t, s, entries)
	if before.Level == 0 || s.fresh < 12 {
		t.Fatalf("level %d and %d segments: too small to show anything", before.Level, s.fresh)
	}
	n := 0 // no change is made twice
	rapid.Check(t, func(rt *rapid.T) {
		n++
		i := rapid.IntRange(1, len(entries)-1).Draw(rt, "entry")
		changed := slices.Clone(entries)
		what := rapid.SampledFrom([]string{"insert", "delete", "rename", "touch"}).Draw(rt, "what")
		for entries[i].Type == files.Dir { // a file may go without others
			i = i%(len(entries)-1) + 1
		}
		switch what {
		case "insert":
			changed = slices.Insert(changed, i+1, file(fmt.Sprintf("%s\x01%d", entries[i].Path, n), 5))
			slices.SortFunc(changed, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
		case "delete":
			changed = slices.Delete(changed, i, i+1)
			changed[0].Mtime.Sec += int64(n)
		case "rename":
			changed[i].Path = entries[i].Path[:strings.LastIndexByte(entries[i].Path, '/')+1] + fmt.Sprint("zz renamed", n)
			slices.SortFunc(changed, func(a, b Entry) int { return files.Compare(a.Path, b.Path) })
		case "touch":
			changed[i].Mtime.Sec += int64(n)
		}
		s.fresh = 0
		root := build(t, s, changed)
		// A level: the segments of the old and the new place, and where a cut
		// came or went one more of each; a deletion touches the root too.
		if most := 4 * (root.Level + 1); s.fresh == 0 || s.fresh > most {
			rt.Fatalf("%s %q: %d new segments, want 1 to %d", what, entries[i].Path, s.fresh, most)
		}
	})
}

func TestForcedCuts(t *testing.T) {
	// A key under which nothing cuts cannot be had: take names that do not.
	cut := cutter{h: chunk.NewHasher(testKey)}
	var names []string
	for i := 0; len(names) < 10_000; i++ {
		if n := fmt.Sprintf("%09d", i); !cut.cuts(0, []byte(n)) {
			names = append(names, n)
		}
	}
	wide := make([]Entry, 30)
	many := make([]Entry, 10)
	for i := range wide {
		wide[i] = file(names[i], 0)
		wide[i].Err = strings.Repeat("x", 200<<10)
	}
	for i := range many {
		many[i] = file(names[i], 1<<40)
		many[i].Refs, many[i].Size = dataRefs(1, 64), 1<<40
		for j := range many[i].Refs {
			many[i].Refs[j].Series = chunk.Series{byte(i), byte(j)}
		}
	}
	var small []Entry
	for _, n := range names {
		small = append(small, file(n, 0))
	}
	for _, c := range []struct {
		name    string
		entries []Entry
		want    []int64 // entries a segment
	}{
		{"4096 entries", small, []int64{4096, 4096, 1809}},
		{"1 MiB", wide, []int64{7, 6, 6, 6, 6}}, // the first has the root too
		{"256 series", many, []int64{5, 4, 2}},
	} {
		s := newStore()
		entries := append([]Entry{folder("")}, c.entries...)
		root := build(t, s, entries)
		var got []int64
		for g, err := range segments(t.Context(), root, s.get, WalkOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if g.node.level == 0 {
				got = append(got, g.node.count)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: segments of %d entries, want %d", c.name, got, c.want)
		}
		if d := differ(entries, collect(t, s, root, WalkOptions{})); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	for name, paths := range map[string][]string{
		"no root":        {"a"},
		"root twice":     {"", ""},
		"order":          {"", "b", "a"},
		"twice":          {"", "a", "a"},
		"no parent":      {"", "a/b"},
		"file as parent": {"", "a", "a/b"},
		"parent later":   {"", "a!", "a/b"},
		"dots":           {"", ".."},
		"no name":        {"", "/"},
		"nul":            {"", "a\x00"},
	} {
		b, l := NewBuilder(testKey, newStore().put), NewBuilder(testKey, newStore().put)
		for i, p := range paths {
			e := file(p, 0)
			if p == "" {
				e = folder(p)
			}
			text, series := line(&e)
			bad := i == len(paths)-1
			if err := b.Add(&e); (err != nil) != bad {
				t.Errorf("%s: add %q: %v", name, p, err)
			}
			if err := l.AddLine([]byte(p), text, series); (err != nil) != bad {
				t.Errorf("%s: add line of %q: %v", name, p, err)
			}
		}
	}
	if _, err := NewBuilder(testKey, newStore().put).Finish(); err == nil {
		t.Error("a tree of nothing")
	}
}

func TestAddLineRefuses(t *testing.T) {
	e := file("a\"", 12345)
	good, series := line(&e)
	for i, c := range []struct {
		path, line string
		series     []chunk.Series
	}{
		{"b", string(good), series},
		{`a\`, string(good), series},
		{`a\"`, string(good), series},
		{`a"`, string(good), nil},
		{`a"`, string(good) + "\n", series},
		{`a"`, strings.Replace(string(good), `"uid"`, "\n", 1), series},
		{`a"`, strings.Replace(string(good), `",0,`, `",1,`, 1), series},
		{`a"`, strings.Replace(string(good), `",0,`, `",,`, 1), series},
		{`a"`, strings.Replace(string(good), `",0,`, `",0`, 1), series},
		{`a"`, string(good[:len(good)-1]), series},
		{`a"`, `{"path":"a\"","type":"f`, series},
		{`a"`, `{"path":"a\"","type":"f",["}`, series},
		{`a"`, ``, series},
	} {
		s := newStore()
		b := NewBuilder(testKey, s.put)
		root := folder("")
		if err := b.Add(&root); err != nil {
			t.Fatal(err)
		}
		if b.AddLine([]byte(c.path), []byte(c.line), c.series) == nil {
			t.Errorf("line %d is accepted", i)
		}
		if err := b.AddLine([]byte(`a"`), good, series); err != nil {
			t.Errorf("after line %d: %v", i, err)
		}
		if r, err := b.Finish(); err != nil || len(collect(t, s, r, WalkOptions{})) != 2 {
			t.Errorf("after line %d: %v", i, err)
		}
	}
}

// A refused entry that began a new segment leaves an empty one open.
func TestFinishAfterRefusedCut(t *testing.T) {
	cut := cutter{h: chunk.NewHasher(testKey)}
	e := file("", 0)
	e.Err = strings.Repeat("x", MaxLine)
	for i := 0; !cut.cuts(0, []byte(e.Path)); i++ {
		e.Path = fmt.Sprintf("m%d", i)
	}
	for _, list := range [][]Entry{{folder("")}, tree(3, 3000)} {
		s := newStore()
		b := NewBuilder(testKey, s.put)
		var entries []Entry
		for _, f := range list {
			if files.Compare(f.Path, e.Path) < 0 {
				if err := b.Add(&f); err != nil {
					t.Fatal(err)
				}
				entries = append(entries, f)
			}
		}
		if err := b.Add(&e); !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		root, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if want := build(t, s, entries); root != want {
			t.Errorf("root %+v, want %+v", root, want)
		}
	}
}

// The last segment may close others above it, and so add a level, as late as in
// Finish.
func TestFinishAddsALevel(t *testing.T) {
	cut := cutter{h: chunk.NewHasher(testKey)}
	name := ""
	for i := 0; !cut.cuts(0, []byte(name)) || !cut.cuts(1, []byte(name)); i++ {
		name = fmt.Sprint(i)
	}
	entries := []Entry{folder("")}
	for i := range leastEntries - 1 {
		entries = append(entries, file(fmt.Sprintf("!%d", i), 5)) // sorts before digits
	}
	entries = append(entries, file(name, 5))
	s := newStore()
	root := build(t, s, entries)
	if root.Level != 2 || s.fresh != 5 {
		t.Errorf("level %d with %d segments, want 2 with 5", root.Level, s.fresh)
	}
	if d := differ(entries, collect(t, s, root, WalkOptions{})); d != "" {
		t.Error(d)
	}
}

func TestPutErrorStays(t *testing.T) {
	for fails := range 5 {
		n := 0
		b := NewBuilder(testKey, func(data []byte) (chunk.Ref, error) {
			if n++; n > fails {
				return chunk.Ref{}, errBroken
			}
			return chunk.Ref{ID: chunk.ID{byte(n)}, Len: int64(len(data))}, nil
		})
		failed := false
		for _, e := range tree(5, 6000) {
			if err := b.Add(&e); err != nil {
				if !errors.Is(err, errBroken) {
					t.Fatal(err)
				}
				failed = true
			} else if failed {
				t.Fatal("an entry is taken after an error of put")
			}
		}
		if _, err := b.Finish(); !errors.Is(err, errBroken) {
			t.Errorf("finish: %v", err)
		}
	}
}
