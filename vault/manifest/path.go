package manifest

import (
	"errors"
	"fmt"
	"strings"

	"coffer/files"
)

// checkPath refuses what no walk can yield. Whoever writes entries to a disk
// can therefore join them to a root without looking again for "..".
func checkPath(path string) error {
	if path == "" {
		return nil
	}
	if len(path) > MaxPath {
		return fmt.Errorf("%w: path of %d bytes", ErrTooLarge, len(path))
	}
	for rest := path; ; {
		name, after, more := strings.Cut(rest, "/")
		if err := checkName(name); err != nil {
			return err
		}
		if !more {
			return nil
		}
		rest = after
	}
}

// checkName refuses a path component that is none.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("path component %.60q", name)
	}
	return nil
}

var (
	errOrder  = errors.New("not after the entry before it")
	errParent = errors.New("its folder is missing or is not a folder")
	errRoot   = errors.New("not the root, which comes first")
)

// order checks that entries come as a walk yields them: ascending, without
// doubles, each after the folder that holds it. The zero value expects the
// start of a tree.
type order struct {
	last   []byte // path of the last entry
	dir    bool   // it is a folder
	any    bool   // there was one
	middle bool   // the next entry may be any: the ones before it are not known
}

// restart forgets what came before: the next entry is taken as it comes, with
// all folders above it.
func (o *order) restart() { *o = order{last: o.last[:0], middle: true} }

// check says whether an entry may come now. Its components but the last need
// no check of their own: they belong to a folder that was checked.
//
// To know the parent it is enough to know the last entry, because everything
// between a folder and what it holds lies below that folder: the parent is the
// last entry or one of the folders above it, or it never came.
func (o *order) check(path string) error {
	if !o.any {
		if !o.middle && path != "" {
			return errRoot
		}
		return checkPath(path)
	}
	last := view(o.last)
	if files.Compare(last, path) >= 0 {
		return errOrder
	}
	if len(path) > MaxPath {
		return fmt.Errorf("%w: path of %d bytes", ErrTooLarge, len(path))
	}
	slash := strings.LastIndexByte(path, '/')
	if parent := path[:max(slash, 0)]; parent == last {
		if !o.dir {
			return errParent
		}
	} else if !below(last, parent) {
		return errParent
	}
	return checkName(path[slash+1:])
}

// passed notes an entry that check accepted.
func (o *order) passed(path string, dir bool) {
	o.last = append(o.last[:0], path...)
	o.dir, o.any, o.middle = dir, true, false
}

// below reports whether path lies strictly below folder.
func below(path, folder string) bool {
	if folder == "" {
		return path != ""
	}
	return len(path) > len(folder) && path[len(folder)] == '/' && path[:len(folder)] == folder
}
