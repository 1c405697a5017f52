package ledger

import (
	"bytes"
	"cmp"
	"iter"
	"math/bits"
	"slices"

	"coffer/chunk"
	"coffer/vault/trust/canon"
)

// Bits says which of the 1,024 numbers of a folder are meant; see the package
// comment for the order of the bits.
type Bits [canon.FolderSize / 8]byte

// Has reports whether number is in it; which folder it lies in is not looked at.
func (b *Bits) Has(number uint32) bool { return b[number/8%uint32(len(b))]&(1<<(number%8)) != 0 }

// Add puts number in.
func (b *Bits) Add(number uint32) { b[number/8%uint32(len(b))] |= 1 << (number % 8) }

// Len returns how many numbers are in it.
func (b *Bits) Len() (n int) {
	for _, v := range b {
		n += bits.OnesCount8(v)
	}
	return n
}

// Within reports whether every number of b is in other.
func (b *Bits) Within(other *Bits) bool {
	for i, v := range b {
		if v&^other[i] != 0 {
			return false
		}
	}
	return true
}

// FolderID names a folder of packs.
type FolderID struct {
	Series chunk.Series
	Folder uint32
}

func compareFolders(a, b FolderID) int {
	return cmp.Or(bytes.Compare(a.Series[:], b.Series[:]), cmp.Compare(a.Folder, b.Folder))
}

// A Set is a set of packs by series and number. It takes 128 bytes and a map
// entry for each folder of 1,024, some 10 KB for a terabyte of packs. Add and
// Has take constant time and allocate only when a folder is met for the first
// time. The zero Set is empty and ready. It must not be copied once used, and
// changed only while nobody else uses it.
type Set struct {
	folders map[FolderID]*Bits
	last    FolderID // the folder that lastBits is of: refs come in long stretches of one folder
	lastOf  *Bits
}

// Add puts a pack in and reports whether it is new.
func (s *Set) Add(series chunk.Series, number uint32) bool {
	if id := (FolderID{series, FolderOf(number)}); s.lastOf == nil || s.last != id {
		s.last, s.lastOf = id, s.folder(id)
	}
	if s.lastOf.Has(number) {
		return false
	}
	s.lastOf.Add(number)
	return true
}

// Has reports whether the pack is in the set.
func (s *Set) Has(series chunk.Series, number uint32) bool {
	b := s.folders[FolderID{series, FolderOf(number)}]
	return b != nil && b.Has(number)
}

// folder returns the bits of a folder, making them if need be.
func (s *Set) folder(id FolderID) *Bits {
	b := s.folders[id]
	if b == nil {
		if s.folders == nil {
			s.folders = map[FolderID]*Bits{}
		}
		b = new(Bits)
		s.folders[id] = b
	}
	return b
}

// Union puts all packs of other in.
func (s *Set) Union(other *Set) {
	for id, from := range other.folders {
		to := s.folder(id)
		for i, v := range from {
			to[i] |= v
		}
	}
}

// Len returns how many packs are in the set.
func (s *Set) Len() (n int) {
	for _, b := range s.folders {
		n += b.Len()
	}
	return n
}

// Folders yields the folders of the set in order. The Bits must not be changed.
func (s *Set) Folders() iter.Seq2[FolderID, *Bits] {
	return func(yield func(FolderID, *Bits) bool) {
		ids := make([]FolderID, 0, len(s.folders))
		for id := range s.folders {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, compareFolders)
		for _, id := range ids {
			if !yield(id, s.folders[id]) {
				return
			}
		}
	}
}

// All yields the packs of the set in order.
func (s *Set) All() iter.Seq2[chunk.Series, uint32] {
	return func(yield func(chunk.Series, uint32) bool) {
		for id, b := range s.Folders() {
			for i := range uint32(canon.FolderSize) {
				if b.Has(i) && !yield(id.Series, id.Folder*canon.FolderSize+i) {
					return
				}
			}
		}
	}
}
