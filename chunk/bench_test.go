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

func BenchmarkSplitter(b *testing.B) {
	p, err := NewPolynomial()
	if err != nil {
		b.Fatal(err)
	}
	data := random(1, 64<<20)
	for _, z := range []sizes{
		{256 << 10, 4 << 20, 19}, {256 << 10, 4 << 20, 20}, {512 << 10, 4 << 20, 19}, {512 << 10, 4 << 20, 20}, {512 << 10, 8 << 20, 20},
		{1 << 20, 4 << 20, 19}, {1 << 20, 4 << 20, 20}, {1 << 20, 8 << 20, 20}, {1 << 20, 8 << 20, 21}, {2 << 20, 8 << 20, 20}, {2 << 20, 8 << 20, 21},
	} {
		b.Run(fmt.Sprintf("%dK-%dK-%d", z.min>>10, z.max>>10, z.bits), func(b *testing.B) {
			s := newSplitter(p, z)
			buf := make([]byte, z.max)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset(bytes.NewReader(data))
				for {
					if _, err := s.Next(buf); err == io.EOF {
						break
					}
				}
			}
		})
	}
}
