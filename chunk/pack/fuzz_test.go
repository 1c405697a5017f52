package pack

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"coffer/chunk"
)

func checksum(b []byte) [32]byte { return sha256.Sum256(b) }

// A directory that is accepted has no other spelling.
func FuzzDirectory(f *testing.F) {
	b := NewBuilder(TargetData, Default)
	fill(b, []piece{{chunk.Data, text(1, 100)}, {chunk.Segment, nil}, {chunk.Data, text(2, SolidLimit)}})
	f.Add(b.dir.appendText(nil))
	f.Add([]byte(line(10, 5)))
	f.Add([]byte(line(MaxChunk, MaxChunk) + line(1, 0)))
	f.Add([]byte(`{"c":1,"p":00,"chunks":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Directory
		if d.parse(text) != nil {
			return
		}
		if again := d.appendText(nil); !bytes.Equal(again, text) {
			t.Fatalf("came back as %q", again)
		}
		whole := appendFooter(bytes.Clone(text), len(text))
		e, err := ReadDirectory(whole)
		if err != nil || !slices.Equal(e.entries, d.entries) {
			t.Fatalf("read as another: %v", err)
		}
		end := int64(0)
		for _, e := range d.entries {
			if e.Offset != end || e.Len < 0 {
				t.Fatal("entries do not follow each other")
			}
			end += e.Len
		}
	})
}

// Whatever someone who knows the recipients seals, a Reader reads it within
// its limits or refuses it.
func FuzzReader(f *testing.F) {
	k := newKeys(f, true)
	b := NewBuilder(TargetData, Default)
	fill(b, []piece{{chunk.Data, text(1, 3000)}, {chunk.Data, random(2, 50)}})
	r, err := Open(sealPack(f, b, k).Object, k.ids)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(r.plain), []byte(nil))
	frame := appendRaw(nil, []byte("hello"))
	f.Add(layout(frame, 3, line(len(frame), 5)), []byte(nil))
	f.Add(frame, []byte(line(len(frame), 5)))
	f.Add(newEncoder(Better).EncodeAll(text(3, 9000), nil), []byte(line(700, 9000)))
	reader := new(Reader)
	f.Fuzz(func(t *testing.T, plain, directory []byte) {
		if len(directory) > 0 { // frames and a directory for them
			plain = layout(plain, 0, string(directory))
		}
		if reader.Open(sealPlain(t, plain, k), k.ids) != nil {
			return
		}
		at, end := reader.dir.ends()
		tail := layout(plain[:at], len(plain)-int(at)-skipHeader-footerLen-len(reader.dir.appendText(nil)), string(reader.dir.appendText(nil)))
		if !bytes.Equal(tail, plain) {
			t.Fatal("accepted in another spelling")
		}
		for e := range reader.Entries() {
			if e.Offset+e.Len > end {
				t.Fatal("chunk beyond the content")
			}
			reader.Read([]Extent{{e.Offset, e.Len}}, func(_ int, data []byte) error {
				if int64(len(data)) != e.Len {
					t.Fatal("chunk of another length")
				}
				return nil
			})
		}
	})
}

func FuzzBlob(f *testing.F) {
	k := newKeys(f, true)
	f.Add(append(newEncoder(Default).EncodeAll(text(1, 3000), nil), appendSkip(nil, paddingMagic, 0)...))
	f.Add(appendRaw(nil, []byte("hello")))
	f.Add(appendSkip(nil, paddingMagic, 100))
	for _, b := range bombs(f) {
		if len(b) < 100<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		const limit = 64 << 10
		got, err := OpenBlob(sealPlain(t, plain, k), k.ids, limit)
		if err != nil {
			return
		}
		if len(got) > limit || cap(got) > limit {
			t.Fatalf("%d bytes, in room for %d", len(got), cap(got))
		}
		obj, _, err := SealBlob(got, k.recipients)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := OpenBlob(obj, k.ids, limit); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("came back as something else: %v", err)
		}
	})
}
