package vaulttest

import (
	"errors"
	"io/fs"
	"math"
	"sync/atomic"
	"testing"

	"coffer/remote"
)

// EachFails calls act with the room on a store of which one request fails, with
// fs.ErrPermission: the first time the first, then the second and so on, until
// act makes fewer requests. They count from when act calls arm. A failure that
// was met must be the error that act returns. It returns how many there were.
func EachFails(t testing.TB, r *Room, act func(r *Room, arm func()) error) (requests int) {
	t.Helper()
	for {
		var left atomic.Int64
		left.Store(math.MaxInt64)
		err := act(r.With(&Hook{Store: r.Store, Before: func(remote.Op, string) error {
			if left.Add(-1) == 0 {
				return fs.ErrPermission
			}
			return nil
		}}), func() { left.Store(int64(requests) + 1) })
		if left.Load() > 0 {
			if err != nil {
				t.Errorf("none of %d requests fails: %v", requests, err)
			}
			return requests
		}
		if requests++; !errors.Is(err, fs.ErrPermission) {
			t.Errorf("request %d fails: %v", requests, err)
		}
		if t.Failed() && requests > 1000 {
			t.Fatal("that does not end")
		}
	}
}
