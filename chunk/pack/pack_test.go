package pack

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/chunk/seal/sealtest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// keys are those of a vault.
type keys struct {
	id         *seal.Identity
	ids        seal.Identities
	recipients seal.Recipients
}

func newKeys(t testing.TB, classic bool) (k keys) {
	t.Helper()
	id, err := seal.Generate(classic)
	if err != nil {
		t.Fatal(err)
	}
	r, err := seal.ParseRecipients([]string{id.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	return keys{id, seal.NewIdentities(id), r}
}

// hasher gives the hashers of a vault, one for each kind.
func hasher(k chunk.Kind) *chunk.Hasher {
	switch k {
	case chunk.Data, chunk.Segment:
		return chunk.NewHasher(chunk.Key{byte(k)})
	}
	return nil
}

// A piece is a chunk put into a pack by a test.
type piece struct {
	kind chunk.Kind
	data []byte
}

// text returns n bytes that compress.
func text(seed uint64, n int) []byte {
	var b bytes.Buffer
	for i := seed; b.Len() < n; i++ {
		fmt.Fprintf(&b, "func f%d(x int) int { return x*%d + %d }\n", i%1000, i*i%97, i)
	}
	return b.Bytes()[:n]
}

func drawPiece(t *rapid.T) piece {
	n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 100<<10), rapid.IntRange(SolidLimit-2, SolidLimit+2), rapid.IntRange(SolidLimit, 2<<20)).Draw(t, "len")
	p := piece{kind: rapid.SampledFrom([]chunk.Kind{chunk.Data, chunk.Segment}).Draw(t, "kind")}
	seed := rapid.Uint64().Draw(t, "seed")
	if rapid.Bool().Draw(t, "text") {
		p.data = text(seed, n)
	} else {
		p.data = random(seed, n)
	}
	return p
}

// fill adds pieces and returns what the directory must say.
func fill(b *Builder, pieces []piece) (want []Entry, content []byte) {
	for _, p := range pieces {
		id := hasher(p.kind).ID(p.data)
		scratch := bytes.Clone(p.data)
		off := b.Add(p.kind, id, scratch)
		for i := range scratch {
			scratch[i] ^= 0xaa // the Builder must have copied it
		}
		want = append(want, Entry{p.kind, id, off, int64(len(p.data))})
		content = append(content, p.data...)
	}
	return want, content
}

func sealPack(t interface {
	Helper()
	Fatal(...any)
}, b *Builder, k keys) Sealed {
	t.Helper()
	s, err := b.Seal(k.recipients)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is put into packs comes out of them, by whichever way.
func TestBuildSealOpenRead(t *testing.T) {
	k := newKeys(t, false)
	builder, reader, checker := NewBuilder(TargetData, Fastest), new(Reader), NewChecker(hasher)
	var spare []byte
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.Custom(drawPiece), 1, 12).Draw(t, "pieces")
		want, content := fill(builder, pieces)
		if chunks, plain := builder.Len(); chunks != len(pieces) || plain != int64(len(content)) {
			t.Fatalf("%d chunks of %d bytes, want %d of %d", chunks, plain, len(pieces), len(content))
		}
		s, err := builder.Seal(k.recipients)
		if err != nil {
			t.Fatal(err)
		}
		if !builder.Empty() {
			t.Fatal("not empty after sealing")
		}
		builder.Reuse(spare)
		spare = s.Object
		if n := int64(len(s.Object)); seal.PaddedLen(n) != n {
			t.Fatalf("object of %d bytes is not padded", n)
		}
		if err := checker.Check(s); err != nil {
			t.Fatal(err)
		}
		if err := reader.Open(s.Object, k.ids); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, slices.Collect(reader.Entries())); d != "" || !slices.Equal(want, s.Entries) {
			t.Fatal("directory:\n" + d)
		}
		if _, plain := reader.Len(); plain != int64(len(content)) || s.Plain != plain {
			t.Fatalf("content of %d bytes, want %d", plain, len(content))
		}
		readSome(t, reader, want, content)
	})
}

// readSome reads a drawn part of the chunks, some of them twice.
func readSome(t *rapid.T, r *Reader, entries []Entry, content []byte) {
	var extents []Extent
	for _, e := range entries {
		for range rapid.IntRange(0, 2).Draw(t, "times") {
			extents = append(extents, Extent{e.Offset, e.Len})
		}
	}
	next := 0
	err := r.Read(extents, func(i int, data []byte) error {
		if x := extents[i]; i != next || !bytes.Equal(data, content[x.Offset:][:x.Len]) {
			return fmt.Errorf("extent %d is not what it was", i)
		}
		next++
		return nil
	})
	if err != nil || next != len(extents) {
		t.Fatalf("read %d of %d: %v", next, len(extents), err)
	}
}

// The promise: with age and zstd alone anyone can read a pack.
func TestStockTools(t *testing.T) {
	age, k := sealtest.Age(t), newKeys(t, false)
	kit := sealtest.File(t, "kit.txt", "# recovery kit\n"+k.id.String()+"\n")
	pieces := []piece{
		{chunk.Data, text(1, 1000)}, {chunk.Data, random(2, 600<<10)}, {chunk.Data, nil}, {chunk.Segment, text(3, 900<<10)},
		{chunk.Data, text(4, 300<<10)}, {chunk.Data, random(5, 7)}, {chunk.Data, make([]byte, 4<<20)},
	}
	for level := Default; level <= Better; level++ {
		b := NewBuilder(TargetData, level)
		_, content := fill(b, pieces)
		s := sealPack(t, b, k)
		plain := sealtest.Run(t, s.Object, age, "-d", "-i", kit)
		if got := sealtest.Run(t, plain, "zstd", "-d", "-q"); !bytes.Equal(got, content) {
			t.Errorf("level %d: age | zstd gives %d bytes, want %d", level, len(got), len(content))
		}
		jsonDirectory(t, plain, s.Entries)
	}
	obj, _, err := SealBlob(text(6, 5000), k.recipients)
	if err != nil {
		t.Fatal(err)
	}
	plain := sealtest.Run(t, obj, age, "-d", "-i", kit)
	if got := sealtest.Run(t, plain, "zstd", "-d", "-q"); !bytes.Equal(got, text(6, 5000)) {
		t.Errorf("age | zstd gives %d bytes of a blob", len(got))
	}
}

// jsonDirectory reads the directory as a stranger would, by its description.
func jsonDirectory(t *testing.T, plain []byte, want []Entry) {
	t.Helper()
	foot := plain[len(plain)-16:]
	if string(foot[8:]) != "COFFERD1" {
		t.Fatal("no footer")
	}
	n := int(binary.LittleEndian.Uint64(foot))
	dec := json.NewDecoder(bytes.NewReader(plain[len(plain)-16-n : len(plain)-16]))
	var got []Entry
	var offset, at int64
	for {
		var line struct {
			C, P   int64
			Chunks [][3]any
		}
		if err := dec.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		at += line.C
		for _, c := range line.Chunks {
			id, err := chunk.ParseID(c[2].(string))
			if err != nil {
				t.Fatal(err)
			}
			e := Entry{chunk.Kind(c[0].(string)[0]), id, offset, int64(c[1].(float64))}
			got = append(got, e)
			offset += e.Len
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if magic := binary.LittleEndian.Uint32(plain[at:]); magic != 0x184D2A5C {
		t.Errorf("after the frames stands %x", magic)
	}
}

func TestSolid(t *testing.T) {
	b := NewBuilder(TargetData, Default)
	for i := range 3000 {
		fill(b, []piece{{chunk.Data, text(uint64(i*50), 4000)}})
	}
	for _, f := range b.dir.frames {
		if f.plain < SolidFrame || f.plain > SolidFrame+SolidLimit || f.n < 250 {
			t.Errorf("shared frame of %d chunks and %d bytes", f.n, f.plain)
		}
	}
	if len(b.dir.frames) != 11 {
		t.Errorf("%d frames for 12 MB of small chunks", len(b.dir.frames))
	}
	for range 2 * frameChunks {
		fill(b, []piece{{chunk.Data, []byte("x")}})
	}
	if n := b.dir.frames[len(b.dir.frames)-1].n; n != frameChunks {
		t.Errorf("%d chunks share a frame", n)
	}
}

func TestIncompressible(t *testing.T) {
	mixed := append(random(1, 300<<10), text(1, 300<<10)...)
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"random": {random(1, 1<<20), true}, "short random": {random(2, 20<<10), true}, "text": {text(1, 1<<20), false},
		"random, then text": {mixed, false}, "empty": {nil, false}, "one byte": {[]byte("x"), false}, "zeros": {make([]byte, 1<<20), false},
	} {
		if got := incompressible(c.data); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, n := range []int{0, 1, rawBlock - 1, rawBlock, rawBlock + 1, 3 * rawBlock, 1 << 20} {
		data := random(uint64(n), n)
		frame := appendRaw(nil, data)
		if got, err := decode(newDecoder(), frame, nil, int64(n)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("raw frame of %d bytes: %v", n, err)
		}
		if got := sealtest.Run(t, frame, "zstd", "-d", "-q"); !bytes.Equal(got, data) {
			t.Errorf("zstd reads %d bytes of a raw frame of %d", len(got), n)
		}
	}
}

// Packs end near their target, rather under it, and little of them is padding.
func TestFull(t *testing.T) {
	k := newKeys(t, true)
	files := source(t, 12<<20)
	for name, c := range map[string]struct {
		target int64
		next   func(i int) []byte
	}{
		"incompressible": {TargetSegment, func(i int) []byte { return random(uint64(i), 400<<10+i*104729%(800<<10)) }},
		"source":         {TargetSegment / 2, func(i int) []byte { return files[i%len(files)] }},
		"segments":       {TargetSegment, func(i int) []byte { return hex.AppendEncode(nil, random(uint64(i), 100<<10)) }},
		"tiny":           {TargetSegment / 2, func(i int) []byte { return random(uint64(i), 20) }},
	} {
		b := NewBuilder(c.target, Fastest)
		if b.Full() {
			t.Errorf("%s: full when empty", name)
		}
		n := 0
		for ; !b.Full(); n++ {
			b.Add(chunk.Data, chunk.ID(random(uint64(n), 32)), c.next(n))
		}
		b.closeFrame()
		used := int64(len(b.packed)) + int64(len(b.dir.appendText(nil)))
		size := int64(len(sealPack(t, b, k).Object))
		if size < c.target*80/100 || size > c.target*112/100 {
			t.Errorf("%s: object of %d bytes for a target of %d", name, size, c.target)
		}
		if over := float64(size)/float64(used) - 1; over > 0.12 {
			t.Errorf("%s: %.1f %% beside the frames and the directory", name, 100*over)
		}
	}
	b := NewBuilder(TargetSegment, Default)
	for i := 0; !b.Full(); i++ {
		b.Add(chunk.Data, chunk.ID{byte(i)}, make([]byte, 4<<20))
	}
	if _, plain := b.Len(); plain > 17*TargetSegment {
		t.Errorf("a pack of zeros holds %d bytes", plain)
	}
}

func TestBuilderErrors(t *testing.T) {
	k := newKeys(t, true)
	b := NewBuilder(TargetData, Default)
	if _, err := b.Seal(k.recipients); err == nil {
		t.Error("sealed an empty pack")
	}
	want, _ := fill(b, []piece{{chunk.Data, []byte("hello")}})
	if _, err := b.Seal(seal.Recipients{}); err == nil {
		t.Error("sealed to nobody")
	}
	if s := sealPack(t, b, k); !slices.Equal(s.Entries, want) || Check(s, hasher) != nil {
		t.Error("a Builder that failed to seal lost its chunks")
	}
	defer func() {
		if recover() == nil {
			t.Error("a chunk that cannot be read back was taken")
		}
	}()
	b.Add(chunk.Data, chunk.ID{}, make([]byte, MaxChunk+1))
}

func TestNoAllocations(t *testing.T) {
	b, data := NewBuilder(TargetData, Default), text(1, 5000)
	for range 1000 { // grow its buffers
		b.Add(chunk.Data, chunk.ID{1}, data)
	}
	b.closeFrame()
	b.dir.reset()
	b.packed = b.packed[:0]
	if n := testing.AllocsPerRun(500, func() { b.Add(chunk.Data, chunk.ID{1}, data) }); n != 0 {
		t.Errorf("Add allocates %v times", n)
	}
}

// golden are the chunks of the packs under testdata.
var golden = []piece{{chunk.Data, []byte("hello\n")}, {chunk.Segment, []byte(`{"series":[]}` + "\n")}, {chunk.Data, text(9, 5000)}, {chunk.Data, bytes.Repeat([]byte("coffer"), SolidLimit/6+1)}}

// Objects of earlier releases must open for ever.
func TestGolden(t *testing.T) {
	identity, packed, blob := filepath.Join("testdata", "identity.txt"), filepath.Join("testdata", "v1.pack"), filepath.Join("testdata", "v1.blob")
	if *update {
		writeGolden(t, identity, packed, blob)
	}
	f, err := os.Open(identity)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, err := seal.ParseIdentities(f)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(obj, ids)
	if err != nil {
		t.Fatal(err)
	}
	want, content := fill(NewBuilder(TargetData, Default), golden)
	if d := cmp.Diff(want, slices.Collect(r.Entries())); d != "" {
		t.Error(d)
	}
	var extents []Extent
	for _, e := range want {
		extents = append(extents, Extent{e.Offset, e.Len})
	}
	var got []byte
	if err := r.Read(extents, func(_ int, data []byte) error { got = append(got, data...); return nil }); err != nil || !bytes.Equal(got, content) {
		t.Errorf("content differs: %v", err)
	}
	if obj, err = os.ReadFile(blob); err != nil {
		t.Fatal(err)
	}
	if plain, err := OpenBlob(obj, ids, 1<<20); err != nil || !bytes.Equal(plain, golden[2].data) {
		t.Errorf("blob differs: %v", err)
	}
}

func writeGolden(t *testing.T, identity, packed, blob string) {
	k := newKeys(t, false)
	b := NewBuilder(TargetData, Default)
	fill(b, golden)
	obj, _, err := SealBlob(golden[2].data, k.recipients)
	if err := errors.Join(err, os.MkdirAll("testdata", 0o755),
		os.WriteFile(identity, []byte("# opens the objects of this folder, and nothing else\n"+k.id.String()+"\n"), 0o644),
		os.WriteFile(packed, sealPack(t, b, k).Object, 0o644), os.WriteFile(blob, obj, 0o644)); err != nil {
		t.Fatal(err)
	}
}
