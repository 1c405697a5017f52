package manifest

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of a body.
const (
	MaxBody   = 16 << 20 // bytes
	MaxUnread = 1000     // paths that are named; the counts have them all

	maxRoots  = 4096
	maxTexts  = 4096 // lines of the policy, tags
	maxNewest = 65536

	maxUnreadBytes = 4 << 20 // so that long names cannot keep a snapshot from being made
)

// A Body says what a snapshot is: of what, by whom, when, and where its trees
// begin. It is stored sealed; the commit that names it is signed.
type Body struct {
	// By whom, as the trust knows them: random hex digits.
	Vault   string // 32
	Device  string // 16
	Project string // 16

	// By whom, as people know them. None of it is checked by anyone.
	Label  string // of the project
	Host   string
	User   string
	Coffer string // version of the program

	// Of when: the whole run, in seconds.
	Start, End time.Time

	// Of what.
	Roots   []BodyRoot // no path twice
	Policy  []string   // the excludes and switches used, one a line
	Tags    []string
	Counts  Counts
	Unread  []Unread // the first of what could not be read
	Partial bool     // the run ended early or could not read all it should

	// Newest snapshot of each other project of this device, ascending by
	// project, so that one body leads to all.
	Newest []Newest
}

// A BodyRoot is a folder of a project and its tree.
type BodyRoot struct {
	Path string // as given
	Root Root
}

// Counts sum up the trees of a snapshot.
type Counts struct {
	Files, Dirs, Other int64 // entries
	Bytes              int64 // of content
	Unread             int64 // entries that could not be read, or not wholly
}

// Unread is a path that could not be read, and why.
type Unread struct {
	Path, Error string
}

// Newest names a commit, by the last component of its name.
type Newest struct {
	Project, Commit string
}

// Check says whether b can be encoded.
func (b *Body) Check() error {
	switch {
	case !isHex(b.Vault, 32), !isHex(b.Device, 16), !isHex(b.Project, 16):
		return fmt.Errorf("vault %q, device %q or project %q is not what it should be", b.Vault, b.Device, b.Project)
	case len(b.Roots) > maxRoots, len(b.Policy) > maxTexts, len(b.Tags) > maxTexts, len(b.Newest) > maxNewest:
		return fmt.Errorf("%w: %d roots, %d lines of policy, %d tags, %d projects",
			ErrTooLarge, len(b.Roots), len(b.Policy), len(b.Tags), len(b.Newest))
	case min(b.Counts.Files, b.Counts.Dirs, b.Counts.Other, b.Counts.Bytes, b.Counts.Unread) < 0:
		return errors.New("negative count")
	}
	seen := map[string]bool{}
	for _, r := range b.Roots {
		if err := r.Root.check(); err != nil {
			return fmt.Errorf("root %q: %w", r.Path, err)
		}
		if r.Path == "" || len(r.Path) > MaxPath || seen[r.Path] {
			return fmt.Errorf("root %q: empty, too long, or there twice", r.Path)
		}
		seen[r.Path] = true
	}
	return b.checkTexts()
}

func (b *Body) checkTexts() error {
	for _, list := range [][]string{b.Policy, b.Tags} {
		for _, t := range list {
			if t == "" || !utf8.ValidString(t) {
				return fmt.Errorf("policy or tag %q is empty or not UTF-8", t)
			}
		}
	}
	for _, u := range b.Unread {
		if u.Path == "" || u.Error == "" {
			return fmt.Errorf("unread path %q for the reason %q", u.Path, u.Error)
		}
	}
	last := ""
	for _, n := range b.Newest {
		if !isHex(n.Project, 16) || n.Project <= last || n.Commit == "" {
			return fmt.Errorf("newest commit %q of project %q: out of order or not what it should be", n.Commit, n.Project)
		}
		last = n.Project
	}
	return nil
}

// isHex reports whether s is n lower-case hex digits.
func isHex(s string, n int) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == n
}
