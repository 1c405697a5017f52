package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault"
	"coffer/vault/ledger"
)

// readPacks fetches packs and hashes them; with Deep it opens them and hashes
// each chunk too. Bodies are read as well.
func (c *check) readPacks(ctx context.Context) error {
	if c.o.ReadData == 0 && !c.o.Deep {
		return nil
	}
	if err := c.readBodies(ctx); err != nil {
		return err
	}
	if err := c.readMaps(ctx); err != nil {
		return err
	}
	todo := c.drawn()
	c.o.Progress.TotalPacks.Store(int64(len(todo)))
	for _, n := range todo {
		c.o.Progress.TotalBytes.Add(n.pack.Size)
	}
	work := make(chan *need)
	g, ctx := errgroup.WithContext(ctx)
	for range c.o.Parallel {
		r := &packReader{c: c}
		g.Go(func() error {
			for n := range work {
				if err := r.read(ctx, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(work)
		for _, n := range todo {
			select {
			case work <- n:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	return g.Wait()
}

// drawn returns the packs to be read, in the order of the remote.
func (c *check) drawn() []*need {
	var all []*need
	for _, n := range c.needed {
		if n.found {
			all = append(all, n)
		}
	}
	if !c.o.Deep && c.o.ReadData < 1 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:int(math.Ceil(float64(len(all))*c.o.ReadData))]
	}
	slices.SortFunc(all, func(a, b *need) int {
		return cmp.Or(slices.Compare(a.pack.Series[:], b.pack.Series[:]), cmp.Compare(a.pack.Number, b.pack.Number), slices.Compare(a.pack.Sum[:], b.pack.Sum[:]))
	})
	return all
}

// readBodies hashes every snapshot's body.
func (c *check) readBodies(ctx context.Context) error {
	done := map[string]bool{}
	for _, s := range c.snaps {
		if _, there := c.listed[s.Commit.Body]; !there || done[s.Commit.Body] {
			continue
		}
		done[s.Commit.Body] = true
		if _, err := c.v.FetchNamed(ctx, s.Commit.Body, vault.MaxBody); err != nil {
			if err := c.damage(err, s.Commit.Body, []*vault.Snapshot{s}, "this snapshot: its folders can still be found in its packs"); err != nil {
				return err
			}
		}
	}
	return nil
}

// packReader reads packs one after another with the same memory.
type packReader struct {
	c      *check
	buf    []byte
	reader pack.Reader
}

// read fetches a pack. What is wrong with it is noted; the error is the remote's.
func (r *packReader) read(ctx context.Context, n *need) error {
	var err error
	r.buf, err = r.c.v.FetchPack(ctx, n.pack, r.buf)
	if err == nil && r.c.o.Deep {
		err = r.open(n)
	}
	if err != nil && !errors.Is(err, vault.ErrDamaged) {
		return err
	}
	n.bad = cmpErr(n.bad, err)
	r.c.mu.Lock()
	r.c.res.ReadPacks++
	r.c.res.ReadBytes += int64(len(r.buf))
	r.c.mu.Unlock()
	r.c.o.Progress.Packs.Add(1)
	r.c.o.Progress.Bytes.Add(n.pack.Size)
	return nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// open opens a pack with the identity and hashes every chunk its directory
// names.
func (r *packReader) open(n *need) error {
	if err := r.c.v.OpenPackBytes(&r.reader, n.pack, r.buf); err != nil {
		return err
	}
	var entries []pack.Entry
	var extents []pack.Extent
	for e := range r.reader.Entries() {
		entries = append(entries, e)
		extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
	}
	hashers := map[chunk.Kind]*chunk.Hasher{chunk.Data: r.c.v.Hasher(chunk.Data), chunk.Segment: r.c.v.Hasher(chunk.Segment)}
	err := r.reader.Read(extents, func(i int, data []byte) error {
		h := hashers[entries[i].Kind]
		if h == nil || h.ID(data) != entries[i].ID {
			return fmt.Errorf("chunk %s at %d is not what its ID says", entries[i].ID, entries[i].Offset)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", vault.ErrDamaged, err)
	}
	for _, e := range entries {
		n.marks = append(n.marks, mark(e.ID, e.Offset, e.Len))
	}
	slices.Sort(n.marks)
	r.c.mu.Lock()
	r.c.res.Chunks += int64(len(entries))
	r.c.mu.Unlock()
	return nil
}

// mark stands for a chunk and its place in a pack, in eight bytes, so that
// millions can be kept. The chunk itself was hashed in full.
func mark(id chunk.ID, off, n int64) uint64 {
	m := uint64(off)*0x9E3779B97F4A7C15 ^ uint64(n)*0xC2B2AE3D27D4EB4F
	for i := range 8 {
		m ^= uint64(id[i]) << (8 * i)
	}
	return m
}

// tellBadPacks tells which packs are bad, and which snapshots and files need
// them, or where their chunks are now.
func (c *check) tellBadPacks() error {
	var bad []*need
	for _, n := range c.needed {
		if n.bad != nil {
			bad = append(bad, n)
		}
	}
	var packs []ledger.Pack
	for _, n := range bad {
		packs = append(packs, n.pack)
	}
	if err := c.v.MarkBad(packs); err != nil {
		c.tell(Problem{Object: "this device's local state", Err: err, Harms: "a backup on this device may go on relying on the packs named here: verify again when no backup is at work"})
	}
	unhealed, err := c.v.Unhealed()
	if err != nil {
		return err
	}
	slices.SortFunc(bad, func(a, b *need) int { return strings.Compare(a.pack.Name(), b.pack.Name()) })
	for _, n := range bad {
		if c.heals(n, unhealed[n.pack.Name()]) {
			c.tellReplaced(n)
			continue
		}
		c.tellBad(n, unhealed[n.pack.Name()])
	}
	return nil
}

// heals tells whether a bad pack harms nothing: with Deep because no file was
// found that lacks anything, else because a move replaces it and nothing says
// that it does not replace all.
func (c *check) heals(n *need, unhealed int) bool {
	if c.o.Deep {
		return len(c.moved[n.pack.Name()]) > 0 && (c.harmed[n] == nil || c.harmed[n].count == 0)
	}
	return unhealed == 0 && c.isReplaced(n, 0)
}

func (c *check) tellReplaced(n *need) {
	r := Replacement{Pack: n.pack.Name(), Err: n.bad, Snapshots: shorts(c.needing(n)), Proven: c.o.Deep && !c.gaps}
	for _, m := range c.moved[n.pack.Name()] {
		r.Moves = append(r.Moves, m.Name.Base())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.res.Replaced = append(c.res.Replaced, r)
	if c.o.OnReplaced != nil {
		c.o.OnReplaced(r)
	}
}

func (c *check) tellBad(n *need, unhealed int) {
	p := Problem{Object: n.pack.Name(), Err: n.bad, Snapshots: shorts(c.needing(n)),
		Harms: "the files of these snapshots that have a part in this pack; everything else restores"}
	moved := len(c.moved[p.Object]) > 0
	if h := c.harmed[n]; h != nil {
		p.Files, p.FileCount = h.files, h.count
	}
	switch {
	case moved && c.o.Deep:
		p.Harms = "these files; all else that was in this pack is stored elsewhere now and restores"
	case moved && unhealed == 1:
		p.Harms = "1 chunk that was not on the disk any more, and the files that had it; all else that was in this pack is stored elsewhere now"
	case moved && unhealed > 0:
		p.Harms = fmt.Sprintf("%d chunks that were not on the disk any more, and the files that had them; all else that was in this pack is stored elsewhere now", unhealed)
	}
	c.tell(p)
}
