package files

import (
	"bytes"
	"iter"
)

const zeroBlock = 4096

var zeros [zeroBlock]byte

// dataRuns yields from and to of the stretches of p that must be written if p
// goes to offset off: all but runs of whole blocks of zeros of at least
// minHole bytes.
func dataRuns(p []byte, off int64) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		from := 0 // of the data not yet yielded
		for at := firstBlock(off); at+zeroBlock <= len(p); {
			end := zeroRun(p, at)
			if end-at < minHole {
				at = max(end, at+zeroBlock)
				continue
			}
			if from < at && !yield(from, at) {
				return
			}
			from, at = end, end
		}
		if from < len(p) {
			yield(from, len(p))
		}
	}
}

// firstBlock is how far it is from off to the next block of the file.
func firstBlock(off int64) int { return int(-off & (zeroBlock - 1)) }

// zeroRun returns where the blocks of zeros that begin at p[at] end.
func zeroRun(p []byte, at int) int {
	for at+zeroBlock <= len(p) && bytes.Equal(p[at:at+zeroBlock], zeros[:]) {
		at += zeroBlock
	}
	return at
}
