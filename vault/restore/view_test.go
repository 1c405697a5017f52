package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// roots makes a snapshot of some roots, each a folder with d/f.
func roots(t testing.TB, paths ...string) *fake {
	t.Helper()
	src := newFake()
	for _, p := range paths {
		src.save(t, p, dirEntry(""), dirEntry("d"), src.file(t, "d/f", "d/f of "+p), dirEntry("proj"), src.file(t, "proj/f", "proj/f of "+p))
	}
	return src
}

// What a PATH means, as "name of the root:path in it".
func TestResolve(t *testing.T) {
	one := []string{"/home/u/proj"}
	many := []string{"/home/u/proj", "/srv/www", "/mnt/proj", "/home/u/proj/d"}
	for _, c := range []struct {
		roots []string
		path  string
		want  string // "" if there is no such path
	}{
		{one, "", "proj:"}, {one, ".", "proj:"}, {one, "/", "proj:"}, {one, "/home", "proj:"}, {one, "/home/u/proj", "proj:"},
		{one, "d", "proj:d"}, {one, "d/", "proj:d"}, {one, "./d/f", "proj:d/f"}, {one, "/home/u/proj/d/f", "proj:d/f"},
		{one, "proj", "proj:proj"}, {one, "proj/f", "proj:proj/f"}, // what is in the root comes first
		{one, "proj/d/f", "proj:d/f"}, {one, "proj/proj/f", "proj:proj/f"},
		{one, "missing", ""}, {one, "/home/u/project", ""}, {one, "/home/u/pro", ""}, {one, "..", ""}, {one, "../proj", ""}, {one, "d/f/x", ""},
		{many, "", "proj: www: proj-2: d:"}, {many, "/", "proj: www: proj-2: d:"},
		{many, "proj", "proj:"}, {many, "proj/d/f", "proj:d/f"}, {many, "proj-2/d", "proj-2:d"}, {many, "www", "www:"}, {many, "d/d", "d:d"},
		{many, "/home/u/proj/proj", "proj:proj"}, {many, "/home/u/proj/d", "d:"}, {many, "/home/u/proj/d/d", "d:d"}, {many, "/mnt/proj/d", "proj-2:d"},
		{many, "/home", "proj: d:"}, {many, "/srv", "www:"}, {many, "proj-3", ""}, {many, "f", ""}, {many, "/hom", ""},
	} {
		src := roots(t, c.roots...)
		sels, err := newView(&src.body).resolve(t.Context(), marked{src}, []string{c.path})
		var got []string
		for _, s := range sels {
			got = append(got, s.root.name+":"+s.path)
			if s.top == nil || s.top.Path != s.path {
				t.Errorf("%q: entry %+v", c.path, s.top)
			}
		}
		if strings.Join(got, " ") != c.want || (c.want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q of %q: %q, %v; want %q", c.path, c.roots, got, err, c.want)
		}
	}
}

// Where selections land: one folder directly in the target, all else under its
// name.
func TestSelectionsLand(t *testing.T) {
	src := roots(t, "/a/proj", "/b/www")
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{nil, "proj proj/d proj/d/f proj/proj proj/proj/f www www/d www/d/f www/proj www/proj/f"},
		{[]string{"www"}, "d d/f proj proj/f"},
		{[]string{"www/d"}, "f"},
		{[]string{"www/d/f"}, "f"},
		{[]string{"www/d", "proj/d"}, "d d-2 d-2/f d/f"},
		{[]string{"www/d/f", "proj/d/f", "proj/proj"}, "f f-2 proj proj/f"},
		{[]string{"proj", "proj/d", "proj", "/a/proj/d/f"}, "d d/f proj proj/f"},
	} {
		to := temp(t)
		run(t, src, Options{Target: to, Paths: c.paths})
		got := tree(t, to)
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q", c.paths, got)
		}
	}
}

// Each path that List gives leads to the same entry again, through List, Cat
// and Run.
func TestListed(t *testing.T) {
	dir := zoo(t)
	for _, more := range [][]string{nil, {"/x/zoo", "/x/other"}} {
		src := newFake()
		src.backup(t, dir)
		for _, p := range more {
			src.save(t, p, dirEntry(""), src.file(t, "f", p), dirEntry("zoo"))
		}
		var all []string
		for e, err := range List(t.Context(), src, "", true) {
			must(t, err)
			all = append(all, strings.Clone(e.Path))
		}
		if want := len(tree(t, dir)) + 3*len(more); len(all) != want+min(len(more), 1) {
			t.Errorf("%d paths listed, want %d", len(all), want)
		}
		for _, p := range all {
			if strings.Contains(p, "\x00") || p == "" {
				t.Fatalf("listed %q", p)
			}
			sels, err := newView(&src.body).resolve(t.Context(), marked{src}, []string{p})
			if err != nil || len(sels) != 1 {
				t.Fatalf("%q: %v, %v", p, sels, err)
			}
			if shown := newView(&src.body).show(sels[0].root, sels[0].path); shown != p {
				t.Errorf("%q is shown as %q", p, shown)
			}
			if sels[0].top.Type != files.Regular {
				continue
			}
			var out bytes.Buffer
			must(t, Cat(t.Context(), src, p, &out))
			if rest, ok := strings.CutPrefix(p, "zoo/"); ok || more == nil {
				if !ok {
					rest = p
				}
				want, err := os.ReadFile(filepath.Join(dir, rest))
				must(t, err)
				if !bytes.Equal(out.Bytes(), want) {
					t.Errorf("cat %q differs", p)
				}
			}
		}
	}
}

// Listing a folder does not read what lies deep below it.
func TestListShallow(t *testing.T) {
	src := newFake()
	entries := []*manifest.Entry{dirEntry("")}
	var want []string
	for d := range 5 {
		name := fmt.Sprintf("d%d", d)
		want = append(want, name, name+".txt")
		entries = append(entries, dirEntry(name), src.file(t, name+".txt", name))
		for i := range 3000 {
			entries = append(entries, src.file(t, fmt.Sprintf("%s/f%04d", name, i), "x"))
		}
	}
	src.save(t, "/r", entries...)
	counted := &counter{Source: src}
	var got []string
	for e, err := range List(t.Context(), counted, "", false) {
		must(t, err)
		got = append(got, strings.Clone(e.Path))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	shallow := counted.segments.Load()
	counted.segments.Store(0)
	n := 0
	for _, err := range List(t.Context(), counted, "d3", false) {
		must(t, err)
		n++
	}
	if n != 3000 || shallow == 0 {
		t.Errorf("%d in d3", n)
	}
	var one []string
	for e, err := range List(t.Context(), counted, "d3.txt", false) {
		must(t, err)
		one = append(one, strings.Clone(e.Path))
	}
	if !slices.Equal(one, []string{"d3.txt"}) {
		t.Errorf("%q", one)
	}
}

// A counter counts segments.
type counter struct {
	Source
	segments atomic.Int64 // a walk fetches some ahead, at once
}

func (c *counter) Segment(ctx context.Context, r chunk.Ref) ([]byte, error) {
	c.segments.Add(1)
	return c.Source.Segment(ctx, r)
}

func TestCatErrors(t *testing.T) {
	src := newFake()
	gone := entry("gone", files.Regular, 0o600)
	gone.Err = "open: permission denied"
	src.save(t, "/r", dirEntry(""), dirEntry("d"), linkTo("l", "d"), entry("p", files.FIFO, 0o600), gone, src.file(t, "f", noise(5000, 1)))
	for path, want := range map[string]string{
		"": "folder", "d": "folder", "l": `symlink to "d"`, "p": "not a regular file", "gone": "permission denied", "none": "not in the snapshot",
	} {
		var out bytes.Buffer
		err := Cat(t.Context(), src, path, &out)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%q: %v", path, err)
		}
	}
	f, err := manifest.Lookup(t.Context(), src.body.Roots[0].Root, "f", src.Segment)
	must(t, err)
	src.bad[f.Refs[3].ID] = true
	var out bytes.Buffer
	if err := Cat(t.Context(), src, "f", &out); !errors.Is(err, vault.ErrDamaged) || !strings.HasPrefix(noise(5000, 1), out.String()) {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}
