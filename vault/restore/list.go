package restore

import (
	"context"
	"iter"
	"strings"

	"coffer/vault/manifest"
)

// List yields what a PATH of a snapshot names: the entries of a folder, with
// recursive all that lies below it; a file itself. With several roots, "" is
// a folder that holds the roots. The Path of each entry is the one under which
// the user finds it, so that SNAPSHOT:PATH of it is that entry again. An entry
// is good until the next step.
//
// Where the manifest is damaged it yields an error in place of the entries
// that are not known; who goes on gets what follows. Any other error ends it.
func List(ctx context.Context, src Source, path string, recursive bool) iter.Seq2[*manifest.Entry, error] {
	return func(yield func(*manifest.Entry, error) bool) {
		src := marked{src}
		l := lister{src: src, view: newView(src.Body()), recursive: recursive, yield: yield}
		found, err := l.view.find(path)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, s := range found {
			if err := l.view.lookUp(ctx, src, path, &s); err != nil {
				yield(nil, unmark(err))
				return
			}
			if !l.selection(ctx, s, len(found) > 1) {
				return
			}
		}
	}
}

// A lister is one run of List.
type lister struct {
	src       Source
	view      view
	recursive bool
	yield     func(*manifest.Entry, error) bool
	shown     manifest.Entry
}

// show yields an entry under the path that users see.
func (l *lister) show(s selection, e *manifest.Entry) bool {
	l.shown = *e
	l.shown.Path = l.view.show(s.root, e.Path)
	return l.yield(&l.shown, nil)
}

// selection yields one selection, itself too if it stands among others or is
// no folder.
func (l *lister) selection(ctx context.Context, s selection, itself bool) bool {
	if (itself || !s.folder()) && s.top != nil && !l.show(s, s.top) {
		return false
	}
	if !s.folder() || itself && !l.recursive {
		return true
	}
	from, ok := l.below(ctx, s, s.path)
	for ok && from != "" {
		from, ok = l.below(ctx, s, from)
	}
	return ok
}

// skipMax is how many entries of deeper folders a listing passes by before it
// is quicker to go round them.
const skipMax = 1000

// below yields what lies below s, from a path on. If a folder that is not to be
// listed turns out large it stops, and returns the path to go on from.
func (l *lister) below(ctx context.Context, s selection, from string) (next string, ok bool) {
	skipped := 0
	for e, err := range manifest.Walk(ctx, s.root.tree, l.src.Segment, manifest.WalkOptions{Prefix: s.path, From: from}) {
		if err != nil {
			if !l.yield(nil, unmark(err)) || !isDamage(err) {
				return "", false
			}
			continue
		}
		rest, _ := within(e.Path, s.path)
		name, _, deeper := strings.Cut(rest, "/")
		if rest == "" {
			continue
		}
		if deeper && !l.recursive {
			if skipped++; skipped > skipMax {
				return join(s.path, name) + "\x00", true // no name holds a NUL: this is behind all that lies below it
			}
			continue
		}
		if !l.show(s, e) {
			return "", false
		}
	}
	return "", true
}
