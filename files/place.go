package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
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

// placesKept bounds the folders kept open; each takes two descriptors.
const placesKept = 48

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
		next.users, next.gone = 1, true // closed when released, unless kept below
		p, at = next, end+1
	}
	if p.gone {
		w.keep(path, p)
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

// keep makes p findable under path and gives back the folder unused for longest.
func (w *Writer) keep(path string, p *place) {
	w.tick++
	p.gone, p.used = false, w.tick
	w.dirs[path] = p
	if len(w.dirs) <= placesKept {
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
