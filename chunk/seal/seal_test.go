package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"coffer/chunk/seal/sealtest"

	"filippo.io/age"
	"pgregory.net/rapid"
)

// random returns n bytes that are the same in each run.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func generate(t testing.TB, classic bool) *Identity {
	t.Helper()
	id, err := Generate(classic)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func recipients(t testing.TB, lines ...string) Recipients {
	t.Helper()
	r, err := ParseRecipients(lines)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sealed seals plain and returns the object and its key.
func sealed(t testing.TB, plain []byte, r Recipients) ([]byte, FileKey) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FileKey()
}

func TestSealOpen(t *testing.T) {
	all := []*Identity{generate(t, false), generate(t, false), generate(t, true), generate(t, true), generate(t, true)}
	sets := [][]*Identity{all[:1], all[:2], all[2:3], all[2:5]}
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SampledFrom(sets).Draw(rt, "set")
		var lines []string
		for _, id := range ids {
			lines = append(lines, id.Recipient())
		}
		r := recipients(t, lines...)
		plain := random(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(0, 300<<10).Draw(rt, "len"))
		var b bytes.Buffer
		w, err := NewWriter(&b, r)
		if err != nil {
			rt.Fatal(err)
		}
		plain = append(plain, make([]byte, w.Target(int64(len(plain)))-int64(len(plain)))...)
		w.Write(plain)
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		obj := b.Bytes()
		if n := int64(len(obj)); PaddedLen(n) != n || w.Len(int64(len(plain))) != n {
			rt.Errorf("object of %d bytes: PADME wants %d, Len says %d", n, PaddedLen(n), w.Len(int64(len(plain))))
		}
		for _, id := range ids {
			got, err := openAll(Open(obj, NewIdentities(id)))
			if err != nil || !bytes.Equal(got, plain) {
				rt.Fatalf("one recipient of %d does not read what was sealed: %v", len(ids), err)
			}
		}
		if got, err := openAll(OpenWithKey(obj, w.FileKey())); err != nil || !bytes.Equal(got, plain) {
			rt.Fatalf("the file key does not open the object: %v", err)
		}
	})
}

func openAll(r *Reader, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return ReadAll(r, nil, 1<<30)
}

// However a Reader is read, it gives the same.
func TestReader(t *testing.T) {
	plain := random(1, 3*piece+100)
	id := generate(t, true)
	obj, _ := sealed(t, plain, recipients(t, id.Recipient()))
	r, err := Open(obj, NewIdentities(id))
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != int64(len(plain)) {
		t.Errorf("size %d, want %d", r.Size(), len(plain))
	}
	for name, size := range map[string]int{"bytes": 1, "odd": 1000, "piece": piece, "more": piece + 1, "all": len(plain), "too much": 1 << 20} {
		r, _ := Open(obj, NewIdentities(id))
		var got []byte
		buf := make([]byte, size)
		for {
			n, err := r.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("reads of %s give something else", name)
		}
	}
	short, _ := sealed(t, plain[:300], recipients(t, id.Recipient()))
	if r, err = Open(short, NewIdentities(id)); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, plain[:300]); err != nil {
		t.Error(err)
	}
	if r, err = Open(short, NewIdentities(id)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2*piece)
	if n, err := r.Read(buf[:10]); n != 10 || err != nil {
		t.Errorf("a short read: %d, %v", n, err)
	}
	if n, err := r.Read(buf); n != 290 || err != nil {
		t.Errorf("what is left of the piece: %d, %v", n, err)
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("a read of nothing, at the end: %d, %v", n, err)
	}
	for off, want := range map[int64]int{-1: 0, 0: 300, 100: 200, 300: 0, 301: 0} {
		if n, err := r.ReadAt(buf, off); n != want || err == nil || (err == io.EOF) != (off >= 0 && off <= 300) {
			t.Errorf("at %d: %d, %v", off, n, err)
		}
	}
}

func TestReadAll(t *testing.T) {
	plain := random(2, piece+5)
	id := generate(t, true)
	obj, _ := sealed(t, plain, recipients(t, id.Recipient()))
	for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.HalfReader} {
		open := func() io.Reader {
			r, err := Open(obj, NewIdentities(id))
			if err != nil {
				t.Fatal(err)
			}
			return wrap(r)
		}
		if got, err := ReadAll(open(), []byte("before"), int64(len(plain))); err != nil || string(got) != "before"+string(plain) {
			t.Errorf("appending: %d bytes, %v", len(got), err)
		}
		room := make([]byte, 0, 2*len(plain))
		if got, err := ReadAll(open(), room, 1<<20); err != nil || &got[0] != &room[:1][0] {
			t.Errorf("room was not used: %v", err)
		}
		if got, err := ReadAll(open(), nil, int64(len(plain)-1)); err == nil || got != nil {
			t.Errorf("limit: %d bytes, %v", len(got), err)
		}
		r := open()
		io.ReadFull(r, make([]byte, 10))
		if got, err := ReadAll(r, nil, 1<<20); err != nil || !bytes.Equal(got, plain[10:]) {
			t.Errorf("the rest: %d bytes, %v", len(got), err)
		}
		for _, size := range []int{10, 2 * piece} {
			if n, err := r.Read(make([]byte, size)); n != 0 || err != io.EOF {
				t.Errorf("after the rest: %d bytes, %v", n, err)
			}
		}
	}
}

// Every damaged object is refused, and nothing of it released.
func TestDamage(t *testing.T) {
	plain := random(3, piece+1000)
	id := generate(t, false)
	obj, key := sealed(t, plain, recipients(t, id.Recipient()))
	fails := func(what string, bad []byte) {
		t.Helper()
		if got, err := openAll(Open(bad, NewIdentities(id))); err == nil || got != nil {
			t.Errorf("%s: opened", what)
		}
		if got, err := openAll(OpenWithKey(bad, key)); err == nil || got != nil {
			t.Errorf("%s: opened with the file key", what)
		}
	}
	for at := 0; at < len(obj); at += 1 + len(obj)/500 {
		bad := bytes.Clone(obj)
		bad[at] ^= 1 << (at % 8)
		fails(fmt.Sprintf("bit flipped at %d of %d", at, len(obj)), bad)
	}
	for _, n := range []int{0, 1, 21, 22, 1000, len(obj) - piece, len(obj) - 17, len(obj) - 1} {
		fails(fmt.Sprintf("cut to %d", n), obj[:n])
	}
	fails("byte added", append(bytes.Clone(obj), 0))
	fails("twice", append(bytes.Clone(obj), obj...))
	var other FileKey
	if _, err := openAll(OpenWithKey(obj, other)); err == nil {
		t.Error("opened with another key")
	}
}

func TestNoIdentity(t *testing.T) {
	id := generate(t, false)
	obj, _ := sealed(t, nil, recipients(t, id.Recipient()))
	for _, ids := range []Identities{{}, NewIdentities(generate(t, false)), NewIdentities(generate(t, true))} {
		if _, err := Open(obj, ids); !errors.Is(err, ErrNoIdentity) {
			t.Errorf("%d foreign identities: %v", ids.Len(), err)
		}
	}
	if _, err := NewWriter(new(bytes.Buffer), Recipients{}); err == nil {
		t.Error("sealed to nobody")
	}
}

// flipped spoils the first stanza of those that w makes, as a fault of the
// memory would while it is made.
type flipped struct{ wrap }

func (f flipped) WrapWithLabels(key []byte) ([]*age.Stanza, []string, error) {
	s, l, err := f.wrap.WrapWithLabels(key)
	if err == nil {
		s[0].Body[3] ^= 4
	}
	return s, l, err
}

func TestFlippedStanza(t *testing.T) {
	for _, classic := range []bool{false, true} {
		id := generate(t, classic)
		var b bytes.Buffer
		var key FileKey
		w, err := age.Encrypt(&b, flipped{wrap{recipients(t, id.Recipient()), &key}})
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("hello"))
		w.Close()
		if got, err := openAll(OpenWithKey(b.Bytes(), key)); err != nil || string(got) != "hello" {
			t.Fatalf("with the key: %q, %v", got, err)
		}
		if got, err := openAll(Open(b.Bytes(), NewIdentities(id))); err != nil || string(got) != "hello" {
			t.Errorf("one spoiled stanza lost the object: %q, %v", got, err)
		}
	}
}

func TestHeaderLimits(t *testing.T) {
	var ids []*Identity
	var lines []string
	for range maxAudience {
		ids = append(ids, generate(t, false))
		lines = append(lines, ids[len(ids)-1].Recipient())
	}
	eight, _ := sealed(t, []byte("x"), recipients(t, lines[:8]...))
	if _, err := Open(eight, NewIdentities(ids[7])); err != nil {
		t.Errorf("eight recipients: %v", err)
	}
	if _, err := ParseRecipients(lines[:9]); err == nil {
		t.Error("nine recipients passed")
	}
	all, err := ParseAudience(lines)
	if err != nil {
		t.Fatal(err)
	}
	obj, key := sealed(t, []byte("x"), all)
	if _, err := Open(obj, NewIdentities(ids[0])); err == nil {
		t.Error("a header of 59 KB passed")
	}
	if _, err := OpenLimit(obj, NewIdentities(ids[35]), 64<<10); err != nil {
		t.Errorf("whole audience: %v", err)
	}
	if _, err := OpenWithKey(obj, key); err != nil {
		t.Errorf("whole audience, with the key: %v", err)
	}
	for name, head := range map[string]string{
		"many stanzas": strings.Repeat("-> a\n\n", 17),
		"no end":       strings.Repeat("-> a ", 8000),
		"long line":    "-> " + strings.Repeat("a", 20<<10) + "\n\n--- x\n",
	} {
		_, err := Open([]byte(intro+head), NewIdentities(ids[0]))
		if err == nil || !strings.Contains(err.Error(), "over") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The header is held against its limits by lines alone.
func TestCheckHeader(t *testing.T) {
	const end = "--- x\n"
	full := intro + strings.Repeat("x", headerMax-len(intro))
	for head, want := range map[string]string{
		intro + strings.Repeat("-> a\n\n", 16) + end:          "",
		intro + strings.Repeat("-> a\n\n", 17) + end:          "over 16 stanzas",
		intro + "-> a\n" + strings.Repeat("line\n", 50) + end: "",
		intro + "-> a\n":   "cut short",
		intro:              "cut short",
		intro[:9]:          "not an age object",
		full[:headerMax-1]: "cut short",
		full:               "over 16384 bytes",
		full + "\n" + end:  "over 16384 bytes",
	} {
		if err := CheckHeader([]byte(head)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes, %.40q: got %v, want %q", len(head), head, err, want)
		}
	}
}

// A header that never ends is refused before any of it is parsed or kept: what
// is allocated does not grow with it.
func TestHeaderBombs(t *testing.T) {
	id := generate(t, true)
	for name, line := range map[string]string{
		"stanzas": "-> X25519 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		"a line":  strings.Repeat("a", 64),
		"a body":  strings.Repeat("a", 64) + "\n",
	} {
		bomb := []byte(intro + strings.Repeat(line, 16<<20/len(line)))
		for how, open := range map[string]func() (*Reader, error){
			"Open":        func() (*Reader, error) { return Open(bomb, NewIdentities(id)) },
			"OpenAt":      func() (*Reader, error) { return OpenAt(bytes.NewReader(bomb), int64(len(bomb)), NewIdentities(id)) },
			"OpenWithKey": func() (*Reader, error) { return OpenWithKey(bomb, FileKey{}) },
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := open()
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 1<<20 {
				t.Errorf("%s of %s: %v, %d KiB allocated", how, name, err, used>>10)
			}
		}
	}
}

func TestOpenAt(t *testing.T) {
	plain := random(4, 20*piece)
	id := generate(t, false)
	obj, _ := sealed(t, plain, recipients(t, id.Recipient()))
	src := &countingAt{b: obj}
	r, err := OpenAt(src, int64(len(obj)), NewIdentities(id))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if _, err := r.ReadAt(got, 5*piece-50); err != nil || !bytes.Equal(got, plain[5*piece-50:][:100]) {
		t.Errorf("read a part: %v", err)
	}
	if src.n > 6*piece {
		t.Errorf("read %d bytes for 100", src.n)
	}
	if _, err := OpenAt(bytes.NewReader(obj[:100]), 100, NewIdentities(id)); err == nil {
		t.Error("opened the first 100 bytes")
	}
	if _, err := OpenAt(bytes.NewReader(nil), 0, NewIdentities(id)); err == nil {
		t.Error("opened nothing")
	}
	if _, err := OpenAt(bytes.NewReader(obj[:1000]), int64(len(obj)), NewIdentities(id)); err == nil {
		t.Error("opened what is shorter than it is said to be")
	}
}

type countingAt struct {
	b []byte
	n int
}

func (c *countingAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(c.b).ReadAt(p, off)
	c.n += n
	return n, err
}

// The stock tool opens what is sealed here, and the other way round.
func TestStockAge(t *testing.T) {
	tool := sealtest.Age(t)
	plain := random(5, 2*piece+3)
	for _, classic := range []bool{false, true} {
		id, other := generate(t, classic), generate(t, classic)
		r := recipients(t, id.Recipient(), other.Recipient())
		kit := sealtest.File(t, "kit.txt", "# recovery kit\r\n#\n"+id.String()+"\n# end\n")
		obj, _ := sealed(t, plain, r)
		if got := sealtest.Run(t, obj, tool, "-d", "-i", kit); !bytes.Equal(got, plain) {
			t.Errorf("age -d gives %d other bytes", len(got))
		}
		obj = sealtest.Run(t, plain, tool, "-r", id.Recipient())
		if got, err := openAll(Open(obj, NewIdentities(id))); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("what age sealed: %v", err)
		}
	}
}
