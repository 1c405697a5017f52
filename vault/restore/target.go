package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"coffer/files"
)

// A target is a folder on the disk that is restored into.
type target struct {
	dir    string
	made   bool          // by us: nothing was there
	before files.Stat    // what was there, then
	device uint64        // of the file system it lies on
	w      *files.Writer // nil in a dry run
	tree   *files.Tree   // to read back; nil if there is nothing
	disk   disk
}

// A disk tells what is in a target: a *files.Writer, or, in a dry run, what
// looks without touching.
type disk interface {
	Lstat(path string) (files.Stat, error)
	ReadDir(path string) ([]string, error)
}

// openTarget opens dir, and makes it if it is missing, except in a dry run.
// The caller closes the target.
func openTarget(dir string, o *Options, writes files.WriterOptions) (t *target, err error) {
	t = &target{dir: dir}
	fi, err := os.Stat(dir)
	if t.made = errors.Is(err, fs.ErrNotExist); !t.made && err != nil {
		return nil, err
	}
	if !t.made {
		t.before = statOf(fi)
	}
	if o.DryRun && t.made {
		t.disk = nothing{}
		return t, nil
	}
	if !o.DryRun {
		if t.w, err = files.NewWriter(dir, writes); err != nil {
			return nil, err
		}
		t.disk = t.w
	} else if t.disk, err = newLooker(dir); err != nil {
		return nil, err
	}
	if t.tree, err = files.OpenTree(dir); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	st, err := t.disk.Lstat("")
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.device = st.Dev
	return t, nil
}

// Close removes what was begun and not finished.
func (t *target) Close() error {
	var errs []error
	if t.w != nil {
		errs = append(errs, t.w.Close())
	}
	if l, ok := t.disk.(*looker); ok {
		errs = append(errs, l.root.Close())
	}
	if t.tree != nil {
		errs = append(errs, t.tree.Close())
	}
	return errors.Join(errs...)
}

// nothing is the disk of a target that does not exist.
type nothing struct{}

func (nothing) Lstat(path string) (files.Stat, error) {
	return files.Stat{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
}

func (nothing) ReadDir(string) ([]string, error) { return nil, nil }

// A looker is the disk of a dry run. It may follow symlinks inside the target,
// which tells at worst too much.
type looker struct{ root *os.Root }

func newLooker(dir string) (*looker, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open target: %w", err)
	}
	return &looker{root}, nil
}

func (l *looker) Lstat(p string) (files.Stat, error) {
	fi, err := l.root.Lstat(path.Join(".", p))
	if err != nil {
		return files.Stat{}, err
	}
	return statOf(fi), nil
}

// statOf is what the standard library knows of a thing.
func statOf(fi fs.FileInfo) files.Stat {
	st := files.Stat{Type: typeOf(fi.Mode()), Mode: uint32(fi.Mode().Perm())}
	st.Mtime = files.Time{Sec: fi.ModTime().Unix(), Nsec: int32(fi.ModTime().Nanosecond())}
	if st.Type == files.Regular {
		st.Size = fi.Size()
	}
	for bit, mode := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if fi.Mode()&bit != 0 {
			st.Mode |= mode
		}
	}
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		st.UID, st.GID = sys.Uid, sys.Gid
		st.Dev, st.Ino = uint64(sys.Dev), sys.Ino
	}
	return st
}

func (l *looker) ReadDir(p string) ([]string, error) {
	d, err := l.root.Open(path.Join(".", p))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func typeOf(m fs.FileMode) files.Type {
	switch m.Type() {
	case 0:
		return files.Regular
	case fs.ModeDir:
		return files.Dir
	case fs.ModeSymlink:
		return files.Symlink
	case fs.ModeNamedPipe:
		return files.FIFO
	case fs.ModeDevice | fs.ModeCharDevice:
		return files.Char
	case fs.ModeDevice:
		return files.Block
	case fs.ModeSocket:
		return files.Socket
	}
	return 0
}

// A job is one selection and where it goes.
type job struct {
	sel  selection
	dir  string // the target's folder
	dest string // where in it the selection itself lands; "" is the folder itself
}

// jobs decides where each selection goes.
func jobs(sels []selection, o *Options) ([]job, error) {
	if o.InPlace {
		return inPlace(sels)
	}
	var out []job
	var names namer
	for _, s := range sels {
		j := job{sel: s, dir: o.Target}
		if len(sels) > 1 || !s.folder() {
			j.dest = names.unique(s.name())
		}
		out = append(out, j)
	}
	return out, nil
}

// inPlace sends each selection to where it came from. A root that is a file
// goes into the folder that holds it.
func inPlace(sels []selection) ([]job, error) {
	var out []job
	for _, s := range sels {
		if !filepath.IsAbs(s.root.path) {
			return nil, fmt.Errorf("restore %q in place: it was not saved under an absolute path; name a target folder", s.root.path)
		}
		j := job{sel: s, dir: filepath.Clean(s.root.path), dest: s.path}
		if s.path == "" && !s.folder() {
			j.dir, j.dest = filepath.Dir(j.dir), filepath.Base(j.dir)
		}
		out = append(out, j)
	}
	return out, nil
}
