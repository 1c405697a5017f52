package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"
)

const (
	filePerm   = 0o600
	folderPerm = 0o700

	// maxSmall bounds the files that are read whole (bytes).
	maxSmall = 16 << 20
)

// A Dir is the local state of one vault on one device. Its methods are safe
// for concurrent use, also by several processes; what a method returns says
// for itself.
type Dir struct {
	path string
	mu   sync.Mutex // orders this process's short changes; write.lock orders the processes
}

// Create makes the folder dir and its parents, and opens it. A folder that is
// already there is fine if it is empty or a state folder: what decides is
// [Dir.CreateDevice].
func Create(dir string) (*Dir, error) {
	if err := makeFolderAndParents(dir); err != nil {
		return nil, fmt.Errorf("create state folder: %w", err)
	}
	d, err := Open(dir)
	if err != nil {
		return nil, err
	}
	// A change of nothing leaves the lock file, by which Open knows the folder.
	if err := d.change(func() error { return nil }); err != nil {
		return nil, fmt.Errorf("create state folder: %w", err)
	}
	return d, nil
}

// Open opens the folder dir, which must exist. It reads none of its files. If
// others could look into the folder, they cannot any more.
func Open(dir string) (*Dir, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open state folder: %w", err)
	}
	ours, err := isStateFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("open state folder: %w", err)
	}
	if !ours {
		return nil, fmt.Errorf("open state folder: %s holds other files", dir)
	}
	if info.Mode().Perm() != folderPerm {
		if err := os.Chmod(dir, folderPerm); err != nil {
			return nil, fmt.Errorf("close state folder to others: %w", err)
		}
	}
	return &Dir{path: dir}, nil
}

// isStateFolder says whether a folder is empty or bears the marks of one of
// ours. The modes of a folder that is not are none of our business.
func isStateFolder(dir string) (bool, error) {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		return err == nil, err
	}
	return slices.ContainsFunc(list, func(e fs.DirEntry) bool {
		return slices.Contains([]string{deviceFile, formerFile, "write.lock"}, e.Name())
	}), nil
}

// Path returns the folder's path.
func (d *Dir) Path() string { return d.path }

func (d *Dir) file(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// makeFolder makes one folder that only the owner can enter. Chmod, because a
// umask may take away even the owner's bits.
func makeFolder(path string) error {
	err := os.Mkdir(path, folderPerm)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(path, folderPerm); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolderAndParents makes a folder and those above it that are missing, each
// durably: keys in a folder that a power cut takes away are lost.
func makeFolderAndParents(path string) error {
	up := filepath.Dir(path)
	if _, err := os.Stat(up); errors.Is(err, fs.ErrNotExist) && up != path {
		if err := makeFolderAndParents(up); err != nil {
			return err
		}
	}
	return makeFolder(path)
}

// makeFolders makes the folders elem, one below the other, under d.
func (d *Dir) makeFolders(elem ...string) error {
	for i := range elem {
		if err := makeFolder(d.file(elem[:i+1]...)); err != nil {
			return err
		}
	}
	return nil
}

// openPrivate opens or creates a file that only the owner can read.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm() != filePerm {
		err = f.Chmod(filePerm)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// newFile begins the replacement of the file at path.
func newFile(path string) (*renameio.PendingFile, error) {
	return renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(filePerm))
}

// replaceFile puts data in place of the file at path: after a crash at any
// point either the old or the new file is there, whole; after it returns, the
// new one.
func replaceFile(path string, data []byte) error {
	if err := exchangeFile(path, data); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// exchangeFile is replaceFile that does not wait until the new name is durable.
func exchangeFile(path string, data []byte) error {
	f, err := newFile(path)
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// removeFile removes the file at path for good; one that is not there is fine.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable. Some file systems have
// nothing to sync there and say so; that is no failure.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// readSmall reads a file of at most maxSmall bytes.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSmall {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrDamaged, maxSmall)
	}
	return data, nil
}

// change runs fn while no other process and no other goroutine changes the
// small files.
func (d *Dir) change(fn func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	lock, err := d.lockWrite()
	if err != nil {
		return err
	}
	return errors.Join(fn(), lock.Unlock())
}
