package vault

import (
	"bytes"
	"testing"

	"coffer/chunk"
)

// The cache holds the segments put last, no more bytes than its bound, and one
// that is larger than that by itself.
func TestSegmentCacheIsBounded(t *testing.T) {
	var c segmentCache
	const size = segmentCacheBytes / 4
	held := func() (ids []byte) {
		bytes := 0
		for i := range byte(9) {
			if b, ok := c.get(chunk.ID{i}); ok {
				ids, bytes = append(ids, i), bytes+len(b)
			}
		}
		if bytes != c.bytes || len(ids) != len(c.order) || len(ids) != len(c.data) {
			t.Errorf("%d bytes of %v, and %d of %d are counted", bytes, ids, c.bytes, len(c.order))
		}
		return ids
	}
	for i := range byte(6) {
		c.put(chunk.ID{i}, make([]byte, size))
		c.put(chunk.ID{i}, make([]byte, size)) // as two readers do at once
	}
	if ids := held(); !bytes.Equal(ids, []byte{2, 3, 4, 5}) {
		t.Errorf("held: %v", ids)
	}
	c.put(chunk.ID{6}, make([]byte, segmentCacheBytes+1))
	if ids := held(); !bytes.Equal(ids, []byte{6}) {
		t.Errorf("held: %v", ids)
	}
}
