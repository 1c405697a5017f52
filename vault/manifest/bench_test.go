package manifest

import (
	"testing"

	"coffer/chunk"
)

// lastRun is what a run finds of the run before it: lines and their table.
func lastRun(entries []Entry) (paths, lines [][]byte, series []chunk.Series) {
	var t table
	for i := range entries {
		paths = append(paths, []byte(entries[i].Path))
		lines = append(lines, AppendEntry(nil, &entries[i], t.at))
	}
	return paths, lines, t.series
}

// An unchanged entry costs no allocation, nor does encoding or parsing one
// once buffers have grown.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	entries := tree(1, 400) // one segment: closing one allocates in the store
	_, lines, series := lastRun(entries)
	var tab table
	buf, pos := make([]byte, 0, 4096), tab.at
	var e Entry
	odd, oddSeries := line(&samples()[4])
	zero := func(name string, f func(i int)) {
		i := 0
		if n := testing.AllocsPerRun(300, func() { f(i % len(entries)); i++ }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	zero("AppendEntry", func(i int) { buf = AppendEntry(buf[:0], &entries[i], pos) })
	zero("ParseEntry", func(i int) {
		if err := ParseEntry(lines[i], series, &e); err != nil {
			t.Fatal(err)
		}
	})
	zero("ParseEntry of an odd line", func(int) {
		if err := ParseEntry(odd, oddSeries, &e); err != nil {
			t.Fatal(err)
		}
	})
}

// The second half of a tree, cuts and all, is added without allocation, even
// where every position has to be written anew.
func TestAddLineAllocatesNothing(t *testing.T) {
	entries := tree(1, 10_000)
	paths, lines, series := lastRun(entries)
	for _, table := range [][]chunk.Series{series, {{4}, {3}, {2}, {1}, {0}}} {
		b := NewBuilder(testKey, func(data []byte) (chunk.Ref, error) { return chunk.Ref{Len: int64(len(data))}, nil })
		b.levels = []*level{{lines: make([]byte, 0, 2<<20)}, {lines: make([]byte, 0, 1<<20)}, {lines: make([]byte, 0, 1<<20)}}
		for _, l := range b.levels {
			l.pos, l.first = l.table.at, make([]byte, 0, 4096)
		}
		b.out, b.head, b.order.last = make([]byte, 0, 2<<20), make([]byte, 0, 4096), make([]byte, 0, 4096)
		next := 0
		n := testing.AllocsPerRun(1, func() { // runs twice, and counts in the second
			for range len(lines) / 2 {
				if err := b.AddLine(paths[next], lines[next], table); err != nil {
					t.Fatal(err)
				}
				next++
			}
		})
		if n > 5 || b.levels[0].shut < 5 { // the runtime itself may allocate a little meanwhile
			t.Errorf("%d lines and %d segments with %v allocations", len(lines)/2, b.levels[0].shut, n)
		}
	}
}

func report(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

const benchEntries = 50_000

func BenchmarkAppendEntry(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	var tab table
	buf, pos := []byte(nil), tab.at
	b.ReportAllocs()
	for b.Loop() {
		for i := range entries {
			buf = AppendEntry(buf[:0], &entries[i], pos)
		}
	}
	report(b, len(entries))
}

func BenchmarkParseEntry(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	_, lines, series := lastRun(entries)
	var e Entry
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range lines {
			if err := ParseEntry(l, series, &e); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, len(entries))
}

func benchBuild(b *testing.B, add func(t *Builder, i int) error, n int) {
	b.ReportAllocs()
	for b.Loop() {
		t := NewBuilder(testKey, func(data []byte) (chunk.Ref, error) { return chunk.Ref{Len: int64(len(data))}, nil })
		for i := range n {
			if err := add(t, i); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := t.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	report(b, n)
}

func BenchmarkAddLine(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	paths, lines, series := lastRun(entries)
	benchBuild(b, func(t *Builder, i int) error { return t.AddLine(paths[i], lines[i], series) }, len(entries))
}

func BenchmarkAdd(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	benchBuild(b, func(t *Builder, i int) error { return t.Add(&entries[i]) }, len(entries))
}

// BenchmarkCut is the floor of AddLine: the one HMAC that it cannot do without.
func BenchmarkCut(b *testing.B) {
	c := cutter{h: chunk.NewHasher(testKey)}
	path := []byte("src/a.1234/README 567.go")
	for b.Loop() {
		c.cuts(0, path)
	}
}

func BenchmarkWalk(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	s := newStore()
	root := build(b, s, entries)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Walk(b.Context(), root, s.get, WalkOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		s.gets = s.gets[:0]
	}
	report(b, len(entries))
}

func BenchmarkLookup(b *testing.B) {
	entries := treeOf(1, benchEntries, "file", "src-", "übung")
	s := newStore()
	root := build(b, s, entries)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := Lookup(b.Context(), root, entries[i*7919%len(entries)].Path, s.get); err != nil {
			b.Fatal(err)
		}
		s.gets = s.gets[:0]
	}
}
