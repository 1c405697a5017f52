package restore

import (
	"io"
	"strings"

	"coffer/files"
)

// A spare knows what a backup leaves out on purpose. That it is not in the
// snapshot says nothing about it, so it is not deleted.
type spare struct {
	tree   *files.Tree
	policy *files.Patterns            // of the snapshot, relative to its root
	found  map[string]*files.Patterns // of the ignore files in folders of the target; nil if there is none
}

// ignoreFile holds further rules of a folder. It was restored with the others
// before anything in the folder is deleted.
const ignoreFile = ".cofferignore"

const (
	maxIgnore  = 1 << 20 // bytes of one
	keptIgnore = 1000    // of how many folders they are remembered
)

// newSpare takes the excludes that a body says were in force.
func newSpare(policy []string, tree *files.Tree) *spare {
	var lines []string
	for _, l := range policy {
		if pattern, ok := strings.CutPrefix(l, "exclude "); ok {
			lines = append(lines, pattern)
		}
	}
	return &spare{tree: tree, policy: files.NewPatterns(lines), found: map[string]*files.Patterns{}}
}

// spares tells whether a backup would leave out what is at a path of the
// target, which in the root is src. It takes a line of an ignore file at its
// word also where a deeper one takes it back: better too much is left.
func (s *spare) spares(at, src string, dir bool) bool {
	if s.policy.Match(src, dir) {
		return true
	}
	for folder := parent(at); ; folder = parent(folder) {
		rest, _ := within(at, folder)
		if rules := s.rules(folder); rules != nil && rules.Match(rest, dir) {
			return true
		}
		if folder == "" {
			return false
		}
	}
}

// rules reads the ignore file of a folder of the target.
func (s *spare) rules(folder string) *files.Patterns {
	if r, ok := s.found[folder]; ok {
		return r
	}
	if len(s.found) >= keptIgnore {
		clear(s.found)
	}
	var rules *files.Patterns
	if f, err := s.tree.Open(join(folder, ignoreFile), files.Stat{}); err == nil {
		b, err := io.ReadAll(io.LimitReader(f, maxIgnore))
		f.Close()
		if err == nil {
			rules = files.NewPatterns(strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"))
		}
	}
	s.found[folder] = rules
	return rules
}
