package verify

import (
	"context"
	"errors"
	"slices"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/commit"
)

// moved is a move that replaces a needed pack, with the packs it names.
type moved struct {
	*vault.Move
	book *book
	bad  bool // its map is missing or wrong
}

// moves finds the moves that replace packs which are needed, and the packs
// that these name instead: those are needed too, and may have been replaced in
// their turn. It goes on from where it was when more packs are needed.
func (c *check) moves(ctx context.Context) error {
	if c.moved == nil {
		all, err := c.allMoves(ctx)
		if err != nil {
			return err
		}
		c.moved, c.rest = map[string][]*moved{}, slices.Clone(all)
	}
	names := map[string]*need{}
	for _, n := range c.needed {
		names[n.pack.Name()] = n
	}
	for grown := true; grown; {
		grown = false
		for i, m := range c.rest {
			if m == nil || !slices.ContainsFunc(m.Commit.Old, func(old string) bool { return names[old] != nil }) {
				continue
			}
			c.rest[i], grown = nil, true
			if err := c.move(ctx, m, names); err != nil {
				return err
			}
		}
	}
	for _, b := range c.books {
		if b.of != nil {
			b.instead = oldOf(b.of, names) // of which some may have become needed by a later move
		}
	}
	c.res.Packs, c.res.Bytes = int64(len(c.needed)), 0
	for _, n := range c.needed {
		c.res.Bytes += n.pack.Size
	}
	return nil
}

// oldOf lists those packs that a move replaces which are needed.
func oldOf(move *commit.Commit, names map[string]*need) (old []*need) {
	for _, name := range move.Old {
		if n := names[name]; n != nil {
			old = append(old, n)
		}
	}
	return old
}

// allMoves reads the moves, once.
func (c *check) allMoves(ctx context.Context) (_ []*vault.Move, err error) {
	if c.all == nil {
		if c.all, err = c.v.Moves(ctx); c.all == nil {
			c.all = []*vault.Move{}
		}
	}
	return c.all, err
}

// move takes in one move.
func (c *check) move(ctx context.Context, m *vault.Move, names map[string]*need) error {
	b := &book{name: m.Commit.Ledger, of: m.Commit, instead: oldOf(m.Commit, names)}
	take, err := c.load(ctx, b, m)
	if err != nil {
		for _, old := range m.Commit.Old {
			c.moved[old] = append(c.moved[old], &moved{Move: m, book: b, bad: true})
		}
		if m.Ledger() == nil {
			return c.damage(err, m.Commit.Ledger, b, harmsOfList)
		}
		return c.damage(err, m.Name.String(), b, harmsOfMove)
	}
	c.books = append(c.books, b)
	if err := take(); err != nil {
		return err
	}
	c.lackedByMove(b, m)
	for _, n := range c.named(b) {
		names[n.pack.Name()] = n
	}
	for _, old := range m.Commit.Old {
		c.moved[old] = append(c.moved[old], &moved{Move: m, book: b})
	}
	return nil
}

// load loads a move, and returns what takes in the packs it names.
func (c *check) load(ctx context.Context, b *book, m *vault.Move) (take func() error, _ error) {
	why := c.v.LoadMove(ctx, m)
	if why == nil {
		return func() error { return c.ledger(ctx, b, m.Ledger(), m.LostLedger()) }, nil
	}
	if !c.o.Deep || m.Ledger() != nil || !errors.Is(why, vault.ErrDamaged) {
		return nil, why
	}
	// A restore takes what is listed; whether it is right, the packs tell.
	if err := c.v.LoadListed(ctx, m); vault.IsRemote(err) {
		return nil, err
	} else if err != nil {
		return nil, why
	}
	return func() error {
		return errors.Join(c.damage(why, m.Commit.Ledger, b, harmsOfList), c.folders(ctx, b, m.Ledger()))
	}, nil
}

const harmsOfMove = "the chunks it moved, where no other move has them"

// needing lists the snapshots that need a pack, themselves or by a move.
func (c *check) needing(n *need) []*vault.Snapshot {
	w := newWho()
	c.mark(n, w)
	return c.only(w.snaps)
}

// snapsOf lists the snapshots that need a book.
func (c *check) snapsOf(b *book) []*vault.Snapshot {
	w := newWho()
	c.markBook(b, w)
	return c.only(w.snaps)
}

// A who gathers snapshots. However moves lead, it passes each book once.
type who struct {
	snaps map[*vault.Snapshot]bool
	books map[*book]bool
}

func newWho() *who { return &who{map[*vault.Snapshot]bool{}, map[*book]bool{}} }

func (c *check) only(seen map[*vault.Snapshot]bool) []*vault.Snapshot {
	return slices.DeleteFunc(slices.Clone(c.snaps), func(s *vault.Snapshot) bool { return !seen[s] })
}

func (c *check) mark(n *need, w *who) {
	for _, b := range c.books {
		if c.find(b, numbered{n.pack.Series, n.pack.Number}) == n {
			c.markBook(b, w)
		}
	}
}

func (c *check) markBook(b *book, w *who) {
	if w.books[b] {
		return
	}
	w.books[b] = true
	for _, s := range b.snaps {
		w.snaps[s] = true
	}
	for _, n := range b.instead {
		c.mark(n, w)
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
func (c *check) isReplaced(n *need) bool {
	is, ok := c.replaced[n]
	if ok {
		return is
	}
	c.replaced[n] = false // while it is being found out: moves may lead in a circle
	is = slices.ContainsFunc(c.moved[n.pack.Name()], func(m *moved) bool {
		return !m.bad && !slices.ContainsFunc(c.named(m.book), func(to *need) bool { return to.bad != nil && !c.isReplaced(to) })
	})
	c.replaced[n] = is
	return is
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
