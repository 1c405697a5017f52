package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Limits of an interval: below the shortest a job would never rest, and what
// is longer than a year was meant as something else.
const (
	MinEvery = time.Minute
	MaxEvery = 366 * 24 * time.Hour
)

// A Schedule is a set of due times. The zero value is never due.
type Schedule struct {
	text  string
	loc   *time.Location
	spec  *cron.SpecSchedule // asked about wall clocks only, told as UTC; nil for an interval
	every time.Duration
}

// Parse reads five fields (minute, hour, day of month, month, day of week),
// @hourly, @daily, @weekly, @monthly, @yearly, or @every with a duration from
// MinEvery to MaxEvery in whole seconds, perhaps after CRON_TZ=Area/City or
// TZ=Area/City and a blank. 7 is Sunday too. Wall clocks are those of loc, or
// of the machine if it is nil, where the text names no zone. The error is a
// [*SpecError]; a schedule that is never due is one.
func Parse(spec string, loc *time.Location) (s Schedule, err error) {
	defer func() { // the library has panicked on what it did not expect
		if r := recover(); r != nil {
			s, err = Schedule{}, wrong(spec, `write it like "30 12 * * 1-5" or "@daily"`, "cannot be read: %v", r)
		}
	}()
	if len(spec) > longestSpec {
		return Schedule{}, wrong(spec[:40]+"...", "", "is longer than %d bytes", longestSpec)
	}
	zone, rest, err := cutZone(spec)
	if err != nil {
		return Schedule{}, err
	}
	if zone != nil {
		loc = zone
	}
	if loc == nil {
		loc = time.Local
	}
	s = Schedule{text: strings.Join(strings.Fields(spec), " "), loc: loc}
	if strings.HasPrefix(rest, "@") {
		return s.named(spec, strings.ToLower(rest))
	}
	rest, err = checkFields(spec, rest)
	if err != nil {
		return Schedule{}, err
	}
	return s.calendar(spec, rest)
}

// Check reports what Parse would say about spec.
func Check(spec string) error {
	_, err := Parse(spec, nil)
	return err
}

// named completes s by a descriptor in lower case.
func (s Schedule) named(spec, name string) (_ Schedule, err error) {
	if word, length, _ := strings.Cut(name, " "); word == "@every" {
		if s.every, err = parseEvery(spec, strings.TrimSpace(length)); err != nil {
			return Schedule{}, err
		}
		return s, nil
	}
	if !slices.Contains(names, name) {
		hint := `write "@hourly", "@daily", "@weekly", "@monthly", "@yearly" or "@every 2h"`
		if name == "@reboot" {
			hint = `a time missed while the machine was off is caught up after it starts: write "@daily", or "@every 2h"`
		}
		return Schedule{}, wrong(spec, hint, "is not known here")
	}
	return s.calendar(spec, name)
}

// calendar completes s by what the library makes of text.
func (s Schedule) calendar(spec, text string) (Schedule, error) {
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, wrong(spec, `write it like "30 12 * * 1-5" or "@daily"`, "cannot be read: %v", err)
	}
	c, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Schedule{}, wrong(spec, "", "cannot be read")
	}
	c.Location = time.UTC
	s.spec = c
	if s.nextWall(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, wrong(spec, "day 28 is the last that every month has", "is never due: no month that it names has such a day")
	}
	return s, nil
}

// String returns the text that was parsed, its blanks made single.
func (s Schedule) String() string { return s.text }

// Every returns the interval of an @every schedule, and otherwise 0.
func (s Schedule) Every() time.Duration { return s.every }

// Next returns the first due time after an instant, or the zero time if there
// is none. An interval has no times of its own: it is due that long after.
func (s Schedule) Next(after time.Time) time.Time {
	switch {
	case s.every > 0:
		return after.Add(s.every)
	case s.spec == nil:
		return time.Time{}
	case s.everyHour():
		return s.nextElapsed(after)
	}
	return s.nextOnce(after)
}

// everyHour reports whether the schedule counts hours that pass.
func (s Schedule) everyHour() bool {
	const day = 1<<24 - 1
	return s.spec.Hour&day == day
}

// nextOnce takes each time on the wall clock once. What instant makes of wall
// clocks never runs backwards, so the first that lies after is the answer.
func (s Schedule) nextOnce(after time.Time) time.Time {
	for wall := wallClock(after.In(s.loc)); ; {
		wall = s.nextWall(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if t := instant(wall, s.loc); t.After(after) {
			return t
		}
	}
}

// nextElapsed takes each instant whose wall clock fits, zone by zone.
func (s Schedule) nextElapsed(after time.Time) time.Time {
	const changes = 64 // more than the years that nextWall looks ahead have
	t := after.In(s.loc)
	wall := wallClock(t)
	for range changes {
		if wall = s.nextWall(wall); wall.IsZero() {
			break
		}
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if due := wall.Add(-seconds(offset)); end.IsZero() || due.Before(end) {
			return due.In(s.loc)
		}
		t = end
		wall = wallClock(end).Add(-time.Nanosecond)
	}
	return time.Time{}
}

// nextWall returns the next time on a wall clock that knows no change. The
// library looks five years ahead; 29 February can be eight away.
func (s Schedule) nextWall(wall time.Time) time.Time {
	if t := s.spec.Next(wall); !t.IsZero() {
		return t
	}
	return s.spec.Next(wall.AddDate(5, 0, 0))
}

// wallClock returns what the clock on the wall shows at t, told as UTC.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(seconds(offset))
}

// instant returns when the clocks of loc first show wall, or the end of the
// gap if they skip it. It goes through the zones from a time that is surely
// earlier, as no clock is more than a day off UTC.
func instant(wall time.Time, loc *time.Location) time.Time {
	t := wall.Add(-26 * time.Hour).In(loc)
	for {
		_, offset := t.Zone()
		start, end := t.ZoneBounds()
		due := wall.Add(-seconds(offset)).In(loc)
		switch {
		case !end.IsZero() && !due.Before(end):
			t = end
		case due.Before(start): // the zone before ended before it came to wall
			return start
		default:
			return due
		}
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// A SpecError says what is wrong with the text of a schedule, in two halves so
// that a report can tell the mistake from the remedy.
type SpecError struct {
	Spec    string // as it was given; long ones cut
	Problem string // goes on after the text
	Hint    string // what to write instead, or ""
}

// Error joins the halves.
func (e *SpecError) Error() string {
	text := fmt.Sprintf("schedule %.80q %s", e.Spec, e.Problem)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

func wrong(spec, hint, format string, args ...any) error {
	return &SpecError{Spec: spec, Problem: fmt.Sprintf(format, args...), Hint: hint}
}
