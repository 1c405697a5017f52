package dir

import "time"

// A deadline is a point that has passed as soon as either clock says so: the
// wall clock, or the one that counts on while the machine sleeps. A wall clock
// set back counts as passed: it has nothing to say about how long it was.
type deadline struct {
	life     time.Duration
	wall     time.Time
	sinceOn  time.Duration // of the machine, sleep included
	counting bool          // the system has such a clock
}

func newDeadline(life time.Duration) deadline {
	on, ok := sinceBoot()
	return deadline{life: life, wall: time.Now().Round(0), sinceOn: on, counting: ok}
}

func (d deadline) passed() bool {
	now, ok := sinceBoot()
	return d.passedAt(time.Now().Round(0), now, ok)
}

// passedAt is passed with the clocks as arguments.
func (d deadline) passedAt(wall time.Time, sinceOn time.Duration, ok bool) bool {
	// Times are compared without their monotonic reading (Round), which would
	// stand still during sleep. A second back is a clock being disciplined.
	byWall := wall.Sub(d.wall)
	if byWall >= d.life || byWall < -time.Second {
		return true
	}
	return d.counting && ok && sinceOn-d.sinceOn >= d.life
}
