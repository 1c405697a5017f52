package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/remote"
	"coffer/vault"
)

// Extended tells what ExtendLocks did.
type Extended struct {
	Period  time.Duration // for how long the remote locks what is uploaded; 0: it locks nothing, and nothing was done
	Due     bool          // it was time
	Done    bool          // and locks were extended
	Objects int64         // whose locks were
	Until   time.Time     // what snapshots need is locked until then, at least
	Next    time.Time     // when locks are to be extended again
	// Problems are what is damaged or missing, and so was not locked.
	Problems []vault.Problem
}

// lockers is how many locks are extended at a time. Each is a request.
const lockers = 8

// ExtendLocks goes on protecting what live commits need, and the commits,
// trusts and condemned lists themselves, where the remote locks what is
// uploaded. Twice in a lock's period it extends each lock to a whole period
// from now, and else does nothing: so whatever is needed is always locked for
// another half of a period, if this is called in time, at one request for an
// object and half period. What is dead is let go.
//
// It deletes nothing, and needs no role. Errors: fs.ErrPermission where the
// credentials may not lock, and what the store says; the next call begins anew.
func ExtendLocks(ctx context.Context, v *vault.Vault, o Options) (Extended, error) {
	e := Extended{Period: remote.LockPeriod(v.Store())}
	if e.Period == 0 {
		return e, nil
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	mem, err := remember(v.State())
	if err != nil {
		return e, err
	}
	now, err := v.Store().Now(ctx)
	if err != nil {
		return e, fmt.Errorf("ask %s for its time: %w", v.Location(), err)
	}
	if last := mem.Locks; last != nil && last.Location == v.Location() && !last.due(now, e.Period) {
		e.Until, e.Next = last.Until, last.Until.Add(-e.Period/2)
		return e, nil
	}
	e.Due, e.Until, e.Next = true, now.Add(e.Period), now.Add(e.Period/2)
	if o.DryRun {
		return e, nil
	}
	if err := e.extend(ctx, v, o, mem.Ends); err != nil {
		return e, err
	}
	e.Done = true
	if mem, err = remember(v.State()); err == nil { // a prune may have run meanwhile
		mem.Locks = &extension{v.Location(), now, e.Until}
		err = mem.save(v.State())
	}
	if err != nil {
		return e, fmt.Errorf("note that locks were extended: %w", err)
	}
	return e, nil
}

// due tells whether a pass is due: less than half of the period is left of what
// the last one promised, or the clock was set back since, by more than the
// seconds that remotes tell.
func (x *extension) due(now time.Time, period time.Duration) bool {
	return !now.Before(x.Until.Add(-period/2)) || now.Before(x.At.Add(-time.Minute))
}

// extend makes the pass.
func (e *Extended) extend(ctx context.Context, v *vault.Vault, o Options, seen []string) error {
	var names []string
	k := &look{keep: func(o Object) { names = append(names, o.Name) }}
	if err := k.take(ctx, v, o.Progress, seen); err != nil {
		return err
	}
	e.Problems = k.past.Stops
	for _, prefix := range []string{"coffer.json", "trust/", "commits/", "condemned/"} {
		for info, err := range v.Store().List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("list %s: %w", prefix, err)
			}
			names = append(names, info.Name)
		}
	}
	o.Progress.stage("extending locks")
	o.Progress.Total.Store(int64(len(names)))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lockers)
	for _, name := range names {
		g.Go(func() error {
			err := remote.ExtendLock(ctx, v.Store(), name, e.Until)
			switch {
			case errors.Is(err, fs.ErrNotExist): // another prune deleted it meanwhile
				return nil
			case err != nil:
				return fmt.Errorf("extend the lock of %s: %w", name, err)
			}
			done.Add(1)
			o.Progress.Done.Add(1)
			return nil
		})
	}
	err := g.Wait()
	e.Objects = done.Load()
	return err
}
