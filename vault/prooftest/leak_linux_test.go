package prooftest_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"coffer/remote/fault"
)

// left counts goroutines and open descriptors.
func left(t *testing.T) (goroutines, descriptors int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return runtime.NumGoroutine(), len(list)
}

// Whatever was done, and wherever it was cut off, no goroutine and no
// descriptor is left of it.
func TestNothingIsLeft(t *testing.T) {
	cuts := 0
	for _, s := range scenes() {
		if s.name == "merge" {
			continue // a backup like the others, and long in the making
		}
		t.Run(s.name, func(t *testing.T) {
			w := s.make(t)
			goroutines, descriptors := left(t)
			for _, n := range []int{0, 1, 2, 3, 5, 8, 13, 21, 1000} {
				below := w.store
				store := fault.New(below, 1)
				store.CrashAfter(n)
				w.store = store
				_ = s.play(t.Context(), w)
				w.store = below
				cuts++
				settled(t, n, goroutines, descriptors)
			}
		})
	}
	t.Logf("tried: leaks after %d runs, of which most were cut off", cuts)
}

// settled waits until as many are left as there were.
func settled(t *testing.T, n, goroutines, descriptors int) {
	t.Helper()
	var g, d int
	for range 500 {
		if g, d = left(t); g <= goroutines && d <= descriptors {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	t.Fatalf("cut off after %d: %d goroutines, were %d; %d descriptors, were %d\n%s", n, g, goroutines, d, descriptors, strings.TrimSpace(string(stacks)))
}
