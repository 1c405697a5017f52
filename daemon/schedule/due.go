package schedule

import "time"

// Bounds of the arithmetic.
const (
	// MaxMissed is the most that Due counts. Beyond it the number says "many".
	MaxMissed = 1000
	// WrongClock is how far ahead of now covered may lie and still be believed:
	// somebody set the clock back by an hour, or told the time of the wrong side
	// of the world. Further ahead it was written by a clock that was wrong.
	WrongClock = 25 * time.Hour
	// farthest is how far back the newest due time is looked for. No schedule
	// has a longer gap: 29 February over the turn of a century.
	farthest = 9 * 366 * 24 * time.Hour
)

// Due returns the newest due time after covered and not after now, if there
// is one: the only one that a run is owed for. missed counts those before it,
// which the same run answers for, up to MaxMissed: 0 says it is on time.
//
// For a job with jitter, ask with now less the jitter.
func Due(s Schedule, covered, now time.Time) (due time.Time, missed int, ok bool) {
	first := s.Next(covered)
	if first.IsZero() || first.After(now) {
		return time.Time{}, 0, false
	}
	if s.every > 0 {
		due, missed = s.newestInterval(covered, now)
		return due, missed, true
	}
	due = s.newest(first, now)
	for t := first; t.Before(due) && missed < MaxMissed; t = s.Next(t) {
		missed++
	}
	return due, missed, true
}

// newestInterval counts whole intervals since covered. What lies centuries
// back, as a clock at its epoch does, is due now.
func (s Schedule) newestInterval(covered, now time.Time) (time.Time, int) {
	since := now.Sub(covered)
	n := since / s.every
	return now.Add(-(since % s.every)), int(min(n-1, MaxMissed))
}

// newest returns the newest due time from first, which is one, to now. Steps
// back that double find one near now however long ago first was, then halving
// finds the last.
func (s Schedule) newest(first, now time.Time) time.Time {
	due, none := first, now // due is one, and after none there is none up to now
	for back := time.Minute; back <= farthest && now.Add(-back).After(first); back *= 2 {
		if t := s.Next(now.Add(-back)); !t.IsZero() && !t.After(now) {
			due = t
			break
		}
		none = now.Add(-back)
	}
	for {
		after := s.Next(due)
		if after.IsZero() || after.After(now) {
			return due
		}
		due = after
		middle := due.Add(none.Sub(due) / 2)
		if t := s.Next(middle); !t.IsZero() && !t.After(now) {
			due = t
		} else {
			none = middle
		}
	}
}

// NextAfter returns when the job is due next: the time owed now, if there is
// one, and otherwise the first after covered. It is zero if there is none.
func NextAfter(s Schedule, covered, now time.Time) time.Time {
	if due, _, ok := Due(s, covered, now); ok {
		return due
	}
	return s.Next(covered)
}

// Cover returns what covered becomes when a run that was begun at an instant
// has answered for a due time. An interval counts from the begin, so that it
// is no shorter after a late run.
func (s Schedule) Cover(due, begun time.Time) time.Time {
	if s.every > 0 {
		return begun
	}
	return due
}

// Rebase returns what of covered can be believed at now. Further ahead than
// WrongClock it was written by a wrong clock, and would silence the job until
// then: it becomes now. Less far ahead it stays, so that a clock set back by
// an hour runs nothing twice.
func Rebase(covered, now time.Time) time.Time {
	if covered.Sub(now) > WrongClock {
		return now
	}
	return covered
}

// Upcoming returns the next n due times after from, fewer if there are fewer.
func Upcoming(s Schedule, from time.Time, n int) []time.Time {
	var times []time.Time
	for t := s.Next(from); len(times) < n && !t.IsZero(); t = s.Next(t) {
		times = append(times, t)
	}
	return times
}

// LargestGap returns the longest time between two due times of the year that
// begins with the first after from, or 0 if the schedule is never due. Less than an hour is told
// as an hour: an age limit is made of it, and nobody wants a shorter one.
func LargestGap(s Schedule, from time.Time) time.Duration {
	if s.every > 0 {
		return max(s.every, time.Hour)
	}
	due := s.Next(from)
	if due.IsZero() {
		return 0
	}
	longest := time.Hour
	// A longer gap holds an instant that lies longest after some due time: only
	// those are looked at, which spares a year of minutes.
	for end := due.Add(366 * 24 * time.Hour); ; {
		probe := due.Add(longest)
		next := s.Next(probe)
		if next.IsZero() {
			return longest
		}
		longest = max(longest, next.Sub(s.newest(due, probe)))
		if due = next; due.After(end) {
			return longest
		}
	}
}
