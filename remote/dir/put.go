package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"golang.org/x/sync/errgroup"

	"coffer/remote"
)

// Files whose names begin like this are not objects: they are being written,
// or wait to be published.
const (
	tempPrefix    = ".tmp-"
	pendingPrefix = ".pending-"
)

// Put stores o; see the package comment for what is durable when.
func (s *Store) Put(ctx context.Context, o remote.Object) error {
	if err := remote.CheckObject(o); err != nil {
		return err
	}
	return s.in("put", o.Name, func(root *os.Root) error {
		if there, err := s.settled(root, o); there || err != nil {
			return err
		}
		temp, err := s.write(ctx, root, tempPrefix, o)
		if err != nil {
			return err
		}
		return s.reveal(root, temp, o.Name)
	})
}

// settled reports whether o is there already, and then makes sure that it
// stays: whoever wrote it may not have got as far as syncing its folder.
// Other bytes under its name are fs.ErrExist.
func (s *Store) settled(root *os.Root, o remote.Object) (bool, error) {
	f, err := openRegular(root, o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := sameFile(f, o, int64(len(o.Data))); err != nil {
		return false, err
	}
	return true, s.sync(root, path.Dir(o.Name), true)
}

// sameFile compares a file with the size and hash of o.
func sameFile(f *os.File, o remote.Object, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return &fs.PathError{Op: "compare", Path: o.Name, Err: fs.ErrExist}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), o.Sum[:]) {
		return &fs.PathError{Op: "compare", Path: o.Name, Err: fs.ErrExist}
	}
	return nil
}

// write puts the bytes of o into a new, synced file in the folder of its name,
// called prefix and something random, and returns that name.
func (s *Store) write(ctx context.Context, root *os.Root, prefix string, o remote.Object) (name string, err error) {
	if err := remote.CheckSum(o); err != nil {
		return "", err
	}
	folder := path.Dir(o.Name)
	name = path.Join(folder, prefix+random())
	f, err := create(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.makeFolders(root, folder); err != nil {
			return "", err
		}
		f, err = create(root, name)
	}
	if err != nil {
		return "", err
	}
	above := s.beginSyncAbove(root, folder)
	if err := errors.Join(fill(ctx, f, o.Data), above()); err != nil {
		root.Remove(name)
		return "", err
	}
	return name, nil
}

// create makes a new file with mode 0600. The umask could only take bits away
// from it, so it is set once more.
func create(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil && !unsupported(err) {
		f.Close()
		root.Remove(name)
		return nil, err
	}
	return f, nil
}

// fill writes data, syncs and closes f.
func fill(ctx context.Context, f *os.File, data []byte) error {
	defer f.Close()
	for len(data) > 0 {
		n, err := remote.PaceUp(ctx, min(len(data), 1<<20))
		if err != nil {
			return err
		}
		if _, err := f.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// reveal gives a written file its real name, durably.
func (s *Store) reveal(root *os.Root, temp, name string) error {
	if err := root.Rename(temp, name); err != nil {
		root.Remove(temp)
		return err
	}
	return s.sync(root, path.Dir(name), false)
}

// makeFolders makes folder and its missing parents below the root.
func (s *Store) makeFolders(root *os.Root, folder string) error {
	if folder == "." {
		return nil
	}
	if err := s.makeFolders(root, path.Dir(folder)); err != nil {
		return err
	}
	err := root.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.forget(folder)
	if err := root.Chmod(folder, 0o700); err != nil && !unsupported(err) {
		return err
	}
	return nil
}

// sync makes the entries of folder durable, and the folders it lies in where
// they may be new, or always when all is set.
func (s *Store) sync(root *os.Root, folder string, all bool) error {
	if all {
		s.forget(folder)
	}
	above := s.beginSyncAbove(root, folder)
	return errors.Join(syncPath(root, folder), above())
}

// beginSyncAbove begins to make durable the folders that folder, which is there,
// lies in, up to the root, where they may be new. They are synced at once, since
// a disk does so in the time of one. The function it returns waits for them.
func (s *Store) beginSyncAbove(root *os.Root, folder string) (wait func() error) {
	if s.known(folder) {
		return func() error { return nil }
	}
	var g errgroup.Group
	for f := folder; f != "."; {
		f = path.Dir(f)
		above := f
		g.Go(func() error { return syncPath(root, above) })
	}
	return func() error {
		err := g.Wait()
		if err == nil {
			s.remember(folder)
		}
		return err
	}
}

func (s *Store) known(folder string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable[folder]
}

func (s *Store) remember(folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable[folder] = true
}

func (s *Store) forget(folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.durable, folder)
}

func syncPath(root *os.Root, folder string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncFolder(f)
}

// syncFolder syncs a folder's entries. Some network and FAT file systems know
// no such thing; there a rename is as durable as it gets.
func syncFolder(f *os.File) error {
	if err := f.Sync(); err != nil && !unsupported(err) {
		return err
	}
	return nil
}

func unsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

func random() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
