package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
)

// A File is a regular file that is being written, under a temporary name in
// the folder where it will be. End it with Finish or Abort.
type File struct {
	w    *Writer
	at   *place
	f    *os.File
	path string
	name string // final
	temp string
	size int64
	end  atomic.Int64 // behind the last byte written
	over atomic.Bool
}

// Create begins a file of that size. Nothing is seen under path before Finish.
func (w *Writer) Create(path string, size int64) (*File, error) {
	if size < 0 {
		return nil, fmt.Errorf("create %s: size %d", path, size)
	}
	p, name, err := w.parent(path)
	if err != nil {
		return nil, err
	}
	temp := tempName()
	f, err := p.create(temp)
	if err != nil {
		w.release(p)
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	file := &File{w: w, at: p, f: f, path: path, name: name, temp: temp, size: size}
	w.mu.Lock()
	w.files[file] = struct{}{}
	w.mu.Unlock()
	return file, nil
}

// WriteAt writes a stretch of the content. Each stretch is written once; what
// is never written reads as zeros and takes no space. Safe for concurrent use.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > f.size || int64(len(p)) > f.size-off {
		return 0, fmt.Errorf("write %s: %d bytes at %d are outside a file of %d", f.path, len(p), off, f.size)
	}
	if !f.w.o.Sparse {
		return f.write(p, off)
	}
	for from, to := range dataRuns(p, off) {
		if n, err := f.write(p[from:to], off+int64(from)); err != nil {
			return from + n, err
		}
	}
	return len(p), nil
}

func (f *File) write(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	for end := f.end.Load(); off+int64(n) > end; end = f.end.Load() {
		if f.end.CompareAndSwap(end, off+int64(n)) {
			break
		}
	}
	if err != nil {
		return n, &fs.PathError{Op: "write", Path: f.path, Err: bare(err)}
	}
	return n, nil
}

// ReadAt reads back what was written.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Finish gives the file its size and metadata and then its name, in place of
// whatever had it, except a folder that is not empty (nor an empty one without
// Replace). Metadata that could not be restored is returned; an error means
// that there is no such file now, or still the old one.
func (f *File) Finish(st Stat, d Detail) (Losses, error) {
	if !f.over.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("finish %s: %w", f.path, fs.ErrClosed)
	}
	losses, err := f.finish(st, d)
	if closing := f.f.Close(); err == nil && closing != nil {
		err = bare(closing)
	}
	if err == nil {
		err = f.w.rename(f.at, f.temp, f.name)
	}
	f.leave(err != nil)
	if err != nil {
		return nil, &fs.PathError{Op: "finish", Path: f.path, Err: err}
	}
	return losses, nil
}

func (f *File) finish(st Stat, d Detail) (Losses, error) {
	if f.end.Load() != st.Size {
		if err := f.f.Truncate(st.Size); err != nil {
			return nil, bare(err)
		}
	}
	h := namedHandle(int(f.f.Fd()), f.at.fd(), f.temp)
	losses := f.w.restore(h, st, d)
	if f.w.o.Sync || f.replaces() {
		if err := f.f.Sync(); err != nil {
			return nil, bare(err)
		}
	}
	if err := f.w.taken(f.at, f.path, f.name, inode{}); err != nil {
		return nil, err
	}
	if f.w.blurry {
		var now Stat
		if err := h.stat(&now); err != nil {
			return nil, err
		}
		f.w.claim(now, f.path)
	}
	return losses, nil
}

// replaces reports whether something has the name already: that must not give
// way to bytes which a power cut may take away.
func (f *File) replaces() bool {
	_, err := f.at.root.Lstat(f.name)
	return err == nil
}

// Abort removes the unfinished file. After Finish it does nothing.
func (f *File) Abort() error {
	if !f.over.CompareAndSwap(false, true) {
		return nil
	}
	f.f.Close()
	if err := f.leave(true); err != nil {
		return &fs.PathError{Op: "remove unfinished", Path: f.path, Err: err}
	}
	return nil
}

// leave ends f's use of its folder.
func (f *File) leave(remove bool) (err error) {
	if remove {
		if err = f.at.root.Remove(f.temp); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	f.w.mu.Lock()
	delete(f.w.files, f)
	f.w.mu.Unlock()
	f.w.release(f.at)
	if err != nil {
		err = bare(err)
	}
	return err
}

// rename gives temp its final name. An empty folder that has the name goes if
// Replace allows.
func (w *Writer) rename(p *place, temp, name string) error {
	err := p.rename(temp, name)
	if err == nil || !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.EISDIR) {
		return err
	}
	if !w.o.Replace {
		return fmt.Errorf("folder %w", ErrInTheWay)
	}
	if err := p.root.Remove(name); err != nil {
		return fmt.Errorf("folder %w: %w", ErrInTheWay, bare(err))
	}
	return p.rename(temp, name)
}
