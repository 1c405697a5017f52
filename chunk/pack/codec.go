package pack

import (
	"fmt"

	"github.com/klauspost/compress"
	"github.com/klauspost/compress/zstd"
)

// A Level is how hard to compress. The zero value is the default.
type Level int

const (
	Default Level = iota
	Fastest       // for machines on battery
	Better        // a little smaller, at half the speed
)

// window is how far back an encoder looks. No shared frame and hardly any chunk
// is longer. What an encoder looks back to it holds twice.
const window = 2 << 20

// newEncoder returns an encoder of one frame after another, without checksums:
// the cipher and the IDs protect the bytes.
//
// Measured with BenchmarkCodec, in MB/s on one core of a busy machine, and
// stored length by length: files of the Go source one by one, and sharing
// frames of [SolidFrame]; a program in pieces of 800 KiB; random bytes.
//
//	          alone       shared      program     random
//	fastest  106  .287   197  .238    93  .423   740  1
//	default   73  .270   105  .221    44  .405   640  1
//	better    22  .262    49  .209    22  .397   290  1
//	best       7  .250    11  .194     4  .376    55  1
//
// Sharing gains more than any level. Frames of 256 KiB give .228 and of 2 MiB
// .219, where 1 MiB gives .221; windows of 1, 2 and 4 MiB differ by less than
// .001 and not in speed.
func newEncoder(l Level) *zstd.Encoder {
	level := zstd.SpeedDefault
	switch l {
	case Fastest:
		level = zstd.SpeedFastest
	case Better:
		level = zstd.SpeedBetterCompression
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("pack: zstd refuses its options: " + err.Error())
	}
	return z
}

// appendFrame appends plain as one frame.
func appendFrame(dst []byte, z *zstd.Encoder, plain []byte) []byte {
	if incompressible(plain) {
		return appendRaw(dst, plain)
	}
	return z.EncodeAll(plain, dst)
}

// samples of sampleLen bytes are taken of a frame to see if it is worth
// compressing. There are several, because a frame can begin with a picture and
// go on with text.
const (
	samples   = 4
	sampleLen = 16 << 10
)

// incompressible reports whether no sample of b looks compressible. It is far
// cheaper than to find out by compressing: that takes as long as for text.
func incompressible(b []byte) bool {
	if len(b) < samples*sampleLen {
		return len(b) >= sampleLen && compress.Estimate(b) < 0.1
	}
	step := (len(b) - sampleLen) / (samples - 1)
	for i := range samples {
		if compress.Estimate(b[i*step:][:sampleLen]) >= 0.1 {
			return false
		}
	}
	return true
}

// rawBlock is the greatest length of a block.
const rawBlock = 128 << 10

// appendRaw appends plain as one frame of raw blocks.
func appendRaw(dst, plain []byte) []byte {
	h := zstd.Header{SingleSegment: true, HasFCS: true, FrameContentSize: uint64(len(plain))}
	dst, err := h.AppendTo(dst)
	if err != nil {
		panic("pack: zstd refuses a frame header: " + err.Error())
	}
	for {
		n := min(len(plain), rawBlock)
		block := uint32(n) << 3 // type 0: raw
		if n == len(plain) {
			block |= 1 // the last one
		}
		dst = append(dst, byte(block), byte(block>>8), byte(block>>16))
		dst = append(dst, plain[:n]...)
		if plain = plain[n:]; len(plain) == 0 {
			return dst
		}
	}
}

// newDecoder returns a decoder that never gives more than its destination has
// room for.
func newDecoder() *zstd.Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("pack: zstd refuses its options: " + err.Error())
	}
	return z
}

// decode decodes packed, which must give exactly n bytes, into room, which
// grows if need be; then by so much that it seldom has to.
func decode(z *zstd.Decoder, packed, room []byte, n int64) ([]byte, error) {
	if int64(cap(room)) < n {
		const step = SolidFrame + SolidLimit
		room = make([]byte, (n+step-1)/step*step)
	}
	out, err := z.DecodeAll(packed, room[:0:n])
	if err != nil {
		return room, fmt.Errorf("decompress: %w", err)
	}
	if int64(len(out)) != n {
		return room, fmt.Errorf("decompress: %d bytes, want %d", len(out), n)
	}
	return room[:n], nil
}
