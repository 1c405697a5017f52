package daemon_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A calendar says when a schedule is due by looking at every minute of a
// stretch of time. It shares no code with the daemon: fields are read here, and
// what happens where clocks change is decided from the minutes themselves.
type calendar struct {
	dues []time.Time
}

// field is the set of values that one cron field admits.
type field map[int]bool

func readField(t *testing.T, text string, low, high int) field {
	t.Helper()
	f := field{}
	for part := range strings.SplitSeq(text, ",") {
		part, every, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step, _ = strconv.Atoi(every)
		}
		from, to := low, high
		if part != "*" {
			a, b, isRange := strings.Cut(part, "-")
			from, _ = strconv.Atoi(a)
			if to = from; isRange {
				to, _ = strconv.Atoi(b)
			}
		}
		for v := from; v <= to; v += step {
			f[v] = true
		}
	}
	if len(f) == 0 {
		t.Fatalf("field %q admits nothing", text)
	}
	return f
}

// newCalendar lists every due time of a five-field schedule in (from, to].
func newCalendar(t *testing.T, spec string, loc *time.Location, from, to time.Time) *calendar {
	t.Helper()
	parts := strings.Fields(spec)
	minute, hour := readField(t, parts[0], 0, 59), readField(t, parts[1], 0, 23)
	day, month, weekday := readField(t, parts[2], 1, 31), readField(t, parts[3], 1, 12), readField(t, parts[4], 0, 6)
	admits := func(w time.Time) bool { // a wall clock, written as UTC
		dayFits, weekdayFits := day[w.Day()], weekday[int(w.Weekday())]
		fits := dayFits && weekdayFits
		if parts[2] != "*" && parts[4] != "*" {
			fits = dayFits || weekdayFits
		}
		return fits && minute[w.Minute()] && hour[w.Hour()] && month[int(w.Month())]
	}
	wall := func(at time.Time) time.Time {
		l := at.In(loc)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	c := &calendar{}
	everyHour := len(hour) == 24
	seen := map[time.Time]bool{} // walls that were there already
	begin := from.Truncate(time.Minute).Add(-3 * time.Hour)
	before := wall(begin.Add(-time.Minute))
	for at := begin; !at.After(to); at = at.Add(time.Minute) {
		w := wall(at)
		due := admits(w) && (everyHour || !seen[w])
		if !everyHour { // what the clocks skipped is due when they have
			for gap := before.Add(time.Minute); gap.Before(w); gap = gap.Add(time.Minute) {
				due = due || admits(gap) && !seen[gap]
				seen[gap] = true
			}
		}
		seen[w] = true
		if w.After(before) {
			before = w
		}
		if due && at.After(from) {
			c.dues = append(c.dues, at)
		}
	}
	return c
}

// between counts the due times in (a, b].
func (c *calendar) between(a, b time.Time) int {
	return c.upTo(b) - c.upTo(a)
}

func (c *calendar) upTo(t time.Time) int {
	return len(c.dues) - len(c.after(t))
}

func (c *calendar) after(t time.Time) []time.Time {
	i, _ := slices.BinarySearchFunc(c.dues, t, func(d, t time.Time) int {
		if d.After(t) {
			return 1
		}
		return -1
	})
	return c.dues[i:]
}

func (c *calendar) has(t time.Time) bool {
	return slices.ContainsFunc(c.dues, t.Equal)
}
