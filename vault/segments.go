package vault

import (
	"context"
	"sync"

	"coffer/chunk"
	"coffer/chunk/pack"
)

// segmentCache keeps the last segments read: a walk in order meets the
// segments of one pack one after another, and each pack holds many.
type segmentCache struct {
	mu    sync.Mutex
	bytes int                     // guarded by mu
	order []chunk.ID              // guarded by mu; oldest first
	data  map[chunk.ID][]byte     // guarded by mu
	wait  map[packKey]*sync.Mutex // guarded by mu; one fetch of a pack at a time
}

type packKey struct {
	series chunk.Series
	number uint32
}

// segmentCacheBytes bounds the cache. A segment pack holds about 4 MiB sealed,
// some 30 MiB of segments.
const segmentCacheBytes = 16 << 20

func (c *segmentCache) get(id chunk.ID) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.data[id]
	return b, ok
}

func (c *segmentCache) put(id chunk.ID, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.data == nil {
		c.data = map[chunk.ID][]byte{}
	}
	if _, ok := c.data[id]; ok {
		return
	}
	c.data[id] = b
	c.order = append(c.order, id)
	c.bytes += len(b)
	for c.bytes > segmentCacheBytes && len(c.order) > 1 {
		c.bytes -= len(c.data[c.order[0]])
		delete(c.data, c.order[0])
		c.order = c.order[1:]
	}
}

// lock makes concurrent readers of one pack wait for the first.
func (c *segmentCache) lock(k packKey) *sync.Mutex {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait == nil {
		c.wait = map[packKey]*sync.Mutex{}
	}
	m := c.wait[k]
	if m == nil {
		m = new(sync.Mutex)
		c.wait[k] = m
	}
	return m
}

// readAhead is how much of a segment pack is decoded at once, in bytes: a walk
// in order wants the segments that follow next.
const readAhead = 8 << 20

// Segment returns the verified bytes of a segment chunk: a manifest.Get. The
// bytes must not be changed.
func (s *Source) Segment(ctx context.Context, ref chunk.Ref) ([]byte, error) {
	if b, ok := s.segments.get(ref.ID); ok {
		return b, nil
	}
	m := s.segments.lock(packKey{ref.Series, ref.Number})
	m.Lock()
	defer m.Unlock()
	if b, ok := s.segments.get(ref.ID); ok {
		return b, nil
	}
	b, err := s.readAhead(ctx, ref)
	if err == nil || !isDamage(err) {
		return b, err
	}
	err = s.Read(ctx, chunk.Segment, []chunk.Ref{ref}, func(_ int, data []byte) error {
		b = append([]byte(nil), data...)
		s.segments.put(ref.ID, b)
		return nil
	})
	return b, err
}

// readAhead reads a segment and keeps those that follow it in its pack. What
// follows may be bad: it will be met, and named, in its turn.
func (s *Source) readAhead(ctx context.Context, ref chunk.Ref) ([]byte, error) {
	p, err := s.PackName(ctx, ref.Series, ref.Number)
	if err != nil {
		return nil, err
	}
	h := s.v.Hasher(chunk.Segment)
	var out []byte
	err = s.Pack(ctx, p, func(r *pack.Reader) error {
		ids, extents := following(r, ref)
		return r.Read(extents, func(i int, data []byte) error {
			if h.ID(data) != ids[i] {
				return damaged("chunk %s of pack %s is not what its ID says", ids[i], p.Name())
			}
			b := append([]byte(nil), data...)
			if i == 0 {
				out = b
			}
			s.segments.put(ids[i], b)
			return nil
		})
	})
	if out != nil {
		return out, nil
	}
	return nil, unreadable(p, err)
}

// following lists ref and the chunks after it, as the pack's directory says.
func following(r *pack.Reader, ref chunk.Ref) (ids []chunk.ID, extents []pack.Extent) {
	ids = []chunk.ID{ref.ID}
	extents = []pack.Extent{{Offset: ref.Offset, Len: ref.Len}}
	for e := range r.Entries() {
		if e.Offset >= ref.Offset+ref.Len && e.Offset+e.Len <= ref.Offset+readAhead {
			ids = append(ids, e.ID)
			extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
		}
	}
	return ids, extents
}
