package state

import "time"

// A Day counts days since 2020-01-01 UTC.
type Day uint16

var dayZero = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// DayOf returns the day of t, held between 2020 and 2199.
func DayOf(t time.Time) Day {
	return Day(min(max(t.Sub(dayZero)/(24*time.Hour), 0), 1<<16-1))
}

// Time returns the beginning of the day.
func (d Day) Time() time.Time { return dayZero.AddDate(0, 0, int(d)) }
