package files

import (
	"bytes"
	"fmt"
	"strings"
)

// rules are the patterns of one folder (or of the options), in the order they
// were written, and those of the folders above it.
type rules struct {
	up       *rules
	base     int // bytes of a path that lead to the folder of these rules, slash included
	patterns []pattern
	paths    bool // some pattern here or above looks at more than the name
}

// decide returns the rule that excludes an entry, or nil. The deepest folder
// has the first word, and in one folder the last line. path is relative to the
// root and ends in name. Nothing below an excluded folder is ever asked about.
func (r *rules) decide(path, name []byte, isDir bool, m *matcher) *pattern {
	for ; r != nil; r = r.up {
		for i := len(r.patterns) - 1; i >= 0; i-- {
			p := &r.patterns[i]
			rel := name
			if !p.byName {
				rel = path[r.base:]
			}
			if !p.match(rel, name, isDir, m) {
				continue
			}
			if p.negate {
				return nil
			}
			return p
		}
	}
	return nil
}

// optionRules compiles Options.Exclude: rules as if they stood in a file at
// the root that yields to every ignore file. nil if there are none.
func optionRules(lines []string) *rules {
	r := &rules{}
	for _, line := range lines {
		r.addLine(line, "exclude")
	}
	return r.orAbove()
}

// addFile adds the rules of an ignore file; file is its path, for the user.
func (r *rules) addFile(data []byte, file string) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	n := 0
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		n++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if i := bytes.IndexByte(line, 0); i >= 0 {
			line = line[:i]
		}
		r.addLine(string(line), fmt.Sprintf("%s:%d", file, n))
	}
}

func (r *rules) addLine(line, where string) {
	if strings.HasPrefix(line, "#") {
		return
	}
	line = trimSpaces(line)
	if line == "" {
		return
	}
	p := compilePattern(line)
	p.why = where + ": " + line
	r.patterns = append(r.patterns, p)
	r.paths = r.paths || !p.byName
}

// orAbove returns r, or what stands above it if r is empty.
func (r *rules) orAbove() *rules {
	if len(r.patterns) == 0 {
		return r.up
	}
	return r
}

// trimSpaces drops spaces at the end unless a backslash keeps them.
func trimSpaces(s string) string {
	end := 0 // behind the last byte that counts
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(s) {
				return s
			}
		}
		end = i + 1
	}
	return s[:end]
}
