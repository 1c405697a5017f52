package vault

import (
	"context"
	"errors"
	"fmt"

	"coffer/chunk"
	"coffer/vault/trust"
)

// beginClerk starts a run that commits and stores no packs: forgets, checks and
// the like. It takes the local lock, reads the newest trust, which must give
// this device the role, and adopts what this device committed elsewhere.
// Errors: state.ErrLocked, ErrRevoked, ErrNoRole, ErrRollback, and what the
// store says.
func (v *Vault) beginClerk(ctx context.Context, command string, role trust.Role, warn func(error)) (*Run, error) {
	if v.device() == nil {
		return nil, fmt.Errorf("%w: it has no keys of its own here; see coffer enrol", ErrRevoked)
	}
	lock, err := v.dir.TryLockRun(command)
	if err != nil {
		return nil, err
	}
	r := &Run{v: v, o: RunOptions{OnWarning: warn}, role: role, lock: lock, series: map[chunk.Kind]*numbers{}}
	if err := r.beginClerk(ctx); err != nil {
		return nil, errors.Join(err, r.release())
	}
	return r, nil
}

func (r *Run) beginClerk(ctx context.Context) (err error) {
	if err := r.present(ctx); err != nil {
		return err
	}
	r.known = newKnown()
	r.own, err = r.v.adopt(ctx, r.now(), r.warn)
	return err
}

// mayStill fails if the trust in force does not give this device a role.
func (v *Vault) mayStill(role trust.Role) error {
	me, ok := v.Trust().Device(v.Device())
	switch {
	case !ok, me.Until != nil, role == trust.Write && !me.Has(role):
		return ErrRevoked
	case !me.Has(role):
		return fmt.Errorf("%w: it has not the role %q", ErrNoRole, role)
	}
	return nil
}
