package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"coffer/chunk"
)

// The tail of the index is a log of acknowledged packs and their chunks. It
// comes in generations: a merge begins a new one, puts the older ones into the
// sorted file, which names the newest it holds, and removes them.
//
// Record: magic 4, entries 4, series 8, pack number 4, day 2, zero 2, CRC-32C
// of these 4; then the entries (ID 32, offset 6, length 4) and their CRC-32C 4.
// Both checksums begin with the generation. A record that is not whole is
// passed over; the search for the next goes by the magic.

const (
	tailMagic    = "CTR1"
	tailHead     = 28
	tailItem     = 42
	maxTailItems = 1 << 20
)

// A tailRecord says which chunks a pack holds.
type tailRecord struct {
	series chunk.Series
	number uint32
	day    Day
	items  []byte // of tailItem bytes each
}

// item returns the i-th ref.
func (r *tailRecord) item(i int) chunk.Ref {
	b := r.items[i*tailItem:]
	low := uint64(binary.LittleEndian.Uint32(b[32:]))
	return chunk.Ref{
		ID:     chunk.ID(b[:32]),
		Series: r.series,
		Number: r.number,
		Offset: int64(low | uint64(binary.LittleEndian.Uint16(b[36:]))<<32),
		Len:    int64(binary.LittleEndian.Uint32(b[38:])),
	}
}

// appendTail encodes a record. The refs are in range, and not more than
// maxTailItems.
func appendTail(b []byte, gen uint64, r tailRecord, refs []chunk.Ref) []byte {
	b = slices.Grow(b, tailHead+len(refs)*tailItem+4)
	start := len(b)
	b = append(b, tailMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(refs)))
	b = append(b, r.series[:]...)
	b = binary.LittleEndian.AppendUint32(b, r.number)
	b = binary.LittleEndian.AppendUint16(b, uint16(r.day))
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, tailSum(gen, b[start:]))
	body := len(b)
	for i := range refs {
		b = appendItem(b, &refs[i])
	}
	return binary.LittleEndian.AppendUint32(b, tailSum(gen, b[body:]))
}

// appendItem encodes one chunk of a pack.
func appendItem(b []byte, ref *chunk.Ref) []byte {
	b = append(b, ref.ID[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(ref.Offset))
	b = binary.LittleEndian.AppendUint16(b, uint16(ref.Offset>>32))
	return binary.LittleEndian.AppendUint32(b, uint32(ref.Len))
}

func tailSum(gen uint64, b []byte) uint32 {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], gen)
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, b)
}

// parseTail yields the good records of b and returns where the last of them
// ends, and how many times it met something else before that.
func parseTail(b []byte, gen uint64, yield func(tailRecord)) (end, damaged int) {
	skipped := false
	for at := 0; ; {
		r, n, ok := parseTailRecord(b[at:], gen)
		if ok {
			yield(r)
			if skipped {
				damaged++
			}
			at, end, skipped = at+n, at+n, false
			continue
		}
		// n > 0: the head is good and says where the record ends.
		skipped = true
		from := at + max(n, 1)
		if from > len(b) {
			return end, damaged
		}
		next := bytes.Index(b[from:], []byte(tailMagic))
		if next < 0 {
			return end, damaged
		}
		at = from + next
	}
}

// parseTailRecord reads the record at the beginning of b. n is its length as
// soon as its head is good.
func parseTailRecord(b []byte, gen uint64) (r tailRecord, n int, ok bool) {
	if len(b) < tailHead || string(b[:4]) != tailMagic {
		return r, 0, false
	}
	if binary.LittleEndian.Uint32(b[24:]) != tailSum(gen, b[:24]) {
		return r, 0, false
	}
	items := binary.LittleEndian.Uint32(b[4:])
	r.series = chunk.Series(b[8:16])
	r.number = binary.LittleEndian.Uint32(b[16:])
	r.day = Day(binary.LittleEndian.Uint16(b[20:]))
	if items > maxTailItems || r.number > MaxNumber || b[22] != 0 || b[23] != 0 {
		return r, 0, false
	}
	n = tailHead + int(items)*tailItem + 4
	if len(b) < n {
		return r, n, false
	}
	r.items = b[tailHead : n-4]
	return r, n, binary.LittleEndian.Uint32(b[n-4:]) == tailSum(gen, r.items)
}

// loadTail reads the records of the tail file f and returns where the good
// part ends.
func loadTail(f *os.File, gen uint64, yield func(tailRecord)) (end, damaged int, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	b, err := mapFile(f, info.Size())
	if err != nil {
		return 0, 0, err
	}
	ok := true
	func() {
		defer faults(debug.SetPanicOnFault(true), &ok)
		end, damaged = parseTail(b, gen, yield)
	}()
	if !ok {
		end, damaged = len(b), 1 // what was read counts; the next records go behind all of it
	}
	return end, damaged, unmapFile(b)
}

func tailName(gen uint64) string { return fmt.Sprintf("tail-%010d", gen) }

// listTails returns the generations of tail in a folder, ascending.
func listTails(folder string) ([]uint64, error) {
	names, err := filepath.Glob(folder + "/tail-*")
	if err != nil {
		return nil, err
	}
	var gens []uint64
	for _, name := range names {
		gen, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(name), "tail-"), 10, 64)
		if err == nil && tailName(gen) == filepath.Base(name) {
			gens = append(gens, gen)
		}
	}
	slices.Sort(gens)
	return gens, nil
}

// A tailWriter appends records to one generation.
type tailWriter struct {
	f      *os.File
	folder string
	gen    uint64
	end    int64
	fresh  bool // its name may not be durable yet
	dirty  bool
	buf    []byte
}

// openTail opens a generation for appending and yields what it holds.
func openTail(folder string, gen uint64, yield func(tailRecord)) (*tailWriter, int, error) {
	f, err := openPrivate(filepath.Join(folder, tailName(gen)), os.O_RDWR)
	if err != nil {
		return nil, 0, err
	}
	end, damaged, err := loadTail(f, gen, yield)
	if err == nil {
		err = f.Truncate(int64(end))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return &tailWriter{f: f, folder: folder, gen: gen, end: int64(end), fresh: end == 0}, damaged, nil
}

// append writes a record at the end. After an error the next one takes its
// place.
func (w *tailWriter) append(r tailRecord, refs []chunk.Ref) error {
	w.buf = appendTail(w.buf[:0], w.gen, r, refs)
	if _, err := w.f.WriteAt(w.buf, w.end); err != nil {
		w.f.Truncate(w.end)
		return err
	}
	w.end += int64(len(w.buf))
	w.dirty = true
	return nil
}

func (w *tailWriter) sync() error {
	if !w.dirty {
		return nil
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	if w.fresh {
		if err := syncFolder(w.folder); err != nil {
			return err
		}
	}
	w.dirty, w.fresh = false, false
	return nil
}

func (w *tailWriter) close() error { return errors.Join(w.sync(), w.f.Close()) }
