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

// run does an operation under its plan. half is what Torn does, nil where
// there is nothing to tear.
func (s *Store) run(ctx context.Context, op remote.Op, name string, bytes int, do, half func() error) error {
	p, err := s.begin(ctx, op, name)
	if err == nil {
		err = p.apply(do, half)
	}
	if err != nil && err != ErrCrashed {
		err = fmt.Errorf("%s %s: %w", op, name, err)
	}
	s.note(op, name, bytes, p, err)
	return err
}

func (p plan) apply(do, half func() error) error {
	switch {
	case p.is(Fail):
		return p.err()
	case p.is(LoseAck):
		if err := do(); err != nil {
			return err
		}
		return p.err()
	case p.is(Torn):
		if half != nil {
			if err := half(); err != nil {
				return err
			}
		}
		return p.err()
	}
	return do()
}

func (s *Store) Put(ctx context.Context, o remote.Object) error {
	return s.run(ctx, remote.OpPut, o.Name, len(o.Data),
		func() error { return s.Store.Put(ctx, o) },
		func() error { return s.Store.Put(ctx, firstHalf(o)) })
}

func firstHalf(o remote.Object) remote.Object {
	return remote.NewObject(o.Name, o.Data[:len(o.Data)/2])
}

func (s *Store) Delete(ctx context.Context, name string) error {
	return s.run(ctx, remote.OpDelete, name, 0, func() error { return s.Store.Delete(ctx, name) }, nil)
}

func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.run(ctx, remote.OpNow, "", 0, func() (err error) {
		now, err = s.Store.Now(ctx)
		return err
	}, nil)
	return now, err
}

func (s *Store) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	got := dst
	p, err := s.begin(ctx, remote.OpGet, name)
	if err == nil && p.is(Hide) {
		err = fs.ErrNotExist
	}
	if err == nil {
		get := func() (err error) {
			got, err = s.Store.Get(ctx, dst, name, off, n)
			return err
		}
		if p.is(Torn) {
			err = get()
		} else {
			err = p.apply(get, nil)
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
	}
	return got
}

func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		p, err := s.begin(ctx, remote.OpList, prefix)
		stopped := false
		if err == nil && (p.is(Fail) || p.is(LoseAck) || p.is(Torn)) {
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
		if s.hidden(info.Name) {
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

func (s *Store) Stage(ctx context.Context, o remote.Object, life time.Duration) (st remote.Staged, err error) {
	err = s.run(ctx, remote.OpStage, o.Name, len(o.Data), func() (err error) {
		st, err = s.Store.Stage(ctx, o, life)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &staged{s, st, remote.Object{Name: o.Name, Data: append([]byte(nil), o.Data...), Sum: o.Sum}}, nil
}

type staged struct {
	s  *Store
	st remote.Staged
	o  remote.Object
}

func (p *staged) Publish(ctx context.Context) error {
	return p.s.run(ctx, remote.OpPublish, p.o.Name, len(p.o.Data),
		func() error { return p.st.Publish(ctx) },
		func() error { return p.s.Store.Put(ctx, firstHalf(p.o)) })
}

func (p *staged) Discard(ctx context.Context) error {
	return p.s.run(ctx, remote.OpDiscard, p.o.Name, 0, func() error { return p.st.Discard(ctx) }, nil)
}
