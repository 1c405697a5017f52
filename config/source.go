package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// A source is the text of a file, for finding lines in it and showing them.
type source struct {
	data   []byte
	starts []int // offsets at which lines begin
}

// A span is a stretch of the text: bytes [from, to).
type span struct{ from, to int }

func newSource(data []byte) *source {
	s := &source{data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// position gives line and column of an offset, both from 1.
func (s *source) position(off int) (line, column int) {
	line = sort.SearchInts(s.starts, off+1)
	return line, off - s.starts[line-1] + 1
}

// line returns the text of a line without its end.
func (s *source) line(n int) string {
	text := s.data[s.starts[n-1]:]
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return string(bytes.TrimSuffix(text, []byte("\r")))
}

// maxLine bounds the lines that are worth showing, in bytes.
const maxLine = 8 << 10

// excerpt shows the first line of a span with carets below the span.
func (s *source) excerpt(at span) string {
	n, column := s.position(at.from)
	line := s.line(n)
	if len(line) > maxLine {
		return ""
	}
	from := min(column-1, len(line))
	to := min(from+at.to-at.from, len(line))
	line, from, to = redact(line, from, to)
	before := clip(line[:from], 48, true)
	marked := clip(line[from:to], 60, false)
	after := clip(line[to:], max(0, 72-len([]rune(before+marked))), false)
	gutter := fmt.Sprintf("%5d | ", n)
	below := strings.Repeat(" ", len([]rune(before))) + strings.Repeat("^", max(1, len([]rune(marked))))
	return strings.TrimRight(gutter+before+marked+after, " ") + "\n" +
		strings.Repeat(" ", len(gutter)-2) + "| " + below
}

// clip makes text safe to print, one column a character, and not longer than
// limit: it drops the beginning if tail is set, else the end.
func clip(text string, limit int, tail bool) string {
	r := []rune(strings.Map(printable, strings.ToValidUTF8(text, "\uFFFD")))
	switch {
	case len(r) <= limit:
		return string(r)
	case tail:
		return "…" + string(r[len(r)-limit+1:])
	}
	return string(r[:max(0, limit-1)]) + "…"
}

// printable replaces what would move the cursor or speak to the terminal.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
		return '\uFFFD'
	}
	return r
}

// secrets find, by their one group, what must not be repeated: a password or a
// signature in an address, an age identity, the value of a key that sounds
// like a secret. They rather blot out too much.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`://(.*)@`),
	regexp.MustCompile(`://[^?]*\?(.*)`),
	secretKey,
	regexp.MustCompile(secretName.String() + `[\w-]*["']?\s*=\s*(.*)`),
}

// secretKey is an age identity.
var secretKey = regexp.MustCompile(`(?i)(AGE-SECRET-KEY-[^"'\s]*)`)

// secretName tells the name of a key that asks for a secret.
var secretName = regexp.MustCompile(`(?i)(?:secret|passw|passphrase|token|(?:access|api|private|account)[-_ ]?key|identity)`)

// schemes find the schemes of addresses.
var schemes = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*)://`)

// plainSchemes are those of places. Whatever has another is the address of a
// message service, where any part may be a token.
var plainSchemes = []string{"http", "https", "s3", "ftp", "sftp", "file"}

// redact blots secrets out of a line and moves two offsets along.
func redact(line string, from, to int) (string, int, int) {
	const blot = "***"
	cut := func(begin, end int) {
		if begin == end {
			return
		}
		line = line[:begin] + blot + line[end:]
		from, to = moved(from, begin, end, len(blot)), moved(to, begin, end, len(blot))
	}
	for _, re := range secrets {
		if m := re.FindStringSubmatchIndex(line); m != nil {
			cut(m[2], m[3])
		}
	}
	for _, m := range schemes.FindAllStringSubmatchIndex(line, -1) {
		if !slices.Contains(plainSchemes, line[m[2]:m[3]]) {
			cut(m[1], len(line))
			break
		}
	}
	return line, from, to
}

// moved says where an offset is after [from, to) became size bytes. One that
// was inside now stands at the end, so that a caret covers the blot.
func moved(off, from, to, size int) int {
	switch {
	case off <= from:
		return off
	case off < to:
		return from + size
	}
	return off - (to - from) + size
}
