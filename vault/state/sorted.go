package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"coffer/chunk"
)

// The sorted file holds the bulk of the index: a header, then pages of 1 KiB
// with entries in order of ID. IDs are uniform, so the page of an ID is
// computed, not searched: its home is page floor(id/2^256 * pages), and if the
// pages from there on were full, one of the next. Pages are filled to three
// quarters, so that hardly any ID is not at home, and a lookup reads 1.1 pages.
// Each page is checked each time; that is why pages are small (measured, 2^20
// entries, mapped: 4 KiB 1.6 us a lookup, 2 KiB 1.0 us, 1 KiB 0.7 us, 512 bytes
// 0.7 us).
//
// Header: magic 8, file ID 16, generation of the newest tail merged 8, entries
// 8, home pages 8, all pages 8, day of the last pass 2, series 2, header pages
// 4, series 8 each, zeros, CRC-32C 4 at its end. A series that no entry names
// is zero.
// Page: CRC-32C 4, entries 2, zero 2, own number 4, entries, zeros. The
// checksum begins with the file ID: a page of an older file is damage, not an
// older truth.

const (
	sortedName  = "sorted"
	sortedMagic = "COFFERX1"
	sortedHead  = 64
	pageSize    = 1024
	pageHead    = 12
	pageFull    = (pageSize - pageHead) / entrySize // 20
	pageFill    = 15                                // entries a page is planned for
)

// sorted is an open sorted file. A nil sorted is empty. It is immutable, but
// for the count of damage.
type sorted struct {
	f       *os.File
	fd      uintptr // of f
	head    int64   // bytes of the header
	all     uint64  // pages behind it
	home    uint64  // home pages
	count   uint64
	merged  uint64
	passed  Day
	seed    uint32
	names   []chunk.Series
	series  []uint16 // position in the file -> position in the index's table
	damaged atomic.Int64
}

// openSorted opens the sorted file at path. It returns nil where there is none,
// and ErrDamaged where its header is not good.
func openSorted(path string) (*sorted, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := &sorted{f: f, fd: f.Fd()}
	if err := t.open(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *sorted) open() error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	first := make([]byte, pageSize)
	if info.Size() < pageSize || !t.readAt(first, 0) || string(first[:8]) != sortedMagic {
		return ErrDamaged
	}
	series := int(binary.LittleEndian.Uint16(first[58:]))
	t.head = int64(binary.LittleEndian.Uint32(first[60:])) * pageSize
	if least := sortedHead + int64(series)*8 + 4; t.head < least || t.head > min(least+pageSize, info.Size()) {
		return ErrDamaged
	}
	h := make([]byte, t.head)
	if !t.readAt(h, 0) || !t.parseHeader(h, series) {
		return ErrDamaged
	}
	t.all = uint64(info.Size()-t.head) / pageSize
	return nil
}

// readAt fills b from f. What the disk does not give counts as bytes that are
// not good.
func (t *sorted) readAt(b []byte, at int64) bool {
	for {
		n, err := unix.Pread(int(t.fd), b, at)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == len(b)
	}
}

func (t *sorted) parseHeader(h []byte, series int) bool {
	end := len(h) - 4
	if binary.LittleEndian.Uint32(h[end:]) != crc32.Checksum(h[:end], castagnoli) {
		return false
	}
	t.seed = crc32.Checksum(h[8:24], castagnoli)
	t.merged = binary.LittleEndian.Uint64(h[24:])
	t.count = binary.LittleEndian.Uint64(h[32:])
	t.home = binary.LittleEndian.Uint64(h[40:])
	t.passed = Day(binary.LittleEndian.Uint16(h[56:]))
	for i := range series {
		t.names = append(t.names, chunk.Series(h[sortedHead+8*i:]))
	}
	t.series = make([]uint16, series)
	return t.home > 0
}

func (t *sorted) close() error {
	if t == nil {
		return nil
	}
	return t.f.Close()
}

// homeOf returns the page at which the search for a key begins.
func (t *sorted) homeOf(prefix uint64) uint64 {
	hi, _ := bits.Mul64(prefix, t.home)
	return hi
}

// A pager reads pages of a table, one or a stretch of them at a time. Pages are
// read, not mapped: of a large index a run would soon have all in its memory,
// since each look is at another page and the system maps those around it too.
type pager struct {
	t     *sorted
	buf   []byte // room for a stretch
	first uint64 // page of the stretch in buf
	n     uint64 // pages of it; 0: none
}

// stretchPages is how many pages a pager for looks in order reads at once.
const stretchPages = 64

var pagers = sync.Pool{New: func() any { return &pager{buf: make([]byte, pageSize)} }}

// pager returns one for a single look; give it back to pagers.
func (t *sorted) pager() *pager {
	p := pagers.Get().(*pager)
	p.t, p.n = t, 0
	return p
}

// page returns the entries of page i, valid until the next call, or false if it
// is not there or not good.
func (p *pager) page(i uint64) ([]byte, bool) {
	if i >= p.t.all {
		return nil, false
	}
	if i < p.first || i-p.first >= p.n {
		p.first, p.n = i, min(uint64(len(p.buf)/pageSize), p.t.all-i)
		if !p.t.readAt(p.buf[:p.n*pageSize], p.t.head+int64(i)*pageSize) {
			if p.n == 1 || !p.t.readAt(p.buf[:pageSize], p.t.head+int64(i)*pageSize) {
				p.n = 0
				return nil, false
			}
			p.n = 1
		}
	}
	return checkPage(p.buf[(i-p.first)*pageSize:], p.t.seed, i)
}

// checkPage returns the entries of page p, which should be page i.
func checkPage(p []byte, seed uint32, i uint64) ([]byte, bool) {
	p = p[:pageSize]
	n := int(binary.LittleEndian.Uint16(p[4:]))
	if n > pageFull || uint64(binary.LittleEndian.Uint32(p[8:])) != i {
		return nil, false
	}
	if binary.LittleEndian.Uint32(p) != crc32.Update(seed, castagnoli, p[4:]) {
		return nil, false
	}
	return p[pageHead : pageHead+n*entrySize], true
}

// locate finds the first entry at or after (page, i) whose ID begins with key.
// It ends at a bad page, where the entry may be, and never at a wrong one.
func (p *pager) locate(key []byte, page uint64) (entries []byte, at uint64, i int, ok bool) {
	for ; ; page++ {
		if entries, ok = p.page(page); !ok {
			p.t.missing(page)
			return nil, 0, 0, false
		}
		i = lowerBound(entries, key)
		if i < len(entries)/entrySize {
			return entries, page, i, bytes.HasPrefix(entries[i*entrySize:], key)
		}
		if i < pageFull {
			return nil, 0, 0, false
		}
	}
}

// missing counts a page that should be there and is not good.
func (t *sorted) missing(page uint64) {
	if page < t.home {
		t.damaged.Add(1)
	}
}

// lowerBound returns the position of the first entry not less than key.
func lowerBound(entries, key []byte) int {
	lo, hi := 0, len(entries)/entrySize
	for lo < hi {
		m := int(uint(lo+hi) / 2)
		if bytes.Compare(entries[m*entrySize:m*entrySize+len(key)], key) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// find looks an ID up.
func (t *sorted) find(id *chunk.ID) (e entry, ok bool) {
	if t == nil {
		return e, false
	}
	p := t.pager()
	defer pagers.Put(p)
	entries, _, i, ok := p.locate(id[:], t.homeOf(Prefix(*id)))
	if !ok {
		return e, false
	}
	return t.entry(entries[i*entrySize:])
}

// entry decodes an entry and gives its series the index's position.
func (t *sorted) entry(b []byte) (entry, bool) {
	e := getEntry(b)
	if int(e.series) >= len(t.series) {
		return entry{}, false
	}
	e.series = t.series[e.series]
	return e, true
}

// markAll sets the bit of every entry whose ID begins with one of prefixes,
// which it sorts, so that it goes through the pages in order. Bits count
// pageFull a page.
func (t *sorted) markAll(prefixes []uint64, set []uint64) {
	if t == nil {
		return
	}
	slices.Sort(prefixes)
	p := &pager{t: t, buf: make([]byte, pageSize)}
	if uint64(len(prefixes)) >= t.all/8 { // most stretches have one
		p.buf = make([]byte, stretchPages*pageSize)
	}
	for _, prefix := range prefixes {
		p.mark(prefix, set)
	}
}

// mark sets the bit of every entry whose ID begins with prefix.
func (p *pager) mark(prefix uint64, set []uint64) {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], prefix)
	entries, page, i, ok := p.locate(key[:], p.t.homeOf(prefix))
	for ok {
		bit := page*pageFull + uint64(i)
		set[bit/64] |= 1 << (bit % 64)
		i++
		if i < len(entries)/entrySize {
			ok = bytes.HasPrefix(entries[i*entrySize:], key[:])
			continue
		}
		if i < pageFull {
			return
		}
		entries, page, i, ok = p.locate(key[:], page+1)
	}
}

// bits returns room for a bit per entry.
func (t *sorted) bits() []uint64 {
	if t == nil {
		return nil
	}
	return make([]uint64, (t.all*pageFull+63)/64)
}
