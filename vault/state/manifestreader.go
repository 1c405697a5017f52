package state

import (
	"bytes"
	"encoding/binary"
	"os"

	"coffer/chunk"
)

// A ManifestReader reads what a run noted of one root, in the order of
// files.Compare. What is damaged is passed over and counted: those entries are
// absent, so their files are read again. It is not safe for concurrent use.
type ManifestReader struct {
	f    *os.File
	id   manifestID
	root string
	size int64 // when it was opened

	at       int64  // of the next block
	number   uint32 // the lowest it may have
	buf      []byte
	rest     []byte // records of the block not yet read
	rawTable []byte
	table    []chunk.Series

	records  uint64 // read
	finished bool   // the end block was met
	damaged  int
}

// Root returns the path of the root, as it was given to the writer.
func (r *ManifestReader) Root() string { return r.root }

// Next reads the next record into rec, which is then valid until the next
// call. It returns false at the end.
func (r *ManifestReader) Next(rec *Record) bool {
	for {
		if len(r.rest) == 0 {
			if !r.nextBlock() {
				return false
			}
			continue
		}
		body, rest, ok := cutRecord(r.rest)
		if !ok || parseRecord(body, r.table, rec) != nil {
			r.damaged++
			r.rest = nil
			continue
		}
		r.rest = rest
		r.records++
		return true
	}
}

// nextBlock reads the next good block with records.
func (r *ManifestReader) nextBlock() bool {
	for !r.finished {
		b, length, ok := r.readBlock()
		if ok && b.number >= r.number {
			r.at += length
			r.take(b)
			if b.kind == kindRecords {
				return true
			}
			continue
		}
		next, found := findBlock(r.f, r.id, r.at+1, r.size)
		if !found {
			r.at = r.size
			return false
		}
		r.at = next
		r.damaged++
	}
	return false
}

// readBlock reads the block at r.at into memory that is used again.
func (r *ManifestReader) readBlock() (b block, length int64, ok bool) {
	var head [blockHead]byte
	if r.size-r.at < blockHead {
		return b, 0, false
	}
	if _, err := r.f.ReadAt(head[:], r.at); err != nil {
		return b, 0, false
	}
	length, ok = blockLength(head[:], r.id)
	if !ok || length > r.size-r.at {
		return b, 0, false
	}
	if int64(cap(r.buf)) < length {
		r.buf = make([]byte, max(length, min(r.size, blockSize+blockSize/8)))
	}
	r.buf = r.buf[:length]
	if _, err := r.f.ReadAt(r.buf, r.at); err != nil {
		return b, 0, false
	}
	b, ok = parseBlock(r.buf, r.id)
	return b, length, ok
}

func (r *ManifestReader) take(b block) {
	if !bytes.Equal(b.table, r.rawTable) || r.table == nil {
		r.rawTable = append(r.rawTable[:0], b.table...)
		r.table = parseTable(b.table)
	}
	r.number = b.number + 1
	if b.kind == kindRecords {
		r.rest = b.body
		return
	}
	r.finished = true
	if binary.LittleEndian.Uint64(b.body) != r.records {
		r.damaged++
	}
}

// Finished says, at the end, whether that was the end of a whole manifest, and
// not of what a killed run left.
func (r *ManifestReader) Finished() bool { return r.finished }

// Damaged returns how often something was passed over.
func (r *ManifestReader) Damaged() int { return r.damaged }

// Close closes the file. Records are not valid any more.
func (r *ManifestReader) Close() error { return r.f.Close() }

// lastTable returns the series table at the end of a finished manifest,
// without reading all of it.
func (r *ManifestReader) lastTable() ([]chunk.Series, bool) {
	const longest = blockHead + 8 + 8*maxSeries + 4
	b := make([]byte, min(longest, r.size))
	if _, err := r.f.ReadAt(b, r.size-int64(len(b))); err != nil {
		return nil, false
	}
	i := bytes.LastIndex(b, r.id[:])
	if i < 0 {
		return nil, false
	}
	end, ok := parseBlock(b[i:], r.id)
	if !ok || end.kind != kindEnd {
		return nil, false
	}
	return parseTable(end.table), true
}

// survey reads to the end of what may be the file of a killed run, and begins
// again. It returns the last path and the series table there.
func (r *ManifestReader) survey() (last []byte, table []chunk.Series, any bool) {
	start, damaged := r.at, r.damaged
	var rec Record
	for r.Next(&rec) {
		last, any = append(last[:0], rec.Path...), true
	}
	table = r.table
	r.at, r.number, r.records, r.finished, r.damaged = start, 0, 0, false, damaged
	return last, table, any
}
