package pack

import (
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"coffer/chunk"
	"coffer/chunk/seal"
)

// A Checker checks finished packs. It decrypts a frame at a time, so that beside
// the pack it takes no more than two frames of memory, which it keeps from one
// pack to the next. It must not be used by two goroutines at the same time.
type Checker struct {
	hashers func(chunk.Kind) *chunk.Hasher
	known   map[chunk.Kind]*chunk.Hasher
	dir     Directory
	zstd    *zstd.Decoder
	packed  []byte // a frame, or the tail
	room    []byte // content of the frame
}

// NewChecker returns a Checker. It asks h once for the Hasher of a kind, which
// then is its own.
func NewChecker(h func(chunk.Kind) *chunk.Hasher) *Checker {
	return &Checker{hashers: h, known: map[chunk.Kind]*chunk.Hasher{}, zstd: newDecoder()}
}

// Check opens s with its key, decodes every frame, hashes every chunk and
// reads the directory back, and compares all of that with s. What passes can
// be read, by whoever has an identity, as what was hashed when the IDs were
// made: no error that memory, the compressor or the cipher made since is left.
//
// It does not compute Sum again. Whoever stores the object does, and later: what
// is stored then is either the bytes that Sum was made of, before they were opened
// here, or it is refused. Each byte of them is authenticated by the file key, so
// what flipped before is found here, and what flips after there.
func (c *Checker) Check(s Sealed) error {
	if err := c.check(s); err != nil {
		return fmt.Errorf("check sealed pack: %w", err)
	}
	return nil
}

// Check is [Checker.Check] for a single pack.
func Check(s Sealed, h func(chunk.Kind) *chunk.Hasher) error { return NewChecker(h).Check(s) }

func (c *Checker) check(s Sealed) error {
	src, err := seal.OpenWithKey(s.Object, s.Key)
	if err != nil {
		return err
	}
	if err := c.dir.load(src.Size(), func(off, n int64) ([]byte, error) { return c.read(src, off, n) }); err != nil {
		return err
	}
	if !slices.Equal(c.dir.entries, s.Entries) {
		return fmt.Errorf("directory has other chunks than the %d that were put in", len(s.Entries))
	}
	if _, plain := c.dir.Len(); plain != s.Plain {
		return fmt.Errorf("content has %d bytes, want %d", plain, s.Plain)
	}
	for n, f := range c.dir.frames {
		if err := c.frame(src, f); err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
	}
	return nil
}

// read decrypts n bytes at off. They are valid until the next call.
func (c *Checker) read(src *seal.Reader, off, n int64) ([]byte, error) {
	c.packed = slices.Grow(c.packed[:0], int(n))[:n]
	if m, err := src.ReadAt(c.packed, off); int64(m) < n {
		return nil, fmt.Errorf("read %d bytes at %d: %w", n, off, err)
	}
	return c.packed, nil
}

// frame decodes a frame and hashes its chunks.
func (c *Checker) frame(src *seal.Reader, f frame) error {
	packed, err := c.read(src, f.at, f.packed)
	if err != nil {
		return err
	}
	content, err := decode(c.zstd, packed, c.room, f.plain)
	c.room = content
	if err != nil {
		return err
	}
	for _, e := range c.dir.entries[f.first : f.first+f.n] {
		h := c.hasher(e.Kind)
		if h == nil {
			return fmt.Errorf("no key for chunks of kind %q", e.Kind)
		}
		if h.ID(content[e.Offset-f.off:][:e.Len]) != e.ID {
			return fmt.Errorf("chunk %s at %d is not what it was", e.ID, e.Offset)
		}
	}
	return nil
}

func (c *Checker) hasher(k chunk.Kind) *chunk.Hasher {
	h, ok := c.known[k]
	if !ok {
		h = c.hashers(k)
		c.known[k] = h
	}
	return h
}
