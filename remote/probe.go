package remote

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Canary is the folder of the objects that probes write. They are a few bytes
// each, belong to no vault, and may be deleted at any time; where the
// credentials may not delete, they stay.
const Canary = "canary/"

// expiryLife is the shortest life that a staged object can have.
const expiryLife = 2 * time.Second

// An ExpiryProber is a Store that can ask whoever must refuse a late publish:
// its own Publish may refuse first, to save the question. The result is false
// if the late publish was accepted.
type ExpiryProber interface {
	ProbeExpiry(ctx context.Context) (enforced bool, err error)
}

// ExpiryEnforced finds out whether the store under s and its wrappers refuses
// to publish what was staged once its life has passed. Everything that says how
// long a prune must wait rests on it. On a server it takes about four seconds.
//
// An error says that it could not be found out; what it means for safety is
// the same as false.
func ExpiryEnforced(ctx context.Context, s Store) (bool, error) {
	if p, ok := under[ExpiryProber](s); ok {
		return p.ProbeExpiry(ctx)
	}
	return lateIsRefused(ctx, s)
}

// lateIsRefused tries it through the contract alone.
func lateIsRefused(ctx context.Context, s Store) (bool, error) {
	late, err := s.Stage(ctx, NewObject(Canary+"late", []byte("late\n")), expiryLife)
	if err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	defer late.Discard(context.WithoutCancel(ctx))
	if err := sleep(ctx, expiryLife+time.Second); err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	err = late.Publish(ctx)
	if errors.Is(err, ErrExpired) {
		return true, nil
	}
	if err == nil {
		_ = s.Delete(ctx, Canary+"late") // a remnant at worst
		return false, nil
	}
	return false, fmt.Errorf("probe expiry: %w", err)
}

// under returns the first of s and what it wraps that is a T.
func under[T any](s Store) (T, bool) {
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		w, ok := s.(interface{ Unwrap() Store })
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	var none T
	return none, false
}
