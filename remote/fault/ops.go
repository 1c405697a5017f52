package fault

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"coffer/remote"
)

var _ remote.Store = (*Store)(nil)

// A change is what can befall only an operation that changes what others see.
type change struct {
	half func() error                // what Torn leaves
	late func(context.Context) error // what a request does that lingered
}

// run does an operation under its plan. c is nil where it changes nothing.
func (s *Store) run(ctx context.Context, op remote.Op, name string, bytes int, do func(context.Context) error, c *change) error {
	p, err := s.begin(ctx, op, name)
	if err == nil {
		err = s.apply(ctx, p, do, c)
	}
	if err != nil && err != ErrCrashed {
		err = fmt.Errorf("%s %s: %w", op, name, err)
	}
	s.note(op, name, bytes, p, err)
	return err
}

// apply does what the plan says. What only a change can suffer, other
// operations pass over.
func (s *Store) apply(ctx context.Context, p plan, do func(context.Context) error, c *change) error {
	switch {
	case p.is(Fail), p.is(Late) && c == nil:
		return p.err()
	case p.is(Late):
		s.postpone(p.strike.Later, func() error { return c.late(context.WithoutCancel(ctx)) })
		return p.err()
	case p.is(Repeat) && c != nil:
		s.postpone(p.strike.Later, func() error { return c.late(context.WithoutCancel(ctx)) })
	case p.is(Drop) && c != nil:
		return nil
	case p.is(LoseAck):
		if err := do(ctx); err != nil {
			return err
		}
		return p.err()
	case p.is(Torn):
		if c != nil {
			if err := c.half(); err != nil {
				return err
			}
		}
		return p.err()
	}
	return do(ctx)
}

func (s *Store) Put(ctx context.Context, o remote.Object) error {
	o.Data = append([]byte(nil), o.Data...) // it may happen late
	put := func(ctx context.Context) error { return s.Store.Put(ctx, o) }
	return s.run(ctx, remote.OpPut, o.Name, len(o.Data), put, &change{func() error { return s.Store.Put(ctx, firstHalf(o)) }, put})
}

// nothing is what Torn leaves of an operation without bytes.
func nothing() error { return nil }

func firstHalf(o remote.Object) remote.Object {
	return remote.NewObject(o.Name, o.Data[:len(o.Data)/2])
}

func (s *Store) Delete(ctx context.Context, name string) error {
	del := func(ctx context.Context) error { return s.Store.Delete(ctx, name) }
	return s.run(ctx, remote.OpDelete, name, 0, del, &change{nothing, del})
}

func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.run(ctx, remote.OpNow, "", 0, func(ctx context.Context) (err error) {
		now, err = s.Store.Now(ctx)
		return err
	}, nil)
	return now.Add(s.skew()), err
}

// skew is how wrong the clock is: by all rules, whether they strike or not.
func (s *Store) skew() (d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.Do == Skew {
			d += r.Delay
		}
	}
	return d
}

func (s *Store) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	got := dst
	p, err := s.begin(ctx, remote.OpGet, name)
	if err == nil && p.is(Hide) {
		err = fs.ErrNotExist
	}
	if err == nil {
		get := func(ctx context.Context) (err error) {
			got, err = s.Store.Get(ctx, dst, name, off, n)
			return err
		}
		if p.is(Torn) {
			err = get(ctx)
		} else {
			err = s.apply(ctx, p, get, nil)
		}
	}
	if err == nil {
		got = p.spoil(got, len(dst))
	}
	if err != nil && err != ErrCrashed {
		err = fmt.Errorf("get %s: %w", name, err)
	}
	s.note(remote.OpGet, name, len(got)-len(dst), p, err)
	if err != nil {
		return dst, err
	}
	return got, nil
}

// spoil makes of the bytes from from on what the plan says they come back as.
func (p plan) spoil(got []byte, from int) []byte {
	middle := from + (len(got)-from)/2
	switch {
	case p.is(Torn):
		return got[:middle]
	case p.is(Flip) && middle < len(got):
		got[middle] ^= 1
	case p.is(Long):
		return append(got, 0)
	}
	return got
}

func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		p, err := s.begin(ctx, remote.OpList, prefix)
		stopped := false
		if err == nil && (p.is(Fail) || p.is(LoseAck) || p.is(Torn) || p.is(Late)) {
			err = p.err()
		}
		if err == nil {
			stopped, err = s.list(ctx, p, prefix, after, yield)
		}
		s.note(remote.OpList, prefix, 0, p, err)
		if err != nil && !stopped {
			yield(remote.Info{}, err)
		}
	}
}

// list passes on what the plan lets through.
func (s *Store) list(ctx context.Context, p plan, prefix, after string, yield func(remote.Info, error) bool) (stopped bool, err error) {
	kept := 0
	for info, err := range s.Store.List(ctx, prefix, after) {
		if err != nil {
			return false, err
		}
		if p.is(Short) && kept == p.strike.Keep {
			return false, nil
		}
		if p.is(Break) && kept == p.strike.Keep {
			return false, p.err()
		}
		if s.hidden(info.Name) || p.is(Stale) && s.isNew(info.Name, p.strike.Later) {
			continue
		}
		kept++
		if !yield(info, nil) {
			return true, nil
		}
	}
	if p.is(Break) {
		return false, p.err()
	}
	return false, nil
}

// hidden reports whether a rule that hides names this one.
func (s *Store) hidden(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.Do == Hide && r.concerns(remote.OpList, name) {
			return true
		}
	}
	return false
}

// isNew reports whether a name was stored in the last n operations.
func (s *Store) isNew(name string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.stored[name]
	return ok && at >= s.count-n
}

func (s *Store) Stage(ctx context.Context, o remote.Object, life time.Duration) (st remote.Staged, err error) {
	var now time.Time
	err = s.run(ctx, remote.OpStage, o.Name, len(o.Data), func(ctx context.Context) (err error) {
		if now, err = s.Store.Now(ctx); err == nil {
			st, err = s.Store.Stage(ctx, o, life)
		}
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &staged{s, st, remote.Object{Name: o.Name, Data: append([]byte(nil), o.Data...), Sum: o.Sum}, now.Add(life)}, nil
}

type staged struct {
	s     *Store
	st    remote.Staged
	o     remote.Object
	until time.Time // it can be published, by the store's clock
}

func (p *staged) Publish(ctx context.Context) error {
	return p.s.run(ctx, remote.OpPublish, p.o.Name, len(p.o.Data),
		func(ctx context.Context) error { return p.st.Publish(ctx) },
		&change{func() error { return p.s.Store.Put(ctx, firstHalf(p.o)) }, p.arrive})
}

// arrive is a request that was on its way already: no Discard calls it back,
// and the store judges it when it comes.
func (p *staged) arrive(ctx context.Context) error {
	now, err := p.s.Store.Now(ctx)
	if err != nil {
		return err
	}
	if !now.Before(p.until) {
		return remote.ErrExpired
	}
	return p.s.Store.Put(ctx, p.o)
}

func (p *staged) Discard(ctx context.Context) error {
	return p.s.run(ctx, remote.OpDiscard, p.o.Name, 0, func(ctx context.Context) error { return p.st.Discard(ctx) }, nil)
}
