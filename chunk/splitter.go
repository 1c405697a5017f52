package chunk

import (
	"fmt"
	"io"

	"github.com/restic/chunker"
)

// The lengths of chunks, in bytes. A chunk has at least MinSize bytes, unless it
// is the last of its stream, then ends where the bytes say so, on average
// 2^AverageBits bytes on, and at MaxSize in any case. A file of at most MinSize
// bytes is one chunk whatever is in it, and need not meet a [Splitter].
//
// They are part of what makes a chunk: with others nothing stored before would
// be found again. They were chosen by BenchmarkSizes (64 MiB of random bytes, on
// one core of a busy machine). The columns are how fast a stream is split, how many
// chunks a GiB gives, and how many MiB are stored anew after one byte was
// inserted into a file, a page of 4 KiB overwritten (32 of them, for each), and
// a stretch of up to 1 MiB replaced by another of other length (beyond the bytes
// put in):
//
//	 min  bits  max    MB/s   chunks  insert  page  splice
//	256K    19   4M     305     1344    1.00  0.74    1.33
//	512K    17   4M    1136     1664    0.67  0.58    1.56
//	512K    18   4M     579     1312    0.87  0.70    1.49  <-
//	512K    19   4M     467     1024    1.13  0.82    1.65
//	512K    20   8M     350      720    1.92  1.14    1.88
//	768K    18   4M     764      960    1.13  0.83    2.13
//	768K    19   4M     540      832    1.36  0.93    2.30
//	1M      17   4M    1911      928    1.12  0.90   10.68
//	1M      18   4M     987      848    1.23  0.93    3.95
//	1M      19   4M     749      720    1.61  1.04    2.61
//	1M      20   8M     418      512    2.51  1.32    2.29
//	2M      20   8M     611      320    3.41  1.68    4.26
//
// The first MinSize bytes of a chunk are not hashed, so a great minimum is
// fast; but if it is great beside the average, two versions of a file that are
// out of step take long to fall in step again (last column). A million chunks,
// some 64 MB of index, name 800 GB. With so small an average MaxSize is hardly ever
// reached by chance (one chunk in a million); it bounds the memory of the
// chunks that are in flight.
const (
	MinSize     = 512 << 10
	MaxSize     = 4 << 20
	AverageBits = 18
)

// blockSize is how much is read beyond what is known to belong to the chunk.
// What turns out to belong to the next one is copied twice, so it is small;
// but not so small that reads cost more than hashing.
const blockSize = 128 << 10

// A Splitter cuts a stream into chunks. It must not be used by two goroutines
// at once.
type Splitter struct {
	sizes sizes
	fresh chunker.BaseChunker // as it is at the start of a chunk
	cut   chunker.BaseChunker

	r    io.Reader
	err  error  // what r ended with, given out once rest is empty
	rest []byte // read, but not yet given out; at most blockSize
	room [blockSize]byte
}

type sizes struct{ min, max, bits int }

// NewSplitter returns a Splitter that cuts where p says. p must have passed
// [Polynomial.Check]. The Splitter has nothing to cut until Reset.
func NewSplitter(p Polynomial) *Splitter {
	return newSplitter(p, sizes{MinSize, MaxSize, AverageBits})
}

func newSplitter(p Polynomial, z sizes) *Splitter {
	base := chunker.NewBase(chunker.Pol(p),
		chunker.WithBaseBoundaries(uint(z.min), uint(z.max)), chunker.WithBaseAverageBits(z.bits))
	return &Splitter{sizes: z, fresh: *base, err: io.EOF}
}

// Reset makes s cut what r gives, and forgets what went before.
func (s *Splitter) Reset(r io.Reader) {
	s.r, s.err, s.rest = r, nil, nil
}

// Next writes the next chunk into buf, which must have a capacity of at least
// MaxSize bytes, and returns it as a part of buf. s keeps no hold on buf, so
// the caller may work on a chunk while the next one is read into another
// buffer. At the end of the stream the error is io.EOF; any other error is
// the reader's, and comes instead of the chunk that could not be completed.
func (s *Splitter) Next(buf []byte) ([]byte, error) {
	if cap(buf) < s.sizes.max {
		panic(fmt.Sprintf("chunk: buffer of %d bytes, want %d", cap(buf), s.sizes.max))
	}
	buf = buf[:copy(buf[:s.sizes.max], s.rest)]
	s.rest = nil
	s.cut = s.fresh
	for seen := 0; ; {
		if n := s.cut.NextSplitPoint(buf[seen:]); n >= 0 {
			return s.keep(buf, seen+n), nil
		}
		seen = len(buf)
		if s.err == nil {
			buf = s.fill(buf)
		}
		if len(buf) > seen {
			continue
		}
		if s.err != io.EOF || len(buf) == 0 {
			return nil, s.err
		}
		return buf, nil
	}
}

// fill reads on, up to the least size of a chunk or else by a block.
func (s *Splitter) fill(buf []byte) []byte {
	want := max(s.sizes.min, len(buf)+blockSize)
	want = min(want, s.sizes.max)
	n, err := readFull(s.r, buf[len(buf):want])
	s.err = err
	if err != nil && err != io.EOF {
		return buf // an unfinished chunk is no chunk
	}
	return buf[:len(buf)+n]
}

// keep gives out the first n bytes of buf and puts by the rest.
func (s *Splitter) keep(buf []byte, n int) []byte {
	s.rest = s.room[:copy(s.room[:], buf[n:])]
	return buf[:n]
}

// readFull reads until p is full or r ends. Unlike io.ReadFull it gives r's
// own error, so that a reader that ends with io.ErrUnexpectedEOF is not taken
// for one that simply ends.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for idle := 0; n < len(p) && err == nil; idle++ {
		var m int
		m, err = r.Read(p[n:])
		if n += m; m > 0 {
			idle = 0
		}
		if idle == 100 {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
