package chunk

import (
	"bytes"
	"testing"
)

// Whatever the bytes and however they arrive, the chunks are the stream and
// keep to their limits.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte(nil), uint16(1))
	f.Add([]byte("a"), uint16(1))
	f.Add(make([]byte, 20<<10), uint16(4096))
	f.Add(random(1, 40<<10), uint16(1000))
	f.Add(bytes.Repeat([]byte{1, 0}, 8<<10), uint16(65535))
	f.Fuzz(func(t *testing.T, data []byte, step uint16) {
		s := newSplitter(testPolynomial, small)
		chunks := split(t, s, &stepReader{data, int(step)%5000 + 1})
		if !bytes.Equal(bytes.Join(chunks, nil), data) {
			t.Fatal("joined chunks are not the data")
		}
		for i, c := range chunks {
			if len(c) > small.max || len(c) < small.min && i < len(chunks)-1 {
				t.Fatalf("chunk of %d bytes", len(c))
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(ID{}.String())
	f.Add(Series{1, 2, 3}.String())
	f.Add(testPolynomial.Text())
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Errorf("ID %q came back as %q", s, id)
		}
		if k, err := ParseKey(s); err == nil && k.Text() != s {
			t.Errorf("key %q came back as another", s)
		}
		if v, err := ParseSeries(s); err == nil && v.String() != s {
			t.Errorf("series %q came back as %q", s, v)
		}
		if len(s) == 14 {
			if p, err := ParsePolynomial(s); err == nil && p.Text() != s {
				t.Errorf("polynomial %q came back as %q", s, p.Text())
			}
		}
	})
}
