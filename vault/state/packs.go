package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"coffer/chunk"
)

const (
	packSize  = 64
	packBatch = 1024 // records read at once by All
)

// A Pack is what this device knows of one stored pack.
type Pack struct {
	Sum   [32]byte  // SHA-256 of the object, the end of its name
	Size  int64     // of the object, bytes
	Acked int64     // when the remote acknowledged it to this device, Unix seconds by the remote's clock; 0: never
	Read  int64     // when it was last read in full, Unix seconds; 0: never
	Flags PackFlags // what is wrong with it
	// Chunks is how many chunks it holds, as this device counted when it stored
	// it; 0 if that is not known, or more than MaxChunks.
	Chunks int
}

// MaxChunks is the highest number of chunks that is remembered of a pack.
const MaxChunks = 1<<16 - 1

// PackFlags say what is wrong with a pack. A pack with any of them counts as
// unknown in deduplication.
type PackFlags uint16

const (
	PackBad      PackFlags = 1 << iota // its bytes are not what its name says, or do not open
	PackMissing                        // it is not on the remote
	PackReplaced                       // a repack put its chunks elsewhere
	PackTwice                          // two objects bear its number: a clone was at work
)

// A PackTable holds the packs of one series, by number: fixed records, so that
// opening it costs nothing. A record that is damaged, or was never written, is
// absent. It is safe for concurrent use; several processes may read while one,
// the holder of the run lock, writes.
type PackTable struct {
	seed    uint32 // checksums bind a record to its series and number
	mu      sync.RWMutex
	f       *os.File
	damaged atomic.Int64
}

// Packs opens the table of a series and creates it if there is none.
func (d *Dir) Packs(s chunk.Series) (*PackTable, error) {
	if err := d.makeFolders("packs"); err != nil {
		return nil, fmt.Errorf("open packs of %s: %w", s, err)
	}
	f, err := openPrivate(d.file("packs", s.String()), os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open packs of %s: %w", s, err)
	}
	return &PackTable{seed: crc32.Checksum(append([]byte("coffer pack"), s[:]...), castagnoli), f: f}, nil
}

// Get returns the pack with that number.
func (t *PackTable) Get(number uint32) (Pack, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.get(number)
}

// get reads again where the checksum differs: another process may have been in
// the middle of writing.
func (t *PackTable) get(number uint32) (Pack, bool) {
	var b [packSize]byte
	for range 3 {
		n, err := t.f.ReadAt(b[:], int64(number)*packSize)
		if n < packSize && errors.Is(err, io.EOF) || n == packSize && b == [packSize]byte{} {
			return Pack{}, false
		}
		if p, ok := t.decode(number, &b); ok && n == packSize {
			return p, true
		}
	}
	t.damaged.Add(1)
	return Pack{}, false
}

// Set writes what is known of a pack. It is durable after Sync.
func (t *PackTable) Set(number uint32, p Pack) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set(number, p)
}

// Update changes what is known of a pack; fn gets the zero Pack if that is
// nothing. It must not call the table.
func (t *PackTable) Update(number uint32, fn func(*Pack)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, _ := t.get(number)
	fn(&p)
	return t.set(number, p)
}

func (t *PackTable) set(number uint32, p Pack) error {
	if number > MaxNumber {
		return fmt.Errorf("pack number %d is out of range", number)
	}
	b := t.encode(number, p)
	if _, err := t.f.WriteAt(b[:], int64(number)*packSize); err != nil {
		return fmt.Errorf("write pack table: %w", err)
	}
	return nil
}

// All yields the packs known, by number. A table that cannot be read further
// ends the sequence; what is missing then is absent.
func (t *PackTable) All() iter.Seq2[uint32, Pack] {
	return func(yield func(uint32, Pack) bool) {
		buf := make([]byte, packBatch*packSize)
		for first := uint32(0); first <= MaxNumber; first += packBatch {
			t.mu.RLock()
			n, err := t.f.ReadAt(buf, int64(first)*packSize)
			t.mu.RUnlock()
			if !t.yieldBatch(first, buf[:n], yield) || err != nil {
				return
			}
		}
	}
}

func (t *PackTable) yieldBatch(first uint32, buf []byte, yield func(uint32, Pack) bool) bool {
	for i := uint32(0); len(buf) >= packSize; i++ {
		b := (*[packSize]byte)(buf)
		buf = buf[packSize:]
		if *b == [packSize]byte{} {
			continue
		}
		p, ok := t.decode(first+i, b)
		if !ok {
			p, ok = t.Get(first + i)
		}
		if ok && !yield(first+i, p) {
			return false
		}
	}
	return true
}

// Sync makes all that was set durable.
func (t *PackTable) Sync() error { return t.f.Sync() }

// Damaged returns how many times a damaged record was met.
func (t *PackTable) Damaged() int64 { return t.damaged.Load() }

// Close closes the table. It does not sync.
func (t *PackTable) Close() error { return t.f.Close() }

// A record: sum 32, size 8, acked 8, read 8, flags 2, chunks 2, CRC-32C 4; all
// numbers little-endian. The checksum begins with series and number, so that
// bytes in the wrong place are as bad as wrong bytes.

func (t *PackTable) encode(number uint32, p Pack) [packSize]byte {
	var b [packSize]byte
	copy(b[:], p.Sum[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(p.Size))
	binary.LittleEndian.PutUint64(b[40:], uint64(p.Acked))
	binary.LittleEndian.PutUint64(b[48:], uint64(p.Read))
	binary.LittleEndian.PutUint16(b[56:], uint16(p.Flags))
	if p.Chunks <= MaxChunks {
		binary.LittleEndian.PutUint16(b[58:], uint16(p.Chunks))
	}
	binary.LittleEndian.PutUint32(b[60:], t.sum(number, &b))
	return b
}

func (t *PackTable) decode(number uint32, b *[packSize]byte) (Pack, bool) {
	var p Pack
	if binary.LittleEndian.Uint32(b[60:]) != t.sum(number, b) {
		return p, false
	}
	copy(p.Sum[:], b[:])
	p.Size = int64(binary.LittleEndian.Uint64(b[32:]))
	p.Acked = int64(binary.LittleEndian.Uint64(b[40:]))
	p.Read = int64(binary.LittleEndian.Uint64(b[48:]))
	p.Flags = PackFlags(binary.LittleEndian.Uint16(b[56:]))
	p.Chunks = int(binary.LittleEndian.Uint16(b[58:]))
	return p, true
}

func (t *PackTable) sum(number uint32, b *[packSize]byte) uint32 {
	n := binary.LittleEndian.AppendUint32(make([]byte, 0, 4), number)
	return crc32.Update(crc32.Update(t.seed, castagnoli, n), castagnoli, b[:60])
}

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)
