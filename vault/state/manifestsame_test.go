package state

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// again plays a run on the last manifest: records that drop does not name are
// handed over as they were, and each is followed by what more says.
func again(t *testing.T, d *Dir, drop func(i int) bool, more map[int]string) {
	t.Helper()
	base, w := begin(t, d)
	var rec Record
	for i := 0; base.Next(&rec); i++ {
		if !drop(i) {
			if err := w.Add(&rec); err != nil {
				t.Fatal(err)
			}
		}
		if p := more[i]; p != "" {
			addRecords(t, w, 2, p)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func manifestBytes(t *testing.T, d *Dir) []byte {
	t.Helper()
	b, err := os.ReadFile(d.manifestPaths(project, "/root").final)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const many = 5000 // records, of several blocks

func manyRecords(t *testing.T) *Dir {
	t.Helper()
	d := newDir(t)
	_, w := begin(t, d)
	addRecords(t, w, 1, pathRange(0, many)...)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := len(manifestBytes(t, d)); n < 3*blockSize {
		t.Fatalf("%d bytes", n)
	}
	return d
}

// A run that finds what the last one found leaves its manifest as it is, and
// nothing beside it at any time.
func TestManifestStays(t *testing.T) {
	d := manyRecords(t)
	before := manifestBytes(t, d)
	base, w := begin(t, d)
	var rec Record
	for base.Next(&rec) {
		if err := w.Add(&rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if names, _ := filepath.Glob(d.file("projects", project, "*")); len(names) != 1 {
		t.Errorf("files beside it: %q", names)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(manifestBytes(t, d), before) {
		t.Error("it was written anew")
	}
}

// Whatever differs, and wherever: what was the same before it is taken over.
func TestManifestDiffers(t *testing.T) {
	none := func(int) bool { return false }
	at := func(n int) func(int) bool { return func(i int) bool { return i == n } }
	paths := pathRange(0, many)
	for name, c := range map[string]struct {
		drop func(int) bool
		more map[int]string
		want []string
	}{
		"first gone":  {at(0), nil, versions(1, paths[1:]...)},
		"one gone":    {at(3000), nil, versions(1, slices.Delete(slices.Clone(paths), 3000, 3001)...)},
		"last gone":   {at(many - 1), nil, versions(1, paths[:many-1]...)},
		"end gone":    {func(i int) bool { return i >= 2000 }, nil, versions(1, paths[:2000]...)},
		"one changed": {at(2500), map[int]string{2500: paths[2500]}, slices.Concat(versions(1, paths[:2500]...), versions(2, paths[2500]), versions(1, paths[2501:]...))},
		"one new":     {none, map[int]string{2500: paths[2500] + "a"}, slices.Concat(versions(1, paths[:2501]...), versions(2, paths[2500]+"a"), versions(1, paths[2501:]...))},
		"new at end":  {none, map[int]string{many - 1: "z"}, slices.Concat(versions(1, paths...), versions(2, "z"))},
	} {
		t.Run(name, func(t *testing.T) {
			d := manyRecords(t)
			again(t, d, c.drop, c.more)
			for range 2 { // and it serves the next run as any other
				base, _ := begin(t, d)
				wantList(t, all(t, base.Next), c.want)
				if base.Damaged() > 0 {
					t.Errorf("%d damaged", base.Damaged())
				}
				again(t, d, none, nil)
			}
		})
	}
}

// A run that is killed after it found a difference goes on from there.
func TestManifestDiffersAndIsKilled(t *testing.T) {
	d := manyRecords(t)
	base, w := begin(t, d)
	var rec Record
	for range 3000 {
		base.Next(&rec)
		if err := w.Add(&rec); err != nil {
			t.Fatal(err)
		}
	}
	addRecords(t, w, 2, entryPath(3000))
	w.Close()
	base, _ = begin(t, d)
	wantList(t, all(t, base.Next), versions(1, pathRange(0, 3000)...), versions(2, entryPath(3000)), versions(1, pathRange(3001, many)...))
}

// A manifest with damage does not stay, even if all that is left of it is as
// the run finds it, or no run would ever have those entries noted again.
func TestDamagedManifestGoes(t *testing.T) {
	whole := manifestBytes(t, manyRecords(t))
	for _, at := range []int{100, blockSize + 5000, 2*blockSize + 9000, len(whole) - 3} {
		d := manyRecords(t)
		b := manifestBytes(t, d)
		b[at] ^= 4
		if err := os.WriteFile(d.manifestPaths(project, "/root").final, b, 0o600); err != nil {
			t.Fatal(err)
		}
		again(t, d, func(int) bool { return false }, nil)
		base, _ := begin(t, d)
		n := len(all(t, base.Next))
		if base.Damaged() > 0 || n == 0 || at < len(b)-3 && n == many {
			t.Errorf("damage at %d: %d records, %d damaged", at, n, base.Damaged())
		}
	}
}
