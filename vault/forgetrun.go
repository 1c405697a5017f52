package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/trust"
)

// A FloorError: snapshots were to be forgotten that the trust's floor holds.
// Nothing was forgotten.
type FloorError struct {
	Floor trust.Floor
	Held  []*Snapshot
}

func (e *FloorError) Error() string {
	var ids []string
	for _, s := range e.Held {
		ids = append(ids, s.Short())
	}
	return fmt.Sprintf("of each project the newest %d snapshots and those of the last %d days always stay; among them: %s",
		e.Floor.KeepLast, e.Floor.KeepDays, strings.Join(ids, ", "))
}

// FloorHolds returns those of snaps that the trust's floor keeps from being
// forgotten at now, a time of the remote's clock. snaps must be all snapshots
// of their projects; those that are forgotten already do not count.
func (v *Vault) FloorHolds(snaps []*Snapshot, now time.Time) map[*Snapshot]bool {
	return floorHolds(v.Trust().Floor, slices.DeleteFunc(slices.Clone(snaps), func(s *Snapshot) bool { return s.Forgotten }), now)
}

// Forgotten tells what Forget did.
type Forgotten struct {
	Snapshots int       // that were not forgotten before
	Goes      time.Time // when the earliest can be deleted, by the remote's clock
}

// Forget states that snapshots, of any device, may go. They are hidden at once,
// and can be brought back with Undelete for Safety.ForgetDelay. It needs the
// role forget and the local lock, looks again at all that is stored, and
// refuses as a whole what the trust's floor holds (*FloorError) and what is
// pinned on this device (*PinnedError). Snapshots that
// are forgotten already are passed over. If it fails in between, some are
// forgotten, and it can be called again.
func (v *Vault) Forget(ctx context.Context, snaps []*Snapshot, warn func(error)) (done Forgotten, err error) {
	r, err := v.beginClerk(ctx, "forget", trust.Forget, warn)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	fresh, err := r.lookAgain(ctx, snaps)
	if err != nil {
		return done, err
	}
	if err := v.refusePinned(fresh); err != nil {
		return done, err
	}
	var bases []string
	for _, s := range fresh {
		if !s.Forgotten {
			bases = append(bases, s.Name.Base())
		}
	}
	done.Goes = r.now().Add(v.safety.ForgetDelay)
	done.Snapshots, err = r.commitForgets(ctx, bases, nil, false)
	return done, err
}

// lookAgain finds snaps as the remote shows them now, and refuses to go below
// the floor.
func (r *Run) lookAgain(ctx context.Context, snaps []*Snapshot) ([]*Snapshot, error) {
	all, err := r.v.list(ctx)
	if err == nil {
		err = r.v.loadAll(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	held := r.v.FloorHolds(all, r.now())
	byID := make(map[string]*Snapshot, len(all))
	for _, s := range all {
		byID[s.ID()] = s
	}
	var fresh, refused []*Snapshot
	for _, s := range snaps {
		now, ok := byID[s.ID()]
		if !ok {
			return nil, notFound(s.ID(), all)
		}
		if now.Commit == nil {
			return nil, damaged("%s: it cannot be read, so nobody can tell whether it may go", now.Name)
		}
		if held[now] {
			refused = append(refused, now)
		}
		fresh = append(fresh, now)
	}
	if len(refused) > 0 {
		return nil, &FloorError{r.v.Trust().Floor, refused}
	}
	return fresh, nil
}

// ErrTooLate: a forgotten snapshot was to be brought back after its forget had
// taken effect.
var ErrTooLate = errors.New("its days are over, and what it needs may be deleted")

// Undelete withdraws what was said of forgetting snapshots. It needs the role
// write and the local lock. It fails with ErrTooLate, and withdraws nothing, if
// a forget of one of them has taken effect; and also if that happened while it
// was at work. It returns how many were brought back.
func (v *Vault) Undelete(ctx context.Context, snaps []*Snapshot, warn func(error)) (n int, err error) {
	r, err := v.beginClerk(ctx, "undelete", trust.Write, warn)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bases, needs, err := r.forgottenOf(ctx, snaps)
	if err != nil || len(bases) == 0 {
		return 0, err
	}
	if n, err = r.commitForgets(ctx, bases, needs, true); err != nil {
		if errors.Is(err, ErrRestart) {
			err = fmt.Errorf("%w: %w", ErrTooLate, err)
		}
		return n, err
	}
	left, _, err := r.forgottenOf(ctx, snaps)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("bring back %s: %w", left[0], ErrTooLate)
	}
	return n, err
}

// forgottenOf returns the base names of those of snaps that are forgotten and
// can be brought back, and the objects that must still be there.
func (r *Run) forgottenOf(ctx context.Context, snaps []*Snapshot) (bases, needs []string, err error) {
	all, err := r.v.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	want := map[string]bool{}
	for _, s := range snaps {
		want[s.Name.String()] = true
	}
	for _, s := range all {
		if !want[s.Name.String()] || !s.Forgotten {
			continue
		}
		if !r.now().Before(s.Goes) {
			return nil, nil, fmt.Errorf("bring back %s: %w", s.Short(), ErrTooLate)
		}
		if err := r.v.loadSnapshot(ctx, s); err != nil {
			return nil, nil, err
		}
		bases, needs = append(bases, s.Name.Base()), append(needs, s.Commit.Body, s.Commit.Ledger)
	}
	return bases, needs, nil
}

// commitForgets publishes forgets, or withdrawals that need objects, in as many
// commits as it takes. It returns how many snapshots they name.
func (r *Run) commitForgets(ctx context.Context, bases, needs []string, undo bool) (n int, err error) {
	slices.Sort(bases)
	for part := range slices.Chunk(slices.Compact(bases), commit.MaxList) {
		d := draft{kind: commit.Forget, forgets: part, undo: undo, objects: needs, used: new(ledger.Set)}
		if _, err := r.publish(ctx, d); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}
