package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mkdir makes a folder that only we can use, until FinishDir. One that exists
// already is kept, with what is in it. Something else that has the name is
// removed if Replace allows, or else the error is ErrInTheWay.
func (w *Writer) Mkdir(path string) error {
	if path == "" {
		return nil // NewWriter made it
	}
	p, name, err := w.parent(path)
	if err != nil {
		return err
	}
	defer w.release(p)
	if err := w.mkdir(p, path, name); err != nil {
		return &fs.PathError{Op: "make folder", Path: path, Err: err}
	}
	return nil
}

func (w *Writer) mkdir(p *place, path, name string) error {
	made := p.root.Mkdir(name, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return bare(made)
	}
	fi, err := p.root.Lstat(name)
	if err != nil {
		return bare(err)
	}
	if made != nil {
		if fi, err = w.mkdirOver(p, path, name, fi); err != nil {
			return bare(err)
		}
	}
	if fi.Mode().Perm()&0o700 != 0o700 {
		// An old folder, or a new one under a default access control list or a
		// strange umask: we must be able to write to it. It is ours or the call
		// fails; a link that took its place leads nowhere outside.
		if err := p.root.Chmod(name, fi.Mode()|0o700); err != nil {
			return bare(err)
		}
	}
	return w.claimName(p, path, name)
}

// mkdirOver makes a folder of fi, which has the name already: a folder is kept.
func (w *Writer) mkdirOver(p *place, path, name string, fi fs.FileInfo) (fs.FileInfo, error) {
	if err := w.taken(p, path, name, inode{}); err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return fi, nil
	}
	if !w.o.Replace {
		return nil, fmt.Errorf("%s %w", kindOf(fi), ErrInTheWay)
	}
	w.forget(path)
	if err := p.root.Remove(name); err != nil {
		return nil, err
	}
	if err := p.root.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	return p.root.Lstat(name)
}

func (w *Writer) claimName(p *place, path, name string) error {
	if !w.blurry {
		return nil
	}
	var st Stat
	if err := lstatAt(p.fd(), append([]byte(name), 0), &st); err != nil {
		return err
	}
	w.claim(st, path)
	return nil
}

// FinishDir gives a folder its metadata. Nothing can be relied on to be
// writable in it afterwards, so it comes after all that the folder holds.
func (w *Writer) FinishDir(path string, st Stat, d Detail) (Losses, error) {
	p, err := w.folder(path)
	if err != nil {
		return nil, err
	}
	defer w.forget(path)
	defer w.release(p)
	losses := w.restore(openHandle(p.fd()), st, d)
	if w.o.Sync {
		if err := syncDir(p.dir); err != nil {
			return losses, &fs.PathError{Op: "sync folder", Path: path, Err: bare(err)}
		}
	}
	return losses, nil
}

// Symlink makes a symlink with the target in d, which may lead anywhere: it is
// only written down.
func (w *Writer) Symlink(path string, st Stat, d Detail) (Losses, error) {
	return w.special(path, Symlink, st, d, func(p *place, name string) error {
		return p.root.Symlink(d.Target, name)
	})
}

// FIFO makes a named pipe.
func (w *Writer) FIFO(path string, st Stat, d Detail) (Losses, error) {
	return w.special(path, FIFO, st, d, func(p *place, name string) error {
		return mknodAt(p.fd(), name, FIFO, 0)
	})
}

// Device makes a character or block device, if Devices is set and we are
// allowed to; otherwise it is a loss and nothing is made.
func (w *Writer) Device(path string, st Stat, d Detail) (Losses, error) {
	if st.Type != Char && st.Type != Block {
		return nil, &fs.PathError{Op: "make device", Path: path, Err: fs.ErrInvalid}
	}
	if !w.o.Devices {
		return Losses{{"device", ErrNotAsked}}, nil
	}
	losses, err := w.special(path, st.Type, st, d, func(p *place, name string) error {
		return mknodAt(p.fd(), name, st.Type, st.Rdev)
	})
	if errors.Is(err, fs.ErrPermission) && w.euid != 0 {
		return Losses{{"device", err}}, nil
	}
	return losses, err
}

// special makes a thing that has no content under a temporary name, sets its
// metadata and gives it its name in place of whatever had it, as Finish does.
func (w *Writer) special(path string, typ Type, st Stat, d Detail, create func(*place, string) error) (Losses, error) {
	p, _, err := w.parent(path)
	if err != nil {
		return nil, err
	}
	defer w.release(p)
	temp := tempName()
	losses, err := w.specialAt(p, temp, path, typ, st, d, create)
	if err != nil {
		_ = p.root.Remove(temp) // there may be none
		return nil, &fs.PathError{Op: "make", Path: path, Err: bare(err)}
	}
	return losses, nil
}

func (w *Writer) specialAt(p *place, temp, path string, typ Type, st Stat, d Detail, create func(*place, string) error) (Losses, error) {
	if err := create(p, temp); err != nil {
		return nil, err
	}
	h, err := childHandle(p.fd(), temp, typ)
	if err != nil {
		return nil, err
	}
	defer h.close()
	st.Type = typ
	losses := w.restore(h, st, d)
	name := path[strings.LastIndexByte(path, '/')+1:]
	if err := w.taken(p, path, name, inode{}); err != nil {
		return nil, err
	}
	if err := w.rename(p, temp, name); err != nil {
		return nil, err
	}
	return losses, w.claimName(p, path, name)
}

// Link makes path another name of existing, which this Writer restored. A file
// system or a rule of the system may forbid it: then there is an error, and
// the caller restores path as a file of its own and counts the loss.
func (w *Writer) Link(path, existing string) error {
	from, old, err := w.parent(existing)
	if err != nil {
		return err
	}
	defer w.release(from)
	p, name, err := w.parent(path)
	if err != nil {
		return err
	}
	defer w.release(p)
	if err := w.link(from, old, p, path, name); err != nil {
		return &os.LinkError{Op: "link", Old: existing, New: path, Err: bare(err)}
	}
	return nil
}

func (w *Writer) link(from *place, old string, p *place, path, name string) error {
	var st Stat
	if err := lstatAt(from.fd(), append([]byte(old), 0), &st); err != nil {
		return err
	}
	if err := w.taken(p, path, name, inode{st.Dev, st.Ino}); err != nil {
		return err
	}
	temp := tempName()
	if err := unix.Linkat(from.fd(), old, p.fd(), temp, 0); err != nil {
		return err
	}
	err := w.rename(p, temp, name)
	// If both are names of one file already, renaming does nothing and leaves
	// the temporary one.
	if rm := p.root.Remove(temp); err == nil && rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		return rm
	}
	return err
}
