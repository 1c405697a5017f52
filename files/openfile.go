package files

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// An OpenFile is a regular file that is open for reading. Trees have very many small
// ones: os.File would ask the kernel twice more for each, and see to it that it
// is closed even if nobody does. Who has an OpenFile closes it. It must not be used by
// two goroutines at once, but for ReadAt.
type OpenFile struct {
	fd     int
	path   string
	opened Stat
}

// Opened returns what was known of the file when it was opened.
func (f *OpenFile) Opened() Stat { return f.opened }

// Read implements io.Reader. It gives less than it could only where the file
// ends, on all file systems that keep to the rules.
func (f *OpenFile) Read(p []byte) (int, error) {
	return f.read(p, func() (int, error) { return unix.Read(f.fd, p) })
}

// ReadAt implements io.ReaderAt.
func (f *OpenFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, f.failed("read", unix.EINVAL)
	}
	for n < len(p) && err == nil {
		var k int
		k, err = f.read(p[n:], func() (int, error) { return unix.Pread(f.fd, p[n:], off+int64(n)) })
		n += k
	}
	return n, err
}

// read calls again what a signal interrupted, and tells the end of the file.
func (f *OpenFile) read(p []byte, call func() (int, error)) (int, error) {
	for {
		n, err := call()
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, f.failed("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Seek implements io.Seeker.
func (f *OpenFile) Seek(offset int64, whence int) (int64, error) {
	at, err := unix.Seek(f.fd, offset, whence)
	if err != nil {
		return 0, f.failed("seek", err)
	}
	return at, nil
}

// Close closes the file. A second call is fs.ErrClosed.
func (f *OpenFile) Close() error {
	if f.fd < 0 {
		return f.failed("close", fs.ErrClosed)
	}
	fd := f.fd
	f.fd = -1
	if err := unix.Close(fd); err != nil {
		return f.failed("close", err)
	}
	return nil
}

// FStat returns what is known of an open file now, to see whether it changed
// while it was read.
func FStat(f *OpenFile) (Stat, error) {
	var st Stat
	if err := fstat(f.fd, &st); err != nil {
		return Stat{}, f.failed("stat", err)
	}
	return st, nil
}

func (f *OpenFile) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.path, Err: err}
}
