package seal

import "math/bits"

// PaddedLen returns the smallest PADME length that is at least n. An object of
// L bytes whose length is padded to PaddedLen(L) says no more about L than
// log log L bits, and grows by less than 12 %; at the sizes of packs by 1 % on
// average.
func PaddedLen(n int64) int64 {
	if n < 2 {
		return n
	}
	e := bits.Len64(uint64(n)) - 1
	s := bits.Len64(uint64(e))
	mask := int64(1)<<max(0, e-s) - 1
	return (n + mask) &^ mask
}

// An age payload is cut into pieces of 64 KiB, and each is stored with its
// authentication tag. The last one may be shorter, but not empty.
const (
	piece = 64 << 10
	tag   = 16
)

// sealedLen returns the length of the payload that p bytes of plaintext give.
func sealedLen(p int64) int64 {
	return p + tag*max(1, (p+piece-1)/piece)
}

// plainLen is the inverse of sealedLen. There is none where the last piece
// would be empty.
func plainLen(sealed int64) (p int64, ok bool) {
	q, r := sealed/(piece+tag), sealed%(piece+tag)
	switch {
	case r == 0:
		return q * piece, q > 0
	case r <= tag:
		return 0, false
	}
	return q*piece + r - tag, true
}

// target returns the smallest plaintext length that is at least n and makes,
// with head bytes before the payload, an object of a PADME length.
func target(head, n int64) int64 {
	for l := PaddedLen(head + sealedLen(n)); ; l = PaddedLen(l + 1) {
		if p, ok := plainLen(l - head); ok && p >= n {
			return p
		}
	}
}

// Ahead is the most, in bytes, by which the object of n bytes of plaintext is
// longer than the plaintext, before padding: what has to lie between the two for
// one to be written over the other.
func Ahead(n int64) int64 { return headerMax + sealedLen(n) - n + tag }

// Room is the most, in bytes, that the padded object of n bytes of plaintext takes.
func Room(n int64) int64 { return PaddedLen(PaddedLen(headerMax+sealedLen(n)) + 1) }
