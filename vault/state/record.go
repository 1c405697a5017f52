package state

import (
	"encoding/binary"
	"errors"
	"math"

	"coffer/chunk"
	"coffer/files"
)

// A Record is what the last run noted of one entry of a root. What a reader
// gives is valid until it reads on.
type Record struct {
	Path []byte // relative to the root, which is ""
	Stat files.Stat
	Racy bool // it may have changed within its time stamp's grain after it was read: Stat proves nothing

	// Packs are the distinct packs that the entry needs: of its content, its
	// list chunks and its large xattrs.
	Packs []PackNo

	// Deep holds 8 bytes (see [Prefix], big-endian) of the ID of each content
	// chunk that stands only in list chunks, so that the index can be told
	// that it is still named.
	Deep []byte

	Line   []byte         // the entry's line of the manifest
	Series []chunk.Series // what Packs and Line mean by a position

	// Nth is the record's place in the last finished manifest of its root, from
	// 1; 0 if it is not from there. Who changes anything in it sets it to 0. It
	// is not stored.
	Nth uint64
}

// A PackNo is a pack, by the position of its series in a table.
type PackNo struct {
	Series uint16
	Number uint32
}

// AppendPrefix appends what [Record.Deep] holds for an ID.
func AppendPrefix(b []byte, id chunk.ID) []byte { return append(b, id[:8]...) }

// DeepPrefixes yields what Deep holds.
func (r *Record) DeepPrefixes(yield func(uint64) bool) {
	for b := r.Deep; len(b) >= 8; b = b[8:] {
		if !yield(binary.BigEndian.Uint64(b)) {
			return
		}
	}
}

const (
	statSize       = 81
	maxRecord      = 128 << 20 // bytes on disk; half of that is let in: the Deep of a file of 8 TB
	maxRecordPacks = 1 << 22
	flagRacy       = 1
)

var errRecord = errors.New("record is not in its form")

// appendRecord encodes r: length 4, flags 1, stat, path, packs as runs of
// numbers, deep, line; lengths as varints, the line's is what is left.
func appendRecord(b []byte, r *Record) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0)
	if r.Racy {
		b[start+4] = flagRacy
	}
	b = appendStat(b, &r.Stat)
	b = binary.AppendUvarint(b, uint64(len(r.Path)))
	b = append(b, r.Path...)
	b = appendPacks(b, r.Packs)
	b = binary.AppendUvarint(b, uint64(len(r.Deep)/8))
	b = append(b, r.Deep[:len(r.Deep)&^7]...)
	b = append(b, r.Line...)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// appendPacks writes runs of numbers that follow each other: a large file
// fills many packs in a row.
func appendPacks(b []byte, packs []PackNo) []byte {
	runs := 0
	for i := range packs {
		if i == 0 || !packs[i-1].before(packs[i]) {
			runs++
		}
	}
	b = binary.AppendUvarint(b, uint64(runs))
	for len(packs) > 0 {
		n := 1
		for n < len(packs) && packs[n-1].before(packs[n]) {
			n++
		}
		b = binary.AppendUvarint(b, uint64(packs[0].Series))
		b = binary.AppendUvarint(b, uint64(packs[0].Number))
		b = binary.AppendUvarint(b, uint64(n-1))
		packs = packs[n:]
	}
	return b
}

func (p PackNo) before(next PackNo) bool {
	return next.Series == p.Series && uint64(next.Number) == uint64(p.Number)+1
}

// cutRecord takes the body of the first record off b.
func cutRecord(b []byte) (body, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// parseRecord decodes the body of a record into r, which then points into b.
// It refuses what appendRecord would have written otherwise.
func parseRecord(b []byte, table []chunk.Series, r *Record) error {
	if len(b) < 1+statSize || b[0]&^flagRacy != 0 {
		return errRecord
	}
	r.Racy = b[0] == flagRacy
	r.Series, r.Nth = table, 0
	parseStat(b[1:], &r.Stat)
	p := cursor{b: b[1+statSize:]}
	r.Path = p.bytes(p.uvarint())
	r.Packs = p.packs(r.Packs[:0], len(table))
	r.Deep = p.bytes(min(p.uvarint(), maxRecord) * 8)
	r.Line = p.b
	if p.bad {
		return errRecord
	}
	return nil
}

// A cursor reads from b until something is bad.
type cursor struct {
	b   []byte
	bad bool
}

func (p *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || n > 1 && p.b[n-1] == 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *cursor) bytes(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

// packs reads runs, each as long as it can be.
func (p *cursor) packs(packs []PackNo, series int) []PackNo {
	for runs := p.uvarint(); runs > 0 && !p.bad; runs-- {
		s, first, more := p.uvarint(), p.uvarint(), p.uvarint()
		if s >= uint64(series) || first > math.MaxUint32 || more > math.MaxUint32-first || more >= uint64(maxRecordPacks-len(packs)) {
			p.bad = true
			break
		}
		next := PackNo{uint16(s), uint32(first)}
		if len(packs) > 0 && packs[len(packs)-1].before(next) {
			p.bad = true
			break
		}
		for i := uint32(0); ; i++ {
			packs = append(packs, PackNo{uint16(s), uint32(first) + i})
			if uint64(i) == more {
				break
			}
		}
	}
	return packs
}

// appendStat writes type 1, mode 4, size 8, mtime 8+4, uid 4, gid 4, rdev 8,
// ctime 8+4, ino 8, dev 8, nlink 4, blocks 8; little-endian.
func appendStat(b []byte, s *files.Stat) []byte {
	b = append(b, byte(s.Type))
	b = binary.LittleEndian.AppendUint32(b, s.Mode)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Mtime.Sec))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Mtime.Nsec))
	b = binary.LittleEndian.AppendUint32(b, s.UID)
	b = binary.LittleEndian.AppendUint32(b, s.GID)
	b = binary.LittleEndian.AppendUint64(b, s.Rdev)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Ctime.Sec))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Ctime.Nsec))
	b = binary.LittleEndian.AppendUint64(b, s.Ino)
	b = binary.LittleEndian.AppendUint64(b, s.Dev)
	b = binary.LittleEndian.AppendUint32(b, s.Nlink)
	return binary.LittleEndian.AppendUint64(b, uint64(s.Blocks))
}

func parseStat(b []byte, s *files.Stat) {
	b = b[:statSize]
	s.Type = files.Type(b[0])
	s.Mode = binary.LittleEndian.Uint32(b[1:])
	s.Size = int64(binary.LittleEndian.Uint64(b[5:]))
	s.Mtime.Sec = int64(binary.LittleEndian.Uint64(b[13:]))
	s.Mtime.Nsec = int32(binary.LittleEndian.Uint32(b[21:]))
	s.UID = binary.LittleEndian.Uint32(b[25:])
	s.GID = binary.LittleEndian.Uint32(b[29:])
	s.Rdev = binary.LittleEndian.Uint64(b[33:])
	s.Ctime.Sec = int64(binary.LittleEndian.Uint64(b[41:]))
	s.Ctime.Nsec = int32(binary.LittleEndian.Uint32(b[49:]))
	s.Ino = binary.LittleEndian.Uint64(b[53:])
	s.Dev = binary.LittleEndian.Uint64(b[61:])
	s.Nlink = binary.LittleEndian.Uint32(b[69:])
	s.Blocks = int64(binary.LittleEndian.Uint64(b[73:]))
}
