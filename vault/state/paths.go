package state

import (
	"encoding/binary"
	"math/bits"
)

// comparePaths is files.Compare for bytes, eight at a time: a merge of two
// sorted streams does little else.
func comparePaths(a, b []byte) int {
	n := min(len(a), len(b))
	i := commonPrefix(a[:n], b[:n])
	if i == n {
		return len(a) - len(b)
	}
	switch x, y := a[i], b[i]; {
	case x == '/':
		return -1
	case y == '/':
		return +1
	default:
		return int(x) - int(y)
	}
}

// commonPrefix returns how many bytes a and b, of one length, begin with in
// common.
func commonPrefix(a, b []byte) int {
	i := 0
	for ; i+8 <= len(a); i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i
}
