package remote

import (
	"context"
	"time"
)

// StagedMax is the longest life of a staged object on a store that keeps it as
// something that must be cleared away (a pending file). What is older by the
// remote's clock can be removed: publishing it later then fails.
const StagedMax = 10 * time.Minute

// A Sweeper is a Store on which staged or half-written objects leave something
// behind. Sweep removes what is older than [StagedMax] by the remote's clock
// and says how many; after it has returned without an error, none of those can
// become visible any more.
type Sweeper interface {
	Sweep(ctx context.Context) (removed int, err error)
}

// Sweep calls the [Sweeper] under s and its wrappers. Stores that are none
// leave nothing behind.
func Sweep(ctx context.Context, s Store) (removed int, err error) {
	if sw, ok := under[Sweeper](s); ok {
		return sw.Sweep(ctx)
	}
	return 0, nil
}
