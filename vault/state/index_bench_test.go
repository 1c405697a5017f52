package state

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"coffer/chunk"
)

// randomID returns the i-th of a fixed sequence of IDs.
func randomID(i uint64) chunk.ID {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], i)
	var id chunk.ID
	rand.NewChaCha8(seed).Read(id[:])
	return id
}

var benchSeries = chunk.Series{1, 2, 3}

// filledIndex returns an index with n chunks in its pages, and their IDs.
func filledIndex(tb testing.TB, n int) (*Index, []chunk.ID) {
	d, err := Create(tempDir(tb))
	if err != nil {
		tb.Fatal(err)
	}
	x, err := d.OpenIndex(100)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { x.Close() })
	ids := make([]chunk.ID, n)
	refs := make([]chunk.Ref, 0, 64)
	for i := range ids {
		ids[i] = randomID(uint64(i))
		refs = append(refs, chunk.Ref{ID: ids[i], Series: benchSeries, Number: uint32(i / 64), Offset: int64(i % 64), Len: 1})
		if len(refs) == cap(refs) || i == n-1 {
			if err := x.Add(benchSeries, uint32(i/64), refs); err != nil {
				tb.Fatal(err)
			}
			refs = refs[:0]
		}
	}
	if _, err := x.Compact(tb.Context(), CompactOptions{}); err != nil {
		tb.Fatal(err)
	}
	return x, ids
}

func BenchmarkIndexLookup(b *testing.B) {
	x, ids := filledIndex(b, 1<<20)
	known := func(chunk.Series, uint32) bool { return true }
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := x.Lookup(ids[i*7919%len(ids)], known); !ok {
				b.Fatal("absent")
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			id := ids[i*7919%len(ids)]
			id[31]++
			if _, ok := x.Lookup(id, known); ok {
				b.Fatal("known")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(ids)); pb.Next(); i++ {
				if _, ok := x.Lookup(ids[i*7919%len(ids)], known); !ok {
					b.Fatal("absent")
				}
			}
		})
	})
}

func BenchmarkIndexClaim(b *testing.B) {
	x, ids := filledIndex(b, 1<<16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%(128<<10) == 0 && i > 0 {
			x.Forget(benchSeries, 1<<20)
			x.Compact(b.Context(), CompactOptions{})
		}
		id := ids[i%len(ids)]
		binary.LittleEndian.PutUint64(id[16:], uint64(i))
		x.Claim(id, nil, func() (chunk.Ref, error) {
			return chunk.Ref{ID: id, Series: benchSeries, Number: 1 << 20, Len: 1}, nil
		})
	}
}

func BenchmarkIndexCompact(b *testing.B) {
	x, ids := filledIndex(b, 1<<20)
	named := func(yield func(uint64) bool) {
		for _, id := range ids {
			if !yield(Prefix(id)) {
				return
			}
		}
	}
	for b.Loop() {
		if r, err := x.Compact(b.Context(), CompactOptions{Today: 101, Named: named, Keep: 30}); err != nil || r.Kept != 1<<20 {
			b.Fatal(r, err)
		}
	}
}

// A tail at its limit must not cost more than about 30 MB.
func TestTailMemory(t *testing.T) {
	var before, after runtime.MemStats
	x, _ := filledIndex(t, 0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	refs := make([]chunk.Ref, 64)
	for i := range uint64(mergeAt - 64) {
		refs[i%64] = chunk.Ref{ID: randomID(i), Series: benchSeries, Number: uint32(i / 64)}
		if i%64 == 63 {
			if err := x.Add(benchSeries, uint32(i/64), refs); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%d entries in the tail: %.1f MB", x.Stats().Tail, mb)
	if mb > 30 {
		t.Errorf("%.1f MB is more than 30", mb)
	}
	runtime.KeepAlive(x)
}
