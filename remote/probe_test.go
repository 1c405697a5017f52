package remote_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"coffer/remote"
	"coffer/remote/mem"
)

// plain is a store with the contract and nothing more.
type plain struct{ remote.Store }

func TestExpiryEnforced(t *testing.T) {
	strict, late := mem.New(), mem.New()
	late.AcceptLate()
	for _, c := range []struct {
		what string
		s    remote.Store
		want bool
	}{
		{"memory", remote.Count(strict), true},
		{"careless memory", remote.Limit(late, 0, 0), false},
		{"contract", plain{strict}, true},
		{"careless contract", plain{late}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			if enforced, err := remote.ExpiryEnforced(t.Context(), c.s); enforced != c.want || err != nil {
				t.Errorf("%s: %v, %v, want %v", c.what, enforced, err, c.want)
			}
		})
	}
	if len(strict.Sums())+len(late.Sums()) > 0 {
		t.Errorf("left behind: %d and %d objects", len(strict.Sums()), len(late.Sums()))
	}
}

func TestExpiryProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if enforced, err := remote.ExpiryEnforced(ctx, plain{mem.New()}); enforced || err == nil {
		t.Errorf("%v, %v, want an error", enforced, err)
	}
}
