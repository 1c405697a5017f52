package verify

import (
	"context"
	"errors"
	"slices"
	"sync"

	"coffer/vault/ledger"
)

// ledgers reads each distinct ledger and gathers what is needed.
func (c *check) ledgers(ctx context.Context) error {
	byName := map[string]*book{}
	for _, s := range c.snaps {
		b := byName[s.Commit.Ledger]
		if b == nil {
			b = &book{name: s.Commit.Ledger}
			byName[s.Commit.Ledger] = b
			c.books = append(c.books, b)
		}
		b.snaps = append(b.snaps, s)
	}
	return c.takeLedgers(ctx, c.books)
}

// ledgersAtOnce is how many ledgers are fetched at a time, and held in memory.
const ledgersAtOnce = 8

// takeLedgers fetches several ledgers at a time, and takes them in one after
// another.
func (c *check) takeLedgers(ctx context.Context, books []*book) error {
	for part := range slices.Chunk(books, ledgersAtOnce) {
		ledgers, errs := make([]*ledger.Ledger, len(part)), make([]error, len(part))
		var work sync.WaitGroup
		for i, b := range part {
			work.Go(func() { ledgers[i], errs[i] = c.v.Ledger(ctx, b.name) })
		}
		work.Wait()
		for i, b := range part {
			if err := c.ledger(ctx, b, ledgers[i], errs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ledger takes in what was fetched of a ledger.
func (c *check) ledger(ctx context.Context, b *book, l *ledger.Ledger, err error) error {
	if err != nil {
		st, e := c.standIn(ctx, b.name, err, b)
		if e != nil {
			return e
		}
		if st == nil {
			b.lost = true
			return c.damage(err, b.name, b, harmsOfList)
		}
		for _, p := range st.packs {
			c.needs(b, c.need(p))
		}
		c.needProven(st, b)
		return nil
	}
	return c.folders(ctx, b, l)
}

// folders takes in what a ledger says.
func (c *check) folders(ctx context.Context, b *book, l *ledger.Ledger) error {
	for i := range l.Folders {
		if err := c.folder(ctx, b, &l.Folders[i]); err != nil {
			return err
		}
	}
	return nil
}

// folder takes in what a ledger says of one folder of packs.
func (c *check) folder(ctx context.Context, b *book, f *ledger.Folder) error {
	if f.Roll == "" {
		for _, p := range f.Packs {
			c.needs(b, c.need(p))
		}
		return nil
	}
	key := page{f.Roll, f.All, f.Bits}
	p, ok := c.pages[key]
	if !ok {
		needs, err := c.page(ctx, f, b)
		if err != nil {
			err = c.damage(err, f.Roll, b, harmsOfList)
		}
		if err != nil {
			return err
		}
		p = c.content(needs)
		c.pages[key] = p
	}
	switch {
	case p == nil:
		b.lost = true
	case p.plain:
		b.set.Union(&p.set)
	default:
		for _, n := range p.needs {
			c.needs(b, n)
		}
	}
	if st := c.stands[f.Roll]; st != nil {
		st.standFor(b)
		c.needProven(st, b)
	}
	return nil
}

// content sums up what a page needs, once for all ledgers that have the page.
func (c *check) content(needs []*need) *content {
	if needs == nil {
		return nil
	}
	p := &content{needs: needs, plain: true}
	for _, n := range needs {
		p.set.Add(n.pack.Series, n.pack.Number)
		k := numbered{n.pack.Series, n.pack.Number}
		if c.first[k] == nil {
			c.first[k] = n
		}
		p.plain = p.plain && c.first[k] == n
	}
	return p
}

// page reads the roll of a folder and picks what the ledger needs of it.
func (c *check) page(ctx context.Context, f *ledger.Folder, b *book) ([]*need, error) {
	data, err := c.v.FetchNamed(ctx, f.Roll, ledger.MaxRoll)
	if err != nil {
		st, e := c.standIn(ctx, f.Roll, err, b)
		if e != nil || st == nil {
			return nil, errors.Join(e, err)
		}
		return c.pageOf(f, st), nil
	}
	one := ledger.Ledger{Folders: []ledger.Folder{*f}}
	var needs []*need
	for p, err := range one.Packs(func(string) ([]byte, error) { return data, nil }) {
		if err != nil {
			return nil, err
		}
		needs = append(needs, c.need(p))
	}
	return needs, nil
}

// need returns the one need of a pack.
func (c *check) need(p ledger.Pack) *need {
	n := c.needed[idOf(p)]
	if n == nil {
		n = &need{pack: p}
		c.needed[idOf(p)] = n
	}
	return n
}

// needs enters a pack into a book.
func (c *check) needs(b *book, n *need) {
	k := numbered{n.pack.Series, n.pack.Number}
	b.set.Add(n.pack.Series, n.pack.Number)
	switch c.first[k] {
	case nil:
		c.first[k] = n
	case n:
	default:
		if b.other == nil {
			b.other = map[numbered]*need{}
		}
		b.other[k] = n
	}
}

// find returns the pack that a book means by a number, or nil.
func (c *check) find(b *book, k numbered) *need {
	if !b.set.Has(k.series, k.number) {
		return nil
	}
	if n := b.other[k]; n != nil {
		return n
	}
	return c.first[k]
}
