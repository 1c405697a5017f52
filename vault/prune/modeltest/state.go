package modeltest

import (
	"cmp"
	"math/bits"
	"slices"
)

// How much of everything there is at a time. Packs and snapshots that nothing
// can see any more make room for new ones.
const (
	nPacks   = 4
	nChunks  = 3
	nSnaps   = 2
	nWriters = 2
	nPrunes  = 2
)

// A set is a set of packs, one bit each.
type set uint8

func (s set) has(p int) bool { return s>>p&1 == 1 }
func one(p int) set          { return 1 << p }

// A state is all that the store holds and all that the processes know. Times
// are ages in ticks, and an age that nothing tells from a higher one stands
// still: so the states are finite, and time is not.
type state struct {
	packs   [nPacks]pack
	snaps   [nSnaps]snap
	writers [nWriters]writer
	prunes  [nPrunes]prune
	left    budget
}

// A budget is what may still begin. Without it the states are finite too, and
// far more than a test has time for.
type budget struct{ runs, prunes, forgets uint8 }

// A pack is one object that holds one chunk.
type pack struct {
	life  life
	chunk uint8
	age   uint8 // since it was stored
	doom  uint8 // 0: no condemned list names it; else 1 + the age of the first that does
}

type life uint8

const (
	unused life = iota
	there
	gone
)

// A snap is a visible commit.
type snap struct {
	used      uint8 // 1: there is one
	needs     set
	age       uint8
	forgotten uint8 // 0: no; else 1 + the age of the forget
	withdrawn uint8 // 0: no; else 1 + the age of a withdrawal that a listing may still miss
}

// A writer backs up two chunks, again and again.
type writer struct {
	at     writerAt
	draft  set   // packs that the snapshot in the making needs
	acks   set   // packs whose upload was acknowledged to it; kept over a crash
	staged uint8 // age of the staged commit; F+2 in a folder: a prune has swept it away
}

type writerAt uint8

const (
	idle writerAt = iota
	running
	staged
	checked
)

// A prune is a process that deletes.
type prune struct {
	at   pruneAt
	list set // what it is about to condemn, or to delete
}

type pruneAt uint8

const (
	resting pruneAt = iota
	found           // what is dead, and has yet to condemn it
	sweptUp         // pending files, and has yet to look again
	deleting
)

// A key is a state in few bytes: as far as it is cheap, the same one for states
// that differ only in which of several equal things is called the first.
type key [2]uint64

// A coder writes and reads numbers of at most eight bits.
type coder struct {
	k key
	n uint
}

func (c *coder) put(v uint8, width uint) {
	c.k[c.n>>6] |= uint64(v) << (c.n & 63)
	if c.n&63+width > 64 {
		c.k[1] |= uint64(v) >> (64 - c.n&63)
	}
	c.n += width
}

func (c *coder) get(width uint) uint8 {
	v := c.k[c.n>>6] >> (c.n & 63)
	if c.n&63+width > 64 {
		v |= c.k[1] << (64 - c.n&63)
	}
	c.n += width
	return uint8(v & (1<<width - 1))
}

// A column is all that is known of one pack: itself, and which sets it is in.
type column uint16

const (
	kindBits, ageBits, doomBits = 3, 2, 3
	packBits                    = kindBits + ageBits + doomBits
	sets                        = nSnaps + 2*nWriters + nPrunes // and 16 bits in all
)

// sets are all sets of a state, always in the same order.
func (s *state) sets() [sets]*set {
	return [sets]*set{
		&s.snaps[0].needs, &s.snaps[1].needs,
		&s.writers[0].draft, &s.writers[0].acks, &s.writers[1].draft, &s.writers[1].acks,
		&s.prunes[0].list, &s.prunes[1].list,
	}
}

// kind is life and chunk in one number; what is unused has no chunk.
func (p *pack) kind() uint8 {
	if p.life == unused {
		return 0
	}
	return 1 + uint8(p.life-there)*nChunks + p.chunk
}

func (p *pack) setKind(k uint8) {
	if k > 0 {
		p.life, p.chunk = there+life((k-1)/nChunks), (k-1)%nChunks
	}
}

// column gathers what is known of pack i; in are the sets of the state.
func (p *pack) column(i int, in *[sets]set) column {
	c := column(p.kind()) | column(p.age)<<kindBits | column(p.doom)<<(kindBits+ageBits)
	for at, in := range in {
		c |= column(in>>i&1) << (packBits + at)
	}
	return c
}

// key returns the key of s. Packs, snapshots and prunes are interchangeable,
// and so are the writers if chunks 0 and 2 are too.
func (s *state) key() key {
	switch c := s.writers[0].compare(&s.writers[1]); {
	case c < 0:
		return s.sorted()
	case c > 0:
		m := s.mirrored()
		return m.sorted()
	}
	m := s.mirrored()
	a, b := s.sorted(), m.sorted()
	if slices.Compare(a[:], b[:]) < 0 {
		return a
	}
	return b
}

func (w *writer) compare(o *writer) int {
	rank := func(w *writer) int { return int(w.at)<<3 | int(w.staged) }
	return cmp.Compare(rank(w), rank(o))
}

// mirrored calls each writer by the other's name.
func (s *state) mirrored() state {
	m := *s
	m.writers[0], m.writers[1] = s.writers[1], s.writers[0]
	for i := range m.packs {
		if m.packs[i].life != unused {
			m.packs[i].chunk = nChunks - 1 - m.packs[i].chunk
		}
	}
	return m
}

// sorted is the key of s with equal things in order.
func (s *state) sorted() key {
	o := *s
	if s.rankSnap(o.snaps[0]) > s.rankSnap(o.snaps[1]) {
		o.snaps[0], o.snaps[1] = o.snaps[1], o.snaps[0]
	}
	if s.rankPrune(o.prunes[0]) > s.rankPrune(o.prunes[1]) {
		o.prunes[0], o.prunes[1] = o.prunes[1], o.prunes[0]
	}
	var in [sets]set
	for at, set := range o.sets() {
		in[at] = *set
	}
	var columns [nPacks]column
	for i := range columns {
		columns[i] = o.packs[i].column(i, &in)
	}
	slices.Sort(columns[:])
	var c coder
	for _, col := range columns {
		c.put(uint8(col), 8)
		c.put(uint8(col>>8), 8)
	}
	for _, n := range o.scalars() {
		c.put(*n.v, n.width)
	}
	return c.k
}

func (s *state) rankSnap(n snap) uint64 {
	if n.used == 0 {
		return 0
	}
	return 1<<63 | uint64(n.age)<<40 | uint64(n.forgotten)<<36 | uint64(n.withdrawn)<<33 | uint64(s.weigh(n.needs))
}

func (s *state) rankPrune(p prune) uint64 {
	return uint64(p.at)<<40 | uint64(s.weigh(p.list))
}

// weigh gives sets that hold equal packs equal weight.
func (s *state) weigh(in set) uint32 {
	var sum uint32
	for in != 0 {
		i := bits.TrailingZeros8(uint8(in))
		in &= in - 1
		p := &s.packs[i]
		x := uint32(p.kind()) | uint32(p.age)<<3 | uint32(p.doom)<<5
		for _, w := range s.writers {
			x = x<<2 | uint32(w.draft>>i&1)<<1 | uint32(w.acks>>i&1)
		}
		sum += (x + 1) * 2654435761
	}
	return sum
}

// A scalar is a number of a state that belongs to no pack.
type scalar struct {
	v     *uint8
	width uint
}

func (s *state) scalars() [17]scalar {
	a, b := &s.snaps[0], &s.snaps[1]
	v, w := &s.writers[0], &s.writers[1]
	p, q := &s.prunes[0], &s.prunes[1]
	return [...]scalar{
		{&a.used, 1}, {&a.age, 2}, {&a.forgotten, 3}, {&a.withdrawn, 2},
		{&b.used, 1}, {&b.age, 2}, {&b.forgotten, 3}, {&b.withdrawn, 2},
		{(*uint8)(&v.at), 2}, {&v.staged, 3}, {(*uint8)(&w.at), 2}, {&w.staged, 3},
		{(*uint8)(&p.at), 2}, {(*uint8)(&q.at), 2},
		{&s.left.runs, 3}, {&s.left.prunes, 3}, {&s.left.forgets, 3},
	}
}

// state is the inverse of key.
func (k key) state() state {
	var s state
	c := coder{k: k}
	all := s.sets()
	for i := range s.packs {
		col := column(c.get(8))
		col |= column(c.get(8)) << 8
		p := &s.packs[i]
		p.setKind(uint8(col & (1<<kindBits - 1)))
		p.age = uint8(col >> kindBits & (1<<ageBits - 1))
		p.doom = uint8(col >> (kindBits + ageBits) & (1<<doomBits - 1))
		for at, in := range all {
			*in |= set(col>>(packBits+at)&1) << i
		}
	}
	for _, n := range s.scalars() {
		*n.v = c.get(n.width)
	}
	return s
}
