package restore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/files/treecmp"
	"coffer/vault/manifest"
)

// Interrupted at any moment, a restore leaves no unfinished file; done again
// it goes on with what is missing, and ends with the same tree.
func TestInterruptedAndContinued(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	b := bounds{entries: 25, refs: 60, open: 6, bytes: 1 << 20}
	whole := run(t, src, Options{Target: filepath.Join(temp(t), "whole"), bounds: b})
	reads := len(src.reads)
	for range 12 {
		to := filepath.Join(temp(t), "out")
		ctx, cancel := context.WithCancel(t.Context())
		at := 1 + rand.IntN(reads)
		src.reads = nil
		src.onRead = func(n int) error {
			if n == at {
				cancel()
			}
			return nil
		}
		first, err := Run(ctx, src, Options{Target: to, bounds: b})
		if !errors.Is(err, context.Canceled) || !first.Interrupted {
			t.Fatalf("read %d of %d: %v", at, reads, err)
		}
		noTemps(t, to)
		src.onRead = nil
		second := run(t, src, Options{Target: to})
		same(t, dir, to)
		if first.Files+second.Files != whole.Files || second.Kept > 0 {
			t.Errorf("%d files, then %d, of %d", first.Files, second.Files, whole.Files)
		}
	}
}

// Cancelled before it began, or between entries, it does nothing more.
func TestCancelledAtOnce(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), src.file(t, "f", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := temp(t)
	if _, err := Run(ctx, src, Options{Target: to}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if names := tree(t, to); len(names) > 0 {
		t.Errorf("%q", names)
	}
}

// In place, each root goes back to where it was, and a part of a root to its
// place in it, with the folders that lead there if they are gone.
func TestInPlace(t *testing.T) {
	base := temp(t)
	one, two := base+"/one", base+"/sub/two"
	must(t, os.Rename(zoo(t), one))
	writeFile(t, two+"/a/b/c/f", "f")
	writeFile(t, two+"/a/b/other", "o")
	writeFile(t, two+"/g", "g")
	must(t, os.Chmod(two+"/a", 0o711))
	src := newFake()
	src.backup(t, one)
	src.backup(t, two)
	saved := filepath.Join(temp(t), "saved")
	run(t, src, Options{Target: saved})
	same(t, one, saved+"/one")
	same(t, two, saved+"/two")

	removeAll(t, one)
	removeAll(t, base+"/sub")
	var seen events
	run(t, src, Options{InPlace: true, OnEvent: seen.add})
	same(t, saved+"/one", one)
	same(t, saved+"/two", two)
	if !slices.Contains(seen, "restored "+two+"/a/b/c/f") || !slices.Contains(seen, "restored "+two) {
		t.Errorf("events: %q", seen)
	}

	removeAll(t, two+"/a")
	run(t, src, Options{InPlace: true, Paths: []string{"two/a/b/c"}})
	if got := tree(t, two); !slices.Equal(got, []string{"a", "a/b", "a/b/c", "a/b/c/f", "g"}) {
		t.Errorf("%q", got)
	}
	writeFile(t, two+"/a/b/c/extra", "")
	run(t, src, Options{InPlace: true, Paths: []string{two + "/a"}, Delete: true})
	same(t, saved+"/two/a", two+"/a")

	must(t, os.Remove(two+"/a/b/c/f"))
	must(t, os.Remove(two+"/g"))
	run(t, src, Options{InPlace: true, Paths: []string{two + "/a/b/c/f"}})
	if got := tree(t, two); !slices.Equal(got, []string{"a", "a/b", "a/b/c", "a/b/c/f", "a/b/other"}) {
		t.Errorf("%q", got)
	}
}

// A root may be a single file.
func TestFileRoot(t *testing.T) {
	base := temp(t)
	writeFile(t, base+"/one.txt", "1")
	src := newFake()
	src.backup(t, base+"/one.txt")
	to := temp(t)
	run(t, src, Options{Target: to})
	if got := tree(t, to); !slices.Equal(got, []string{"one.txt"}) {
		t.Errorf("%q", got)
	}
	must(t, os.Remove(base+"/one.txt"))
	writeFile(t, base+"/neighbour", "2")
	run(t, src, Options{InPlace: true, Delete: true, Paths: []string{"one.txt"}})
	if got := tree(t, base); !slices.Equal(got, []string{"neighbour", "one.txt"}) {
		t.Errorf("%q", got)
	}
	writeFile(t, base+"/x/two.txt", "2")
	src.backup(t, base+"/x/two.txt")
	to = temp(t)
	run(t, src, Options{Target: to})
	if got := tree(t, to); !slices.Equal(got, []string{"one.txt", "two.txt"}) {
		t.Errorf("%q", got)
	}
}

// Hard links are found again however far apart their names are, and roots do
// not mix theirs.
func TestLinksAcrossWindows(t *testing.T) {
	src := newFake()
	var one, two []*manifest.Entry
	for _, list := range []*[]*manifest.Entry{&one, &two} {
		*list = append(*list, dirEntry(""))
		for d := range 30 {
			*list = append(*list, dirEntry(fmt.Sprintf("d%02d", d)))
			for i := range 10 {
				e := src.file(t, fmt.Sprintf("d%02d/f%d", d, i), noise(1500, uint64(i)))
				e.Link = [8]byte{byte(i + 1)}
				*list = append(*list, e)
			}
		}
	}
	src.save(t, "/one", one...)
	src.save(t, "/two", two...)
	to := temp(t)
	res := run(t, src, Options{Target: to, bounds: bounds{entries: 7, refs: 9, open: 3, bytes: 1 << 20}})
	if res.Files != 20 || res.Links != 580 {
		t.Errorf("%d files, %d links", res.Files, res.Links)
	}
	if diffs := treecmp.Compare(to+"/one", to+"/two", treecmp.Options{}); len(diffs) > 0 {
		t.Error(diffs)
	}
	a, err := os.Stat(to + "/one/d00/f3")
	must(t, err)
	b, err := os.Stat(to + "/one/d29/f3")
	must(t, err)
	c, err := os.Stat(to + "/two/d00/f3")
	must(t, err)
	if !os.SameFile(a, b) || os.SameFile(a, c) {
		t.Error("links are mixed up")
	}
}
