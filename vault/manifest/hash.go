package manifest

import (
	"encoding/binary"
	"iter"

	"coffer/chunk"
)

// How often an item begins a new segment. With each entry that changed its
// segment is written anew, so entries have short ones: of a hundred entries,
// spread over a tree, of which one changed, 27 are written anew, and 99 were if
// one in 512 began a segment. A segment costs some 100 bytes: its line above,
// and its place in the pack's directory. Above, where one line stands for many
// entries, fewer levels count for more. A segment of entries has at least
// leastEntries, so that a small tree is one segment whatever the key.
const (
	cutEntries   = 32 - 1
	leastEntries = 8
	cutNodes     = 128 - 1
	cutRefs      = 512 - 1 // of lists
)

// ContentHash says what a file holds without saying where: HMAC under the data
// key, with the tag "content", over the IDs of its chunks in order. It is
// stored only beside a list, which would otherwise have to be read to compare
// two files; where the refs stand in the line it is made from them. It keeps
// 32 bytes a chunk in memory while it works.
func ContentHash(data *chunk.Hasher, ids iter.Seq[chunk.ID]) chunk.ID {
	var all []byte
	for id := range ids {
		all = append(all, id[:]...)
	}
	return data.Sum("content", all)
}

// IDs yields the IDs of refs.
func IDs(refs []chunk.Ref) iter.Seq[chunk.ID] {
	return func(yield func(chunk.ID) bool) {
		for i := range refs {
			if !yield(refs[i].ID) {
				return
			}
		}
	}
}

// LinkGroup names a hard-link group: HMAC under the segment key, with the tag
// "link", over the mount point, relative to the root, and the inode number (8
// bytes, big-endian). Members of a group have the same name, and nobody learns
// an inode number from it.
func LinkGroup(segment *chunk.Hasher, mount []byte, ino uint64) [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ino)
	sum := segment.Sum("link", mount, b[:])
	return [8]byte(sum[:8])
}

// A cutter says where segments begin, by a hash that only holders of the
// segment key can steer.
type cutter struct {
	h     *chunk.Hasher
	level [1]byte
}

func (c *cutter) cuts(level int, path []byte) bool {
	c.level[0] = byte(level)
	sum := c.h.Sum("cut", c.level[:], path)
	mask := uint64(cutNodes)
	if level == 0 {
		mask = cutEntries
	}
	return binary.BigEndian.Uint64(sum[:8])&mask == 0
}

// cutsList says whether a ref begins a list chunk. IDs are keyed already.
func cutsList(id *chunk.ID) bool {
	return binary.BigEndian.Uint64(id[:8])&cutRefs == 0
}
