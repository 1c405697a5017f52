package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"coffer/remote"
)

// Sweep removes pending and temporary files older than [remote.StagedMax] by
// the remote's clock. If one of them cannot be removed it fails, for that one
// might still be published.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	err = s.in("sweep", "", func(root *os.Root) error {
		removed, err = sweep(ctx, root, ".", now.Add(-remote.StagedMax))
		return err
	})
	return removed, err
}

// sweep removes what was last written before the given time, from folder down.
func sweep(ctx context.Context, root *os.Root, folder string, before time.Time) (removed int, err error) {
	f, err := root.Open(folder)
	if err != nil {
		return 0, ignoreGone(err)
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return 0, ignoreGone(err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		name, n := path.Join(folder, e.Name()), 0
		switch {
		case e.IsDir():
			n, err = sweep(ctx, root, name, before)
		case strings.HasPrefix(e.Name(), pendingPrefix), strings.HasPrefix(e.Name(), tempPrefix):
			n, err = sweepFile(root, name, before)
		}
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func sweepFile(root *os.Root, name string, before time.Time) (int, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return 0, ignoreGone(err)
	}
	if !info.ModTime().Before(before) {
		return 0, nil
	}
	if err := root.Remove(name); err != nil {
		return 0, ignoreGone(err)
	}
	return 1, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
