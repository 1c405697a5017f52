package vault

import (
	"context"
	"slices"

	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// Dismiss commits that deletion need not wait any longer for objects to heal:
// bad or missing ones, by full name. What only they made known is dead from
// then on. onWarning is told what a run would tell; it may be nil. Errors:
// ErrRole, and those of Begin.
func (v *Vault) Dismiss(ctx context.Context, objects []string, onWarning func(error)) error {
	r, err := v.Begin(ctx, RunOptions{OnWarning: onWarning})
	if err != nil {
		return err
	}
	defer r.Close()
	if err := v.MayMaintain(); err != nil {
		return err
	}
	objects = slices.Compact(slices.Sorted(slices.Values(objects)))
	for part := range slices.Chunk(objects, commit.MaxList) {
		r.commitMu.Lock()
		_, err := r.publish(ctx, draft{kind: commit.Dismiss, dismisses: part, used: new(ledger.Set)})
		r.commitMu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
