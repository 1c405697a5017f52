package files

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

var errUnknownKind = errors.New("a kind of file that is not known here")

// What a task does: the system calls, without any lock.

func (w *walk) do(t task, s *scratch) {
	if t.win == nil {
		w.readFolder(t, s)
		return
	}
	fd, shared := t.fd, true
	if fd < 0 {
		var err error
		if fd, err = w.reopen(t.f, s); err != nil {
			t.win.fail(err)
			return
		}
		shared = false
	}
	w.stat(t.f, t.win, fd, s)
	if !shared {
		unix.Close(fd)
	}
}

// fail gives every entry of a window the same error.
func (win *window) fail(err error) {
	win.found = win.found[:0]
	for range win.to - win.from {
		win.found = append(win.found, found{err: err})
	}
}

// readFolder opens and lists a folder and stats its first window.
func (w *walk) readFolder(t task, s *scratch) {
	f := t.f
	fd, err := w.openFolder(t, s)
	if err != nil {
		f.err = err
		w.place(f)
		return
	}
	f.fd = fd
	f.err = fstat(fd, &f.stat)
	w.place(f)
	if f.err != nil {
		return
	}
	if w.oneFS && f.stat.Dev != w.device { // mounted by opening it
		f.why = whyMount
		return
	}
	f.err = w.listFolder(f, s)
	win := f.windows[0]
	win.to = min(windowSize, len(f.names))
	w.stat(f, win, fd, s)
}

// openFolder opens what f.name names in its parent, if it is a folder.
func (w *walk) openFolder(t task, s *scratch) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	f := t.f
	if f.parent == nil {
		return openat(w.tree.fd, ".", flags)
	}
	dir := t.fd
	if dir < 0 {
		fd, err := w.reopen(f.parent, s)
		if err != nil {
			return -1, err
		}
		defer unix.Close(fd)
		dir = fd
	}
	if quiet := w.tree.quiet(&f.stat); quiet != 0 {
		if fd, err := openAt(dir, f.name, flags|quiet); err != unix.EPERM {
			return fd, err
		}
	}
	return openAt(dir, f.name, flags)
}

// quiet is the flag that leaves the access time alone, where we may ask for it.
func (t *Tree) quiet(st *Stat) int {
	if t.euid == 0 || t.euid == st.UID {
		return noAtime
	}
	return 0
}

// reopen opens a folder whose descriptor was given back, from the root, and
// makes sure that it is the same.
func (w *walk) reopen(f *folder, s *scratch) (int, error) {
	s.path = appendPath(s.path[:0], f)
	fd, err := w.tree.resolve(string(s.path), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	var st Stat
	if err = fstat(fd, &st); err == nil && (st.Ino != f.stat.Ino || st.Dev != f.stat.Dev) {
		err = ErrChanged
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// appendPath appends the path of f, relative to the root.
func appendPath(b []byte, f *folder) []byte {
	n := 0
	for g := f; g.parent != nil; g = g.parent {
		n += zlen(g.name) + 1
	}
	if n == 0 {
		return b
	}
	for range n - 1 {
		b = append(b, '/')
	}
	end := len(b)
	for g := f; g.parent != nil; g = g.parent {
		l := zlen(g.name)
		copy(b[end-l:end], g.name)
		end -= l + 1
	}
	return b
}

func zlen(z []byte) int {
	for i, c := range z {
		if c == 0 {
			return i
		}
	}
	return len(z)
}

// place says on what file system f lies and under what rules.
func (w *walk) place(f *folder) {
	if f.parent == nil {
		f.rules = w.rules
		return
	}
	f.rules = f.parent.rules
	f.mount = f.parent.mount
	if f.stat.Dev != f.parent.stat.Dev {
		f.mount = appendPath(nil, f)
	}
}

// listFolder reads the names in f and what they say about the others. After an
// error there are those names that could be read.
func (w *walk) listFolder(f *folder, s *scratch) error {
	err := list(f.fd, &f.nameList, s.buf)
	f.nameList.sort()
	if !w.cacheOK && f.parent != nil {
		w.keepTagOnly(f)
	}
	for _, name := range w.ignore {
		if rec, ok := f.nameList.find(name); ok {
			w.addRules(f, rec, name)
		}
	}
	return err
}

const (
	cacheTag       = "CACHEDIR.TAG"
	cacheSignature = "Signature: 8a477f597d28d172789f06886806bc55"
	maxIgnoreFile  = 1 << 20
)

// keepTagOnly leaves out what a cache folder holds except its tag, so that it
// is a cache folder again after a restore.
func (w *walk) keepTagOnly(f *folder) {
	rec, ok := f.nameList.find(cacheTag)
	if !ok {
		return
	}
	head, _, err := readSmall(f.fd, f.zname(rec), len(cacheSignature))
	if err != nil || string(head) != cacheSignature {
		return // in doubt it is kept
	}
	f.names = append(f.names[:0], rec)
	f.why = whyCache
}

// addRules puts the rules of an ignore file in front of those f has.
func (w *walk) addRules(f *folder, rec nameRec, name string) {
	data, more, err := readSmall(f.fd, f.zname(rec), maxIgnoreFile)
	switch {
	case err != nil:
		f.notes = append(f.notes, note{name, fmt.Sprintf("ignore file not applied: %v", err)})
		return
	case more:
		f.notes = append(f.notes, note{name, fmt.Sprintf("ignore file not applied: larger than %d bytes", maxIgnoreFile)})
		return
	}
	base := appendPath(nil, f)
	if len(base) > 0 {
		base = append(base, '/')
	}
	r := &rules{up: f.rules, base: len(base)}
	if f.rules != nil {
		r.paths = f.rules.paths
	}
	r.addFile(data, string(base)+name)
	f.rules = r.orAbove()
}

// readSmall reads up to limit bytes of a regular file and tells if there are more.
func readSmall(dir int, zname []byte, limit int) ([]byte, bool, error) {
	fd, err := openAt(dir, zname, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(fd)
	var st Stat
	if err := fstat(fd, &st); err != nil {
		return nil, false, err
	}
	if st.Type != Regular {
		return nil, false, ErrNotRegular
	}
	buf := make([]byte, min(int64(limit), max(st.Size, 0))+1)
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return buf[:min(n, limit)], n > limit, nil
}

// stat fills a window: what the rules exclude is not even looked at.
func (w *walk) stat(f *folder, win *window, fd int, s *scratch) {
	base := 0
	if f.rules != nil && f.rules.paths {
		s.path = appendPath(s.path[:0], f)
		if len(s.path) > 0 {
			s.path = append(s.path, '/')
		}
		base = len(s.path)
	}
	names := f.names[win.from:win.to]
	win.found = slices.Grow(win.found[:0], len(names))
	for i, rec := range names {
		win.found = append(win.found, found{})
		e := &win.found[i]
		if e.rule = w.decide(f, rec, rec.typ, base, s); e.rule != nil {
			continue
		}
		if e.err = lstatAt(fd, f.zname(rec), &e.stat); e.err != nil {
			continue
		}
		if rec.typ == 0 {
			if e.rule = w.decide(f, rec, e.stat.Type, base, s); e.rule != nil {
				continue
			}
		}
		switch {
		case e.stat.Type == 0:
			e.err = errUnknownKind
		case e.stat.Type != Dir:
		case w.oneFS && e.stat.Dev != w.device:
			e.why = whyMount
		default:
			win.kids = append(win.kids, int32(i))
		}
	}
}

// decide returns the rule that excludes a name whose type is known.
func (w *walk) decide(f *folder, rec nameRec, typ Type, base int, s *scratch) *pattern {
	if f.rules == nil || typ == 0 {
		return nil
	}
	name := f.nameList.name(rec)
	path := name
	if f.rules.paths {
		s.path = append(s.path[:base], name...)
		path = s.path
	}
	return f.rules.decide(path, name, typ == Dir, &s.matcher)
}
