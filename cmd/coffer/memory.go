package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Nearly all memory is a few large buffers of packs in the making, which hold
// no pointers and live for the whole run: to collect often costs little there,
// and keeps the peak near what is in use. While there is little in use, as in a
// run that finds nothing new, it would be most of the work: so the collector
// always leaves room for collectorRoom, which is more than a tenth only there.
const (
	memoryLimit   = 200 << 20
	collectorRoom = 16 << 20
	leastPercent  = 10
	mostPercent   = 400 // the runtime's own least room, 4 MiB, times this is collectorRoom
)

// tuneCollector sets the collector up for the life of the process.
func tuneCollector() {
	debug.SetGCPercent(mostPercent)
	debug.SetMemoryLimit(memoryLimit)
	afterCollection(func() { debug.SetGCPercent(collectorPercent(liveHeap())) })
}

// afterCollection calls fn after each collection, in a goroutine of the runtime.
func afterCollection(fn func()) {
	runtime.AddCleanup(new([16]byte), func(fn func()) {
		fn()
		afterCollection(fn)
	}, fn)
}

// collectorPercent is how much the heap may grow until the next collection,
// where live bytes are in use, in percent of them.
func collectorPercent(live uint64) int {
	return int(min(max(collectorRoom*100/max(live, 1), leastPercent), mostPercent))
}

// liveHeap is what the last collection left, in bytes.
func liveHeap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
