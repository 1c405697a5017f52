package dir

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"coffer/remote"
)

// List walks the folders in the order of full names. Memory is bounded by the
// entries of the folders on the way to the present name. Files that could not
// be objects (temporary and pending ones, links, names no Store takes) are
// passed over; so is what vanishes meanwhile.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		w := &walker{ctx: ctx, prefix: prefix, after: after, yield: yield}
		err := remote.CheckPrefix(prefix)
		if err == nil {
			err = s.in("list", prefix, func(root *os.Root) error { return w.folder(root, "") })
		}
		if err != nil && !w.stopped {
			yield(remote.Info{}, err)
		}
	}
}

// A walker is one listing under way.
type walker struct {
	ctx           context.Context // of this one List
	prefix, after string
	yield         func(remote.Info, error) bool
	stopped       bool // the consumer wants no more
}

var errStop = errors.New("listing stopped")

// folder lists root, whose names begin with base ("" or ending in a slash).
func (w *walker) folder(root *os.Root, base string) error {
	keys, err := sortedKeys(root)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if sub, ok := strings.CutSuffix(key, "/"); ok {
			err = w.descend(root, base, sub)
		} else {
			err = w.file(root, base, key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sortedKeys returns the entries of a folder in the order of the full names
// that come of them. A folder counts as its name with a slash, because that is
// how the names in it go on: "a-b" is before "a/b", which is before "a0".
func sortedKeys(root *os.Root) ([]string, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			keys = append(keys, name+"/")
		case e.Type().IsRegular():
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// descend lists a folder, unless no name in it can be wanted.
func (w *walker) descend(root *os.Root, base, sub string) error {
	full := base + sub + "/"
	if !strings.HasPrefix(full, w.prefix) && !strings.HasPrefix(w.prefix, full) {
		return nil
	}
	if full <= w.after && !strings.HasPrefix(w.after, full) {
		return nil
	}
	inner, err := root.OpenRoot(sub)
	if err != nil {
		return err
	}
	defer inner.Close()
	return w.folder(inner, full)
}

func (w *walker) file(root *os.Root, base, key string) error {
	name := base + key
	if name <= w.after || !strings.HasPrefix(name, w.prefix) || remote.CheckName(name) != nil {
		return nil
	}
	info, err := root.Lstat(path.Base(key))
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if !w.yield(remote.Info{Name: name, Size: info.Size(), Time: info.ModTime()}, nil) {
		w.stopped = true
		return errStop
	}
	return nil
}
