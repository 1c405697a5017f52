package state

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"path/filepath"

	"github.com/google/renameio/v2"

	"coffer/chunk"
)

// A sortedWriter writes a sorted file, entry by entry in order, beside the one
// it is to replace.
type sortedWriter struct {
	f     *renameio.PendingFile
	w     *bufio.Writer
	id    [16]byte
	seed  uint32
	head  int // bytes of the header
	home  uint64
	count uint64
	used  []bool // series that an entry names
	last  chunk.ID

	page [pageSize]byte
	at   uint64 // number of page
	n    int    // entries in page
}

// newSortedWriter plans for at most expect entries of the given number of
// series.
func newSortedWriter(path string, expect uint64, series int) (*sortedWriter, error) {
	f, err := newFile(path)
	if err != nil {
		return nil, err
	}
	w := &sortedWriter{
		f:    f,
		w:    bufio.NewWriterSize(f, 1<<20),
		head: (sortedHead + series*8 + 4 + pageSize - 1) / pageSize * pageSize,
		home: max(1, (expect+pageFill-1)/pageFill),
		used: make([]bool, series),
	}
	rand.Read(w.id[:])
	w.seed = crc32.Checksum(w.id[:], castagnoli)
	_, err = w.w.Write(make([]byte, w.head))
	if err != nil {
		return nil, errors.Join(err, f.Cleanup())
	}
	return w, nil
}

// add writes an entry. One that is not after the last can only come from
// damage and is left out.
func (w *sortedWriter) add(e *entry) error {
	if w.count > 0 && bytes.Compare(e.id[:], w.last[:]) <= 0 {
		return nil
	}
	home, _ := bits.Mul64(Prefix(e.id), w.home)
	for w.at < home || w.n == pageFull {
		if err := w.flush(); err != nil {
			return err
		}
	}
	putEntry(w.page[pageHead+w.n*entrySize:], e)
	w.used[e.series] = true
	w.n++
	w.count++
	w.last = e.id
	return nil
}

// flush writes the page and begins the next.
func (w *sortedWriter) flush() error {
	clear(w.page[pageHead+w.n*entrySize:])
	binary.LittleEndian.PutUint16(w.page[4:], uint16(w.n))
	binary.LittleEndian.PutUint32(w.page[8:], uint32(w.at))
	binary.LittleEndian.PutUint32(w.page[:], crc32.Update(w.seed, castagnoli, w.page[4:]))
	w.n = 0
	w.at++
	_, err := w.w.Write(w.page[:])
	return err
}

// finish writes what is left and the header, and opens the file, before it
// takes its place with replace: after that nothing may fail.
func (w *sortedWriter) finish(series []chunk.Series, merged uint64, passed Day) (*sorted, error) {
	for w.at < w.home || w.n > 0 {
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	if err := w.w.Flush(); err != nil {
		return nil, err
	}
	if _, err := w.f.WriteAt(w.header(series, merged, passed), 0); err != nil {
		return nil, err
	}
	return openSorted(w.f.Name())
}

func (w *sortedWriter) header(series []chunk.Series, merged uint64, passed Day) []byte {
	h := make([]byte, w.head)
	copy(h, sortedMagic)
	copy(h[8:], w.id[:])
	binary.LittleEndian.PutUint64(h[24:], merged)
	binary.LittleEndian.PutUint64(h[32:], w.count)
	binary.LittleEndian.PutUint64(h[40:], w.home)
	binary.LittleEndian.PutUint64(h[48:], w.at)
	binary.LittleEndian.PutUint16(h[56:], uint16(passed))
	binary.LittleEndian.PutUint16(h[58:], uint16(len(w.used)))
	binary.LittleEndian.PutUint32(h[60:], uint32(w.head/pageSize))
	for i, used := range w.used {
		if used {
			copy(h[sortedHead+8*i:], series[i][:])
		}
	}
	binary.LittleEndian.PutUint32(h[w.head-4:], crc32.Checksum(h[:w.head-4], castagnoli))
	return h
}

// replace puts the file in place, durably.
func (w *sortedWriter) replace() error {
	path := w.f.Name()
	if err := w.f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// A sortedReader reads a sorted file from its first entry to its last.
type sortedReader struct {
	t    *sorted
	buf  []byte
	next uint64 // page after those in buf
	rest []byte // pages of buf not yet begun
	page []byte // entries of the present page not yet read
	bit  uint64 // of the next entry in page, see sorted.markAll
}

// readSorted begins to read t. A nil t has no entries.
func readSorted(t *sorted) *sortedReader {
	return &sortedReader{t: t, buf: make([]byte, 256*pageSize)}
}

// read returns the next entry and its bit, or false at the end. Bad pages are
// passed over and counted.
func (r *sortedReader) read() (e entry, bit uint64, ok bool) {
	for {
		for len(r.page) >= entrySize {
			e, ok := r.t.entry(r.page)
			bit := r.bit
			r.page = r.page[entrySize:]
			r.bit++
			if ok {
				return e, bit, true
			}
		}
		if !r.nextPage() {
			return entry{}, 0, false
		}
	}
}

func (r *sortedReader) nextPage() bool {
	if len(r.rest) == 0 && !r.fill() {
		return false
	}
	number := r.next - uint64(len(r.rest)/pageSize)
	page, ok := checkPage(r.rest, r.t.seed, number)
	if !ok {
		r.t.damaged.Add(1)
	}
	r.rest = r.rest[pageSize:]
	r.page, r.bit = page, number*pageFull
	return true
}

// fill reads pages. A page that the disk does not give is as bad as one with a
// wrong checksum: zeros take its place.
func (r *sortedReader) fill() bool {
	if r.t == nil {
		return false
	}
	total := r.t.all
	if r.next >= total {
		return false
	}
	b := r.buf[:min(uint64(len(r.buf)), (total-r.next)*pageSize)]
	at := r.t.head + int64(r.next)*pageSize
	if _, err := r.t.f.ReadAt(b, at); err != nil {
		r.salvage(b, at)
	}
	r.rest = b
	r.next += uint64(len(b) / pageSize)
	return true
}

func (r *sortedReader) salvage(b []byte, at int64) {
	for i := 0; i < len(b); i += pageSize {
		page := b[i : i+pageSize]
		if n, err := r.t.f.ReadAt(page, at+int64(i)); err != nil && (!errors.Is(err, io.EOF) || n < pageSize) {
			clear(page)
		}
	}
}
