package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteAtomic writes data to path so that, whatever happens, the file there is
// the old one or the new one, complete and on the disk, with exactly these
// permissions. A symlink at path is replaced, not followed. No trace is left
// after an error, unless the machine dies.
func WriteAtomic(path string, data []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, tempName())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: bare(err)}
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm) // the umask has no say
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(&fs.PathError{Op: "write", Path: path, Err: bare(err)}, os.Remove(temp))
	}
	return syncFolder(dir)
}

// RemoveForGood removes the file at path, and makes sure that no power cut
// brings it back. Where there is none it is fs.ErrNotExist, which is for good,
// too: somebody may have removed it and not come as far as this.
func RemoveForGood(path string) error {
	err := os.Remove(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if lost := syncFolder(filepath.Dir(path)); lost != nil && !errors.Is(lost, fs.ErrNotExist) {
		return lost
	}
	return err
}

// syncFolder makes a rename or a removal in dir last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(d), d.Close())
}

// syncDir syncs an open folder, where the file system knows such a thing.
func syncDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
