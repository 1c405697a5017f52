package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"coffer/vault/manifest"
)

// A root is one tree of a snapshot and the name users give it.
type root struct {
	name string // base name of path, with a number if an earlier root has it
	path string // as saved
	tree manifest.Root
}

// A selection is a folder or file of a snapshot that was asked for.
type selection struct {
	root root
	path string          // in the root; "" is the root itself
	top  *manifest.Entry // what is there; nil if the part of the manifest that says it is damaged
}

// folder tells whether things can lie below s. A top that is not known is
// taken for a folder: most are, and what lies below it may be unharmed.
func (s *selection) folder() bool { return s.top == nil || s.top.Type == 'd' }

// name is what s is called where it stands beside others.
func (s *selection) name() string {
	if s.path == "" {
		return s.root.name
	}
	return path.Base(s.path)
}

// A view is a snapshot as the user addresses it: with one root, paths are
// relative to that root; with several, they begin with the root's name.
type view []root

func newView(b *manifest.Body) view {
	var v view
	var names namer
	for _, r := range b.Roots {
		v = append(v, root{names.unique(baseName(r.Path)), r.Path, r.Root})
	}
	return v
}

// baseName names a root by the last component of its path.
func baseName(p string) string {
	switch b := path.Base(path.Clean(p)); b {
	case "/", ".", "..":
		return "root"
	default:
		return b
	}
}

// A namer gives names that differ from each other.
type namer map[string]bool

// unique returns name, or name-2, name-3 and so on where it was given before.
func (n *namer) unique(name string) string {
	if *n == nil {
		*n = namer{}
	}
	free := name
	for i := 2; (*n)[free]; i++ {
		free = name + "-" + strconv.Itoa(i)
	}
	(*n)[free] = true
	return free
}

// show returns the path under which the user finds an entry of r.
func (v view) show(r root, p string) string {
	switch {
	case len(v) == 1 && p == "":
		return "."
	case len(v) == 1:
		return p
	}
	return join(r.name, p)
}

// find returns what the user means by one path: a place in a root, or several
// whole roots.
func (v view) find(p string) ([]selection, error) {
	clean := path.Clean(p)
	if p == "" || clean == "." || clean == "/" {
		return v.roots("/"), nil
	}
	if path.IsAbs(clean) {
		return v.absolute(clean)
	}
	if len(v) == 1 {
		return []selection{{root: v[0], path: clean}}, nil
	}
	name, rest, _ := strings.Cut(clean, "/")
	for _, r := range v {
		if r.name == name {
			return []selection{{root: r, path: rest}}, nil
		}
	}
	return nil, v.unknown(p)
}

// absolute finds a path as it was when it was saved: the innermost root that
// it lies in, or else all roots that lie in it.
func (v view) absolute(p string) ([]selection, error) {
	var best selection
	found := false
	for _, r := range v {
		at := path.Clean(r.path)
		if rest, ok := within(p, at); ok && (!found || len(at) > len(path.Clean(best.root.path))) {
			best, found = selection{root: r, path: rest}, true
		}
	}
	if found {
		return []selection{best}, nil
	}
	if roots := v.roots(p); len(roots) > 0 {
		return roots, nil
	}
	return nil, v.unknown(p)
}

// roots returns the roots at or below an absolute path; "/" gives all.
func (v view) roots(p string) []selection {
	var s []selection
	for _, r := range v {
		if _, ok := within(path.Clean(r.path), p); ok || p == "/" {
			s = append(s, selection{root: r})
		}
	}
	return s
}

func (v view) unknown(p string) error {
	if len(v) == 1 {
		return unknownPath(fmt.Sprintf("%q is not in the snapshot of %s", p, v[0].path))
	}
	var names []string
	for _, r := range v {
		names = append(names, fmt.Sprintf("%s (%s)", r.name, r.path))
	}
	return unknownPath(fmt.Sprintf("%q is not in the snapshot, which holds: %s", p, strings.Join(names, ", ")))
}

// unknownPath is an fs.ErrNotExist whose text says it all.
type unknownPath string

func (e unknownPath) Error() string        { return string(e) }
func (e unknownPath) Is(target error) bool { return target == fs.ErrNotExist }

// within cuts folder off p and tells whether p is folder or lies in it.
func within(p, folder string) (rest string, ok bool) {
	if p == folder {
		return "", true
	}
	if folder == "" || folder == "/" {
		return strings.TrimPrefix(p, "/"), true
	}
	if strings.HasPrefix(p, folder) && p[len(folder)] == '/' {
		return p[len(folder)+1:], true
	}
	return "", false
}

// join joins two paths either of which may be "".
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "/" + b
}

// parent returns the folder of a path that is not "".
func parent(p string) string { return p[:max(strings.LastIndexByte(p, '/'), 0)] }

// resolve finds what the paths mean and looks it up; no path means everything.
// A path inside another one of the list adds nothing.
func (v view) resolve(ctx context.Context, src Source, paths []string) ([]selection, error) {
	if len(v) == 0 {
		return nil, errors.New("the snapshot is empty: it has no roots")
	}
	if len(paths) == 0 {
		paths = []string{""}
	}
	var all []selection
	for _, p := range paths {
		found, err := v.find(p)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if err := v.lookUp(ctx, src, p, &s); err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return outermost(all), nil
}

// lookUp fills in the entry of s. A path in the only root may also begin with
// that root's name, as it would if there were more.
func (v view) lookUp(ctx context.Context, src Source, asked string, s *selection) error {
	var err error
	s.top, err = manifest.Lookup(ctx, s.root.tree, s.path, src.Segment)
	if rest, ok := within(s.path, s.root.name); errors.Is(err, fs.ErrNotExist) && ok {
		s.path = rest
		s.top, err = manifest.Lookup(ctx, s.root.tree, s.path, src.Segment)
	}
	switch {
	case err == nil || isDamage(err):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return v.unknown(asked)
	}
	return err
}

// outermost leaves out what lies in another selection.
func outermost(all []selection) []selection {
	var out []selection
	for i, s := range all {
		covered := false
		for j, o := range all {
			rest, in := within(s.path, o.path)
			covered = covered || s.root.name == o.root.name && in && (rest != "" || j < i)
		}
		if !covered {
			out = append(out, s)
		}
	}
	return out
}
