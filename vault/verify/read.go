package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault"
	"coffer/vault/commit"
)

// readPacks fetches packs and hashes them; with Deep it opens them and hashes
// each chunk too. Bodies and maps are read as well.
func (c *check) readPacks(ctx context.Context) error {
	if !c.o.reads() {
		return nil
	}
	if err := c.readCommits(ctx); err != nil {
		return err
	}
	if err := c.readBodies(ctx); err != nil {
		return err
	}
	if err := c.readMaps(ctx); err != nil {
		return err
	}
	todo := c.due()
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
		return c.hand(ctx, todo, work)
	})
	return g.Wait()
}

// hand gives packs to the readers until all are, or the time is over.
func (c *check) hand(ctx context.Context, todo []*need, work chan<- *need) error {
	for i, n := range todo {
		if !c.o.Deep && c.o.MaxDuration > 0 && time.Since(c.began) >= c.o.MaxDuration && i > 0 { // one at least, or it would never get on
			c.mu.Lock()
			c.res.Stopped = true
			c.mu.Unlock()
			return nil
		}
		select {
		case work <- n:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// due returns the packs to be read: those that wait longest, in the order of
// the remote where that is the same.
func (c *check) due() []*need {
	var all []*need
	var total int64
	for _, n := range c.needed {
		total += n.pack.Size
		if n.found && (c.o.Deep || c.o.MaxAge == 0 || n.bad != nil || c.now.Sub(n.read) >= c.o.MaxAge) {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *need) int {
		return cmp.Or(bytes.Compare(a.pack.Series[:], b.pack.Series[:]), cmp.Compare(a.pack.Number, b.pack.Number), bytes.Compare(a.pack.Sum[:], b.pack.Sum[:]))
	})
	if c.o.Deep {
		return all
	}
	if c.v.State() == nil && c.o.ReadData < 1 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	slices.SortStableFunc(all, func(a, b *need) int { return a.read.Compare(b.read) })
	share := int64(math.Ceil(float64(total) * c.o.ReadData))
	for i, n := range all {
		if share <= 0 {
			return all[:i]
		}
		share -= n.pack.Size
	}
	return all
}

// hasTurn tells whether a small object is read today: where a part of the data
// is read, so is a part of these, another one each day.
func (c *check) hasTurn(sum [32]byte) bool {
	if c.o.Deep || c.o.ReadData >= 1 {
		return true
	}
	parts := uint64(1 / c.o.ReadData)
	return binary.BigEndian.Uint64(sum[:])%parts == uint64(c.now.Unix()/(24*60*60))%parts
}

// readCommits hashes commits as the remote has them: who has copies of them
// would not see otherwise that the remote's have rotted. The newest of each
// device is always among them.
func (c *check) readCommits(ctx context.Context) error {
	for i, n := range c.commits {
		last := i == len(c.commits)-1 || c.commits[i+1].Device != n.Device
		if !last && !c.hasTurn(n.Sum) || c.told[n.String()] {
			continue
		}
		_, err := c.v.FetchNamed(ctx, n.String(), commit.MaxSize)
		if err == nil {
			continue
		}
		if !errors.Is(err, vault.ErrDamaged) {
			return err
		}
		c.tell(Problem{Object: n.String(), Err: err, Harms: "if it was a snapshot, that snapshot; deletion stops until it is healed or dismissed"})
	}
	return nil
}

// readBodies hashes the bodies of snapshots.
func (c *check) readBodies(ctx context.Context) error {
	done := map[string]bool{}
	for _, s := range c.snaps {
		body := s.Commit.Body
		if _, there := c.listed[body]; !there || done[body] || !c.hasTurn(s.Name.Sum) {
			continue
		}
		done[body] = true
		if _, err := c.v.FetchNamed(ctx, body, vault.MaxBody); err != nil {
			if err := c.damage(err, body, &book{snaps: []*vault.Snapshot{s}}, "this snapshot: its folders can still be found in its packs"); err != nil {
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
	if n.bad = err; err == nil {
		n.read = r.c.now.Add(time.Since(r.c.began))
	}
	r.c.o.Progress.Packs.Add(1)
	r.c.o.Progress.Bytes.Add(n.pack.Size)
	return r.c.note(n, int64(len(r.buf)))
}

// noteEvery is after how many packs what was found is noted in the state, so
// that a kill costs little.
const noteEvery = 64

// note counts a pack that was read.
func (c *check) note(n *need, bytes int64) error {
	c.mu.Lock()
	c.res.ReadPacks++
	c.res.ReadBytes += bytes
	c.found = append(c.found, vault.PackRead{Pack: n.pack, At: c.now.Add(time.Since(c.began)), Err: n.bad})
	full := len(c.found) >= noteEvery
	c.mu.Unlock()
	if full {
		return c.flush()
	}
	return nil
}

// flush notes in the state what was found.
func (c *check) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.found
	c.found = nil
	return c.v.NoteReads(found)
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
