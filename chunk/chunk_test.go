package chunk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// testPolynomial is fixed, so that the chunks of the tests are.
const testPolynomial Polynomial = 0x3DA3358B4DC173

// small are sizes that give many chunks of few bytes.
var small = sizes{min: 4 << 10, max: blockSize, bits: 12}

// split returns copies of the chunks of r.
func split(t interface{ Fatal(...any) }, s *Splitter, r io.Reader) (chunks [][]byte) {
	buf := make([]byte, s.sizes.max)
	s.Reset(r)
	for {
		c, err := s.Next(buf)
		if err == io.EOF {
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, bytes.Clone(c))
		clear(buf) // the Splitter must not rely on it
	}
}

func TestSplitJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := random(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 600<<10).Draw(t, "len"))
		if rapid.Bool().Draw(t, "repetitive") {
			data = bytes.Repeat(data[:min(len(data), 100)], 2000)
		}
		s := newSplitter(testPolynomial, small)
		if rapid.Bool().Draw(t, "used before") {
			s.Reset(bytes.NewReader(data))
			s.Next(make([]byte, small.max))
		}
		chunks := split(t, s, bytes.NewReader(data))
		if !bytes.Equal(bytes.Join(chunks, nil), data) {
			t.Fatal("joined chunks are not the data")
		}
		for i, c := range chunks {
			if len(c) == 0 || len(c) > small.max || len(c) < small.min && i < len(chunks)-1 {
				t.Fatalf("chunk %d of %d has %d bytes", i, len(chunks), len(c))
			}
		}
	})
}

// Where a stream is cut must not depend on how it arrives.
func TestSplitSameForAllReaders(t *testing.T) {
	data := random(7, 500<<10)
	for _, z := range []sizes{small, {min: 100 << 10, max: 300 << 10, bits: 16}} {
		s := newSplitter(testPolynomial, z)
		want := split(t, s, bytes.NewReader(data))
		if len(want) < 3 {
			t.Fatalf("only %d chunks", len(want))
		}
		for name, r := range map[string]io.Reader{
			"half":     iotest.HalfReader(bytes.NewReader(data)),
			"data+EOF": iotest.DataErrReader(bytes.NewReader(data)),
			"one byte": iotest.OneByteReader(bytes.NewReader(data)),
			"two":      io.MultiReader(bytes.NewReader(data[:300001]), bytes.NewReader(data[300001:])),
		} {
			if got := split(t, s, r); fmt.Sprint(lengths(got)) != fmt.Sprint(lengths(want)) {
				t.Errorf("%s reader: chunks of %v bytes, want %v", name, lengths(got), lengths(want))
			}
		}
	}
}

func lengths(chunks [][]byte) (n []int) {
	for _, c := range chunks {
		n = append(n, len(c))
	}
	return n
}

// Chunks stored by one release must be found again by the next: the cuts under
// a fixed polynomial are part of the format.
func TestSplitGolden(t *testing.T) {
	s := NewSplitter(testPolynomial)
	got := fmt.Sprint(lengths(split(t, s, bytes.NewReader(random(3, 6<<20)))))
	const want = "[547745 1124634 711545 990015 606298 689586 602515 613343 405775]"
	if got != want {
		t.Errorf("chunks of %s bytes, want %s", got, want)
	}
	h := NewHasher(Key{1, 2, 3})
	if id, want := h.ID([]byte("hello")).String(), "wzGt0_LcLvMapzQ49ggvFP938CQWMtMzNO5z-qi4yXg"; id != want {
		t.Errorf("ID %s, want %s", id, want)
	}
}

func TestSplitAtLimits(t *testing.T) {
	s := NewSplitter(testPolynomial)
	for _, n := range []int{0, 1, MinSize - 1, MinSize, MinSize + 1, MaxSize, MaxSize + 1} {
		chunks := split(t, s, bytes.NewReader(make([]byte, n)))
		if got := bytes.Join(chunks, nil); len(got) != n {
			t.Errorf("%d zero bytes came back as %d", n, len(got))
		}
		if n > 0 && n <= MinSize && len(chunks) != 1 {
			t.Errorf("%d bytes gave %d chunks, want one", n, len(chunks))
		}
	}
}

// An insertion must change few chunks: that is what the Splitter is for.
func TestSplitFindsUnchanged(t *testing.T) {
	data := random(11, 2<<20)
	s := newSplitter(testPolynomial, small)
	seen := map[string]bool{}
	for _, c := range split(t, s, bytes.NewReader(data)) {
		seen[string(c)] = true
	}
	changed := append(append(bytes.Clone(data[:1<<20]), 'x'), data[1<<20:]...)
	fresh := 0
	for _, c := range split(t, s, bytes.NewReader(changed)) {
		if !seen[string(c)] {
			fresh++
		}
	}
	if fresh == 0 || fresh > 4 {
		t.Errorf("one inserted byte made %d new chunks of %d", fresh, len(seen))
	}
}

func TestSplitReaderFails(t *testing.T) {
	broken := errors.New("broken")
	data := random(5, 300<<10)
	s := newSplitter(testPolynomial, small)
	for _, want := range []error{broken, io.ErrUnexpectedEOF} {
		s.Reset(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(want)))
		buf, got := make([]byte, small.max), []byte(nil)
		var err error
		for err == nil {
			var c []byte
			c, err = s.Next(buf)
			got = append(got, c...)
		}
		if err != want {
			t.Errorf("got error %v, want %v", err, want)
		}
		if !bytes.HasPrefix(data, got) || len(got) == len(data) {
			t.Errorf("the unfinished chunk was given out: %d of %d bytes", len(got), len(data))
		}
		if _, again := s.Next(buf); again != want {
			t.Errorf("after the error: %v", again)
		}
	}
	s.Reset(idle{})
	if _, err := s.Next(make([]byte, small.max)); err != io.ErrNoProgress {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestNoAllocations(t *testing.T) {
	h, data, path := NewHasher(Key{1}), random(1, 10000), []byte("a/b/c")
	if n := testing.AllocsPerRun(100, func() { h.ID(data) }); n != 0 {
		t.Errorf("ID allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { h.Sum("cut", []byte{1}, path, data) }); n != 0 {
		t.Errorf("Sum allocates %v times", n)
	}
	s, buf, r := newSplitter(testPolynomial, small), make([]byte, small.max), bytes.NewReader(nil)
	if n := testing.AllocsPerRun(20, func() {
		r.Reset(data)
		s.Reset(r)
		for err := error(nil); err == nil; _, err = s.Next(buf) {
		}
	}); n != 0 {
		t.Errorf("splitting allocates %v times", n)
	}
}

func TestPolynomial(t *testing.T) {
	p, err := NewPolynomial()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Errorf("a new polynomial: %v", err)
	}
	if q, err := ParsePolynomial(p.Text()); err != nil || q != p {
		t.Errorf("text form %s came back as %s: %v", p.Text(), q.Text(), err)
	}
	if err := testPolynomial.Check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Polynomial{0, 1, 1 << 53, 1<<53 | 1<<52, testPolynomial << 1, testPolynomial &^ 1, ^Polynomial(0)} {
		if bad.Check() == nil {
			t.Errorf("%x passed", uint64(bad))
		}
	}
	for _, s := range []string{"", "3da3358b4dc17", "03da3358b4dc173", "3DA3358B4DC173", "0x3da3358b4dc1", "+3da3358b4dc17", "3da3358b4dc174"} {
		if _, err := ParsePolynomial(s); err == nil {
			t.Errorf("%q passed", s)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ParseKey(k.Text()); err != nil || l != k {
		t.Errorf("text form came back as another key: %v", err)
	}
	for _, bad := range []string{"", k.Text()[1:], k.Text() + "A", strings.Repeat("=", 43), strings.Repeat("_", 43)} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, secret := range []any{k, &k, testPolynomial, struct{ K Key }{k}} {
			if s := fmt.Sprintf(format, secret); !strings.Contains(s, "secret") {
				t.Errorf("%s prints %T as %s", format, secret, s)
			}
		}
	}
}

// stepReader gives at most n bytes at a time.
type stepReader struct {
	data []byte
	n    int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.data)
	r.data = r.data[n:]
	return n, nil
}
