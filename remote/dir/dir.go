package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"coffer/remote"
)

// A Store is a folder that holds a remote. It is safe for concurrent use, also
// by several processes. It keeps nothing open between operations, so a drive
// can be unmounted and comes back without ado.
type Store struct {
	root string // absolute

	mu      sync.Mutex
	durable map[string]bool // folders known to be synced up to the root; guarded by mu
}

var (
	_ remote.Store   = (*Store)(nil)
	_ remote.Sweeper = (*Store)(nil)
)

// Open returns the remote in the folder path. A missing folder is
// [remote.ErrNoBucket].
func Open(path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open remote folder %s: %w", path, err)
	}
	s := &Store{root: abs, durable: make(map[string]bool)}
	err = s.in("open remote folder", "", func(*os.Root) error { return nil })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Create makes the folder path, with its parents, where it is missing, and
// opens it. An existing folder keeps its mode.
func Create(path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("create remote folder %s: %w", path, err)
	}
	if err := makeAll(abs); err != nil {
		return nil, fmt.Errorf("create remote folder %s: %w", abs, kind(err))
	}
	return Open(abs)
}

// makeAll makes abs and its missing parents, each durably and with mode 0700.
func makeAll(abs string) error {
	info, err := os.Stat(abs)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return &fs.PathError{Op: "mkdir", Path: abs, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(abs)
	if err := makeAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(abs, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(abs, 0o700); err != nil {
		return err
	}
	dir, err := os.Open(parent)
	if err != nil {
		return err
	}
	defer dir.Close()
	return syncFolder(dir)
}

// Location is the path of the folder.
func (s *Store) Location() string { return s.root }

// Now returns the clock that stamps new files, by stamping one. Where nothing
// can be written (a remote mounted read-only for a restore, or one that is
// full) it is the clock of this machine.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.in("read clock of", "", func(root *os.Root) error {
		now, err = stamp(root)
		if e := kind(err); errors.Is(e, fs.ErrPermission) || errors.Is(e, remote.ErrFull) {
			now, err = time.Now(), nil
		}
		return err
	})
	return now, err
}

func stamp(root *os.Root) (time.Time, error) {
	name := tempPrefix + random()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return time.Time{}, err
	}
	defer root.Remove(name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Delete removes an object. Its folder stays, for a writer may be about to use it.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	return s.in("delete", name, func(root *os.Root) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := regular(root, name) // Remove would take an empty folder, too
		if err == nil {
			err = root.Remove(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// in runs op inside the root folder and puts its error into the words and the
// kinds of the contract.
func (s *Store) in(act, name string, op func(*os.Root) error) error {
	root, err := os.OpenRoot(s.root)
	switch {
	case errors.Is(err, fs.ErrNotExist), err != nil && isFile(s.root):
		err = fmt.Errorf("%w: %v", remote.ErrNoBucket, err)
	case err == nil:
		defer root.Close()
		err = op(root)
	}
	if err == nil {
		return nil
	}
	if name == "" {
		return fmt.Errorf("%s %s: %w", act, s.root, kind(err))
	}
	return fmt.Errorf("%s %s in %s: %w", act, name, s.root, kind(err))
}

// isFile reports whether something other than a folder is at path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir()
}

// kind adds to a system error the sentinel that says what it means here.
func kind(err error) error {
	for errno, sentinel := range kinds {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w: %w", sentinel, err)
		}
	}
	return err
}

var kinds = map[syscall.Errno]error{
	syscall.ENOSPC:  remote.ErrFull,
	syscall.EDQUOT:  remote.ErrFull,
	syscall.EROFS:   fs.ErrPermission,
	syscall.ENOTDIR: fs.ErrExist, // a file stands where the name needs a folder
	syscall.EISDIR:  fs.ErrExist, // and the other way round
}
