package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// harm is what a bad pack does.
type harm struct {
	files []string // the first ones
	last  string   // the newest counted
	count int64
}

// A tree is a manifest as one ledger reads it.
type tree struct {
	ledger string
	root   chunk.ID
}

// walkManifests walks the manifest of every snapshot, each distinct tree once,
// and holds every ref against the ledger and the packs.
func (c *check) walkManifests(ctx context.Context) error {
	if !c.o.Deep {
		return nil
	}
	done := map[tree]bool{}
	for _, s := range c.snaps {
		if c.bookOf(s).lost {
			c.gaps = true // which packs it means only the listing says, and that proves nothing
		}
		src, err := c.source(ctx, s)
		if err != nil {
			if err := c.damage(err, s.Commit.Body, &book{snaps: []*vault.Snapshot{s}}, "this snapshot"); err != nil {
				return err
			}
			c.gaps = true
			continue
		}
		for _, root := range src.Body().Roots {
			k := tree{s.Commit.Ledger, root.Root.Ref.ID}
			if done[k] {
				continue
			}
			done[k] = true
			if err := c.walkRoot(ctx, s, src, root.Root); err != nil {
				return err
			}
		}
	}
	return nil
}

// source opens a snapshot as a restore does.
func (c *check) source(ctx context.Context, s *vault.Snapshot) (*vault.Source, error) {
	if c.sources == nil {
		all, err := c.allMoves(ctx)
		if err != nil {
			return nil, err
		}
		c.sources = c.v.Sources(all)
	}
	return c.sources.Open(ctx, s)
}

func (c *check) walkRoot(ctx context.Context, s *vault.Snapshot, src *vault.Source, root manifest.Root) error {
	u := user{s, src, c.bookOf(s), false}
	u.plain = !u.book.lost && len(c.standsOf(u.book)) == 0
	for use, err := range manifest.Closure(ctx, root, src.Segment) {
		if se := (*manifest.SegmentError)(nil); errors.As(err, &se) {
			if vault.IsRemote(err) {
				return err
			}
			c.gaps = true
			c.tell(Problem{Object: "manifest of snapshot " + s.Short(), Err: err, Harms: fmt.Sprintf("the entries from %q to %q", se.From, se.To), Snapshots: []string{s.Short()}})
			continue
		}
		if err != nil {
			return err
		}
		if err := c.use(ctx, u, use); err != nil {
			return err
		}
	}
	return c.lengths(ctx, s, src, root)
}

// lengths checks that the refs of each file make up its size less its holes:
// a manifest that lost some of them is well-formed all the same.
func (c *check) lengths(ctx context.Context, s *vault.Snapshot, src *vault.Source, root manifest.Root) error {
	for e, err := range manifest.Walk(ctx, root, src.Segment, manifest.WalkOptions{}) {
		if err != nil {
			if vault.IsRemote(err) {
				return err
			}
			continue // told by the walk before
		}
		if e.Type != files.Regular || e.Err != "" {
			continue
		}
		want := e.Size
		for _, h := range e.Holes {
			want -= h.Len
		}
		have, err := contentLen(ctx, e, src)
		if vault.IsRemote(err) {
			return err
		}
		if err == nil && have != want {
			c.tell(Problem{Object: "manifest of snapshot " + s.Short(), Err: fmt.Errorf("%w: the chunks of %q are %d bytes, not %d", vault.ErrDamaged, e.Path, have, want),
				Harms: "that file", Snapshots: []string{s.Short()}, Files: []string{strings.Clone(e.Path)}, FileCount: 1})
		}
	}
	return nil
}

// contentLen sums up the chunks of a file.
func contentLen(ctx context.Context, e *manifest.Entry, src *vault.Source) (n int64, err error) {
	for ref, err := range manifest.Refs(ctx, e, src.Segment) {
		if err != nil {
			return 0, err
		}
		n += ref.Len
	}
	return n, nil
}

func (c *check) bookOf(s *vault.Snapshot) *book {
	i := slices.IndexFunc(c.books, func(b *book) bool { return b.name == s.Commit.Ledger })
	return c.books[i]
}

// A user is a snapshot whose manifest is walked.
type user struct {
	*vault.Snapshot
	src   *vault.Source
	book  *book
	plain bool // all its lists are there, so what they name is what a restore reads
}

// use checks one ref: a restore finds the chunk, in the pack that the ledger names
// or where moves say.
func (c *check) use(ctx context.Context, u user, use manifest.Use) error {
	c.res.Entries++
	k := numbered{use.Ref.Series, use.Ref.Number}
	n := c.find(u.book, k)
	if u.plain && n != nil && n.holds(use.Ref) {
		return nil
	}
	way, found, err := c.search(ctx, u.src, use.Ref)
	switch {
	case err != nil:
		return err
	case found && n != nil && !n.holds(use.Ref):
		c.elsewhere[n] = true
	}
	if found {
		return nil
	}
	if n == nil {
		c.unnamed = true
		c.nameless(u, k, use.Path)
		return nil
	}
	if n.bad == nil {
		n.bad = fmt.Errorf("%w: it does not hold chunk %s at %d, which %q of snapshot %s needs", vault.ErrDamaged, use.Ref.ID, use.Ref.Offset, use.Path, u.Short())
	}
	c.harm(n, u.Short()+":"+use.Path)
	for _, at := range way {
		if at != n && at.bad != nil {
			c.harm(at, u.Short()+":"+use.Path)
		}
	}
	return nil
}

// search goes the way of a restore to a chunk, and returns the packs to which that
// leads.
func (c *check) search(ctx context.Context, src *vault.Source, ref chunk.Ref) (way []*need, found bool, err error) {
	_, found, err = src.Find(ctx, ref, func(at vault.Place) (bool, error) {
		n, err := c.opened(ctx, at.Pack)
		if err != nil {
			return false, err
		}
		if !slices.Contains(way, n) {
			way = append(way, n)
		}
		return n.holds(at.Ref), nil
	})
	return way, found, err
}

// opened returns a pack as it was found. One to which only a restore would have
// come is read now.
func (c *check) opened(ctx context.Context, p ledger.Pack) (*need, error) {
	if n := c.needed[idOf(p)]; n != nil {
		return n, nil
	}
	n := c.beside[idOf(p)]
	if n == nil {
		n = &need{pack: p}
		c.beside[idOf(p)] = n
		r := &packReader{c: c}
		return n, r.read(ctx, n)
	}
	return n, nil
}

// A nameless pack is one that a manifest needs, and of which nobody knows which
// object it is.
type nameless struct {
	book *book
	numbered
}

// nameless counts a file that lacks a chunk of such a pack.
func (c *check) nameless(u user, k numbered, path string) {
	key := nameless{u.book, k}
	if c.unknown[key] == nil {
		c.unknown[key] = new(harm)
	}
	c.unknown[key].add(u.Short() + ":" + path)
}

// tellNameless tells of packs that a restore does not find, since no list names
// them and no single one is listed under the number.
func (c *check) tellNameless() {
	for key, h := range c.unknown {
		err := fmt.Errorf("%w: it does not name pack %x/%010d, which %q needs", vault.ErrDamaged, key.series, key.number, h.files[0])
		if key.book.lost {
			err = fmt.Errorf("%w: pack %x/%010d, which %q needs, is not there, or not alone, and the list is lost that names it", vault.ErrDamaged, key.series, key.number, h.files[0])
		}
		c.tell(Problem{Object: key.book.name, Err: err, Harms: "these files", Snapshots: shorts(key.book.snaps), Files: h.files, FileCount: h.count})
	}
}

// harm counts a file that lacks a chunk of a bad pack.
func (c *check) harm(n *need, file string) {
	if c.harmed == nil {
		c.harmed = map[*need]*harm{}
	}
	h := c.harmed[n]
	if h == nil {
		h = new(harm)
		c.harmed[n] = h
	}
	h.add(file)
}

func (h *harm) add(file string) {
	if file == h.last {
		return // another chunk of it
	}
	h.last = file
	h.count++
	if len(h.files) < firstNames {
		h.files = append(h.files, file)
	}
}
