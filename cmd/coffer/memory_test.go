package main

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// The room that the collector leaves is the same while little is in use, and a
// tenth of what is in use where that is more.
func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 8 << 20: 200, 16 << 20: 100, 64 << 20: 25, 160 << 20: 10, 1 << 30: 10} {
		if got := collectorPercent(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", live, got, want)
		}
	}
}

// It must be set anew after every collection, not only after the first.
func TestAfterCollection(t *testing.T) {
	var calls atomic.Int64
	afterCollection(func() { calls.Add(1) })
	for end := time.Now().Add(time.Minute); calls.Load() < 3; {
		if time.Now().After(end) {
			t.Fatalf("called %d times", calls.Load())
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if live := liveHeap(); live == 0 || live > 1<<40 {
		t.Errorf("%d bytes in use", live)
	}
}
