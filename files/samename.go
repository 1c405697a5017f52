package files

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Some file systems take names for the same that are not. There a restore must
// not let one file quietly replace another that it has just written.

// mixedUp are ends of names that such a file system takes for one.
var mixedUp = [...][2]string{{"a", "A"}, {"\u00e9", "e\u0301"}}

// mixesNames tells whether the file system of p takes one name for another.
func mixesNames(p *place) (bool, error) {
	name := tempName()
	for _, pair := range mixedUp {
		made := name + pair[0]
		f, err := p.root.OpenFile(made, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, unix.EILSEQ) {
			continue
		}
		if err != nil {
			return false, err
		}
		f.Close()
		_, err = p.root.Lstat(name + pair[1])
		if rm := p.root.Remove(made); rm != nil {
			return false, rm
		}
		if err == nil {
			return true, nil
		}
	}
	return false, nil
}

// claim books that st is what was restored as path.
func (w *Writer) claim(st Stat, path string) {
	if !w.blurry {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ours[inode{st.Dev, st.Ino}] = path
}

// taken tells whether the name that path has in p leads to something restored
// as another path. (A further hard link to self is no other thing.) If it does
// not, what has the name is about to be replaced, and its inode may soon be
// that of something else.
func (w *Writer) taken(p *place, path, name string, self inode) error {
	if !w.blurry {
		return nil
	}
	var st Stat
	if err := lstatAt(p.fd(), append([]byte(name), 0), &st); err != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := inode{st.Dev, st.Ino}
	as, ok := w.ours[id]
	if ok && as != path && id != self {
		return ErrSameName
	}
	if id != self && st.Nlink < 2 {
		delete(w.ours, id)
	}
	return nil
}

// unclaim forgets what was restored as path or below it.
func (w *Writer) unclaim(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, as := range w.ours {
		if as == path || strings.HasPrefix(as, path+"/") {
			delete(w.ours, id)
		}
	}
}
