package config

import (
	"fmt"
	"strings"
	"time"
)

// A Span is a stretch of the calendar: in text 30d, 12h or 2y5m7d3h, where m
// is months. There are no minutes.
type Span struct {
	Years, Months, Days, Hours int
}

// longestSpan bounds each number of a Span, so that no date leaves what
// package time can count.
const longestSpan = 9999

// ParseSpan reads a span longer than nothing.
func ParseSpan(s string) (Span, error) {
	var d Span
	rest := s
	for _, part := range d.parts() {
		var err error
		if rest, err = takePart(rest, part.letter, part.n); err != nil {
			return Span{}, wrong(err.Error(), "%.40q is too long", s)
		}
	}
	if rest != "" || s == "" {
		return Span{}, wrong(`write it like "30d", "12h" or "2y5m7d3h" (m is months)`, "%.40q is not a length of time", s)
	}
	if d == (Span{}) {
		return Span{}, wrong(`write it like "30d"`, "%.40q is no time at all", s)
	}
	return d, nil
}

// A part is one number of a Span with its letter.
type part struct {
	letter byte
	n      *int
}

// parts lists the numbers of d in the order in which they are written.
func (d *Span) parts() [4]part {
	return [4]part{{'y', &d.Years}, {'m', &d.Months}, {'d', &d.Days}, {'h', &d.Hours}}
}

// takePart reads digits and the letter off the front of s into n. Where they
// are not there it leaves all as it is.
func takePart(s string, letter byte, n *int) (rest string, err error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits == 0 || digits == len(s) || s[digits] != letter {
		return s, nil
	}
	for _, c := range s[:digits] {
		*n = *n*10 + int(c-'0')
		if *n > longestSpan {
			return s, fmt.Errorf("at most %d%c", longestSpan, letter)
		}
	}
	return s[digits+1:], nil
}

// String returns the text that ParseSpan reads as the same span.
func (d Span) String() string {
	var b strings.Builder
	for _, part := range d.parts() {
		if *part.n != 0 {
			fmt.Fprintf(&b, "%d%c", *part.n, part.letter)
		}
	}
	if b.Len() == 0 {
		return "0h"
	}
	return b.String()
}

// Before returns the instant that lies d before t: years, months and days by
// the calendar of t's location, hours by the clock.
func (d Span) Before(t time.Time) time.Time {
	return t.AddDate(-d.Years, -d.Months, -d.Days).Add(-time.Duration(d.Hours) * time.Hour)
}
