package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"coffer/remote"
)

// Get reads a range of an object; see [remote.Store].
func (s *Store) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	if err := remote.CheckRange(name, off); err != nil {
		return dst, err
	}
	got := dst
	err := s.in("get", name, func(root *os.Root) error {
		f, err := openRegular(root, name)
		if err != nil {
			return err
		}
		defer f.Close()
		got, err = readRange(ctx, f, dst, off, n)
		return err
	})
	if err != nil {
		return dst, err
	}
	return got, nil
}

// openRegular opens an object's file.
func openRegular(root *os.Root, name string) (*os.File, error) {
	if err := regular(root, name); err != nil {
		return nil, err
	}
	return root.Open(name)
}

// regular returns nil if an object's file is at name. What is no regular file
// is no object: a pipe would hang the reader, a link may lead anywhere.
func regular(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, syscall.ENOTDIR): // part of the name is a file
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return nil
}

func readRange(ctx context.Context, f *os.File, dst []byte, off, n int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return dst, err
	}
	if n < 0 || n > remote.MaxObject {
		n = remote.MaxObject
	}
	n = min(n, max(info.Size()-off, 0))
	from := len(dst)
	dst = slices.Grow(dst, int(n))[:from+int(n)]
	for at := from; at < len(dst); {
		piece := dst[at:min(len(dst), at+1<<20)]
		if _, err := f.ReadAt(piece, off+int64(at-from)); err != nil {
			return dst[:from], shrunk(err)
		}
		at += len(piece)
		if err := remote.PaceDown(ctx, len(piece)); err != nil {
			return dst[:from], err
		}
	}
	return dst, ctx.Err()
}

// shrunk says that a file ended before the size it had a moment ago.
func shrunk(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
