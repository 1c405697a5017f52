package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"coffer/chunk"
)

// The local manifest of a root is a file of blocks of about 256 KiB. Each can
// be read without the others, and found again after damage: it begins with the
// file's random ID.
//
// File: magic 8, ID 16, length of the root's path 4, path, first 8 bytes of
// the SHA-256 of all that; then blocks.
// Block: ID 16, first 8 bytes of the SHA-256 of the rest, own number 4, kind 4,
// length of the payload 4, payload.
// Payload: records (or, of the end block, their count 8), the series table as
// of the end of the block 8 each, series 4. Numbers are little-endian.

const (
	manifestMagic = "COFFERM1"
	manifestHead  = 8 + 16 + 4
	blockHead     = 36
	blockSize     = 256 << 10
	maxBlock      = maxRecord + 1<<20
	maxRoot       = 1 << 16
	sumSize       = 8

	kindRecords = 'r'
	kindEnd     = 'e'
)

type manifestID [16]byte

// A block is a payload taken apart.
type block struct {
	number uint32
	kind   uint32
	body   []byte // records, or the count of them
	table  []byte
}

// sealBlock completes b, which is room for the head and then the body.
func sealBlock(b []byte, id manifestID, number, kind uint32, table []chunk.Series) []byte {
	for _, s := range table {
		b = append(b, s[:]...)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(table)))
	copy(b, id[:])
	binary.LittleEndian.PutUint32(b[24:], number)
	binary.LittleEndian.PutUint32(b[28:], kind)
	binary.LittleEndian.PutUint32(b[32:], uint32(len(b)-blockHead))
	putSum(b[16:], b[24:])
	return b
}

func putSum(dst, data []byte) {
	sum := sha256.Sum256(data)
	copy(dst[:sumSize], sum[:])
}

func goodSum(want, data []byte) bool {
	sum := sha256.Sum256(data)
	return bytes.Equal(want[:sumSize], sum[:sumSize])
}

// blockLength returns the length of the block that begins with head, if it may
// be one of this file.
func blockLength(head []byte, id manifestID) (int64, bool) {
	if len(head) < blockHead || manifestID(head[:16]) != id {
		return 0, false
	}
	n := int64(binary.LittleEndian.Uint32(head[32:]))
	return blockHead + n, n <= maxBlock
}

// parseBlock takes a whole block apart.
func parseBlock(b []byte, id manifestID) (block, bool) {
	n, ok := blockLength(b, id)
	if !ok || n != int64(len(b)) || !goodSum(b[16:], b[24:]) {
		return block{}, false
	}
	v := block{number: binary.LittleEndian.Uint32(b[24:]), kind: binary.LittleEndian.Uint32(b[28:])}
	body := b[blockHead:]
	if len(body) < 4 {
		return block{}, false
	}
	series := int64(binary.LittleEndian.Uint32(body[len(body)-4:]))
	body = body[:len(body)-4]
	if series > maxSeries || series*8 > int64(len(body)) {
		return block{}, false
	}
	v.body, v.table = body[:len(body)-int(series)*8], body[len(body)-int(series)*8:]
	return v, v.kind == kindRecords || v.kind == kindEnd && len(v.body) == 8
}

func parseTable(b []byte) []chunk.Series {
	table := make([]chunk.Series, len(b)/8)
	for i := range table {
		table[i] = chunk.Series(b[8*i:])
	}
	return table
}

// manifestHeader encodes what a file begins with.
func manifestHeader(id manifestID, root string) []byte {
	b := append([]byte(manifestMagic), id[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(root)))
	b = append(b, root...)
	b = append(b, make([]byte, sumSize)...)
	putSum(b[len(b)-sumSize:], b[:len(b)-sumSize])
	return b
}

// readManifestHeader returns the ID, the root and where the blocks begin.
func readManifestHeader(f io.ReaderAt) (id manifestID, root string, start int64, err error) {
	b, err := readAt(f, manifestHead)
	if err != nil || string(b[:8]) != manifestMagic {
		return id, "", 0, errors.Join(ErrDamaged, err)
	}
	end := manifestHead + int64(binary.LittleEndian.Uint32(b[24:]))
	if end > manifestHead+maxRoot {
		return id, "", 0, ErrDamaged
	}
	b, err = readAt(f, end+sumSize)
	if err != nil || !goodSum(b[end:], b[:end]) {
		return id, "", 0, errors.Join(ErrDamaged, err)
	}
	return manifestID(b[8:24]), string(b[manifestHead:end]), end + sumSize, nil
}

func readAt(f io.ReaderAt, n int64) ([]byte, error) {
	b := make([]byte, n)
	_, err := f.ReadAt(b, 0)
	return b, err
}

// findBlock returns where the file's ID stands next, at or after from.
func findBlock(f io.ReaderAt, id manifestID, from, size int64) (int64, bool) {
	buf := make([]byte, 64<<10)
	for from < size {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-from)], from)
		if i := bytes.Index(buf[:n], id[:]); i >= 0 {
			return from + int64(i), true
		}
		switch {
		case n < len(id) && err == nil, errors.Is(err, io.EOF):
			return 0, false
		case err != nil: // a bad sector: go on behind it
			from += int64(max(n, 4096))
		default:
			from += int64(n - len(id) + 1)
		}
	}
	return 0, false
}

// openManifest opens a manifest file and reads its header.
func openManifest(path string) (*ManifestReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := &ManifestReader{f: f, size: info.Size()}
	if r.id, r.root, r.at, err = readManifestHeader(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return r, nil
}
