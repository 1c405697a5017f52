package state

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"coffer/chunk"
)

const shardCount = 256 // a shard per first byte of an ID: in their order, all entries are in order

// A shard holds the entries that are not in the sorted pages, for one first
// byte: entries in a list, and a hash table of positions in it. It is that way
// for memory: 4 bytes a table slot, no pointers.
type shard struct {
	mu    sync.RWMutex
	table *sorted // guarded by mu: it is unmapped only after no shard has it
	list  []entry
	slots []uint32 // 1 + position in list; 0 is free; linear probing
}

// slotOf is where the search for a prefix begins. The first byte says nothing
// within a shard.
func (s *shard) slotOf(prefix uint64) int { return int(uint32(prefix>>16)) & (len(s.slots) - 1) }

// get returns the entry of an ID, valid until the shard is unlocked.
func (s *shard) get(id *chunk.ID) *entry {
	if len(s.slots) == 0 {
		return nil
	}
	for i := s.slotOf(Prefix(*id)); s.slots[i] != 0; i = (i + 1) & (len(s.slots) - 1) {
		if e := &s.list[s.slots[i]-1]; e.id == *id {
			return e
		}
	}
	return nil
}

// put stores e in place of an entry with the same ID.
func (s *shard) put(e entry) {
	if old := s.get(&e.id); old != nil {
		*old = e
		return
	}
	if 4*(len(s.list)+1) > 3*len(s.slots) {
		s.grow(max(16, 2*len(s.slots)))
	}
	s.list = append(s.list, e)
	s.link(len(s.list))
}

func (s *shard) grow(n int) {
	s.slots = make([]uint32, n)
	for i := range s.list {
		s.link(i + 1)
	}
}

func (s *shard) link(pos int) {
	i := s.slotOf(binary.BigEndian.Uint64(s.list[pos-1].id[:]))
	for s.slots[i] != 0 {
		i = (i + 1) & (len(s.slots) - 1)
	}
	s.slots[i] = uint32(pos)
}

// touch sets the day of every entry whose ID begins with prefix.
func (s *shard) touch(prefix uint64, day Day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slots) == 0 {
		return
	}
	for i := s.slotOf(prefix); s.slots[i] != 0; i = (i + 1) & (len(s.slots) - 1) {
		if e := &s.list[s.slots[i]-1]; Prefix(e.id) == prefix {
			e.day = day
		}
	}
}

// collect appends copies of the entries that take says, in order of ID, and
// flags them as merging.
func (s *shard) collect(b []entry, take func(*entry) bool) []entry {
	s.mu.Lock()
	for i := range s.list {
		if e := &s.list[i]; take(e) {
			e.flags |= merging
			b = append(b, *e)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(b, func(x, y entry) int { return bytes.Compare(x.id[:], y.id[:]) })
	return b
}

// settle puts the shard on a new table and keeps only the entries that keep
// says.
func (s *shard) settle(t *sorted, keep func(*entry) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
	var list []entry
	for i := range s.list {
		if keep(&s.list[i]) {
			list = append(list, s.list[i])
		}
	}
	s.list, s.slots = list, nil
	if len(list) > 0 {
		n := 16
		for 4*(len(list)+1) > 3*n {
			n *= 2
		}
		s.grow(n)
	}
}

// unflag takes back what collect flagged.
func (s *shard) unflag() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		s.list[i].flags &^= merging
	}
}
