package remote_test

import (
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"coffer/remote/storetest"
)

// Every wrapper keeps the contract, and so do all of them together.
func TestWrappersKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(remote.Store) remote.Store{
		"retry": func(s remote.Store) remote.Store { return remote.Retry(s, remote.RetryOptions{}) },
		"limit": func(s remote.Store) remote.Store { return remote.Limit(s, 1<<30, 1<<30) },
		"count": func(s remote.Store) remote.Store { return remote.Count(s) },
		"all": func(s remote.Store) remote.Store {
			return remote.Retry(remote.Limit(remote.Count(remote.Limit(s, 0, 0)), 1<<30, 0), remote.RetryOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) remote.Store { return wrap(mem.New()) })
		})
	}
}

// With Retry around it, a store that fails one time in three, before or after
// doing what it was asked, is as good as one that never does.
func TestRetryHidesTransientFaults(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) remote.Store {
		bad := fault.New(mem.New(), 7)
		bad.Add(fault.Rule{Rate: 0.15, Do: fault.Fail})
		bad.Add(fault.Rule{Rate: 0.15, Do: fault.LoseAck})
		bad.Add(fault.Rule{Op: remote.OpList, Rate: 0.3, Do: fault.Break, Keep: 2})
		return remote.Retry(bad, remote.RetryOptions{First: time.Millisecond, Longest: 4 * time.Millisecond})
	})
}
