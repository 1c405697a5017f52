package verify

import (
	"context"
	"errors"
	"slices"

	"coffer/chunk"
	"coffer/vault"
)

// moved is a move that replaces a needed pack, with the packs it names.
type moved struct {
	*vault.Move
	book *book
	bad  bool // its map is missing or wrong
}

// moves finds the moves that replace packs which are needed, and the packs
// that these name instead: those are needed too, and may have been replaced in
// their turn.
func (c *check) moves(ctx context.Context) error {
	all, err := c.allMoves(ctx)
	if err != nil {
		return err
	}
	all = slices.Clone(all)
	c.moved = map[string][]*moved{}
	names := map[string]*need{}
	for _, n := range c.needed {
		names[n.pack.Name()] = n
	}
	for grown := true; grown; {
		grown = false
		for i, m := range all {
			if m == nil || !slices.ContainsFunc(m.Commit.Old, func(old string) bool { return names[old] != nil }) {
				continue
			}
			all[i], grown = nil, true
			if err := c.move(ctx, m, names); err != nil {
				return err
			}
		}
	}
	c.res.Packs = int64(len(c.needed))
	for _, n := range c.needed {
		c.res.Bytes += n.pack.Size
	}
	return nil
}

// allMoves reads the moves, once.
func (c *check) allMoves(ctx context.Context) (_ []*vault.Move, err error) {
	if c.all == nil {
		c.all, err = c.v.Moves(ctx)
	}
	return c.all, err
}

// move takes in one move.
func (c *check) move(ctx context.Context, m *vault.Move, names map[string]*need) error {
	b := &book{name: m.Commit.Ledger, of: m.Commit}
	for _, old := range m.Commit.Old {
		if n := names[old]; n != nil {
			b.instead = append(b.instead, n)
		}
	}
	if err := c.v.LoadMove(ctx, m); err != nil {
		for _, old := range m.Commit.Old {
			c.moved[old] = append(c.moved[old], &moved{Move: m, book: b, bad: true})
		}
		return c.damage(err, m.Name.String(), b, harmsOfMove)
	}
	c.books = append(c.books, b)
	if err := c.folders(ctx, b, m.Ledger()); err != nil {
		return err
	}
	for _, n := range c.named(b) {
		names[n.pack.Name()] = n
	}
	for _, old := range m.Commit.Old {
		c.moved[old] = append(c.moved[old], &moved{Move: m, book: b})
	}
	return nil
}

const harmsOfMove = "the chunks it moved, where no other move has them"

// needing lists the snapshots that need a pack, themselves or by a move.
func (c *check) needing(n *need) []*vault.Snapshot {
	seen := map[*vault.Snapshot]bool{}
	c.mark(n, seen, 0)
	return c.only(seen)
}

// snapsOf lists the snapshots that need a book.
func (c *check) snapsOf(b *book) []*vault.Snapshot {
	seen := map[*vault.Snapshot]bool{}
	c.markBook(b, seen, 0)
	return c.only(seen)
}

func (c *check) only(seen map[*vault.Snapshot]bool) []*vault.Snapshot {
	return slices.DeleteFunc(slices.Clone(c.snaps), func(s *vault.Snapshot) bool { return !seen[s] })
}

func (c *check) mark(n *need, seen map[*vault.Snapshot]bool, depth int) {
	for _, b := range c.books {
		if c.find(b, numbered{n.pack.Series, n.pack.Number}) == n {
			c.markBook(b, seen, depth)
		}
	}
}

func (c *check) markBook(b *book, seen map[*vault.Snapshot]bool, depth int) {
	for _, s := range b.snaps {
		seen[s] = true
	}
	for _, n := range b.instead {
		if depth < maxDepth {
			c.mark(n, seen, depth+1)
		}
	}
}

// eachMap calls fn for the map of each move, once.
func (c *check) eachMap(fn func(m *moved) error) error {
	done := map[string]*moved{}
	for _, moves := range c.moved {
		for _, m := range moves {
			if before := done[m.Commit.Body]; before != nil {
				m.bad = m.bad || before.bad
				continue
			}
			done[m.Commit.Body] = m
			if err := fn(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// listMaps tells which maps of moves are not there.
func (c *check) listMaps() error {
	return c.eachMap(func(m *moved) error {
		if _, ok := c.listed[m.Commit.Body]; !ok && !m.bad {
			c.tellMap(m, errMissing)
		}
		return nil
	})
}

// readMaps hashes the maps of moves.
func (c *check) readMaps(ctx context.Context) error {
	return c.eachMap(func(m *moved) error {
		if m.bad {
			return nil
		}
		_, err := c.v.FetchNamed(ctx, m.Commit.Body, maxMap)
		if err != nil && errors.Is(err, vault.ErrDamaged) {
			c.tellMap(m, err)
			return nil
		}
		return err
	})
}

func (c *check) tellMap(m *moved, err error) {
	m.bad = true
	c.tell(Problem{Object: m.Commit.Body, Err: err, Harms: harmsOfMove, Snapshots: shorts(c.snapsOf(m.book))})
}

// maxMap bounds a move's map as it is stored, in bytes.
const maxMap = 64 << 20

// maxDepth bounds how often a chunk may have been moved on.
const maxDepth = 16

// isMoved tells whether a chunk of a bad pack is in another one, which was
// opened and is good.
func (c *check) isMoved(n *need, ref chunk.Ref, depth int) bool {
	if depth > maxDepth {
		return false
	}
	for _, m := range c.moved[n.pack.Name()] {
		to, ok := m.To(ref.ID)
		if !ok {
			continue
		}
		at := c.find(m.book, numbered{to.Series, to.Number})
		switch {
		case at == nil:
		case at.holds(to):
			return true
		case c.isMoved(at, to, depth+1):
			return true
		}
	}
	return false
}

// wayOf gathers the bad packs to which moves have led for a chunk of a pack.
func (c *check) wayOf(n *need, ref chunk.Ref, way map[*need]bool) {
	way[n] = true
	for _, m := range c.moved[n.pack.Name()] {
		if to, ok := m.To(ref.ID); ok {
			if at := c.find(m.book, numbered{to.Series, to.Number}); at != nil && at.bad != nil && !way[at] {
				c.wayOf(at, to, way)
			}
		}
	}
}

// holds tells whether a pack was opened and has that chunk at that place.
func (n *need) holds(ref chunk.Ref) bool {
	_, ok := slices.BinarySearch(n.marks, mark(ref.ID, ref.Offset, ref.Len))
	return ok
}

// isRepacked tells whether a repack let a pack go.
func (c *check) isRepacked(n *need) bool {
	return slices.ContainsFunc(c.moved[n.pack.Name()], func(m *moved) bool { return m.Commit.Repack })
}

// isReplaced tells whether a move stands in for a bad pack with packs of which
// nothing bad is known, or that are replaced in their turn.
func (c *check) isReplaced(n *need, depth int) bool {
	return depth <= maxDepth && slices.ContainsFunc(c.moved[n.pack.Name()], func(m *moved) bool {
		return !m.bad && !slices.ContainsFunc(c.named(m.book), func(to *need) bool { return to.bad != nil && !c.isReplaced(to, depth+1) })
	})
}

// named lists the packs of a book.
func (c *check) named(b *book) (out []*need) {
	for series, number := range b.set.All() {
		if n := c.find(b, numbered{series, number}); n != nil {
			out = append(out, n)
		}
	}
	return out
}
