package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// TargetData and TargetSegment are the lengths, in bytes, that objects
	// with file data and with manifest segments are aimed at. Segments have
	// the smaller ones, so that listing a snapshot fetches little.
	TargetData    = 16 << 20
	TargetSegment = 4 << 20

	// SolidLimit is the length from which a chunk has a frame of its own.
	SolidLimit = 512 << 10
	// SolidFrame is about how much content a shared frame holds.
	SolidFrame = 1 << 20
	// MaxChunk is the greatest length of a chunk, and of a frame's content.
	MaxChunk = 8 << 20

	// frameChunks is how many chunks may share a frame. It bounds a line of
	// the directory to 256 KiB.
	frameChunks = 4096
	// maxWindow is the greatest window a frame may ask of the decoder.
	maxWindow = 8 << 20
	// plainFactor bounds the content of a pack to that many times its target:
	// a pack of nothing but well compressible chunks would take forever to
	// check and to read.
	plainFactor = 16
)

// The skippable frames that end a pack and a blob.
const (
	tailMagic    = 0x184D2A5C
	paddingMagic = 0x184D2A5D
	skipHeader   = 8 // magic and length
	footerMagic  = "COFFERD1"
	footerLen    = 16
)

// appendSkip appends the header of a skippable frame of n bytes.
func appendSkip(b []byte, magic uint32, n int64) []byte {
	b = binary.LittleEndian.AppendUint32(b, magic)
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

// appendFooter appends the footer after a directory of n bytes.
func appendFooter(b []byte, n int) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	return append(b, footerMagic...)
}

// directoryLen reads the footer, the last footerLen bytes of tail.
func directoryLen(tail []byte) (int64, error) {
	if len(tail) < footerLen || !bytes.HasSuffix(tail, []byte(footerMagic)) {
		return 0, errors.New("no directory at its end")
	}
	n := binary.LittleEndian.Uint64(tail[len(tail)-footerLen:])
	if n == 0 || n > 1<<32 {
		return 0, fmt.Errorf("directory of %d bytes", n)
	}
	return int64(n), nil
}

// checkTail makes sure that tail, what follows the frames, is one skippable
// frame: zeros, then a directory of n bytes and its footer. It is long enough
// for them.
func checkTail(tail []byte, n int64) error {
	fill := int64(len(tail)) - skipHeader - n - footerLen
	switch {
	case !bytes.Equal(tail[:skipHeader], appendSkip(nil, tailMagic, int64(len(tail)-skipHeader))):
		return errors.New("directory is not where its frames end")
	case !allZero(tail[skipHeader : skipHeader+fill]):
		return errors.New("padding is not zero")
	}
	return nil
}

var zeros [16 << 10]byte

func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
