package pack

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"coffer/chunk"
	"coffer/chunk/seal"

	"github.com/klauspost/compress/zstd"
)

// A Builder makes one pack after another. It copies what it is given, so the
// caller may reuse its buffers at once. It must not be used by two goroutines
// at the same time.
type Builder struct {
	target int64
	level  Level
	zstd   *zstd.Encoder

	packed []byte // room for what sealing puts ahead of them, and the closed frames
	open   []byte // content of the open frame
	dir    Directory
	text   []byte // of the directory, while sealing
}

// NewBuilder returns a Builder of packs whose objects are to be about target
// bytes long. Once it holds more than a little it takes an eighth more memory than
// that, and 4 to 8 MiB for the encoder and the open frame.
func NewBuilder(target int64, level Level) *Builder {
	return &Builder{target: target, level: level, zstd: newEncoder(level)}
}

// SetLevel says how hard to compress the frames that are closed from now on.
// An encoder is some megabytes, so it is not for every frame.
func (b *Builder) SetLevel(l Level) {
	if l != b.level {
		b.level, b.zstd = l, newEncoder(l)
	}
}

// Add puts a chunk into the pack and returns its offset in the content. A
// chunk longer than [MaxChunk] is a mistake of the caller, and panics.
func (b *Builder) Add(kind chunk.Kind, id chunk.ID, data []byte) (offset int64) {
	if len(data) > MaxChunk {
		panic(fmt.Sprintf("pack: chunk of %d bytes, at most %d", len(data), MaxChunk))
	}
	alone := len(data) >= SolidLimit
	if alone {
		b.closeFrame()
	}
	_, offset = b.dir.ends()
	offset += int64(len(b.open))
	b.dir.entries = append(b.dir.entries, Entry{kind, id, offset, int64(len(data))})
	if alone {
		b.addFrame(data)
		return offset
	}
	if b.open == nil {
		b.open = make([]byte, 0, SolidFrame+SolidLimit)
	}
	b.open = append(b.open, data...)
	if len(b.open) >= SolidFrame || b.waiting() == frameChunks {
		b.closeFrame()
	}
	return offset
}

// waiting returns the number of chunks in the open frame.
func (b *Builder) waiting() int {
	if n := len(b.dir.frames); n > 0 {
		return len(b.dir.entries) - b.dir.frames[n-1].first - b.dir.frames[n-1].n
	}
	return len(b.dir.entries)
}

func (b *Builder) closeFrame() {
	if b.waiting() > 0 {
		b.addFrame(b.open)
		b.open = b.open[:0]
	}
}

// modest is how many bytes a pack may have that takes no more memory than it
// needs. One that outgrows it takes all it may need at once.
const modest = 256 << 10

func (b *Builder) addFrame(plain []byte) {
	if len(b.packed) == 0 {
		b.packed = slices.Grow(b.packed, ahead)[:ahead]
	}
	if all := int(b.target + b.target/8); cap(b.packed) < all && len(b.packed)+len(plain) > modest {
		b.packed = append(make([]byte, 0, all), b.packed...)
	}
	before := len(b.packed)
	b.packed = appendFrame(b.packed, b.zstd, plain)
	b.dir.addFrame(int64(len(b.packed)-before), int64(len(plain)))
}

// frames returns the closed frames.
func (b *Builder) frames() []byte { return b.packed[min(ahead, len(b.packed)):] }

// Len returns the number of chunks added and the length of the content.
func (b *Builder) Len() (chunks int, plain int64) {
	_, plain = b.dir.ends()
	return len(b.dir.entries), plain + int64(len(b.open))
}

// Empty reports whether nothing was added yet.
func (b *Builder) Empty() bool { return len(b.dir.entries) == 0 }

// fullChunks is how many chunks a pack has at most. Only of chunks that take
// less than 500 bytes it has as many before it is full otherwise; and what is
// known of each of them, here and until the pack is stored, takes more memory
// than their bytes.
const fullChunks = 32 << 10

// Full reports whether the next ordinary chunk should go to a new pack. It
// says so a frame early: an object that ends just under its target needs less
// padding than one just over it.
func (b *Builder) Full() bool {
	chunks, plain := b.Len()
	if chunks == 0 || chunks >= fullChunks {
		return chunks > 0
	}
	return b.estimate()+b.frameLen() > b.target || plain >= plainFactor*b.target
}

// estimate guesses the length of the object if it were sealed now.
func (b *Builder) estimate() int64 {
	const head, line, entry = 4 << 10, 40, 58 // bytes in the header and the directory
	return int64(head + len(b.frames()) + len(b.open)/2 + line*len(b.dir.frames) + entry*len(b.dir.entries))
}

// frameLen returns the mean length of the frames so far.
func (b *Builder) frameLen() int64 {
	return int64(len(b.frames()) / max(1, len(b.dir.frames)))
}

// Sealed is a finished pack.
type Sealed struct {
	Object  []byte       // to be stored; in the memory that the pack was built in
	Sum     [32]byte     // SHA-256 of Object
	Key     seal.FileKey // opens Object; to be forgotten once it is checked
	Entries []Entry      // what it holds, in the order of the content
	Plain   int64        // length of the content
}

// Seal ends the pack and seals it where it lies. The object is the caller's, and
// the Builder is empty again, without memory; see [Builder.Reuse]. If the
// recipients are refused, it is as it was before.
func (b *Builder) Seal(r seal.Recipients) (Sealed, error) {
	if b.Empty() {
		return Sealed{}, errors.New("seal pack: it is empty")
	}
	b.closeFrame()
	b.text = b.dir.appendText(b.text[:0])
	b.text = appendFooter(b.text, len(b.text))
	out := bytes.NewBuffer(b.place())
	w, err := seal.NewWriter(out, r)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal pack: %w", err)
	}
	if err := writePadded(w, b.frames(), tailMagic, b.text); err != nil {
		return Sealed{}, fmt.Errorf("seal pack: %w", err)
	}
	_, plain := b.Len()
	s := Sealed{out.Bytes(), sha256.Sum256(out.Bytes()), w.FileKey(), b.dir.entries, plain}
	b.dir.entries = nil // they are the caller's now
	b.dir.reset()
	b.packed = nil
	return s, nil
}

// Reuse gives an empty Builder memory to build the next pack in, such as that of
// an object that is stored by now.
func (b *Builder) Reuse(memory []byte) {
	if b.Empty() && cap(memory) > cap(b.packed) {
		b.packed = memory[:0]
	}
}

// ahead is the room before the frames. An object is sealed from the front of
// the memory that its frames lie in: a piece is written once it is read, and what is
// written is longer than what was read by the header and a tag for each piece.
const ahead = 32 << 10

// place returns the memory to seal into: that of the frames, or else, if the
// object were to overtake them or has no room, new memory.
func (b *Builder) place() []byte {
	n := int64(len(b.frames()) + skipHeader + len(b.text))
	if need := seal.Room(n); int64(cap(b.packed)) < need || seal.Ahead(n) > ahead {
		return make([]byte, 0, need)
	}
	return b.packed[:0]
}

// writePadded writes frames and a skippable frame of zeros and text, such that
// the object has a PADME length, and closes w.
func writePadded(w *seal.Writer, frames []byte, magic uint32, text []byte) error {
	n := int64(len(frames) + skipHeader + len(text))
	fill := w.Target(n) - n
	if _, err := w.Write(frames); err != nil {
		return err
	}
	if _, err := w.Write(appendSkip(nil, magic, fill+int64(len(text)))); err != nil {
		return err
	}
	for fill > 0 {
		m, err := w.Write(zeros[:min(fill, int64(len(zeros)))])
		if err != nil {
			return err
		}
		fill -= int64(m)
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}
