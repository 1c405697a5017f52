package drill

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// compare holds what was restored against the files that it was made from,
// where those have not changed since. Against the manifest each of them was
// held when it was read back.
func (d *drill) compare(ctx context.Context, src *vault.Source, p *pick, target string) error {
	if !d.rep.own {
		return nil // the files are on another machine
	}
	got, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer got.Close()
	var c comparer
	for e, err := range manifest.Walk(ctx, p.root.Root, src.Segment, manifest.WalkOptions{}) {
		if vault.IsRemote(err) {
			return err
		}
		if err != nil || e.Type != files.Regular || e.Err != "" || !p.has(e.Path) {
			continue
		}
		at := e.Path
		if at == "" {
			at = filepath.Base(p.root.Path)
		}
		source := filepath.Join(p.root.Path, e.Path)
		if err := d.compareFile(&c, got, at, source, e); err != nil {
			return err
		}
	}
	return nil
}

// compareFile compares one file with the one that it was made from.
func (d *drill) compareFile(c *comparer, got *os.Root, at, source string, e *manifest.Entry) error {
	s := &d.rep.Source
	info, err := os.Lstat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Gone++
		return nil
	case err != nil || !info.Mode().IsRegular() || info.Size() != e.Size || !info.ModTime().Equal(e.Mtime.Time()):
		s.Changed++
		return nil
	}
	restored, err := got.Open(filepath.FromSlash(at))
	if err != nil {
		return nil // the restore has told
	}
	defer restored.Close()
	now, err := os.Open(source)
	if err != nil {
		s.Changed++
		return nil
	}
	defer now.Close()
	same, err := c.same(restored, now)
	switch {
	case err != nil:
		s.Changed++
	case same:
		s.Same++
	default:
		s.Different++
		d.problem(source, errDifferent)
	}
	return nil
}

// errDifferent: the restored file is what the snapshot says, and yet not what
// lies on the disk, which has the size and time it had then.
var errDifferent = errors.New("it restores as the snapshot has it, and differs from the file on the disk, whose size and time are as they were: one of the two was altered, or has rotted")

// comparer compares files with the same memory.
type comparer struct{ a, b []byte }

func (c *comparer) same(a, b io.Reader) (bool, error) {
	if c.a == nil {
		c.a, c.b = make([]byte, 256<<10), make([]byte, 256<<10)
	}
	for {
		n, err := io.ReadFull(a, c.a)
		m, err2 := io.ReadFull(b, c.b)
		if !bytes.Equal(c.a[:n], c.b[:m]) {
			return false, nil
		}
		if err != nil || err2 != nil {
			return true, errors.Join(end(err), end(err2))
		}
	}
}

// end is the error of a read, unless it was the end of the file.
func end(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
