package manifest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"coffer/chunk"
	"coffer/files"
)

// A Change is a difference between two trees. Its entries are good until the
// next step.
type Change struct {
	Old *Entry // nil: added
	New *Entry // nil: removed
}

// Path returns the path that changed.
func (c Change) Path() string {
	if c.Old != nil {
		return c.Old.Path
	}
	return c.New.Path
}

// Diff yields in order what was added, removed or modified between two trees.
// What they share, it does not fetch: a segment with the same ID holds the
// same entries. An error ends the sequence.
func Diff(ctx context.Context, older, newer Root, get Get) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		err := errors.Join(older.check(), newer.check())
		a, b := newCursor(ctx, older, get), newCursor(ctx, newer, get)
		for err == nil && !(a.done() && b.done()) {
			var c Change
			if c, err = meet(a, b); err != nil {
				break
			}
			if c.differs() && !yield(c, nil) {
				return
			}
			err = c.pass(a, b)
		}
		if err != nil {
			yield(Change{}, err)
		}
	}
}

// meet makes one step: it passes a shared segment, or opens one that may hold
// a difference, or returns the entries at the lowest path.
func meet(a, b *cursor) (Change, error) {
	cmp := compareCursors(a, b)
	switch {
	case cmp == 0 && a.entry == nil && b.entry == nil && a.node().ref.ID == b.node().ref.ID:
		a.skip()
		b.skip()
		return Change{}, nil
	case cmp < 0 && a.entry == nil, cmp == 0 && a.level() > b.level():
		return Change{}, a.open()
	case cmp > 0 && b.entry == nil, cmp == 0 && b.entry == nil:
		return Change{}, b.open()
	case cmp < 0:
		return Change{Old: a.entry}, nil
	case cmp > 0:
		return Change{New: b.entry}, nil
	}
	return Change{Old: a.entry, New: b.entry}, nil
}

// differs is false for two entries that are equal, and for none at all.
func (c Change) differs() bool {
	if c.Old == nil || c.New == nil {
		return c.Old != c.New
	}
	return !Equal(c.Old, c.New)
}

// pass moves the cursors on from the entries of c.
func (c Change) pass(a, b *cursor) error {
	if c.Old != nil {
		if err := a.step(); err != nil {
			return err
		}
	}
	if c.New != nil {
		return b.step()
	}
	return nil
}

// compareCursors says which of two cursors, not both done, is at the lower
// path.
func compareCursors(a, b *cursor) int {
	switch {
	case a.done():
		return +1
	case b.done():
		return -1
	}
	return files.Compare(a.path(), b.path())
}

// Equal reports whether a and b are the same but for where their content
// rests.
func Equal(a, b *Entry) bool {
	return a.Path == b.Path && a.Type == b.Type && a.Mode == b.Mode && a.Size == b.Size && a.Mtime == b.Mtime &&
		a.UID == b.UID && a.GID == b.GID && a.Rdev == b.Rdev &&
		a.User == b.User && a.Group == b.Group && a.Target == b.Target && slices.Equal(a.Holes, b.Holes) &&
		a.Link == b.Link && a.Changed == b.Changed && a.Err == b.Err &&
		SameContent(a, b) &&
		slices.EqualFunc(a.Xattrs, b.Xattrs, func(x, y files.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) }) &&
		slices.EqualFunc(a.BigXattrs, b.BigXattrs, func(x, y BigXattr) bool { return x.Name == y.Name && x.Ref.ID == y.Ref.ID })
}

// SameContent reports whether a and b hold the same chunks, wherever these
// rest. It reads no lists: their content hash tells.
func SameContent(a, b *Entry) bool {
	if a.ListDepth > 0 || b.ListDepth > 0 {
		return a.ContentHash == b.ContentHash
	}
	return slices.EqualFunc(a.Refs, b.Refs, func(x, y chunk.Ref) bool { return x.ID == y.ID })
}
