package remote

import "time"

// A HomeClock is a Store whose clock is this machine's own, which anybody at
// the machine can set. SinceBoot tells how long the machine has been on, sleep
// included, and which start of it that was; ok is false where the system does
// not tell.
type HomeClock interface {
	SinceBoot() (boot string, on time.Duration, ok bool)
}

// SinceBoot asks the [HomeClock] under s and its wrappers. It is not ok for
// stores with a clock of their own.
func SinceBoot(s Store) (boot string, on time.Duration, ok bool) {
	if c, is := under[HomeClock](s); is {
		return c.SinceBoot()
	}
	return "", 0, false
}
