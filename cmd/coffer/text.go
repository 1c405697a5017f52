package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// safeText makes text that came from a file system or a remote safe to print:
// control characters, bytes that are not UTF-8, and marks that turn the
// direction of writing become escapes. Newlines and tabs stay, for our own
// messages of several lines.
func safeText(s string) string { return escape(s, true) }

// safeName is safeText for names, in which a newline is an escape too.
func safeName(s string) string { return escape(s, false) }

func escape(s string, lines bool) string {
	plain := true
	for _, r := range s {
		if !shown(r, lines) {
			plain = false
			break
		}
	}
	if plain && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case shown(r, lines):
			b.WriteString(s[:n])
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[n:]
	}
	return b.String()
}

func shown(r rune, lines bool) bool {
	if lines && (r == '\n' || r == '\t') {
		return true
	}
	return unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r)
}

// bytesText is a size for people.
func bytesText(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// countText is a number for people.
func countText(n int64) string { return humanize.Comma(n) }

// plural is "1 file" or "7 files".
func plural[N int | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, ok := strings.CutSuffix(one, "ry"); ok {
		return countText(int64(n)) + " " + stem + "ries"
	}
	return countText(int64(n)) + " " + one + "s"
}

// count is one number of a sentence.
type count struct {
	n    int64
	what string
}

// counted joins the counts that are not zero: "3 files, 1 folder".
func counted(counts ...count) string {
	var parts []string
	for _, c := range counts {
		if c.n != 0 {
			parts = append(parts, plural(c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// durationText is a duration with a precision that people want.
func durationText(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// ageText is how long ago t was.
func ageText(t time.Time) string { return humanize.Time(t) }

// timeText is a local time to the second.
func timeText(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
