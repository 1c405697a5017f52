package vaulttest_test

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// What a soak of any length may use more at its end than when it was warm, both
// times at rest: bytes of memory in use, goroutines, descriptors. What the test
// itself keeps of each snapshot is some hundred bytes; connections that wait for
// a next use come and go.
const (
	growth = 6 << 20
	more   = 40
)

// warm is how long a soak goes on before its use counts, or a quarter of a
// short one.
const warm = 5 * time.Minute

// A use is what the process holds at one time.
type use struct {
	at                      time.Duration
	heap                    uint64 // bytes in use after a collection
	goroutines, descriptors int
}

func (u use) String() string {
	return fmt.Sprintf("at %s %d kB, %d goroutines, %d descriptors", u.at.Round(time.Second), u.heap>>10, u.goroutines, u.descriptors)
}

// inUse measures. What ends a moment later, as a connection, does not count.
func inUse(at time.Duration) use {
	u := use{at: at, heap: math.MaxUint64}
	for range 5 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		u.heap = min(u.heap, m.HeapAlloc)
		time.Sleep(200 * time.Millisecond)
	}
	list, _ := os.ReadDir("/proc/self/fd") // where there is none, none grow
	u.goroutines, u.descriptors = runtime.NumGoroutine(), len(list)
	return u
}

// A gauge follows what a soak uses: at its start, when it is warm, in the
// middle and at the end.
type gauge struct {
	length time.Duration
	uses   []use
}

// look measures if a time has come for which that was not done, while all rests.
func (g *gauge) look(t *testing.T, at time.Duration, rest sync.Locker) {
	when := []time.Duration{0, min(warm, g.length/4), g.length / 2, g.length}
	if n := len(g.uses); n < len(when) && at >= when[n] {
		rest.Lock()
		defer rest.Unlock()
		g.uses = append(g.uses, inUse(at))
		t.Logf("tried: a soak %v", g.uses[n])
	}
}

// check fails the test if more is used at the end than when it was warm.
func (g *gauge) check(t *testing.T) {
	was, is := g.uses[1], g.uses[len(g.uses)-1]
	if is.heap > was.heap+growth || is.goroutines > was.goroutines+more || is.descriptors > was.descriptors+more {
		t.Errorf("what is in use grew: %v; %v", was, is)
	}
}
