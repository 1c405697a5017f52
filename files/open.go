package files

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// ErrElsewhere: the file is a placeholder, its content is not on this machine.
var ErrElsewhere = errors.New("content is not on this machine")

// Open opens a regular file of the tree for reading. st is what the walk said
// of it. No symlink is followed in any component, and if the name leads to
// something else by now the error is ErrNotRegular; whether it leads to
// another regular file, FStat tells. The caller closes the file.
func (t *Tree) Open(path string, st Stat) (*OpenFile, error) {
	f := &OpenFile{path: path}
	var err error
	if f.fd, err = t.openRegular(path, st, &f.opened); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

// openRegular tells in now what was opened.
func (t *Tree) openRegular(path string, st Stat, now *Stat) (int, error) {
	// Not blocking: a FIFO that took the file's place must not hang us.
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := t.openWaiting(path, flags|t.quiet(&st))
	if err == unix.EPERM {
		fd, err = t.openWaiting(path, flags)
	}
	if err != nil {
		return -1, err
	}
	err = fstat(fd, now)
	switch {
	case err != nil:
	case now.Type != Regular:
		err = ErrNotRegular
	case dataElsewhere(fd):
		err = ErrElsewhere
	default:
		return fd, nil
	}
	unix.Close(fd)
	return -1, err
}

// leaseWait is how long Open waits for somebody to give up a lease on a file
// (file servers take them). The kernel breaks it after 45 s by default.
const leaseWait = time.Minute

// openWaiting resolves path. An open that must not block fails at once where
// another would wait for a lease to be broken: then it is tried again.
func (t *Tree) openWaiting(path string, flags int) (int, error) {
	for pause, waited := time.Millisecond, time.Duration(0); ; pause = min(2*pause, 250*time.Millisecond) {
		fd, err := t.resolve(path, flags)
		if err != unix.EAGAIN || waited > leaseWait {
			return fd, err
		}
		time.Sleep(pause)
		waited += pause
	}
}
