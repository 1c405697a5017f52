package files

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"syscall"
)

// A nameList holds the names in one folder: one arena of bytes, each name
// ended by a NUL for the kernel's sake, and one small record a name. A folder
// of a million entries takes some 40 MB; what was statted is kept only for a
// window of it.
type nameList struct {
	arena []byte
	names []nameRec
}

type nameRec struct {
	key uint64 // first eight bytes of the name, big-endian: most comparisons end here
	off uint32 // in the arena
	len uint16
	typ Type // as the listing says; 0 if it does not
}

const maxKept = 1 << 20 // a larger arena is given back, so that one huge folder does not stay in memory

func (l *nameList) reset() {
	if cap(l.arena) > maxKept {
		*l = nameList{}
	}
	l.arena, l.names = l.arena[:0], l.names[:0]
}

// add appends a name; "." and ".." are no entries.
func (l *nameList) add(name []byte, typ Type) error {
	switch {
	case len(name) == 0 || bytes.IndexByte(name, '/') >= 0:
		return syscall.EIO // a broken file system; such a name must never become a path
	case name[0] == '.' && (len(name) == 1 || len(name) == 2 && name[1] == '.'):
		return nil
	case len(name) > math.MaxUint16 || len(l.arena) > math.MaxUint32-len(name)-1:
		return syscall.ENAMETOOLONG
	}
	l.names = append(l.names, nameRec{nameKey(name), uint32(len(l.arena)), uint16(len(name)), typ})
	l.arena = append(append(l.arena, name...), 0)
	return nil
}

func nameKey(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.BigEndian.Uint64(name)
	}
	var k [8]byte
	copy(k[:], name)
	return binary.BigEndian.Uint64(k[:])
}

// name returns the bytes of one name.
func (l *nameList) name(r nameRec) []byte { return l.arena[r.off : r.off+uint32(r.len)] }

// zname returns the arena from the name on, as the kernel wants it.
func (l *nameList) zname(r nameRec) []byte { return l.arena[r.off:] }

func (l *nameList) sort() {
	slices.SortFunc(l.names, func(a, b nameRec) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return bytes.Compare(l.name(a), l.name(b))
	})
}

// find looks a name up in the sorted list.
func (l *nameList) find(name string) (nameRec, bool) {
	i := sort.Search(len(l.names), func(i int) bool { return string(l.name(l.names[i])) >= name })
	if i < len(l.names) && string(l.name(l.names[i])) == name {
		return l.names[i], true
	}
	return nameRec{}, false
}
