package verify_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// Ledgers are fetched several at a time, and not all at once: each waits here
// until another one is on its way, and one that is alone is let go.
func TestLedgersAreFetchedBesideEachOther(t *testing.T) {
	plain, dir := vaulttest.New(t), t.TempDir()
	const runs = 11
	for i := range runs {
		write(t, dir, fmt.Sprint(i), byte(i%5))
		backUp(t, plain.Reopen(t), dir)
	}
	var mu sync.Mutex
	flying, most, all := 0, 0, 0
	met, once := make(chan struct{}), sync.Once{}
	room := plain.With(&vaulttest.Hook{Store: plain.Store, Before: func(op remote.Op, name string) error {
		if op != remote.OpGet || !strings.HasPrefix(name, "ledgers/") {
			return nil
		}
		mu.Lock()
		all++
		flying++
		if most = max(most, flying); most > 1 {
			once.Do(func() { close(met) })
		}
		mu.Unlock()
		defer func() { mu.Lock(); flying--; mu.Unlock() }()
		select {
		case <-met:
			return nil
		case <-time.After(time.Minute):
			return errors.New("no other ledger is fetched meanwhile")
		}
	}})
	if res := check(t, room.Lent(t), verify.Options{}); len(res.Problems) > 0 || res.Snapshots != runs {
		t.Errorf("%+v", res)
	}
	if all != runs || most > 8 {
		t.Errorf("%d ledgers fetched, %d at a time", all, most)
	}
}
