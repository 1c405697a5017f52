package chunk

import (
	"crypto/sha256"
	"encoding"
	"hash"
)

// A Hasher computes HMAC-SHA-256 under one key without allocating. It must
// not be used by two goroutines at once.
//
// Every use of a key has its own tag, which stands in front of the message
// and is closed by a zero byte, so that no value made for one purpose can be
// passed off as one made for another.
type Hasher struct {
	h     hash.Hash
	state encoding.BinaryUnmarshaler // h again

	// Saved states of h: having read the inner pad, the inner pad and the tag
	// of a chunk, the outer pad. Loading one is cheaper than hashing the pad.
	inner, chunk, outer []byte

	sum [32]byte
	buf [4096]byte
}

// chunkTag stands before the bytes of every chunk.
const chunkTag = "chunk"

// NewHasher returns a Hasher for k.
func NewHasher(k Key) *Hasher {
	d := sha256.New()
	h := &Hasher{h: d, state: d.(encoding.BinaryUnmarshaler)}
	h.inner = h.padded(k, 0x36, "")
	h.chunk = h.padded(k, 0x36, chunkTag+"\x00")
	h.outer = h.padded(k, 0x5c, "")
	return h
}

// padded returns the state of SHA-256 after the key XORed with pad and what
// follows.
func (h *Hasher) padded(k Key, pad byte, follows string) []byte {
	var block [sha256.BlockSize]byte
	copy(block[:], k[:])
	for i := range block {
		block[i] ^= pad
	}
	h.h.Reset()
	h.h.Write(block[:])
	h.h.Write([]byte(follows))
	state, err := h.h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("chunk: SHA-256 does not save its state: " + err.Error())
	}
	return state
}

// load sets h to a saved state.
func (h *Hasher) load(state []byte) {
	if err := h.state.UnmarshalBinary(state); err != nil {
		panic("chunk: SHA-256 does not load its own state: " + err.Error())
	}
}

// finish closes the inner hash and returns the outer one.
func (h *Hasher) finish() [32]byte {
	h.h.Sum(h.sum[:0])
	h.load(h.outer)
	h.h.Write(h.sum[:])
	h.h.Sum(h.sum[:0])
	return h.sum
}

// ID names the chunk that holds data: HMAC(key, "chunk" 0x00 data).
func (h *Hasher) ID(data []byte) ID {
	h.load(h.chunk)
	h.h.Write(data)
	return h.finish()
}

// Sum returns HMAC(key, tag 0x00 parts...), the parts following each other
// with nothing between: where their lengths vary, the caller says by a part
// how long they are. The tag must not hold a zero byte, nor be "chunk".
func (h *Hasher) Sum(tag string, parts ...[]byte) [32]byte {
	h.load(h.inner)
	// All goes through h.buf: an argument that reached the hash directly would
	// escape, and cost each caller an allocation.
	n := copy(h.buf[:len(h.buf)-1], tag)
	if n < len(tag) {
		panic("chunk: tag too long")
	}
	h.buf[n] = 0
	n++
	for _, p := range parts {
		for len(p) > 0 {
			if n == len(h.buf) {
				h.h.Write(h.buf[:n])
				n = 0
			}
			m := copy(h.buf[n:], p)
			n, p = n+m, p[m:]
		}
	}
	h.h.Write(h.buf[:n])
	return h.finish()
}
