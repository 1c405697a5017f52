package config

import (
	"cmp"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What single values must look like, beyond sizes, spans, remotes and paths.

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// parseName reads the name of a vault or project. A header takes such names
// without quotes, and reader.where relies on their having no dots.
func parseName(s string) (string, error) {
	if !validName.MatchString(s) {
		return "", wrong("a letter or digit, then also _ and -, at most 64", "%.40q is no valid name", s)
	}
	return s, nil
}

// parseWord reads a region or profile.
func parseWord(s string) (string, error) {
	if len(s) > 128 || strings.ContainsAny(s, ` "'[]`) {
		return "", wrong("leave blanks and quotes out", "%.40q is not one word", s)
	}
	return s, nil
}

// parseTag reads a tag. Commas part tags on the command line.
func parseTag(s string) (string, error) {
	if utf8.RuneCountInString(s) > 64 || strings.ContainsAny(s, ", ") {
		return "", wrong("one word without commas, at most 64 characters", "%.40q is no valid tag", s)
	}
	return s, nil
}

// parseFileName reads the name of a file without a folder.
func parseFileName(s string) (string, error) {
	if strings.Contains(s, "/") || s == "." || s == ".." || len(s) > 255 {
		return "", wrong("it is looked for in every folder", "%.80q is not the name of a file", s)
	}
	return s, nil
}

// parsePattern reads a gitignore pattern and refuses those that gitignore
// would quietly take for something else.
func parsePattern(s string, _ []string) (string, error) {
	body := strings.TrimPrefix(s, "!")
	switch {
	case strings.Trim(body, "/ ") == "":
		return "", wrong("leave it out", "%q matches nothing", s)
	case strings.HasPrefix(s, "#"):
		return "", wrong(`write \# for a name that begins with it`, "%.80q is a comment", s)
	case strings.HasPrefix(body, "~"):
		return "", wrong("patterns are relative to the project's paths", "%.80q is not expanded", s)
	case strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") && !strings.HasSuffix(s, `\ `):
		return "", wrong("take it away, or write a backslash before one that belongs to the name", "%.80q has a blank at its end", s)
	}
	return s, nil
}

// notOneOf says that s is none of the words that it may be.
func notOneOf[T ~string](s string, known []T) error {
	words := texts(known)
	return wrong(cmp.Or(didYouMean(s, words), "write "+quoted(words)), "it cannot be %.40q", s)
}

// parseDays reads a span of at least a day. With a dedup-memory of less, a run
// that fails once would begin the next from nothing; and nothing that is
// counted in spans goes on within the day.
func parseDays(s string) (Span, error) {
	d, err := ParseSpan(s)
	if err == nil && d.Years+d.Months+d.Days == 0 && d.Hours < 24 {
		return Span{}, wrong("at least 1d", "%.40q is too short", s)
	}
	return d, err
}

// parseCommand reads the command of a hook.
func parseCommand(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", wrong("leave the hook out instead", "%q is no command", s)
	}
	return s, nil
}

// parseMetricsFile reads the path of a Prometheus text file.
func parseMetricsFile(s string) (string, error) {
	if !strings.HasSuffix(s, ".prom") {
		return "", wrong("collectors read only files whose name ends in .prom", "%.80q ends in something else", s)
	}
	return ParsePath(s)
}
