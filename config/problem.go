package config

import (
	"fmt"
	"strings"
)

// An Error holds every mistake found in one config file.
type Error struct {
	Name     string    // of the file, as it was given
	Problems []Problem // in the order of the file, at least one, at most maxProblems
	More     int       // further ones that were found and not kept
}

// A Problem is one mistake in a config file.
type Problem struct {
	Line    int    // from 1
	Column  int    // from 1, in bytes
	Message string // what is wrong
	Hint    string // what to do about it, or ""
	Excerpt string // the line and below it a caret; secrets blotted out
}

// maxProblems bounds what is kept of a file that is no config at all.
const maxProblems = 100

// Error lists all problems, several lines each, without a final newline.
func (e *Error) Error() string {
	var b strings.Builder
	if n := len(e.Problems) + e.More; n > 1 {
		fmt.Fprintf(&b, "%s has %d mistakes:\n\n", e.Name, n)
	}
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "%s:%d: %s", e.Name, p.Line, (&mistake{p.Message, p.Hint}).Error())
		if p.Excerpt != "" {
			b.WriteString("\n" + p.Excerpt)
		}
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\n\nand %d more", e.More)
	}
	return b.String()
}

// A mistake is an error in two halves, so that a report can tell what is wrong
// from what to do about it.
type mistake struct{ what, hint string }

// Error joins the halves.
func (m *mistake) Error() string {
	if m.hint == "" {
		return m.what
	}
	return m.what + "; " + m.hint
}

// wrong makes a mistake.
func wrong(hint, format string, args ...any) error {
	return &mistake{fmt.Sprintf(format, args...), hint}
}

// quoted lists names for a hint: "a", "b" or "c".
func quoted(names []string) string {
	var b strings.Builder
	for i, n := range names {
		switch {
		case i > 0 && i == len(names)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40q", n)
	}
	return b.String()
}
