package pack

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"coffer/chunk"
)

// A Checker checks finished packs. It keeps its memory from one to the next:
// about the length of a pack, and of a frame. It must not be used by two
// goroutines at the same time.
type Checker struct {
	hashers func(chunk.Kind) *chunk.Hasher
	known   map[chunk.Kind]*chunk.Hasher
	r       Reader
}

// NewChecker returns a Checker. It asks h once for the Hasher of a kind, which
// then is its own.
func NewChecker(h func(chunk.Kind) *chunk.Hasher) *Checker {
	return &Checker{hashers: h, known: map[chunk.Kind]*chunk.Hasher{}}
}

// Check opens s with its key, decodes every frame, hashes every chunk and
// reads the directory back, and compares all of that with s. What passes can
// be read, by whoever has an identity, as what was hashed when the IDs were
// made: no error that memory, the compressor or the cipher made since is left.
func (c *Checker) Check(s Sealed) error {
	if err := c.check(s); err != nil {
		return fmt.Errorf("check sealed pack: %w", err)
	}
	return nil
}

// Check is [Checker.Check] for a single pack.
func Check(s Sealed, h func(chunk.Kind) *chunk.Hasher) error { return NewChecker(h).Check(s) }

func (c *Checker) check(s Sealed) error {
	if sha256.Sum256(s.Object) != s.Sum {
		return errors.New("object does not match its hash")
	}
	if err := c.r.OpenWithKey(s.Object, s.Key); err != nil {
		return err
	}
	d := &c.r.dir
	if len(d.entries) != len(s.Entries) {
		return fmt.Errorf("directory has %d chunks, want %d", len(d.entries), len(s.Entries))
	}
	for i, e := range s.Entries {
		if d.entries[i] != e {
			return fmt.Errorf("directory differs at chunk %d", i)
		}
	}
	if _, plain := d.Len(); plain != s.Plain {
		return fmt.Errorf("content has %d bytes, want %d", plain, s.Plain)
	}
	return c.chunks()
}

// chunks decodes every frame and hashes every chunk.
func (c *Checker) chunks() error {
	for n, f := range c.r.dir.frames {
		content, err := c.r.frame(n)
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		for _, e := range c.r.dir.entries[f.first : f.first+f.n] {
			h := c.hasher(e.Kind)
			if h == nil {
				return fmt.Errorf("no key for chunks of kind %q", e.Kind)
			}
			if h.ID(content[e.Offset-f.off:][:e.Len]) != e.ID {
				return fmt.Errorf("chunk %s at %d is not what it was", e.ID, e.Offset)
			}
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
