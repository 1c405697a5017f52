package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A place is one open folder of the target.
type place struct {
	root  *os.Root
	dir   *os.File // the same folder, for what os.Root has no method
	users int
	used  int  // tick of last use
	gone  bool // not to be found any more: the last user closes it
}

func (p *place) fd() int { return int(p.dir.Fd()) }

func (p *place) close() {
	p.root.Close()
	p.dir.Close()
}

// placesKept bounds the folders kept open, where the system allows as many
// descriptors; each takes two. Files come in the order of packs, which several
// workers fill in turns: with 48 each folder of a source tree was opened seven
// times, at ten system calls.
const placesKept = 192

// mayKeep is placesKept, or less where descriptors are few.
func mayKeep() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 32
	}
	return int(min(placesKept, max(16, limit.Cur/6)))
}

// create makes a file under a name that nothing has. The name is one component
// and must be new, so no link is followed. os.Root does the same with six system
// calls, since it tries whether one can wait for the file as for a socket.
func (p *place) create(name string) (*os.File, error) {
	for {
		fd, err := unix.Openat(p.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// rename gives what has one name in the folder another; neither is followed if
// it is a link.
func (p *place) rename(from, to string) error {
	for {
		if err := unix.Renameat(p.fd(), from, p.fd(), to); err != unix.EINTR {
			return err
		}
	}
}

// newPlace takes over root.
func newPlace(root *os.Root) (*place, error) {
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &place{root: root, dir: dir}, nil
}

// parent returns the open folder of path and the name in it. The caller
// releases the folder.
func (w *Writer) parent(path string) (*place, string, error) {
	if path == "" {
		return nil, "", errors.New(`path "": the target itself`)
	}
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	if err := CheckPath(path); err != nil {
		return nil, "", err
	}
	p, err := w.folder(dir)
	return p, name, err
}

// folder returns the open folder at path. The caller releases it.
func (w *Writer) folder(path string) (*place, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dirs[""] == nil {
		return nil, fs.ErrClosed
	}
	p, at := w.nearest(path)
	for at < len(path) {
		end := len(path)
		if i := strings.IndexByte(path[at:], '/'); i >= 0 {
			end = at + i
		}
		next, err := openChild(p, path[at:end])
		w.unuse(p)
		if err != nil {
			return nil, &fs.PathError{Op: "open folder", Path: path[:end], Err: err}
		}
		next.users = 1
		w.keep(path[:end], next) // its neighbours will be wanted, too
		p, at = next, end+1
	}
	return p, nil
}

// nearest returns the deepest open folder on the way to path, in use, and
// where the rest of path begins.
func (w *Writer) nearest(path string) (*place, int) {
	for end := len(path); ; {
		if p := w.dirs[path[:end]]; p != nil {
			w.tick++
			p.users++
			p.used = w.tick
			if end == 0 {
				return p, 0
			}
			return p, end + 1
		}
		end = max(0, strings.LastIndexByte(path[:end], '/'))
	}
}

// openChild opens a folder in p, if the name is a folder's. Only a folder can
// be opened (the "/." makes sure that a FIFO is not waited for), and what was
// opened must be what the name was seen to be, so a symlink is never followed,
// not even one that leads to another place in the target.
func openChild(p *place, name string) (*place, error) {
	fi, err := p.root.Lstat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%s %w", kindOf(fi), ErrInTheWay)
	}
	root, err := p.root.OpenRoot(name + "/.")
	if err != nil {
		return nil, bare(err)
	}
	now, err := root.Stat(".")
	if err == nil && !os.SameFile(fi, now) {
		err = ErrChanged
	}
	if err != nil {
		root.Close()
		return nil, bare(err)
	}
	return newPlace(root)
}

// bare takes the operation and the one-component name off an error; the caller
// says the whole path.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}

func kindOf(fi fs.FileInfo) string {
	switch {
	case fi.IsDir():
		return "folder"
	case fi.Mode()&fs.ModeSymlink != 0:
		return "symlink"
	case fi.Mode().IsRegular():
		return "file"
	}
	return "special file"
}

// keep makes p findable under path, as used as the folder that it was found in,
// and gives back the folder unused for longest.
func (w *Writer) keep(path string, p *place) {
	p.used = w.tick
	w.dirs[path] = p
	if len(w.dirs) <= w.kept {
		return
	}
	oldest, found := "", false
	for path, p := range w.dirs {
		if path != "" && p.users == 0 && (!found || p.used < w.dirs[oldest].used) {
			oldest, found = path, true
		}
	}
	if found {
		w.drop(oldest, w.dirs[oldest])
	}
}

func (w *Writer) drop(path string, p *place) {
	delete(w.dirs, path)
	p.gone = true
	if p.users == 0 {
		p.close()
	}
}

func (w *Writer) unuse(p *place) {
	p.users--
	if p.users == 0 && p.gone {
		p.close()
	}
}

func (w *Writer) release(p *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unuse(p)
}

// forget gives back the folder at path and those below it: what has the name
// will be another thing.
func (w *Writer) forget(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, p := range w.dirs {
		if at != "" && (at == path || strings.HasPrefix(at, path+"/")) {
			w.drop(at, p)
		}
	}
}
