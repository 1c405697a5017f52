package files

import "path"

// Patterns match paths by gitignore rules, as Options.Exclude does, for whoever
// chooses among paths that are not on the disk. Not safe for concurrent use.
type Patterns struct {
	rules *rules
	m     matcher
}

// NewPatterns compiles patterns, relative to the folder that paths are
// relative to.
func NewPatterns(lines []string) *Patterns { return &Patterns{rules: optionRules(lines)} }

// Match reports whether the last pattern that matches path does not negate. It
// does not look at the folders above: ask about them first.
func (p *Patterns) Match(name string, dir bool) bool {
	return p.rules.decide([]byte(name), []byte(path.Base(name)), dir, &p.m) != nil
}
