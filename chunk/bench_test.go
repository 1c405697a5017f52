package chunk

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// random returns n bytes that are the same in each run.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var s [32]byte
	s[0], s[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(s).Read(b)
	return b
}

func BenchmarkHasher(b *testing.B) {
	for _, n := range []int{100, 4 << 10, 1 << 20} {
		data := random(1, n)
		b.Run(fmt.Sprintf("ID/%d", n), func(b *testing.B) {
			h := NewHasher(Key{1})
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				h.ID(data)
			}
		})
		b.Run(fmt.Sprintf("Sum/%d", n), func(b *testing.B) {
			h := NewHasher(Key{1})
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				h.Sum("cut", []byte{1}, data)
			}
		})
		b.Run(fmt.Sprintf("stdlib/%d", n), func(b *testing.B) {
			k := Key{1}
			h := hmac.New(sha256.New, k[:])
			var out []byte
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				h.Reset()
				h.Write([]byte("chunk\x00"))
				h.Write(data)
				out = h.Sum(out[:0])
			}
		})
		b.Run(fmt.Sprintf("sum256/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				sha256.Sum256(data)
			}
		})
	}
}

// BenchmarkSplitter is the speed with the sizes that are used; BenchmarkSizes
// compares them with others.
func BenchmarkSplitter(b *testing.B) {
	data, r := random(1, 64<<20), bytes.NewReader(nil)
	s, buf := NewSplitter(testPolynomial), make([]byte, MaxSize)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(data)
		s.Reset(r)
		for err := error(nil); err != io.EOF; {
			_, err = s.Next(buf)
		}
	}
}
