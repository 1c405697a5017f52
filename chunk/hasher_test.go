package chunk

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"
)

// The Hasher keeps its states by hand; it must compute what crypto/hmac does.
func TestHasherIsHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Key(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		h := NewHasher(k)
		for range 2 { // the second time with states loaded before
			tag := rapid.StringMatching(`[a-z]{1,12}`).Draw(t, "tag")
			parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 3000), 0, 4).Draw(t, "parts")
			m := hmac.New(sha256.New, k[:])
			m.Write([]byte(tag))
			m.Write([]byte{0})
			for _, p := range parts {
				m.Write(p)
			}
			if got := h.Sum(tag, parts...); !hmac.Equal(got[:], m.Sum(nil)) {
				t.Fatalf("Sum is not HMAC-SHA-256")
			}
			data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
			if h.ID(data) != ID(h.Sum(chunkTag, data)) {
				t.Fatal("ID is not the Sum with the tag of chunks")
			}
		}
	})
}

func TestHasherLongParts(t *testing.T) {
	h, data := NewHasher(Key{9}), random(2, 3*len(NewHasher(Key{}).buf)+17)
	for n := range 40 {
		cut := len(h.buf) - 20 + n // around the end of the buffer
		if h.Sum(chunkTag, data[:cut], data[cut:]) != [32]byte(h.ID(data)) {
			t.Fatalf("parts of %d and %d bytes hash differently from one", cut, len(data)-cut)
		}
	}
}

func TestHasherSeparates(t *testing.T) {
	h, other := NewHasher(Key{1}), NewHasher(Key{2})
	sums := map[[32]byte]string{}
	for name, sum := range map[string][32]byte{
		"tag cut": h.Sum("cut", []byte("x")), "tag link": h.Sum("link", []byte("x")),
		"other key": other.Sum("cut", []byte("x")), "no part": h.Sum("cut"), "chunk": h.ID([]byte("x")),
	} {
		if before, ok := sums[sum]; ok {
			t.Errorf("%s and %s give the same", name, before)
		}
		sums[sum] = name
	}
}
