package verify

import (
	"context"
	"slices"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// walkStands finds out, with the identity, what those snapshots need of which a
// list is lost, and what stands in for it, if anything does, does not name. What
// cannot be read of a manifest is told later.
func (c *check) walkStands(ctx context.Context) error {
	if !c.o.Deep {
		return nil
	}
	done := map[tree]bool{}
	for _, s := range c.snaps {
		b := c.bookOf(s)
		stands := c.standsOf(b)
		if !b.lost && len(stands) == 0 {
			continue
		}
		src, err := c.source(ctx, s)
		if err != nil {
			if vault.IsRemote(err) {
				return err
			}
			continue
		}
		for _, root := range src.Body().Roots {
			t := tree{s.Commit.Ledger, root.Root.Ref.ID}
			if done[t] {
				continue
			}
			done[t] = true
			for use, err := range manifest.Closure(ctx, root.Root, src.Segment) {
				if vault.IsRemote(err) {
					return err
				}
				if err != nil {
					continue
				}
				c.lackedBy(b, stands, numbered{use.Ref.Series, use.Ref.Number})
				if err := c.listedFor(ctx, b, src, use.Ref); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// listedFor counts the pack as needed that is listed under a number which only a
// list named that is lost, or of which moves say that it had the number.
func (c *check) listedFor(ctx context.Context, b *book, src *vault.Source, ref chunk.Ref) error {
	if !b.lost || c.find(b, numbered{ref.Series, ref.Number}) != nil {
		return nil
	}
	p, err := src.PackName(ctx, ref.Series, ref.Number)
	if vault.IsRemote(err) {
		return err
	}
	ok := err == nil
	if !ok {
		p, ok = c.oldPacks().Pack(ref.Series, ref.Number)
	}
	if ok {
		c.needs(b, c.need(p))
	}
	return nil
}

// lackedByMove notes, with the identity, what the map of a move says that its list
// should name, and what stands in for the list does not. Where nothing stands in
// for it, a pack that has gone is named by the moves that replace it.
func (c *check) lackedByMove(b *book, m *vault.Move) {
	if !c.o.Deep || b.lost {
		return
	}
	stands := c.standsOf(b)
	for series, number := range m.Numbers().All() {
		k := numbered{series, number}
		c.lackedBy(b, stands, k)
		if p, ok := c.oldPacks().Pack(series, number); ok && len(stands) == 0 && m.LostLedger() != nil && c.find(b, k) == nil {
			c.needs(b, c.need(p))
		}
	}
}

// lackedBy notes that a book, for whose lists these stand in, should name a pack.
func (c *check) lackedBy(b *book, stands []*stand, k numbered) {
	if c.find(b, k) != nil {
		return
	}
	for _, st := range stands {
		if st.copied || !st.names(k) {
			continue
		}
		c.lack(st, k, true)
		if n := len(st.users[k]); n == 0 || st.users[k][n-1] != b {
			st.users[k] = append(st.users[k], b)
		}
	}
}

// names tells whether the list for which it stands in could name a pack.
func (st *stand) names(k numbered) bool {
	series, folder, _, err := ledger.ParseRollName(st.name)
	return err != nil || series == k.series && folder == ledger.FolderOf(k.number)
}

// standsOf lists what stands in for the ledger of a book, or for its rolls.
func (c *check) standsOf(b *book) (out []*stand) {
	for _, st := range c.stands {
		if st != nil && slices.Contains(st.books, b) {
			out = append(out, st)
		}
	}
	return out
}

// needSpare counts packs as needed that what stands in for a list does not name.
// They were away when it was made: a restore tries what is listed under the
// number, and what moves have of a pack that had it. It tells if there are more
// of them than before.
func (c *check) needSpare() (more bool) {
	for _, st := range c.stands {
		if st == nil || st.copied {
			continue
		}
		proven := c.proven.ofList(st) && c.proven.read(c.snapsOfStand(st))
		for k, surely := range st.lacks {
			if st.spare[k] != nil || !surely && (c.o.Deep || proven) {
				continue // else only a manifest tells whether it is needed, and has told
			}
			listed := c.spare[k]
			if len(listed) == 1 {
				c.adopt(st, k, listed[0])
				st.there++
				more = true
			} else if p, ok := c.oldPacks().Pack(k.series, k.number); ok && len(listed) == 0 && surely {
				c.adopt(st, k, p)
				more = true
			}
		}
	}
	return more
}

// oldPacks are the packs that moves replace.
func (c *check) oldPacks() *vault.OldPacks {
	if c.old == nil {
		c.old = vault.OldPacksOf(c.all)
	}
	return c.old
}

// adopt counts a pack as one that the books need for which st stands in.
func (c *check) adopt(st *stand, k numbered, p ledger.Pack) {
	n := c.needed[idOf(p)]
	if n == nil {
		n = c.need(p)
		if p.Size > 0 {
			n.found = true
			c.res.Unneeded--
			c.res.UnneededBytes -= p.Size
		}
	}
	st.spare[k] = n
	for _, b := range st.books {
		c.needs(b, n)
	}
}

// needProven counts the packs as needed of which it was proven that a book needs
// them, though what stands in for a list does not name them.
func (c *check) needProven(st *stand, b *book) {
	if c.o.Deep || st.copied {
		return // then it is found out once more, or known
	}
	for _, s := range c.proven.spares[st.key] {
		p, err := ledger.ParsePackName(s.Pack)
		if err != nil || len(s.Ledgers) > 0 && !slices.Contains(s.Ledgers, short(b.name)) {
			continue
		}
		p.Size = s.Size
		n := c.need(p)
		c.needs(b, n)
		st.spare[numbered{p.Series, p.Number}] = n
	}
}
