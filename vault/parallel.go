package vault

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// parallel calls f for 0..n-1, at most limit at a time, and returns the first
// error after all calls have ended.
func parallel(ctx context.Context, limit, n int, f func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error { return f(ctx, i) })
	}
	return g.Wait()
}
