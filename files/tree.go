package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotRegular: what was a regular file when it was listed no longer is.
var ErrNotRegular = errors.New("not a regular file any more")

// ErrChanged: a folder was replaced by something else during the walk.
var ErrChanged = errors.New("replaced while it was read")

// A Tree is one opened root: a folder and what lies below it, or a single
// file. Its methods are safe for concurrent use, except Close.
type Tree struct {
	fd    int    // the root folder, or the folder that holds the single file
	base  string // name of the single file in fd; "" if the root is a folder
	euid  uint32 // who we are, to know whose files may be read without touching atime
	names nameCache

	resolves bool // the kernel resolves whole paths safely (openat2)
}

// OpenTree pins the root at path. A symlink given as the root is followed,
// here and never again. The caller closes the tree.
func OpenTree(path string) (*Tree, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	t := &Tree{euid: uint32(os.Geteuid())}
	dir := real
	if !fi.IsDir() {
		dir, t.base = filepath.Dir(real), filepath.Base(real)
	}
	t.fd, err = openat(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: path, Err: err}
	}
	t.resolves = canResolve(t.fd)
	return t, nil
}

// Close lets go of the root.
func (t *Tree) Close() error { return unix.Close(t.fd) }

// CheckPath tells whether p can name something below a root: components that
// are not empty, "." or "..", joined by single slashes, without NUL. The root
// itself, "", is fine.
func CheckPath(p string) error {
	if p == "" {
		return nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.IndexByte(part, 0) >= 0 {
			return fmt.Errorf("path %q: not a name below the root", p)
		}
	}
	return nil
}

// resolve opens path below the root with flags and without following any
// symlink. It works for paths of any length.
func (t *Tree) resolve(path string, flags int) (int, error) {
	if err := CheckPath(path); err != nil {
		return -1, err
	}
	flags = noFollow(flags)
	switch {
	case t.base != "" && path != "":
		return -1, unix.ENOTDIR
	case t.base != "":
		return openat(t.fd, t.base, flags)
	case path == "":
		return openat(t.fd, ".", flags)
	}
	return t.resolveAt(t.fd, path, flags)
}

// longest path handed to one system call; the kernel takes 4,095 bytes.
const stretch = 4000

func (t *Tree) resolveAt(dir int, path string, flags int) (int, error) {
	at := dir
	defer func() {
		if at != dir {
			unix.Close(at)
		}
	}()
	for len(path) > stretch {
		cut := strings.LastIndexByte(path[:stretch], '/')
		if cut < 0 {
			return -1, unix.ENAMETOOLONG
		}
		next, err := t.openStretch(at, path[:cut], passFlags)
		if err != nil {
			return -1, err
		}
		if at != dir {
			unix.Close(at)
		}
		at, path = next, path[cut+1:]
	}
	return t.openStretch(at, path, flags)
}

func (t *Tree) openStretch(dir int, path string, flags int) (int, error) {
	if t.resolves {
		return openBeneath(dir, path, flags)
	}
	return openStepwise(dir, path, flags)
}

// openStepwise opens path component by component, for kernels and sandboxes
// that know no better. The path must be checked.
func openStepwise(dir int, path string, flags int) (int, error) {
	at := dir
	for {
		name, rest, more := strings.Cut(path, "/")
		how := flags
		if more {
			how = passFlags
		}
		fd, err := openat(at, name, how)
		if at != dir {
			unix.Close(at)
		}
		if err != nil || !more {
			return fd, err
		}
		at, path = fd, rest
	}
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, nil
		}
		if err != syscall.EINTR {
			return -1, err
		}
	}
}

func fstat(fd int, st *Stat) error {
	var raw unix.Stat_t
	for {
		err := unix.Fstat(fd, &raw)
		if err == nil {
			fillStat(st, &raw)
			return nil
		}
		if err != syscall.EINTR {
			return err
		}
	}
}

func typeOf(mode uint32) Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return Regular
	case unix.S_IFDIR:
		return Dir
	case unix.S_IFLNK:
		return Symlink
	case unix.S_IFIFO:
		return FIFO
	case unix.S_IFCHR:
		return Char
	case unix.S_IFBLK:
		return Block
	case unix.S_IFSOCK:
		return Socket
	}
	return 0
}
