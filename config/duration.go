package config

import (
	"fmt"
	"strings"
	"time"
)

// Lengths of time by the clock. What goes by the calendar is a Span, where m
// is months; the hints of both say which.

// ParseDuration reads a length of time by the clock: 90s, 10m, 26h, 3d or
// 1h30m, where m is minutes and a day has 24 hours. At most 9999d.
func ParseDuration(s string) (time.Duration, error) {
	var d time.Duration
	rest := s
	for _, u := range clockUnits {
		n := 0
		var err error
		if rest, err = takePart(rest, u.letter, &n); err != nil {
			return 0, wrong(err.Error(), "%.40q is too long", s)
		}
		d += time.Duration(n) * u.length
	}
	switch {
	case rest != "" || s == "":
		return 0, wrong(`write it like "90s", "10m", "26h" or "3d" (m is minutes)`, "%.40q is not a length of time", s)
	case d > longestDuration:
		return 0, wrong("at most "+FormatDuration(longestDuration), "%.40q is too long", s)
	}
	return d, nil
}

// clockUnits stand in the order in which they are written.
var clockUnits = []struct {
	letter byte
	length time.Duration
}{{'d', day}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

const (
	day             = 24 * time.Hour
	longestDuration = longestSpan * day
)

// FormatDuration returns the text that ParseDuration reads as d, which is not
// negative, in whole seconds: in one unit if that can be.
func FormatDuration(d time.Duration) string {
	for _, u := range clockUnits {
		if d > 0 && d%u.length == 0 && d/u.length <= longestSpan {
			return fmt.Sprintf("%d%c", d/u.length, u.letter)
		}
	}
	var b strings.Builder
	for _, u := range clockUnits {
		if n := d / u.length; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, u.letter)
		}
		d %= u.length
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// lengthFrom reads a length of time within bounds.
func lengthFrom(low, high time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := ParseDuration(s)
		switch {
		case err != nil:
			return 0, err
		case d < low:
			return 0, wrong("at least "+FormatDuration(low), "%.40q is too short", s)
		case d > high:
			return 0, wrong("at most "+FormatDuration(high), "%.40q is too long", s)
		}
		return d, nil
	}
}
