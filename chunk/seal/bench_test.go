package seal

import (
	"bytes"
	"testing"
)

const benchLen = 16 << 20

func BenchmarkSeal(b *testing.B) {
	plain := make([]byte, benchLen)
	r := recipients(b, generate(b, false).Recipient())
	var out bytes.Buffer
	out.Grow(benchLen + 1<<20)
	b.SetBytes(benchLen)
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		w, err := NewWriter(&out, r)
		if err != nil {
			b.Fatal(err)
		}
		w.Write(plain)
		w.Close()
	}
}

func BenchmarkOpen(b *testing.B) {
	id := generate(b, false)
	obj, key := sealed(b, make([]byte, benchLen), recipients(b, id.Recipient()))
	buf := make([]byte, 0, benchLen)
	b.Run("identity", func(b *testing.B) {
		b.SetBytes(benchLen)
		b.ReportAllocs()
		for b.Loop() {
			r, err := Open(obj, NewIdentities(id))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ReadAll(r, buf, benchLen); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("key", func(b *testing.B) {
		b.SetBytes(benchLen)
		b.ReportAllocs()
		for b.Loop() {
			r, err := OpenWithKey(obj, key)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ReadAll(r, buf, benchLen); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The cost of an object whatever its size.
func BenchmarkSmall(b *testing.B) {
	for name, classic := range map[string]bool{"post-quantum": false, "classic": true} {
		id := generate(b, classic)
		r := recipients(b, id.Recipient())
		obj, _ := sealed(b, []byte("x"), r)
		b.Run("seal/"+name, func(b *testing.B) {
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				w, err := NewWriter(&out, r)
				if err != nil {
					b.Fatal(err)
				}
				w.Close()
			}
		})
		b.Run("open/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(obj, NewIdentities(id)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
