package restore

import "coffer/files"

// A choice says what the filters make of an entry.
type choice int

const (
	leaveOut choice = iota
	pass            // a folder that is not wanted itself, but something in it may be
	take
)

// A sift chooses by the patterns of Include and Exclude. It is not for
// concurrent use.
type sift struct {
	include, exclude *files.Patterns // nil: none
}

func newSift(include, exclude []string) *sift {
	s := &sift{}
	if len(include) > 0 {
		s.include = files.NewPatterns(include)
	}
	if len(exclude) > 0 {
		s.exclude = files.NewPatterns(exclude)
	}
	return s
}

// all tells whether everything is wanted that is not excluded.
func (s *sift) all() bool { return s.include == nil }

// choose decides about the entry at path, relative to the selection, "" being
// the selection itself. inside says that a folder above it is wanted; nothing
// is asked about what lies below one that is left out.
func (s *sift) choose(path string, dir, inside bool) choice {
	switch {
	case path != "" && s.exclude != nil && s.exclude.Match(path, dir):
		return leaveOut
	case inside || s.all() || path == "" && !dir || path != "" && s.include.Match(path, dir):
		return take
	case dir:
		return pass
	}
	return leaveOut
}
