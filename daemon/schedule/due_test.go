package schedule

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDue(t *testing.T) {
	for _, c := range []struct {
		spec, covered, now, due string // due is "" for none
		missed                  int
	}{
		{"0 3 * * *", "2026-05-01 03:00", "2026-05-02 02:59", "", 0},
		{"0 3 * * *", "2026-05-01 03:00", "2026-05-02 03:00", "2026-05-02 03:00", 0},
		{"0 3 * * *", "2026-05-01 03:00", "2026-05-02 20:00", "2026-05-02 03:00", 0},
		{"0 3 * * *", "2026-05-01 03:00", "2026-05-08 20:00", "2026-05-08 03:00", 6},
		{"0 3 * * *", "2026-05-01 12:00", "2026-05-02 03:30", "2026-05-02 03:00", 0}, // first seen at noon
		{"0 3 * * *", "2026-05-02 03:00", "2026-05-01 03:30", "", 0},                 // the clock went back
		{"* * * * *", "2026-05-01 03:00", "2026-05-01 03:05", "2026-05-01 03:05", 4},
		{"* * * * *", "1970-01-01 00:00", "2026-05-01 03:05", "2026-05-01 03:05", MaxMissed},
		{"* * 1 1 *", "2024-12-31 00:00", "2026-12-01 00:00", "2026-01-01 23:59", MaxMissed},
		{"0 0 29 2 *", "1999-01-01 00:00", "2027-01-01 00:00", "2024-02-29 00:00", 6},
		{"@every 2h", "2026-05-01 03:10", "2026-05-01 05:09", "", 0},
		{"@every 2h", "2026-05-01 03:10", "2026-05-01 05:10", "2026-05-01 05:10", 0},
		{"@every 2h", "2026-05-01 03:10", "2026-05-01 20:00", "2026-05-01 19:10", 7},
		{"@every 2h", "1970-01-01 00:00", "2026-05-01 20:30", "2026-05-01 20:00", MaxMissed},
	} {
		due, missed, ok := Due(parse(t, c.spec, "UTC"), at(t, c.covered), at(t, c.now))
		if ok != (c.due != "") || missed != c.missed || ok && !due.Equal(at(t, c.due)) {
			t.Errorf("%s from %s to %s: got %v, %d, %v; want %s, %d", c.spec, c.covered, c.now, due, missed, ok, c.due, c.missed)
		}
	}
}

// A state without an instant, and a clock far off, end in one run and no loop.
func TestDueFromNowhere(t *testing.T) {
	for _, spec := range []string{"* * * * *", "0 3 * * *", "0 0 29 2 *", "@every 1m"} {
		s := parse(t, spec, "Europe/Berlin")
		for _, covered := range []time.Time{{}, time.Unix(0, 0), at(t, "1600-01-01 00:00")} {
			now := at(t, "2026-05-01 20:30")
			due, _, ok := Due(s, covered, now)
			if !ok || due.After(now) || s.Next(due).Before(now) && !s.Next(due).Equal(now) {
				t.Errorf("%s from %v: %v, %v", spec, covered, due, ok)
			}
		}
	}
}

// TestDueAgainstCalendar takes a job through a life of wake-ups at random
// instants, some long apart, and holds each answer to a list of all due times.
func TestDueAgainstCalendar(t *testing.T) {
	specs := []string{"*/15 * * * *", "30 2 * * *", "0,30 1-3 * * *", "0 9-17 * * 1-5", "0 3 * * 0", "59 23 1 * *"}
	rapid.Check(t, func(rt *rapid.T) {
		c := changes[rapid.IntRange(0, len(changes)-1).Draw(rt, "change")]
		loc, from, to := loadZone(t, c.zone), day(t, c.from), day(t, c.to)
		spec := rapid.SampledFrom(specs).Draw(rt, "spec")
		s, err := Parse(spec, loc)
		if err != nil {
			rt.Fatal(err)
		}
		all := newCalendar(spec).due(from, to, loc)
		covered := from.Add(-time.Second)
		for now := from; now.Before(to); now = now.Add(time.Duration(rapid.Int64Range(1, int64(40*time.Hour)).Draw(rt, "asleep"))) {
			owed := slices.DeleteFunc(slices.Clone(all), func(d time.Time) bool { return !d.After(covered) || d.After(now) })
			due, missed, ok := Due(s, covered, now)
			if ok != (len(owed) > 0) || ok && (missed != len(owed)-1 || !due.Equal(owed[len(owed)-1])) {
				rt.Fatalf("%s in %s from %v to %v: got %v, %d, %v; owed %v", spec, c.zone, covered, now, due, missed, ok, owed)
			}
			if ok {
				covered = s.Cover(due, now)
			}
			if next := NextAfter(s, covered, now); !next.After(now) {
				rt.Fatalf("%s in %s: right after a run at %v the next is due at %v", spec, c.zone, now, next)
			}
		}
	})
}

func TestCover(t *testing.T) {
	due, begun := at(t, "2026-05-01 03:00"), at(t, "2026-05-01 07:00")
	if got := parse(t, "0 3 * * *", "UTC").Cover(due, begun); !got.Equal(due) {
		t.Errorf("a time of day is covered to %v", got)
	}
	if got := parse(t, "@every 2h", "UTC").Cover(due, begun); !got.Equal(begun) {
		t.Errorf("an interval is covered to %v", got)
	}
}

func TestNextAfterIsWhatIsOwed(t *testing.T) {
	s := parse(t, "0 3 * * *", "UTC")
	for _, c := range []struct{ covered, now, want string }{
		{"2026-05-01 03:00", "2026-05-05 12:00", "2026-05-05 03:00"},
		{"2026-05-05 03:00", "2026-05-05 12:00", "2026-05-06 03:00"},
		{"2026-05-05 03:00", "2026-05-04 12:00", "2026-05-06 03:00"}, // set back: nothing twice
	} {
		if got := NextAfter(s, at(t, c.covered), at(t, c.now)); !got.Equal(at(t, c.want)) {
			t.Errorf("covered %s, now %s: got %v, want %s", c.covered, c.now, got, c.want)
		}
	}
}

func TestRebase(t *testing.T) {
	now := at(t, "2026-05-01 12:00")
	for ahead, want := range map[time.Duration]time.Duration{
		-48 * time.Hour:           -48 * time.Hour,
		time.Hour:                 time.Hour,
		WrongClock:                WrongClock,
		WrongClock + time.Second:  0,
		20 * 365 * 24 * time.Hour: 0,
	} {
		if got := Rebase(now.Add(ahead), now).Sub(now); got != want {
			t.Errorf("%v ahead becomes %v, want %v", ahead, got, want)
		}
	}
}

func TestLargestGap(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, c := range []struct {
		spec string
		want time.Duration
	}{
		{"* * * * *", hour}, {"*/15 * * * *", hour}, {"@hourly", hour}, {"@every 1m", hour}, {"@every 36h", 36 * hour},
		{"@daily", 25 * hour},              // the day in autumn
		{"0 9-17 * * 1-5", 64*hour + hour}, // that weekend
		{"*/20 9-17 * * 1-5", 63*hour + 20*time.Minute + hour},
		{"@weekly", 7*day + hour}, {"0 12 1 * *", 31*day + hour}, {"0 0 1 1 *", 366 * day},
		{"* * * 3-12 *", 59*day + time.Minute}, {"0 0 29 2 *", 4*365*day + day},
	} {
		if got := LargestGap(parse(t, c.spec, "Europe/Berlin"), at(t, "2026-05-01 12:00")); got != c.want {
			t.Errorf("%s: got %v, want %v", c.spec, got, c.want)
		}
	}
	if got := LargestGap(Schedule{}, at(t, "2026-05-01 12:00")); got != 0 {
		t.Errorf("no schedule has a gap of %v", got)
	}
}

// TestLargestGapByWalking takes every step of a year.
func TestLargestGapByWalking(t *testing.T) {
	from := at(t, "2026-05-01 12:00")
	for _, spec := range []string{"0 */5 * * *", "30 2 * * 1,4", "0 8-20/3 * * *", "7 7 7,21 * 2"} {
		s := parse(t, spec, "America/New_York")
		var want time.Duration
		for due, end := s.Next(from), s.Next(from).Add(366*24*time.Hour); !due.After(end); due = s.Next(due) {
			want = max(want, s.Next(due).Sub(due))
		}
		if got := LargestGap(s, from); got != want {
			t.Errorf("%s: got %v, want %v", spec, got, want)
		}
	}
}

// Jitter is stable for ever: a new hash would move every device's runs.
func TestJitter(t *testing.T) {
	if got, want := Jitter("0123456789abcdef", "website/backup", time.Hour), 1194866473340*time.Nanosecond; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if Jitter("ab", "c", time.Hour) == Jitter("a", "bc", time.Hour) {
		t.Error("names run into one another")
	}
	if got := Jitter("a", "b", 0); got != 0 {
		t.Errorf("no window gives %v", got)
	}
	const n, slots = 4000, 8
	var filled [slots]int
	for i := range n {
		j := Jitter("device", strconv.Itoa(i), slots*time.Minute)
		if j < 0 || j >= slots*time.Minute {
			t.Fatalf("%v lies outside", j)
		}
		filled[j/time.Minute]++
	}
	for _, got := range filled { // six times the standard deviation
		if math.Abs(float64(got)-n/slots) > 6*math.Sqrt(n/slots) {
			t.Errorf("uneven: %v", filled)
		}
	}
}

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		-1: time.Minute, 0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 5 * time.Minute,
		4: 10 * time.Minute, 5: 20 * time.Minute, 6: 30 * time.Minute, 1000: 30 * time.Minute,
	} {
		for _, seed := range []string{"", "a", "b", "c"} {
			got := Backoff(attempt, seed)
			if got < want*4/5 || got > want*6/5 || got != Backoff(attempt, seed) {
				t.Errorf("attempt %d of %q waits %v, want about %v", attempt, seed, got, want)
			}
		}
	}
	if Backoff(6, "a") == Backoff(6, "b") || Backoff(6, "a") == Backoff(7, "a") {
		t.Error("the waits are not spread")
	}
}

func BenchmarkNext(b *testing.B) {
	for _, spec := range []string{"* * * * *", "30 2 * * *", "0 0 29 2 *"} {
		s := parse(b, spec, "Europe/Berlin")
		from := at(b, "2026-05-01 12:00")
		b.Run(spec, func(b *testing.B) {
			for b.Loop() {
				s.Next(from)
			}
		})
	}
}

func BenchmarkLargestGap(b *testing.B) {
	for _, spec := range []string{"* * * * *", "30 2 * * *"} {
		s := parse(b, spec, "Europe/Berlin")
		from := at(b, "2026-05-01 12:00")
		b.Run(spec, func(b *testing.B) {
			for b.Loop() {
				LargestGap(s, from)
			}
		})
	}
}
