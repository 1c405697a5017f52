package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// nextDescriptor returns the descriptor that the next open gets.
func nextDescriptor(t *testing.T) int {
	t.Helper()
	f, err := os.Open(".")
	must(t, err)
	defer f.Close()
	return int(f.Fd())
}

func descriptorLimit(t *testing.T) (limit unix.Rlimit) {
	t.Helper()
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	return limit
}

// withDescriptors acts where all descriptors are below n.
func withDescriptors(t *testing.T, n uint64, act func()) {
	t.Helper()
	usual := descriptorLimit(t)
	few := usual
	few.Cur = n
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	defer func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &usual)) }()
	act()
}

// A target with ever one descriptor more than none: what cannot be opened is
// told as that, nothing of it stays open, and when there are some again all is
// well.
func TestDescriptorsRunOut(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	for range 50 { // so that those that are free follow each other
		f, err := os.Open(".")
		must(t, err)
		defer f.Close()
	}
	for name, c := range map[string]func(more int) error{
		"target": func(more int) (err error) {
			withDescriptors(t, uint64(nextDescriptor(t)+more), func() {
				var w *Writer
				if w, err = NewWriter(dir, WriterOptions{}); err == nil {
					err = w.Close()
				}
			})
			return err
		},
		"folder": func(more int) (err error) {
			w, err := NewWriter(dir, WriterOptions{})
			must(t, err)
			defer w.Close()
			withDescriptors(t, uint64(nextDescriptor(t)+more), func() { _, err = w.ReadDir("sub") })
			must(t, put(w, fmt.Sprintf("sub/after %d", more), "x"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := nextDescriptor(t)
			for more := 0; ; more++ {
				err := c(more)
				if now := nextDescriptor(t); now != next {
					t.Errorf("with %d descriptors something stays open: %v", more, err)
				}
				if err == nil {
					if more < 3 {
						t.Errorf("%d descriptors are enough", more)
					}
					return
				}
				if !errors.Is(err, unix.EMFILE) || more == 20 {
					t.Fatalf("with %d descriptors: %v", more, err)
				}
			}
		})
	}
}
