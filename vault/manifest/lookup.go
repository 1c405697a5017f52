package manifest

import (
	"context"
	"io/fs"
	"slices"

	"coffer/files"
)

// Lookup returns the entry at path, or an error that is fs.ErrNotExist. It
// fetches one segment a level. The entry is the caller's to keep.
func Lookup(ctx context.Context, root Root, path string, get Get) (*Entry, error) {
	if err := root.check(); err != nil {
		return nil, err
	}
	n := root.node()
	for {
		data, err := n.fetch(ctx, get)
		if err != nil {
			return nil, err
		}
		if n.level == 0 {
			return find(segment{node: n, data: data}, path)
		}
		below, err := n.children(data)
		if err != nil {
			return nil, err
		}
		n = below[childOf(below, path)]
	}
}

// childOf returns the position of the last node that does not begin after
// path. The first never does: it begins where its parent does.
func childOf(below []node, path string) int {
	i, found := slices.BinarySearchFunc(below, path, func(n node, path string) int { return files.Compare(n.path, path) })
	if found {
		return i
	}
	return max(i-1, 0)
}

// find reads all of a segment of level 0, so that what it returns comes from
// one that is as it should be.
func find(s segment, path string) (*Entry, error) {
	var e Entry
	var found *Entry
	for err := range s.entries(&e, &order{}) {
		if err != nil {
			return nil, err
		}
		if e.Path == path {
			found = e.Clone()
		}
	}
	if found == nil {
		return nil, &fs.PathError{Op: "look up", Path: path, Err: fs.ErrNotExist}
	}
	return found, nil
}
