package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"coffer/remote"
)

// Stage writes o beside its place, durably. A life longer than
// [remote.StagedMax] is cut to it, because a sweep may remove what is older.
func (s *Store) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	if err := remote.CheckObject(o); err != nil {
		return nil, err
	}
	if life < 2*time.Second {
		return nil, fmt.Errorf("stage %s: a life of %s is too short: %w", o.Name, life, fs.ErrInvalid)
	}
	st := &staged{s: s, o: remote.Object{Name: o.Name, Sum: o.Sum}, size: int64(len(o.Data))}
	// Before the file is written: its life must not be longer than its age says.
	st.limit = newDeadline(min(life, remote.StagedMax))
	err := s.in("stage", o.Name, func(root *os.Root) (err error) {
		st.pending, err = s.write(ctx, root, pendingPrefix, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

type staged struct {
	s       *Store
	o       remote.Object // without its bytes
	size    int64
	pending string
	limit   deadline
}

// Publish renames. It looks for the object first, so that a repeated call after
// a lost answer succeeds however late it comes.
func (p *staged) Publish(ctx context.Context) error {
	return p.s.in("publish", p.o.Name, func(root *os.Root) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if there, err := p.visible(root); there || err != nil {
			return err
		}
		if p.limit.passed() {
			return remote.ErrExpired
		}
		err := root.Rename(p.pending, p.o.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: its pending file is gone", remote.ErrExpired)
		}
		if err != nil {
			return err
		}
		return p.s.sync(root, path.Dir(p.o.Name), false)
	})
}

// visible reports whether the object is there under its name already.
func (p *staged) visible(root *os.Root) (bool, error) {
	f, err := openRegular(root, p.o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := sameFile(f, p.o, p.size); err != nil {
		return false, err
	}
	root.Remove(p.pending)
	return true, p.s.sync(root, path.Dir(p.o.Name), true)
}

// Discard removes the pending file.
func (p *staged) Discard(ctx context.Context) error {
	return p.s.in("discard", p.o.Name, func(root *os.Root) error {
		err := root.Remove(p.pending)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
