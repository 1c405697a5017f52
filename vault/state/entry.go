package state

import (
	"encoding/binary"
	"errors"
	"math"

	"coffer/chunk"
)

// An entry is a ref in the index's memory: no pointers, 56 bytes. The series
// is a position in the index's series table.
type entry struct {
	id     chunk.ID
	off    int64
	num    uint32
	len    uint32
	series uint16
	day    Day
	flags  entryFlags
}

type entryFlags uint8

const (
	claimed entryFlags = 1 << iota // made by Claim in this process: its pack may be in flight, or have failed
	merging                        // on its way to the sorted pages
)

// pack is a key for the entry's pack.
func (e *entry) pack() packKey { return packKey(e.series)<<32 | packKey(e.num) }

type packKey uint64

const maxOffset = 1<<48 - 1

var errRange = errors.New("ref is out of range")

// checkRef says whether a ref fits an entry.
func checkRef(r chunk.Ref) error {
	if r.Number > MaxNumber || r.Offset < 0 || r.Offset > maxOffset || r.Len < 0 || r.Len > math.MaxUint32 {
		return errRange
	}
	return nil
}

// Prefix returns the first 8 bytes of an ID. They are enough to find it in the
// index's order, and to say that it is still named (see [CompactOptions]).
func Prefix(id chunk.ID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// entrySize is the length of an entry on disk: ID 32, number 4, offset 6,
// length 4, series 2, day 2; numbers little-endian.
const entrySize = 50

func putEntry(b []byte, e *entry) {
	b = b[:entrySize]
	copy(b, e.id[:])
	binary.LittleEndian.PutUint32(b[32:], e.num)
	binary.LittleEndian.PutUint64(b[36:], uint64(e.off)) // its two high bytes are zero and written over
	binary.LittleEndian.PutUint32(b[42:], e.len)
	binary.LittleEndian.PutUint16(b[46:], e.series)
	binary.LittleEndian.PutUint16(b[48:], uint16(e.day))
}

func getEntry(b []byte) entry {
	b = b[:entrySize]
	return entry{
		id:     chunk.ID(b[:32]),
		num:    binary.LittleEndian.Uint32(b[32:]),
		off:    int64(binary.LittleEndian.Uint64(b[36:]) & maxOffset),
		len:    binary.LittleEndian.Uint32(b[42:]),
		series: binary.LittleEndian.Uint16(b[46:]),
		day:    Day(binary.LittleEndian.Uint16(b[48:])),
	}
}
