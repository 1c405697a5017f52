package main

import (
	"fmt"
	"os"
	"strings"
)

// A list holds the survivors that are known: a line with a reason, and
// indented below it each mutant that survives for this reason, as file and
// name. What begins with # is a remark.
type list struct {
	reasons map[string]string // by file and name
}

func readList(path string) (*list, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := &list{reasons: map[string]string{}}
	reason := ""
	for i, line := range strings.Split(string(text), "\n") {
		key := strings.TrimSpace(line)
		switch {
		case key == "" || key[0] == '#':
		case key == line:
			reason = line
		case reason == "":
			return nil, fmt.Errorf("%s: line %d has no reason above it", path, i+1)
		case l.reasons[key] != "":
			return nil, fmt.Errorf("%s: line %d stands there twice", path, i+1)
		default:
			l.reasons[key] = reason
		}
	}
	return l, nil
}

func (m mutant) key() string { return m.file + " " + m.name }

// missing tells of mutants on the list that are not made any more.
func (l *list) missing(made []mutant) {
	there := map[string]bool{}
	for _, m := range made {
		there[m.key()] = true
	}
	for key := range l.reasons {
		if !there[key] {
			fmt.Println("listed, but there is no such mutant:", key)
		}
	}
}

// A score counts what became of a field's mutants.
type score struct {
	field                                       string
	noticed, endless, survived, unmet, unlisted int
}

// count counts a mutant, and tells of one that survives and is not listed, or
// is listed and does not.
func (s *score) count(m mutant, got verdict, l *list) {
	_, listed := l.reasons[m.key()]
	switch got {
	case noticed:
		s.noticed++
	case endless:
		s.endless++
	case unmet:
		s.unmet++
	case survived:
		s.survived++
	}
	killed := got == noticed || got == endless
	if killed && listed {
		fmt.Printf("listed, but killed: %s\n", m.key())
	}
	if !killed && !listed {
		s.unlisted++
		fmt.Printf("%s (line %d): %s\n", map[verdict]string{unmet: "no test comes by it", survived: "survived"}[got], m.line, m.key())
	}
}

func (s *score) add(o score) {
	s.noticed += o.noticed
	s.endless += o.endless
	s.survived += o.survived
	s.unmet += o.unmet
	s.unlisted += o.unlisted
}

func (s score) String() string {
	killed, alive := s.noticed+s.endless, s.survived+s.unmet
	return fmt.Sprintf("%d mutants: %d killed (%.1f %%; %d of them by a time-out), %d survived (%d of them no test comes by, %d are not listed)",
		killed+alive, killed, 100*float64(killed)/float64(max(1, killed+alive)), s.endless, alive, s.unmet, s.unlisted)
}
