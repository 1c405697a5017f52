package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
)

// ErrInTheWay: something of another kind has the name, and was left alone.
var ErrInTheWay = errors.New("in the way")

// ErrSameName: two restored things have one name on this file system, which
// does not tell letter case (or ways to write an accent) apart.
var ErrSameName = errors.New("the file system takes its name for that of another restored thing")

// WriterOptions say what a restore may do. The zero value restores content,
// permissions, times and attributes as the user who runs it.
type WriterOptions struct {
	Owner   bool // restore user and group
	ByName  bool // by name where this machine knows it, else by number
	Devices bool // restore device nodes
	SetID   bool // restore setuid and setgid bits and capabilities of files, where the owner is right
	Sparse  bool // leave holes for long runs of zeros
	Replace bool // a file or symlink may be removed where a folder must go, an empty folder where a file must go
	Sync    bool // fsync each file and finished folder
}

// A Writer puts things into one folder. Every name is used relative to a pinned
// folder, one component at a time, so that no link that is there, or comes in
// between, leads a write elsewhere. Paths are as a walk yields them; the folder
// of a thing must exist (Mkdir). Methods may be called concurrently for
// different paths. Errors name the path.
type Writer struct {
	o    WriterOptions
	euid int
	ids  idCache
	kept int // folders that may be kept open

	mu     sync.Mutex
	dirs   map[string]*place // open folders by path; "" is the target itself
	tick   int
	files  map[*File]struct{} // not yet finished
	blurry bool               // the file system does not tell all names apart
	ours   map[inode]string   // if blurry: what this writer made, and as what
}

type inode struct{ dev, ino uint64 }

// NewWriter opens dir as a target, and makes it if it is missing. The caller
// closes the Writer.
func NewWriter(dir string, o WriterOptions) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make target: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open target: %w", err)
	}
	p, err := newPlace(root)
	if err != nil {
		return nil, fmt.Errorf("open target: %w", err)
	}
	w := &Writer{
		o: o, euid: os.Geteuid(), kept: mayKeep(),
		dirs:  map[string]*place{"": p},
		files: map[*File]struct{}{},
		ours:  map[inode]string{},
	}
	if w.blurry, err = mixesNames(p); err != nil {
		p.close()
		return nil, fmt.Errorf("write to target: %w", err)
	}
	return w, nil
}

// Close removes what was begun and not finished, and lets go of the target.
func (w *Writer) Close() error {
	w.mu.Lock()
	open := make([]*File, 0, len(w.files))
	for f := range w.files {
		open = append(open, f)
	}
	w.mu.Unlock()
	var errs []error
	for _, f := range open {
		errs = append(errs, f.Abort())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, p := range w.dirs {
		w.drop(path, p)
	}
	return errors.Join(errs...)
}

const (
	tempPrefix = ".coffer-"
	tempSuffix = ".tmp"
)

func tempName() string {
	var b [8]byte
	rand.Read(b[:])
	return tempPrefix + hex.EncodeToString(b[:]) + tempSuffix
}

// IsTemp tells whether a name is that of an unfinished file, or of one that
// tried which names are one, which a restore that was killed may have left
// behind.
func IsTemp(name string) bool {
	const n = len(tempPrefix) + 16 + len(tempSuffix)
	if len(name) < n || !strings.HasPrefix(name, tempPrefix) || !strings.HasSuffix(name[:n], tempSuffix) {
		return false
	}
	end := name[n:]
	return end == "" || slices.ContainsFunc(mixedUp[:], func(pair [2]string) bool { return end == pair[0] || end == pair[1] })
}

// Lstat tells what path is in the target. Of a missing one the error is
// fs.ErrNotExist.
func (w *Writer) Lstat(path string) (Stat, error) {
	var st Stat
	p, name, err := w.where(path)
	if err != nil {
		return st, err
	}
	defer w.release(p)
	if err := lstatAt(p.fd(), append([]byte(name), 0), &st); err != nil {
		return st, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return st, nil
}

// where is parent, with "." for the target itself.
func (w *Writer) where(path string) (*place, string, error) {
	if path == "" {
		p, err := w.folder("")
		return p, ".", err
	}
	return w.parent(path)
}

// ReadDir returns the names in a folder of the target, sorted as bytes.
func (w *Writer) ReadDir(path string) ([]string, error) {
	p, err := w.folder(path)
	if err != nil {
		return nil, err
	}
	defer w.release(p)
	dir, err := p.root.Open(".")
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: path, Err: bare(err)}
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: path, Err: bare(err)}
	}
	slices.Sort(names)
	return names, nil
}

// Remove removes a file, a link itself, or an empty folder.
func (w *Writer) Remove(path string) error { return w.remove(path, (*os.Root).Remove) }

// RemoveAll removes what path names and, of a folder, all that is in it. It
// follows no link. A missing one is no error.
func (w *Writer) RemoveAll(path string) error { return w.remove(path, (*os.Root).RemoveAll) }

func (w *Writer) remove(path string, how func(*os.Root, string) error) error {
	p, name, err := w.parent(path)
	if err != nil {
		return err
	}
	defer w.release(p)
	w.forget(path)
	w.unclaim(path)
	if err := how(p.root, name); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: bare(err)}
	}
	return nil
}
