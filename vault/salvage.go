package vault

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// A Tree is a manifest that was found in packs alone.
type Tree struct {
	Root   manifest.Root
	Newest time.Time // the newest time of its entries, which tells about when it was saved
}

// A salvager reads every pack that holds segments.
type salvager struct {
	v     *Vault
	nodes map[chunk.ID]*found
}

// found is a segment, where it is, and what is known of what lies below it.
type found struct {
	ref    chunk.Ref
	look   manifest.Glimpse
	child  bool // a segment above names it
	level  int  // -1 until it was computed
	newest time.Time
}

// Trees finds, with nothing but packs and the identity, all trees of files that
// were ever saved, oldest first: for who has lost commits, ledgers and bodies.
// It reads the end of every pack, and all of those that hold manifests. progress
// is told of each pack, if it is not nil.
func (v *Vault) Trees(ctx context.Context, progress func(done, total int)) ([]Tree, error) {
	if !v.HasIdentity() {
		return nil, ErrNoIdentity
	}
	var packs []ledger.Pack
	for o, err := range v.store.List(ctx, "packs/", "") {
		if err != nil {
			return nil, fmt.Errorf("list packs: %w", err)
		}
		if p, err := ledger.ParsePackName(o.Name); err == nil && o.Size > 0 {
			p.Size = o.Size
			packs = append(packs, p)
		}
	}
	s := &salvager{v: v, nodes: map[chunk.ID]*found{}}
	var buf packBuffer
	for i, p := range packs {
		if progress != nil {
			progress(i, len(packs))
		}
		if err := s.pack(ctx, p, &buf); err != nil {
			if IsRemote(err) {
				return nil, err
			}
			v.notice(p.Name(), err, "what it holds")
		}
	}
	return s.trees(), nil
}

// pack looks at the segments of a pack, if it has some.
func (s *salvager) pack(ctx context.Context, p ledger.Pack, buf *packBuffer) error {
	dir, err := pack.DirectoryAt(&objectReader{ctx, s.v, p.Name()}, p.Size, s.v.ids)
	if err != nil {
		return err
	}
	for e := range dir.Entries() {
		if e.Kind != chunk.Segment {
			return nil // a pack holds one kind
		}
		break
	}
	if err := s.v.openPack(ctx, p, buf); err != nil {
		return err
	}
	var entries []pack.Entry
	var extents []pack.Extent
	for e := range buf.reader.Entries() {
		entries = append(entries, e)
		extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
	}
	h := s.v.Hasher(chunk.Segment)
	return buf.reader.Read(extents, func(i int, data []byte) error {
		e := entries[i]
		look, ok := manifest.Look(data)
		if ok && h.ID(data) == e.ID {
			ref := chunk.Ref{ID: e.ID, Series: p.Series, Number: p.Number, Offset: e.Offset, Len: e.Len}
			s.nodes[e.ID] = &found{ref: ref, look: look, level: -1}
		}
		return nil
	})
}

// trees returns those segments that no other one names and that begin a tree.
func (s *salvager) trees() (out []Tree) {
	for _, n := range s.nodes {
		for _, c := range n.look.Children {
			if below := s.nodes[c.ID]; below != nil {
				below.child = true
			}
		}
	}
	for _, n := range s.nodes {
		if !n.child && n.look.First == "" && s.measure(n, 0) {
			out = append(out, Tree{manifest.Root{Level: n.level, Count: n.look.Count, Ref: n.ref}, n.newest})
		}
	}
	slices.SortFunc(out, func(a, b Tree) int {
		return cmp.Or(a.Newest.Compare(b.Newest), compareRefs(a.Root.Ref, b.Root.Ref))
	})
	return out
}

// measure finds out on which level a segment is, and how new what lies below
// it. It fails if all of that is lost.
func (s *salvager) measure(n *found, depth int) bool {
	if n.level >= 0 {
		return true
	}
	if n.look.Children == nil {
		n.level, n.newest = 0, n.look.Newest.Time()
		return true
	}
	for _, c := range n.look.Children {
		below := s.nodes[c.ID]
		if below == nil || depth > manifest.MaxLevel || !s.measure(below, depth+1) {
			continue
		}
		n.level = below.level + 1
		if below.newest.After(n.newest) {
			n.newest = below.newest
		}
	}
	return n.level >= 0
}

// SourceOf reads a tree that was found: as a snapshot that has it as its one
// root, at path.
func (v *Vault) SourceOf(t Tree, path string) *Source {
	src := v.Sources(nil).source()
	src.body = &manifest.Body{Vault: string(v.ID()), Roots: []manifest.BodyRoot{{Path: path, Root: t.Root}}}
	return src
}

// objectReader reads parts of an object.
type objectReader struct {
	ctx  context.Context
	v    *Vault
	name string
}

func (r *objectReader) ReadAt(p []byte, off int64) (int, error) {
	b, err := r.v.store.Get(r.ctx, nil, r.name, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
