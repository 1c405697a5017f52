package pack

import (
	"encoding/binary"
	"testing"

	"coffer/chunk"
)

// A pack of tiny chunks is full long before it has its length: what is known
// of its chunks would take more memory than they do.
func TestPackOfTinyChunksIsFull(t *testing.T) {
	b := NewBuilder(TargetData, Fastest)
	var id chunk.ID
	n := 0
	for ; !b.Full(); n++ {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		b.Add(chunk.Data, id, id[:8])
	}
	if n != fullChunks {
		t.Errorf("full with %d chunks, want %d", n, fullChunks)
	}
}
