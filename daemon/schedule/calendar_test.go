package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones must not depend on the machine that tests

	"pgregory.net/rapid"
)

// A calendar is an oracle for schedules, written without a look at how they
// are computed: it goes through real time minute by minute, reads the clock on
// the wall and applies the rules in the words of the package comment.
type calendar struct {
	sets      [5]map[int]bool
	dayStar   bool // day of month or day of week is a star: both must fit
	everyHour bool
}

// newCalendar reads numbers, ranges, lists, stars and steps; no names.
func newCalendar(spec string) calendar {
	var c calendar
	low, high := [5]int{0, 0, 1, 1, 0}, [5]int{59, 23, 31, 12, 6}
	for i, f := range strings.Fields(spec) {
		c.sets[i] = map[int]bool{}
		for part := range strings.SplitSeq(f, ",") {
			span, stepText, stepped := strings.Cut(part, "/")
			a, b, step := low[i], high[i], 1
			if span != "*" {
				from, to, ranged := strings.Cut(span, "-")
				a, _ = strconv.Atoi(from)
				b = a
				if ranged {
					b, _ = strconv.Atoi(to)
				} else if stepped {
					b = high[i]
				}
			}
			if stepped {
				step, _ = strconv.Atoi(stepText)
			}
			for v := a; v <= b; v += step {
				c.sets[i][v] = true
			}
			if span == "*" && step == 1 && (i == 2 || i == 4) {
				c.dayStar = true
			}
		}
	}
	c.everyHour = len(c.sets[1]) == 24
	return c
}

// shows reports whether a clock on the wall shows a time of the schedule.
func (c calendar) shows(wall time.Time) bool {
	dom, dow := c.sets[2][wall.Day()], c.sets[4][int(wall.Weekday())]
	day := dom || dow
	if c.dayStar {
		day = dom && dow
	}
	return c.sets[0][wall.Minute()] && c.sets[1][wall.Hour()] && day && c.sets[3][int(wall.Month())]
}

// due lists the due times from an instant up to, and without, another. Both
// are whole minutes, and the first lies a day or more after any change.
func (c calendar) due(from, to time.Time, loc *time.Location) []time.Time {
	var times []time.Time
	seen := map[time.Time]bool{}
	last := time.Time{}
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		l := t.In(loc)
		wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
		isDue := c.shows(wall)
		if !c.everyHour {
			isDue = isDue && !seen[wall]
			if !last.IsZero() {
				for gap := last.Add(time.Minute); gap.Before(wall); gap = gap.Add(time.Minute) {
					isDue = isDue || c.shows(gap)
				}
			}
		}
		if isDue {
			times = append(times, t)
		}
		seen[wall], last = true, wall
	}
	return times
}

// changes are stretches of a few days around the changes of the clocks.
var changes = []struct{ zone, from, to string }{
	{"Europe/Berlin", "2026-03-26", "2026-03-31"},
	{"Europe/Berlin", "2026-10-22", "2026-10-28"},
	{"America/New_York", "2027-03-11", "2027-03-17"},
	{"America/New_York", "2027-11-04", "2027-11-10"},
	{"Australia/Lord_Howe", "2026-04-02", "2026-04-08"}, // half an hour back
	{"Australia/Lord_Howe", "2026-10-01", "2026-10-07"}, // half an hour on
	{"Africa/Casablanca", "2026-02-12", "2026-02-18"},   // Ramadan
	{"Africa/Casablanca", "2026-03-19", "2026-03-25"},
	{"America/Santiago", "2026-09-03", "2026-09-09"}, // midnight does not exist
	{"America/Santiago", "2027-04-01", "2027-04-07"}, // an hour before midnight comes twice
	{"Pacific/Apia", "2011-12-27", "2012-01-02"},     // a day does not exist
	{"America/Caracas", "2016-04-28", "2016-05-04"},  // half an hour, for good
	{"Asia/Kolkata", "2026-12-29", "2027-01-03"},
	{"UTC", "2028-02-26", "2028-03-03"},
}

func loadZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func day(t testing.TB, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// compare holds a schedule to the calendar over one stretch.
func compare(spec, zone string, loc *time.Location, from, to time.Time) error {
	s, err := Parse(spec, loc)
	if err != nil {
		return err
	}
	want := newCalendar(spec).due(from, to, loc)
	var got []time.Time
	for t := s.Next(from.Add(-time.Nanosecond)); !t.IsZero() && t.Before(to); t = s.Next(t) {
		got = append(got, t)
		if len(got) > len(want)+3 {
			break
		}
	}
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		return fmt.Errorf("%s in %s:\n got %v\nwant %v", spec, zone, got, want)
	}
	return betweenTimes(s, want, from, to)
}

// betweenTimes asks from instants that are no due times as well.
func betweenTimes(s Schedule, want []time.Time, from, to time.Time) error {
	for t := from.Add(31 * time.Second); t.Before(to); t = t.Add(23*time.Minute + 7*time.Second) {
		i := slices.IndexFunc(want, func(w time.Time) bool { return w.After(t) })
		if i < 0 {
			break
		}
		if got := s.Next(t); !got.Equal(want[i]) {
			return fmt.Errorf("%s: after %v comes %v, want %v", s, t, got, want[i])
		}
	}
	return nil
}

func TestNextAgainstCalendar(t *testing.T) {
	specs := []string{
		"* * * * *", "*/15 * * * *", "0 * * * *", "30 * * * *", "15 * * * *", "45 */1 * * *",
		"30 1 * * *", "30 2 * * *", "0 2 * * *", "0 3 * * *", "15,45 1-3 * * *", "*/10 2 * * *",
		"0 0 * * *", "30 0 * * *", "30 23 * * *", "59 23 * * *", "*/20 0-22 * * *", "0 */6 * * *", "5 1/2 * * *",
		"0 2 1,15,29 * *", "30 2 * * 0", "0 12 * * 1-5", "0 0 30 12 *", "10 0 1 * 1", "0 4 */2 * 1", "*/30 * * * 6,0",
	}
	for _, c := range changes {
		loc := loadZone(t, c.zone)
		for _, spec := range specs {
			if err := compare(spec, c.zone, loc, day(t, c.from), day(t, c.to)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNextOverAYear meets every change of a zone's year, and none by name.
func TestNextOverAYear(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Africa/Casablanca"} {
		loc := loadZone(t, zone)
		for _, spec := range []string{"30 2 * * *", "15 * * * *"} {
			if err := compare(spec, zone, loc, day(t, "2026-01-05"), day(t, "2027-01-05")); err != nil {
				t.Error(err)
			}
		}
	}
}

// fieldOf draws a field between two bounds.
func fieldOf(low, high int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			a := rapid.IntRange(low, high).Draw(t, "a")
			b := rapid.IntRange(a, high).Draw(t, "b")
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				return "*"
			case 1:
				parts = append(parts, "*/"+strconv.Itoa(rapid.IntRange(1, high-low).Draw(t, "step")))
			case 2:
				parts = append(parts, fmt.Sprintf("%d-%d", a, b))
			default:
				parts = append(parts, strconv.Itoa(a))
			}
		}
		return strings.Join(parts, ",")
	})
}

func TestNextOfAnySpec(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := changes[rapid.IntRange(0, len(changes)-1).Draw(rt, "change")]
		spec := strings.Join([]string{
			fieldOf(0, 59).Draw(rt, "minute"), fieldOf(0, 23).Draw(rt, "hour"),
			rapid.OneOf(rapid.Just("*"), fieldOf(1, 28)).Draw(rt, "dom"), "*",
			rapid.OneOf(rapid.Just("*"), fieldOf(0, 6)).Draw(rt, "dow"),
		}, " ")
		if err := compare(spec, c.zone, loadZone(t, c.zone), day(t, c.from), day(t, c.to)); err != nil {
			rt.Fatal(err)
		}
	})
}
