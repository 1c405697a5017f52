package remote

import (
	"context"
	"errors"
	"time"
)

// A Locker is a Store that can protect objects from deletion for a time, also
// by those whose credentials may delete (S3 Object Lock).
type Locker interface {
	// LockPeriod is for how long after its upload an object is protected; 0
	// is not at all.
	LockPeriod() time.Duration

	// ExtendLock protects an object until the given time by the remote's
	// clock, at least. It never shortens a protection. An object that is not
	// there is fs.ErrNotExist; a store without locks is errors.ErrUnsupported.
	ExtendLock(ctx context.Context, name string, until time.Time) error
}

// LockPeriod is for how long the store under s and its wrappers protects what
// is uploaded; 0 if it does not.
func LockPeriod(s Store) time.Duration {
	if l, ok := under[Locker](s); ok {
		return l.LockPeriod()
	}
	return 0
}

// ExtendLock protects an object of the store under s and its wrappers until a
// time by the remote's clock, at least.
func ExtendLock(ctx context.Context, s Store, name string, until time.Time) error {
	if l, ok := under[Locker](s); ok {
		return l.ExtendLock(ctx, name, until)
	}
	return errors.ErrUnsupported
}
