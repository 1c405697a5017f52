package files

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openTree(t testing.TB, dir string) *Tree {
	t.Helper()
	tree, err := OpenTree(dir)
	must(t, err)
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

// A seen is a copy of an Entry.
type seen struct {
	path  string
	stat  Stat
	mount string
	err   error
}

func walkAll(t testing.TB, dir string, o Options) []seen {
	t.Helper()
	return walkTree(t, openTree(t, dir), o)
}

func walkTree(t testing.TB, tree *Tree, o Options) []seen {
	t.Helper()
	var out []seen
	for e, err := range tree.Walk(t.Context(), o, nil) {
		must(t, err)
		out = append(out, seen{string(e.Path), e.Stat, string(e.Mount), e.Err})
	}
	return out
}

func pathsOf(entries []seen) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.path)
	}
	return out
}

func find(t testing.TB, entries []seen, path string) seen {
	t.Helper()
	i := slices.IndexFunc(entries, func(e seen) bool { return e.path == path })
	if i < 0 {
		t.Fatalf("%q was not walked", path)
	}
	return entries[i]
}

// asUser runs f, on one thread, without root's right to read everything.
func asUser(t testing.TB, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFsUser(65534)
	defer setFsUser(0)
	f()
}

func umask(mask int) (restore func()) {
	old := unix.Umask(mask)
	return func() { unix.Umask(old) }
}
