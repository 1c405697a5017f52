package restore

import (
	"encoding/binary"
	"hash/fnv"

	"coffer/vault/manifest"
)

// A linkTable knows the first member of each hard-link group of one root. It
// is the one thing in a restore whose memory grows with the tree: some hundred
// bytes for each group.
type linkTable map[[8]byte]leader

// A leader is the member of a group that was restored as a file of its own.
type leader struct {
	path   string // in the target
	print  uint64 // of what the members must have in common
	file   *file  // while it is not written yet; else nil
	result Action // how it ended, then
	err    error  // why, if not well
}

// fingerprint sums up what all names of one inode share. Where members differ
// (the file changed while the backup met its names), linking them would give
// one the content of the other.
func fingerprint(e *manifest.Entry) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, n := range []int64{int64(e.Type), e.Size, e.Mtime.Sec, int64(e.Mtime.Nsec), int64(e.Mode), int64(e.Rdev), int64(e.ListDepth)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, e.Target...)
	b = append(b, e.ContentHash[:]...)
	h.Write(b)
	if e.ListDepth == 0 {
		for i := range e.Refs {
			h.Write(e.Refs[i].ID[:])
		}
	}
	return h.Sum64()
}
