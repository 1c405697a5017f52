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
			c.gaps = true // told; which packs it means is not known here
			continue
		}
		src, err := c.v.Source(ctx, s)
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

func (c *check) walkRoot(ctx context.Context, s *vault.Snapshot, src *vault.Source, root manifest.Root) error {
	b := c.bookOf(s)
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
		c.use(s, b, use)
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

// use checks one ref: its pack is in the ledger, and holds that chunk at that
// place. A chunk of a bad pack may have moved.
func (c *check) use(s *vault.Snapshot, b *book, use manifest.Use) {
	c.res.Entries++
	n := c.find(b, numbered{use.Ref.Series, use.Ref.Number})
	if n == nil {
		c.unnamed = true
		c.tell(Problem{Object: s.Commit.Ledger, Err: fmt.Errorf("%w: it does not name pack %s/%010d, which %q needs", vault.ErrDamaged, use.Ref.Series, use.Ref.Number, use.Path),
			Harms: "that file", Snapshots: []string{s.Short()}, Files: []string{strings.Clone(use.Path)}, FileCount: 1})
		return
	}
	if n.holds(use.Ref) || c.isMoved(n, use.Ref) {
		return
	}
	if n.bad == nil {
		n.bad = fmt.Errorf("%w: it does not hold chunk %s at %d, which %q of snapshot %s needs", vault.ErrDamaged, use.Ref.ID, use.Ref.Offset, use.Path, s.Short())
	}
	way := map[*need]bool{}
	c.wayOf(n, use.Ref, way)
	for at := range way {
		c.harm(at, s.Short()+":"+use.Path)
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
	if file == h.last {
		return // another chunk of it
	}
	h.last = file
	h.count++
	if len(h.files) < firstNames {
		h.files = append(h.files, file)
	}
}
