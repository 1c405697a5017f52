package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/seal"

	"github.com/klauspost/compress/zstd"
)

// A bit that flips anywhere between the making of an ID and the finished
// object is found by Check.
// What flips in Sum, or in Object after the check, the store refuses, see the
// contract of all stores in remote/storetest.
func TestCheckFindsFlips(t *testing.T) {
	k := newKeys(t, true)
	pieces := []piece{{chunk.Data, text(1, 30000)}, {chunk.Data, random(2, 700<<10)}, {chunk.Segment, text(3, 5000)}, {chunk.Data, text(4, 600<<10)}}
	flip := func(b []byte) { b[len(b)/2] ^= 8 }
	before := map[string]func(*Builder){
		"open frame":       func(b *Builder) { flip(b.open) },
		"raw frame":        func(b *Builder) { b.frames()[b.dir.frames[1].at+1000] ^= 1 },
		"compressed frame": func(b *Builder) { f := b.dir.frames[2]; flip(b.frames()[f.at : f.at+f.packed]) },
		"shared frame":     func(b *Builder) { f := b.dir.frames[0]; flip(b.frames()[f.at : f.at+f.packed]) },
		"ID":               func(b *Builder) { b.dir.entries[0].ID[5] ^= 1 },
		"kind":             func(b *Builder) { b.dir.entries[0].Kind = chunk.Segment },
		"length":           func(b *Builder) { b.dir.entries[0].Len ^= 4 },
		"frame length":     func(b *Builder) { b.dir.frames[0].packed ^= 1 },
		"frame content":    func(b *Builder) { b.dir.frames[0].plain ^= 1 },
		"offset told":      func(b *Builder) { b.dir.entries[1].Offset ^= 1 },
	}
	for name, harm := range before {
		b := NewBuilder(TargetData, Default)
		fill(b, pieces)
		fill(b, []piece{{chunk.Data, text(5, 100)}}) // leaves a frame open
		harm(b)
		if err := Check(sealPack(t, b, k), hasher); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
	after := map[string]func(*Sealed){
		"head":    func(s *Sealed) { s.Object[30] ^= 1 },
		"middle":  func(s *Sealed) { flip(s.Object) },
		"last":    func(s *Sealed) { s.Object[len(s.Object)-1] ^= 1 },
		"cut":     func(s *Sealed) { s.Object = s.Object[:len(s.Object)-1] },
		"key":     func(s *Sealed) { s.Key[0] ^= 1 },
		"entry":   func(s *Sealed) { s.Entries[0].ID[0] ^= 1 },
		"offset":  func(s *Sealed) { s.Entries[1].Offset++ },
		"missing": func(s *Sealed) { s.Entries = s.Entries[1:] },
		"plain":   func(s *Sealed) { s.Plain++ },
	}
	checker := NewChecker(hasher)
	for name, harm := range after {
		b := NewBuilder(TargetData, Default)
		fill(b, pieces)
		s := sealPack(t, b, k)
		if err := checker.Check(s); err != nil {
			t.Fatal(err)
		}
		harm(&s)
		if err := checker.Check(s); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
	b := NewBuilder(TargetData, Default)
	fill(b, pieces)
	if err := Check(sealPack(t, b, k), func(chunk.Kind) *chunk.Hasher { return nil }); err == nil {
		t.Error("checked without a key")
	}
}

// sealPlain seals what a pack's plaintext is said to be.
func sealPlain(t testing.TB, plain []byte, k keys) []byte {
	t.Helper()
	obj, _ := sealKept(t, plain, k)
	return obj
}

// sealKept is sealPlain, with the key that a Checker opens it with.
func sealKept(t testing.TB, plain []byte, k keys) ([]byte, seal.FileKey) {
	t.Helper()
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, k.recipients)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FileKey()
}

// layout puts a plaintext together: frames, fill, directory, footer.
func layout(frames []byte, fill int, directory string) []byte {
	b := bytes.Clone(frames)
	b = appendSkip(b, tailMagic, int64(fill+len(directory)+footerLen))
	b = append(b, make([]byte, fill)...)
	b = append(b, directory...)
	return appendFooter(b, len(directory))
}

const someID = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// line is a directory of one frame with one chunk.
func line(packed, plain int) string {
	return fmt.Sprintf(`{"c":%d,"p":%d,"chunks":[["d",%d,"%s"]]}`+"\n", packed, plain, plain, someID)
}

func TestLayoutRefused(t *testing.T) {
	k := newKeys(t, true)
	frame := appendRaw(nil, []byte("hello"))
	good := layout(frame, 10, line(len(frame), 5))
	for _, plain := range [][]byte{layout(frame, 0, line(len(frame), 5)), good} {
		if _, err := Open(sealPlain(t, plain, k), k.ids); err != nil {
			t.Fatal(err)
		}
		if err := checkHello(t, plain, k); err != nil {
			t.Fatal(err)
		}
	}
	patched := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] ^= v
		return b
	}
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint64(huge[len(huge)-16:], 1<<63)
	beyond := bytes.Clone(good)
	binary.LittleEndian.PutUint64(beyond[len(beyond)-16:], uint64(len(good)))
	for name, plain := range map[string][]byte{
		"empty":                nil,
		"no footer":            frame,
		"footer only":          appendFooter(nil, 0),
		"other magic":          patched(len(frame), 1),
		"skip length":          patched(len(frame)+4, 1),
		"padding not zero":     patched(len(frame)+skipHeader+3, 1),
		"directory too long":   beyond,
		"directory huge":       huge,
		"no frames":            layout(nil, 0, "\n"),
		"empty directory":      layout(frame, 0, ""),
		"frame beyond":         layout(frame, 0, line(len(frame)+1, 5)),
		"frame far beyond":     layout(frame, 0, line(1<<20, 5)),
		"bytes between":        layout(append(bytes.Clone(frame), 0), 0, line(len(frame), 5)),
		"directory in frame":   append(bytes.Clone(frame), appendFooter([]byte(line(len(frame), 5)), len(line(len(frame), 5)))...),
		"trailing bytes":       append(bytes.Clone(good), 0),
		"directory in padding": patched(len(good)-1, 1),
	} {
		if r, err := Open(sealPlain(t, plain, k), k.ids); err == nil || r != nil {
			t.Errorf("%s: opened", name)
		}
		if checkHello(t, plain, k) == nil {
			t.Errorf("%s: checked", name)
		}
		r := new(Reader)
		if err := r.Open(sealPlain(t, good, k), k.ids); err != nil {
			t.Fatal(err)
		}
		if n, _ := r.Len(); n != 1 || r.Open(sealPlain(t, plain, k), k.ids) == nil {
			t.Errorf("%s: opened by a Reader of %d chunks", name, n)
		}
		if n, _ := r.Len(); n != 0 {
			t.Errorf("%s: a Reader that failed still has the pack before, or half of this one", name)
		}
	}
	r, err := Open(sealPlain(t, good, k), k.ids)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Open(sealPlain(t, good, newKeys(t, true)), k.ids); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("somebody else's pack, by a Reader that was used: %v", err)
	}
	if n, _ := r.Len(); n != 0 {
		t.Error("a Reader that had no key still has the pack before")
	}
	if _, err := Open(sealPlain(t, good, newKeys(t, true)), k.ids); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("somebody else's pack: %v", err)
	}
}

// checkHello checks a pack of this plaintext as one of the chunk "hello" is
// checked before it is uploaded; its directory names someID.
func checkHello(t *testing.T, plain []byte, k keys) error {
	return NewChecker(hasher).Check(sealedHello(t, plain, k))
}

func sealedHello(t *testing.T, plain []byte, k keys) Sealed {
	id := hasher(chunk.Data).ID([]byte("hello"))
	obj, key := sealKept(t, bytes.ReplaceAll(plain, []byte(someID), []byte(id.String())), k)
	return Sealed{Object: obj, Sum: checksum(obj), Key: key, Entries: []Entry{{chunk.Data, id, 0, 5}}, Plain: 5}
}

// A frame that cannot be decoded is not taken for the one before, which a
// Checker still has in its memory.
func TestFrameBeforeIsForgotten(t *testing.T) {
	k := newKeys(t, true)
	frame := appendRaw(nil, []byte("hello"))
	bad := bytes.Clone(frame)
	bad[len(bad)-len("hello")-3] |= 3 << 1 // a type of block that there is not
	c := NewChecker(hasher)
	if err := c.Check(sealedHello(t, layout(frame, 0, line(len(frame), 5)), k)); err != nil {
		t.Fatal(err)
	}
	if c.Check(sealedHello(t, layout(bad, 0, line(len(bad), 5)), k)) == nil {
		t.Error("passed")
	}
}

// Who has the key of one pack reads that pack.
func TestOpenWithKey(t *testing.T) {
	k := newKeys(t, true)
	b := NewBuilder(TargetData, Default)
	want, _ := fill(b, []piece{{chunk.Data, text(1, 300)}})
	s := sealPack(t, b, k)
	if r, err := OpenWithKey(s.Object, s.Key); err != nil || !slices.Equal(slices.Collect(r.Entries()), want) {
		t.Errorf("%v", err)
	}
	s.Key[3] ^= 1
	if r, err := OpenWithKey(s.Object, s.Key); err == nil || r != nil {
		t.Error("another key opened it")
	}
}

// A Checker and a Reader keep their memory, ask for each Hasher once, and
// decode a frame once for all that is read of it in a row.
func TestMemoryIsKept(t *testing.T) {
	k := newKeys(t, true)
	b := NewBuilder(TargetData, Default)
	fill(b, []piece{{chunk.Data, text(1, 2<<20)}, {chunk.Segment, text(2, 2<<20)}, {chunk.Data, text(3, 2<<20)}})
	s := sealPack(t, b, k)
	asked := map[chunk.Kind]int{}
	c := NewChecker(func(k chunk.Kind) *chunk.Hasher { asked[k]++; return hasher(k) })
	r, err := Open(s.Object, k.ids)
	if err != nil {
		t.Fatal(err)
	}
	use := func() {
		if err := c.Check(s); err != nil {
			t.Fatal(err)
		}
		if err := r.Read([]Extent{{0, 9}, {2 << 20, 9}, {4 << 20, 9}}, func(int, []byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	use()
	if used := allocated(use); used > 1<<20 {
		t.Errorf("%d bytes allocated for packs no larger than the one before", used)
	}
	if asked[chunk.Data] != 1 || asked[chunk.Segment] != 1 {
		t.Errorf("asked for hashers: %v", asked)
	}
	err = r.Read([]Extent{{0, 9}, {100, 9}}, func(int, []byte) error { clear(r.plain[:1000]); return nil })
	if err != nil {
		t.Errorf("a frame was decoded again: %v", err)
	}
}

func TestDirectoryRefused(t *testing.T) {
	good := line(10, 5)
	var d Directory
	if err := d.parse([]byte(good + strings.Replace(good, `"d"`, `"s"`, 1))); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"c"`, `"C"`}, {`{`, ` {`}, {`,`, `, `}, {`10`, `010`}, {`10`, `+10`}, {`10`, `0`}, {`10`, `-1`}, {`10`, `1e1`}, {`10`, ``},
		{`10`, `99999999999999999999`}, {`10`, `9223372036854775808`}, {`"d"`, `"x"`}, {`"d"`, `""`}, {`"d",5`, `"d",4`}, {`"d",5`, `"d",6`},
		{`"p":5`, `"p":8388609`}, {`AAA"`, `AAB"`}, {`AAA"`, `AA"`}, {`AAA"`, `AA="`}, {"]]}\n", "]]}"}, {"]]}\n", "]]}\r\n"}, {"]]}\n", "],]}\n"},
		{"]]}\n", "]]}\n\n"}, {"]]}\n", "]]} \n"}, {`[["d",5,"` + someID + `"]]`, `[]`}, {`]]}`, `]],"x":1}`}, {"]]}\n", "];}\n"}, {`5,"A`, `5;"A`}, {`"d",5,`, `"d",,`},
		{`10`, `16777217`}, {`5`, `8388609`}, {`"c":10`, `"c":`}, {`"]]`, `"],["d",0,"` + someID + `"]`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if c[0] == `5` {
			bad = strings.ReplaceAll(good, c[0], c[1])
		}
		if bad == good {
			t.Fatalf("%q is not in the line", c[0])
		}
		if d.parse([]byte(bad)) == nil {
			t.Errorf("passed: %s", bad)
		}
	}
	for i := range good {
		if d.parse([]byte(good[:i])) == nil {
			t.Errorf("passed, cut to %d bytes", i)
		}
	}
	most := `{"c":16777216,"p":8388608,"chunks":[` + strings.Repeat(`["d",0,"`+someID+`"],`, frameChunks-1) + `["d",8388608,"` + someID + `"]]}` + "\n"
	if err := d.parse([]byte(most)); err != nil {
		t.Errorf("as much as a frame may have: %v", err)
	}
	many := `{"c":10,"p":0,"chunks":[` + strings.Repeat(`["d",0,"`+someID+`"],`, frameChunks) + `["d",0,"` + someID + `"]]}` + "\n"
	if d.parse([]byte(many)) == nil {
		t.Error("passed: more chunks than may share a frame")
	}
}

func TestReadErrors(t *testing.T) {
	k := newKeys(t, true)
	b := NewBuilder(TargetData, Default)
	_, content := fill(b, []piece{{chunk.Data, text(1, 600<<10)}, {chunk.Data, text(2, 100)}, {chunk.Data, text(3, 100)}})
	r, err := Open(sealPack(t, b, k).Object, k.ids)
	if err != nil {
		t.Fatal(err)
	}
	end := int64(len(content))
	for name, bad := range map[string]Extent{
		"before": {-1, 1}, "negative": {0, -1}, "beyond": {end - 1, 2}, "far": {1 << 62, 1 << 62}, "overflow": {5, 1<<63 - 1}, "in two frames": {600<<10 - 1, 2},
	} {
		calls := 0
		err := r.Read([]Extent{{-5, 0}, bad}[1:], func(int, []byte) error { calls++; return nil })
		x, ok := errors.AsType[*ExtentError](err)
		if !ok || x.Index != 0 || x.Extent != bad || calls > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var got []int
	err = r.Read([]Extent{{0, 10}, {5, 20}, {4, 1}}, func(i int, _ []byte) error { got = append(got, i); return nil })
	if x, ok := errors.AsType[*ExtentError](err); !ok || x.Index != 2 || len(got) != 2 {
		t.Errorf("descending: %v after %v", err, got)
	}
	if err := r.Read([]Extent{{0, 1}, {1, 1}}, func(int, []byte) error { return io.EOF }); err != io.EOF {
		t.Errorf("the caller's error came back as %v", err)
	}
	ends := []Extent{{0, 0}, {0, 600 << 10}, {600 << 10, 0}, {600 << 10, 100}, {end - 1, 1}, {end, 0}}
	if err := r.Read(ends, func(i int, data []byte) error {
		if !bytes.Equal(data, content[ends[i].Offset:][:ends[i].Len]) {
			return fmt.Errorf("extent %d", i)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// bombs are frames that decode to far more than they should, or want to.
func bombs(t testing.TB) map[string][]byte {
	const size = 256 << 20
	var streamed bytes.Buffer
	z, err := zstd.NewWriter(&streamed, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range size >> 20 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	header := func(h zstd.Header) []byte {
		b, err := h.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, 0x23, 0x03, 0, 'x') // one block, the last: a byte, 100 times
	}
	huge, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"sized":         huge.EncodeAll(make([]byte, size), nil),
		"streamed":      streamed.Bytes(),
		"huge window":   header(zstd.Header{WindowSize: 1 << 29}),
		"huge segment":  header(zstd.Header{SingleSegment: true, HasFCS: true, FrameContentSize: 1 << 40}),
		"false size":    header(zstd.Header{SingleSegment: true, HasFCS: true, FrameContentSize: 1 << 20}),
		"many frames":   bytes.Repeat(huge.EncodeAll(make([]byte, 1<<20), nil), 256),
		"only skipping": bytes.Repeat(appendSkip(nil, paddingMagic, 0), 1000),
	}
}

func TestBombs(t *testing.T) {
	k := newKeys(t, true)
	for name, frame := range bombs(t) {
		for _, said := range []int{0, 100, MaxChunk} {
			var err error
			obj := sealPlain(t, layout(frame, 0, line(len(frame), said)), k)
			used := allocated(func() {
				var r *Reader
				if r, err = Open(obj, k.ids); err == nil {
					err = r.Read([]Extent{{0, int64(said)}}, func(int, []byte) error { return nil })
				}
			})
			if err == nil && !(name == "only skipping" && said == 0) {
				t.Errorf("%s frame, %d bytes said: no error", name, said)
			}
			if used > 24<<20 {
				t.Errorf("%s frame, %d bytes said: %d MiB allocated", name, said, used>>20)
			}
		}
		blob := sealPlain(t, frame, k)
		var err error
		used := allocated(func() { _, err = OpenBlob(blob, k.ids, 1<<20) })
		if err == nil || used > 8<<20 {
			t.Errorf("%s blob: %v, %d MiB allocated", name, err, used>>20)
		}
	}
}

func TestBlob(t *testing.T) {
	k := newKeys(t, false)
	for _, plain := range [][]byte{nil, []byte("x"), text(1, 255), text(1, 256), text(1, 1024), text(2, 1025), random(3, 100<<10), text(4, 3<<20), make([]byte, 9<<20)} {
		obj, sum, err := SealBlob(plain, k.recipients)
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(len(obj)); seal.PaddedLen(n) != n {
			t.Errorf("object of %d bytes is not padded", n)
		}
		got, err := OpenBlob(obj, k.ids, int64(len(plain)))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
		}
		if len(plain) > 0 {
			if got, err := OpenBlob(obj, k.ids, int64(len(plain)-1)); err == nil || got != nil {
				t.Errorf("%d bytes passed a limit of one less", len(plain))
			}
		}
		bad := bytes.Clone(obj)
		bad[len(bad)/2] ^= 1
		if _, err := OpenBlob(bad, k.ids, 1<<30); err == nil {
			t.Error("opened a spoiled blob")
		}
		if _, err := OpenBlob(obj, newKeys(t, false).ids, 1<<30); !errors.Is(err, seal.ErrNoIdentity) {
			t.Errorf("somebody else's blob: %v", err)
		}
		if got := checksum(obj); got != sum {
			t.Error("wrong sum")
		}
	}
	if _, _, err := SealBlob([]byte("x"), seal.Recipients{}); err == nil {
		t.Error("sealed to nobody")
	}
	frame := appendRaw(nil, []byte("hello"))
	for name, plain := range map[string][]byte{"empty": nil, "junk": []byte("junk"), "cut": frame[:len(frame)-1], "junk after": append(bytes.Clone(frame), "junk"...), "skip first": append(appendSkip(nil, paddingMagic, 0), frame...)} {
		if _, err := OpenBlob(sealPlain(t, plain, k), k.ids, 1<<20); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestDirectoryAt(t *testing.T) {
	k := newKeys(t, false)
	b := NewBuilder(TargetData, Default)
	var pieces []piece
	for i := range 3000 {
		pieces = append(pieces, piece{chunk.Data, random(uint64(i), 1000)})
	}
	want, _ := fill(b, pieces)
	obj := sealPack(t, b, k).Object
	src := &countingAt{r: bytes.NewReader(obj)}
	d, err := DirectoryAt(src, int64(len(obj)), k.ids)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for e := range d.Entries() {
		if e != want[i] {
			t.Fatalf("entry %d differs", i)
		}
		i++
	}
	if n, plain := d.Len(); i != len(want) || n != i || plain != 3000*1000 {
		t.Errorf("%d entries, %d bytes", n, plain)
	}
	if src.n > 512<<10 {
		t.Errorf("read %d bytes of %d", src.n, len(obj))
	}
	for _, plain := range [][]byte{nil, []byte("short"), appendFooter(nil, 1000), appendFooter([]byte("x"), 1)} {
		if _, err := DirectoryAt(bytes.NewReader(sealPlain(t, plain, k)), int64(len(sealPlain(t, plain, k))), k.ids); err == nil {
			t.Errorf("%d bytes passed", len(plain))
		}
	}
	if _, err := DirectoryAt(bytes.NewReader(obj), int64(len(obj)), newKeys(t, false).ids); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("somebody else's pack: %v", err)
	}
	text := line(10, 5)
	whole := layout(nil, 0, text)
	if _, err := ReadDirectory(whole[len(whole)-20:]); err == nil {
		t.Error("a short tail passed")
	} else if short, ok := errors.AsType[*ShortTailError](err); !ok || short.Need != int64(len(text)+footerLen) {
		t.Errorf("short tail: %v", err)
	}
}

type countingAt struct {
	r io.ReaderAt
	n int
}

func (c *countingAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n += n
	return n, err
}
