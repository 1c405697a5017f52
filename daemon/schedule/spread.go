package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"
)

// backoff are the waits between the tries of a failed run; the last repeats.
var backoff = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
}

// Jitter returns how long after its due time a job begins on a device: from 0
// to less than window, always the same for the same two names, so that devices
// which share a schedule do not all call at once. An interval needs none.
func Jitter(device, job string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	return time.Duration(share(uint64(window), "jitter", device, job))
}

// Backoff returns how long to wait after the attempt-th try, from 1 on, has
// failed: a minute at first and half an hour in the end, each give or take a
// fifth, by seed (a name of device and job), lest all who failed together
// return together.
func Backoff(attempt int, seed string) time.Duration {
	wait := backoff[min(max(attempt, 1), len(backoff))-1]
	spread := wait * 2 / 5
	tag := binary.BigEndian.AppendUint64(nil, uint64(attempt))
	return wait - spread/2 + time.Duration(share(uint64(spread), "backoff", seed, string(tag)))
}

// share spreads names evenly over 0 to n-1.
func share(n uint64, names ...string) uint64 {
	h := sha256.New()
	for _, name := range names {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
		h.Write([]byte(name))
	}
	high, _ := bits.Mul64(binary.BigEndian.Uint64(h.Sum(nil)), n)
	return high
}
