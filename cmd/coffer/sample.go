package main

import (
	"strings"
	"time"
)

// shorten fits a path into what is left of the line, keeping its end. Wide
// letters take two columns; whatever may be wide counts as wide.
func shorten(s string, room int) string {
	if s == "" || room < 12 {
		return ""
	}
	r := []rune(s)
	from, width := len(r), 0
	for from > 0 && width+columns(r[from-1]) <= room {
		from--
		width += columns(r[from])
	}
	if from == 0 {
		return "  " + s
	}
	for width+1 > room { // the dots take a column too
		width -= columns(r[from])
		from++
	}
	return "  …" + string(r[from:])
}

func columns(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

// rate says how fast n bytes came in a time.
func rate(n int64, t time.Duration) string {
	if t < 100*time.Millisecond {
		return ""
	}
	return bytesText(int64(float64(n)/t.Seconds())) + "/s"
}

// left guesses how long the rest takes; "" while there is nothing to guess by.
func left(done, total int64, t time.Duration) string {
	if total <= 0 || done <= 0 || done >= total || t < 3*time.Second {
		return ""
	}
	rest := time.Duration(float64(t) * float64(total-done) / float64(done))
	return durationText(rest.Round(time.Second)) + " left"
}

// joined joins what is not empty.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}
