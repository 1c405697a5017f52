package chunk

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// candidates are the sizes the table at MinSize compares.
var candidates = []sizes{
	{256 << 10, 4 << 20, 19},
	{512 << 10, 4 << 20, 17},
	{512 << 10, 4 << 20, 18},
	{512 << 10, 4 << 20, 19},
	{512 << 10, 8 << 20, 20},
	{768 << 10, 4 << 20, 18},
	{768 << 10, 4 << 20, 19},
	{1 << 20, 4 << 20, 17},
	{1 << 20, 4 << 20, 18},
	{1 << 20, 4 << 20, 19},
	{1 << 20, 8 << 20, 20},
	{2 << 20, 8 << 20, 20},
}

func (z sizes) String() string { return fmt.Sprintf("%dK-2^%d-%dM", z.min>>10, z.bits, z.max>>20) }

// BenchmarkSizes gives the numbers of the table at MinSize: speed, chunks for
// a GiB, and how much is stored anew after one byte was inserted into a large
// file, after 32 pages of 4 KiB were overwritten in it, and after a stretch was
// replaced by one of another length.
func BenchmarkSizes(b *testing.B) {
	p, err := NewPolynomial()
	if err != nil {
		b.Fatal(err)
	}
	data := random(1, 64<<20)
	for _, z := range candidates {
		b.Run(z.String(), func(b *testing.B) {
			s, buf := newSplitter(p, z), make([]byte, z.max)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				count(b, s, buf, data, nil)
			}
			seen := map[[32]byte]bool{}
			chunks, _ := count(b, s, buf, data, seen)
			b.ReportMetric(float64(chunks)*float64(1<<30)/float64(len(data)), "chunks/GiB")
			rng := rand.New(rand.NewPCG(1, 2))
			const n = 32
			var inserted, paged int
			for range n {
				at := rng.IntN(len(data))
				_, fresh := count(b, s, buf, slices.Insert(bytes.Clone(data), at, 'x'), seen)
				inserted += fresh
			}
			b.ReportMetric(float64(inserted)/n/(1<<20), "MiB/insert")
			for range 4 {
				d := bytes.Clone(data)
				for range n {
					copy(d[rng.IntN(len(d)>>12)<<12:], random(rng.Uint64(), 4096))
				}
				_, fresh := count(b, s, buf, d, seen)
				paged += fresh
			}
			spliced := 0
			for range n {
				at, cut, put := rng.IntN(len(data)-4<<20), rng.IntN(1<<20), rng.IntN(1<<20)
				_, fresh := count(b, s, buf, slices.Replace(bytes.Clone(data), at, at+cut, random(rng.Uint64(), put)...), seen)
				spliced += fresh - put
			}
			b.ReportMetric(float64(spliced)/n/(1<<20), "MiB/splice")
			b.ReportMetric(float64(paged)/4/n/(1<<20), "MiB/page")
		})
	}
}

// count splits data and returns the number of chunks and how many bytes are
// in chunks not seen before; to an empty map it adds them.
func count(tb testing.TB, s *Splitter, buf, data []byte, seen map[[32]byte]bool) (chunks, fresh int) {
	learn := len(seen) == 0
	s.Reset(bytes.NewReader(data))
	for {
		c, err := s.Next(buf)
		if err == io.EOF {
			return chunks, fresh
		}
		if err != nil {
			tb.Fatal(err)
		}
		chunks++
		if seen == nil {
			continue
		}
		if id := sha256.Sum256(c); learn {
			seen[id] = true
		} else if !seen[id] {
			fresh += len(c)
		}
	}
}
