package vault

import (
	"context"
	"fmt"

	"coffer/chunk"
	"coffer/vault/ledger"
)

// Small packs. Each run that stores something ends with packs that are not
// full, so a long history of small changes scatters a snapshot over ever more
// of them, and a new machine must open them all. When there are too many, a run
// stores what they hold once more, together: data from the disk, so that no
// identity is needed, and the segments of the manifest, which it has in memory.
// The old packs go when the snapshots go that need them.

const (
	smallPack = 1 << 20 // bytes; what is smaller counts
	maxSmall  = 64      // small packs of one kind that a snapshot may need
)

// findScattered finds the small packs that the project's newest snapshot needs,
// if there are too many of their kind.
func (r *Run) findScattered(ctx context.Context) error {
	r.scattered = map[chunk.Kind]*ledger.Set{chunk.Data: {}, chunk.Segment: {}}
	newest, ok := r.own.Projects[r.o.Project]
	if !ok || r.known.condemned(newest.Ledger) {
		return nil
	}
	kinds := map[chunk.Series]chunk.Kind{}
	for _, s := range r.v.device().Series {
		for kind := range r.scattered {
			if s.Kind == string(kind) {
				kinds[s.ID()] = kind
			}
		}
	}
	for p, err := range r.v.packsOf(ctx, newest.Ledger) {
		if isDamage(err) {
			continue // what it names is unknown, and stored anew anyway
		}
		if err != nil {
			return fmt.Errorf("%s: %w", newest.Ledger, err)
		}
		if kind, own := kinds[p.Series]; own && p.Size < smallPack && r.known.has(p.Series, p.Number) {
			r.scattered[kind].Add(p.Series, p.Number)
		}
	}
	for kind, set := range r.scattered {
		if set.Len() <= max(maxSmall, r.o.MaxSmall) {
			r.scattered[kind] = new(ledger.Set)
		}
	}
	return nil
}

// Scattered tells whether a pack is one of many small ones, so that what it
// holds of a file's content should be read and stored once more. It can be
// relied on all the same. It is safe for concurrent use.
func (r *Run) Scattered(series chunk.Series, number uint32) bool {
	return r.scattered[chunk.Data].Has(series, number)
}

// reusable tells whether a chunk in a pack need not be stored again.
func (r *Run) reusable(series chunk.Series, number uint32) bool {
	return r.known.has(series, number) && !r.Scattered(series, number) && !r.scattered[chunk.Segment].Has(series, number)
}
