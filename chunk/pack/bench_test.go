package pack

import (
	"bytes"
	"testing"

	"coffer/chunk"
)

// workloads are chunks for about one data pack.
func workloads(b *testing.B) map[string][]piece {
	w := map[string][]piece{}
	for _, f := range source(b, 32<<20) {
		w["source"] = append(w["source"], piece{chunk.Data, f})
	}
	for i := range 18 {
		w["media"] = append(w["media"], piece{chunk.Data, random(uint64(i), 800<<10)})
	}
	for range 3 {
		for _, f := range program(b) {
			w["program"] = append(w["program"], piece{chunk.Data, f})
		}
	}
	return w
}

// BenchmarkBuild is what it takes to compress chunks into a pack.
func BenchmarkBuild(b *testing.B) {
	for name, pieces := range workloads(b) {
		b.Run(name, func(b *testing.B) {
			builder := NewBuilder(TargetData, Default)
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range pieces {
					builder.Add(p.kind, chunk.ID{}, p.data)
				}
				_, plain := builder.Len()
				b.SetBytes(plain)
				builder.dir.reset()
				builder.packed, builder.open = builder.packed[:0], builder.open[:0]
			}
		})
	}
}

// BenchmarkStages are the steps after that, by length of the content.
func BenchmarkStages(b *testing.B) {
	k := newKeys(b, false)
	for name, pieces := range workloads(b) {
		builder := NewBuilder(TargetData, Default)
		fill(builder, pieces)
		builder.closeFrame()
		kept := bytes.Clone(builder.packed)
		dir := builder.dir
		s, err := builder.Seal(k.recipients)
		if err != nil {
			b.Fatal(err)
		}
		room := make([]byte, 0, cap(s.Object))
		b.Run("seal/"+name, func(b *testing.B) {
			b.SetBytes(s.Plain)
			b.ReportAllocs()
			for b.Loop() {
				builder.packed, builder.dir = append(room, kept...), dir // the copy is not the Builder's work, but small beside it
				if _, err := builder.Seal(k.recipients); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("check/"+name, func(b *testing.B) {
			checker := NewChecker(hasher)
			b.SetBytes(s.Plain)
			b.ReportAllocs()
			for b.Loop() {
				if err := checker.Check(s); err != nil {
					b.Fatal(err)
				}
			}
		})
		var extents []Extent
		for _, e := range s.Entries {
			extents = append(extents, Extent{e.Offset, e.Len})
		}
		b.Run("read/"+name, func(b *testing.B) {
			r := new(Reader)
			b.SetBytes(s.Plain)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Open(s.Object, k.ids); err != nil {
					b.Fatal(err)
				}
				if err := r.Read(extents, func(int, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("directory/"+name, func(b *testing.B) {
			text := dir.appendText(nil)
			var d Directory
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBlob(b *testing.B) {
	k := newKeys(b, false)
	plain := text(1, 100<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, _, err := SealBlob(plain, k.recipients); err != nil {
			b.Fatal(err)
		}
	}
}
