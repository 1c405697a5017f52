package vault

import (
	"context"
	"errors"
	"slices"

	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/trust"
)

// Dismiss commits that deletion need not wait any longer for objects to heal:
// bad or missing ones, by full name. Packs that only a ledger or roll among them
// names stay all the same, as long as a snapshot needs that list. warn is told what a run would tell; it may be nil. Errors:
// ErrNoRole, ErrRevoked, state.ErrLocked, and what the store says.
func (v *Vault) Dismiss(ctx context.Context, objects []string, warn func(error)) (err error) {
	r, err := v.beginClerk(ctx, "dismiss", trust.Maintain, warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	objects = slices.Compact(slices.Sorted(slices.Values(objects)))
	for part := range slices.Chunk(objects, commit.MaxList) {
		if _, err := r.publish(ctx, draft{kind: commit.Dismiss, dismisses: part, used: new(ledger.Set)}); err != nil {
			return err
		}
	}
	return nil
}
