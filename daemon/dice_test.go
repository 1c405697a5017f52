package daemon_test

import (
	"math/rand/v2"
	"sync"
)

// dice are thrown by the laptop and by its jobs, at once.
type dice struct {
	mu  sync.Mutex
	pcg *rand.PCG // guarded by mu
}

func (d *dice) Uint64() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pcg.Uint64()
}
