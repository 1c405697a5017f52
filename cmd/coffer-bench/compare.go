package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// compare tells whether folder b has what a has: names, kinds, modes, times of
// files and every byte.
func compare(a, b string) error {
	n, err := compareBelow(a, b)
	if err != nil {
		return err
	}
	m := 0
	err = filepath.WalkDir(b, func(_ string, _ fs.DirEntry, err error) error { m++; return err })
	if err == nil && m != n {
		err = fmt.Errorf("%s has %d entries, %s has %d", b, m, a, n)
	}
	return err
}

func compareBelow(a, b string) (n int, err error) {
	err = filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n++
		rel, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		return compareOne(path, filepath.Join(b, rel), rel == ".")
	})
	return n, err
}

func compareOne(a, b string, root bool) error {
	x, err := os.Lstat(a)
	if err != nil {
		return err
	}
	y, err := os.Lstat(b)
	if err != nil {
		return err
	}
	switch {
	case root && y.IsDir():
		return nil // who makes it is not the same for all
	case x.Mode() != y.Mode():
		return fmt.Errorf("%s has mode %v, want %v", b, y.Mode(), x.Mode())
	case !x.Mode().IsRegular():
		return nil
	case x.Size() != y.Size() || !x.ModTime().Equal(y.ModTime()):
		return fmt.Errorf("%s has %d bytes of %v, want %d of %v", b, y.Size(), y.ModTime(), x.Size(), x.ModTime())
	}
	return compareContent(a, b)
}

func compareContent(a, b string) error {
	f, err := os.Open(a)
	if err != nil {
		return err
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return err
	}
	defer g.Close()
	var p, q [64 << 10]byte
	for {
		n, err := io.ReadFull(f, p[:])
		m, _ := io.ReadFull(g, q[:])
		if !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%s does not hold what %s holds", b, a)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
