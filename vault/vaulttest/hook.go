package vaulttest

import (
	"context"
	"iter"
	"time"

	"coffer/remote"
)

// A Hook is a store that tells of each operation before it does it. If Before
// returns an error the operation is not done. Before may be called by several
// goroutines at once, and may use the store below.
type Hook struct {
	remote.Store
	Before func(op remote.Op, name string) error
}

var _ remote.Store = (*Hook)(nil)

// Unwrap returns the store below.
func (h *Hook) Unwrap() remote.Store { return h.Store }

func (h *Hook) Put(ctx context.Context, o remote.Object) error {
	if err := h.Before(remote.OpPut, o.Name); err != nil {
		return err
	}
	return h.Store.Put(ctx, o)
}

func (h *Hook) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	if err := h.Before(remote.OpGet, name); err != nil {
		return dst, err
	}
	return h.Store.Get(ctx, dst, name, off, n)
}

func (h *Hook) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	if err := h.Before(remote.OpList, prefix); err != nil {
		return func(yield func(remote.Info, error) bool) { yield(remote.Info{}, err) }
	}
	return h.Store.List(ctx, prefix, after)
}

func (h *Hook) Delete(ctx context.Context, name string) error {
	if err := h.Before(remote.OpDelete, name); err != nil {
		return err
	}
	return h.Store.Delete(ctx, name)
}

func (h *Hook) Now(ctx context.Context) (time.Time, error) {
	if err := h.Before(remote.OpNow, ""); err != nil {
		return time.Time{}, err
	}
	return h.Store.Now(ctx)
}

func (h *Hook) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	if err := h.Before(remote.OpStage, o.Name); err != nil {
		return nil, err
	}
	st, err := h.Store.Stage(ctx, o, life)
	if err != nil {
		return nil, err
	}
	return &hookStaged{h, st, o.Name}, nil
}

type hookStaged struct {
	h *Hook
	remote.Staged
	name string
}

func (s *hookStaged) Publish(ctx context.Context) error {
	if err := s.h.Before(remote.OpPublish, s.name); err != nil {
		return err
	}
	return s.Staged.Publish(ctx)
}
