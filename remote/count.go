package remote

import (
	"context"
	"iter"
	"maps"
	"sync"
	"time"
)

// A Tally is what a [Counter] saw of one kind of operation.
type Tally struct {
	Requests int64 // calls made
	Errors   int64 // calls that failed
	Bytes    int64 // object bytes moved by calls that did not fail
	Items    int64 // names a listing gave
}

// A Counter counts what goes through it: requests and bytes by kind. Make one
// with [Count].
type Counter struct {
	Store
	mu  sync.Mutex
	ops map[Op]Tally // guarded by mu
}

// Count returns a Counter over s. A listing is one request, however many pages
// it takes.
func Count(s Store) *Counter {
	return &Counter{Store: s, ops: make(map[Op]Tally)}
}

// Unwrap returns the store below.
func (c *Counter) Unwrap() Store { return c.Store }

// Tallies returns a copy of all counts.
func (c *Counter) Tallies() map[Op]Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.ops)
}

// Tally returns the count of one kind.
func (c *Counter) Tally(op Op) Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ops[op]
}

// Reset sets all counts to zero and returns what they were.
func (c *Counter) Reset() map[Op]Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.ops
	c.ops = make(map[Op]Tally)
	return was
}

func (c *Counter) add(op Op, bytes, items int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.ops[op]
	t.Requests++
	t.Items += int64(items)
	if err != nil {
		t.Errors++
	} else {
		t.Bytes += int64(bytes)
	}
	c.ops[op] = t
}

func (c *Counter) Put(ctx context.Context, o Object) error {
	err := c.Store.Put(ctx, o)
	c.add(OpPut, len(o.Data), 0, err)
	return err
}

func (c *Counter) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	got, err := c.Store.Get(ctx, dst, name, off, n)
	c.add(OpGet, len(got)-len(dst), 0, err)
	return got, err
}

func (c *Counter) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		items := 0
		var failed error
		defer func() { c.add(OpList, 0, items, failed) }()
		for info, err := range c.Store.List(ctx, prefix, after) {
			if err != nil {
				failed = err
			} else {
				items++
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

func (c *Counter) Delete(ctx context.Context, name string) error {
	err := c.Store.Delete(ctx, name)
	c.add(OpDelete, 0, 0, err)
	return err
}

func (c *Counter) Now(ctx context.Context) (time.Time, error) {
	now, err := c.Store.Now(ctx)
	c.add(OpNow, 0, 0, err)
	return now, err
}

func (c *Counter) Stage(ctx context.Context, o Object, life time.Duration) (Staged, error) {
	st, err := c.Store.Stage(ctx, o, life)
	c.add(OpStage, 0, 0, err)
	if err != nil {
		return nil, err
	}
	return &countedStaged{c, st, len(o.Data)}, nil
}

type countedStaged struct {
	c    *Counter
	s    Staged
	size int
}

func (s *countedStaged) Publish(ctx context.Context) error {
	err := s.s.Publish(ctx)
	s.c.add(OpPublish, s.size, 0, err)
	return err
}

func (s *countedStaged) Discard(ctx context.Context) error {
	err := s.s.Discard(ctx)
	s.c.add(OpDiscard, 0, 0, err)
	return err
}
