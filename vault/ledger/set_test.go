package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/chunk"

	"pgregory.net/rapid"
)

// A Set behaves as a map of series and numbers does.
func TestSetIsASet(t *testing.T) {
	type key struct {
		s chunk.Series
		n uint32
	}
	rapid.Check(t, func(r *rapid.T) {
		var sets [2]Set
		models := [2]map[key]bool{{}, {}}
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "set")
			k := key{
				rapid.SampledFrom([]chunk.Series{data, segments, {}}).Draw(r, "series"),
				rapid.OneOf(rapid.Uint32Range(0, 3000), rapid.Uint32()).Draw(r, "number"),
			}
			if got, want := sets[i].Add(k.s, k.n), !models[i][k]; got != want {
				r.Fatalf("adding %v: new is %v", k, got)
			}
			models[i][k] = true
		}
		sets[0].Union(&sets[1])
		for k := range models[1] {
			models[0][k] = true
		}
		if sets[0].Len() != len(models[0]) {
			r.Fatalf("has %d, want %d", sets[0].Len(), len(models[0]))
		}
		var order []key
		for s, n := range sets[0].All() {
			if !models[0][key{s, n}] {
				r.Fatalf("yields %v %d, which was not added, or twice", s, n)
			}
			delete(models[0], key{s, n})
			if !sets[0].Has(s, n) || sets[0].Add(s, n) {
				r.Fatalf("does not have %v %d", s, n)
			}
			order = append(order, key{s, n})
		}
		if len(models[0]) > 0 {
			r.Fatalf("did not yield %v", models[0])
		}
		if !slices.IsSortedFunc(order, func(a, b key) int {
			return compareFolders(FolderID{a.s, a.n}, FolderID{b.s, b.n})
		}) {
			r.Fatal("not in order")
		}
		n := rapid.Uint32().Draw(r, "absent")
		if sets[0].Has(chunk.Series{9}, n) {
			r.Fatal("has what was never added")
		}
	})
}

func TestSetDoesNotAllocate(t *testing.T) {
	var s Set
	for n := range uint32(65536) {
		s.Add(data, n)
	}
	n := uint32(0)
	allocs := testing.AllocsPerRun(1000, func() {
		n = (n + 7919) % 65536
		s.Add(data, n)
		if !s.Has(data, n) || s.Has(segments, n) {
			t.Fatal("wrong")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a pack already there", allocs)
	}
}

// One op is one call, over the packs of a terabyte, in the order of a walk
// (long stretches) and at random.
func BenchmarkSet(b *testing.B) {
	var s Set
	random := make([]uint32, 1<<16)
	for i := range random {
		random[i] = rand.Uint32N(65536)
		s.Add(data, uint32(i))
	}
	b.Run("AddInStretches", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			s.Add(data, uint32(i>>6)&0xffff)
		}
	})
	b.Run("AddAtRandom", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			s.Add(data, random[i&0xffff])
		}
	})
	b.Run("HasAtRandom", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if !s.Has(data, random[i&0xffff]) {
				b.Fatal("lost")
			}
		}
	})
}

// One op is the ledger of a terabyte: 64 folders of data, of which 56 are
// rolls needed in part and one is not full yet.
func BenchmarkTerabyte(b *testing.B) {
	lib := &library{t: b, rolls: shelf{}, lists: map[FolderID]Bits{}, names: map[FolderID]string{}}
	var set Set
	for f := range uint32(64) {
		if f < 63 {
			lib.add(data, f, 1)
		}
		for n := f * 1024; n < f*1024+512*(1+min(1, f/8)); n++ {
			set.Add(data, n)
		}
	}
	l, err := Build(vault, &set, lib)
	if err != nil {
		b.Fatal(err)
	}
	text := mustEncode(b, l)
	b.Run("Encode", func(b *testing.B) {
		for range b.N {
			mustEncode(b, l)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	})
	b.Run("Parse", func(b *testing.B) {
		for range b.N {
			if _, err := Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Packs", func(b *testing.B) {
		for range b.N {
			for _, err := range l.Packs(lib.rolls.get) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
