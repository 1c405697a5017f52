package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestCompareIsByComponent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[!-0a/]{0,6}`)
		a, b := part.Draw(t, "a"), part.Draw(t, "b")
		want := slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
		if a == "" || b == "" {
			want = strings.Compare(a, b)
		}
		if got := Compare(a, b); sign(got) != sign(want) {
			t.Fatalf("Compare(%q, %q) = %d, want the sign of %d", a, b, got, want)
		}
	})
}

func sign(n int) int { return max(-1, min(1, n)) }

// randomTree makes folders and empty files; some folders are larger than a
// window.
func randomTree(t testing.TB, r *rand.Rand, dir string, depth int) {
	n := r.IntN(12)
	if r.IntN(15) == 0 {
		n = windowSize*r.IntN(3) + r.IntN(3)
	}
	for i := range n {
		name := fmt.Sprintf("%c%x", "-.0a~"[r.IntN(5)], r.IntN(1<<r.IntN(20)))
		at := filepath.Join(dir, name)
		if depth > 0 && i < 6 && os.Mkdir(at, 0o755) == nil {
			randomTree(t, r, at, depth-1)
			continue
		}
		f, err := os.Create(at)
		if errors.Is(err, syscall.EISDIR) {
			continue
		}
		must(t, err)
		f.Close()
	}
}

// What the standard library finds, in the order that Compare says.
func reference(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		out = append(out, rel)
		return err
	}))
	out[0] = ""
	slices.SortFunc(out, Compare)
	return out
}

func TestWalkFindsAllInOrder(t *testing.T) {
	for seed := range uint64(5) {
		dir := t.TempDir()
		randomTree(t, rand.New(rand.NewPCG(seed, 2)), dir, 3)
		want := reference(t, dir)
		for _, parallel := range []int{1, 2, 7} {
			got := walkAll(t, dir, Options{Parallel: parallel})
			if !slices.Equal(pathsOf(got), want) {
				t.Fatalf("seed %d, parallel %d: %d paths, want %d:\n%q\n%q", seed, parallel, len(got), len(want), pathsOf(got), want)
			}
			for _, e := range got {
				checkStat(t, dir, e)
			}
		}
	}
}

func checkStat(t testing.TB, dir string, e seen) {
	t.Helper()
	fi, err := os.Lstat(filepath.Join(dir, e.path))
	must(t, err)
	st := e.stat
	size := fi.Size()
	if !fi.Mode().IsRegular() {
		size = 0
	}
	if e.err != nil || st.Size != size || !st.Mtime.Time().Equal(fi.ModTime()) || fs.FileMode(st.Mode&0o777) != fi.Mode().Perm() || (st.Type == Dir) != fi.IsDir() {
		t.Errorf("%q: %+v, %v; want %v", e.path, st, e.err, fi)
	}
}

func TestWalkStopsWhenToldTo(t *testing.T) {
	dir := t.TempDir()
	randomTree(t, rand.New(rand.NewPCG(1, 2)), dir, 3)
	tree := openTree(t, dir)
	before := openFiles(t)
	n := 0
	for range tree.Walk(t.Context(), Options{}, nil) {
		if n++; n == 20 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n = 0
	for e, err := range tree.Walk(ctx, Options{}, nil) {
		if last = err; err != nil {
			if e != nil {
				t.Error("an entry with the error")
			}
			continue
		}
		if n++; n == 20 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	for _, err := range tree.Walk(ctx, Options{}, nil) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("began with %v", err)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, before %d", after, before)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	r, w, err := os.Pipe() // the first of these makes the runtime open two of its own
	must(t, err)
	must(t, errors.Join(r.Close(), w.Close()))
	names, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(names)
}

func TestRootIsAFileOrALink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o640))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, os.Symlink("f", filepath.Join(dir, "to-f")))
	must(t, os.Symlink("d", filepath.Join(dir, "to-d")))
	must(t, os.Symlink("../f", filepath.Join(dir, "d", "inside")))
	for _, name := range []string{"f", "to-f"} {
		tree := openTree(t, filepath.Join(dir, name))
		got := walkTree(t, tree, Options{Exclude: []string{"*"}})
		if len(got) != 1 || got[0].path != "" || got[0].stat.Type != Regular || got[0].stat.Size != 7 {
			t.Errorf("%s: %+v", name, got)
		}
		f, err := tree.Open("", got[0].stat)
		must(t, err)
		f.Close()
		if _, errs := tree.Detail("", got[0].stat); errs != nil {
			t.Error(errs)
		}
		if _, err := tree.Open("f", got[0].stat); err == nil {
			t.Error("opened something below a file")
		}
	}
	got := walkAll(t, filepath.Join(dir, "to-d"), Options{Exclude: []string{"d", "/"}})
	if !slices.Equal(pathsOf(got), []string{"", "inside"}) || got[0].stat.Type != Dir || got[1].stat.Type != Symlink {
		t.Errorf("to-d: %+v", got)
	}
	if _, err := OpenTree(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing root: %v", err)
	}
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	if got := walkAll(t, filepath.Join(dir, "pipe"), Options{}); len(got) != 1 || got[0].stat.Type != FIFO {
		t.Errorf("pipe: %+v", got)
	}
}

// makeDeep makes a chain of folders whose paths grow longer than any system
// call takes, with a file in each, and another folder beside the next one if
// comb is set (so that the walk must come back to each).
func makeDeep(t testing.TB, dir string, depth, nameLen int, comb bool) (deepest string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	var path []string
	for i := range depth {
		name := fmt.Sprintf("%0*d", nameLen, i)
		must(t, root.Mkdir(name, 0o755))
		must(t, root.WriteFile("file", []byte(name), 0o644))
		if comb {
			must(t, root.Mkdir("z", 0o755))
			must(t, root.WriteFile("z/file", nil, 0o644))
		}
		next, err := root.OpenRoot(name)
		must(t, err)
		root.Close()
		root = next
		path = append(path, name)
	}
	must(t, root.WriteFile("last", []byte("found"), 0o600))
	root.Close()
	return strings.Join(append(path, "last"), "/")
}

func TestDeepTree(t *testing.T) {
	dir := t.TempDir()
	deepest := makeDeep(t, dir, 60, 200, false)
	tree := openTree(t, dir)
	for _, resolves := range []bool{tree.resolves, false} {
		tree.resolves = resolves
		got := walkTree(t, tree, Options{Exclude: []string{"/nothing"}})
		if len(got) != 1+60+60+1 {
			t.Fatalf("%d entries", len(got))
		}
		st := find(t, got, deepest).stat
		f, err := tree.Open(deepest, st)
		must(t, err)
		b := make([]byte, 9)
		if n, _ := f.Read(b); string(b[:n]) != "found" {
			t.Errorf("read %q", b[:n])
		}
		f.Close()
		if d, errs := tree.Detail(deepest, st); errs != nil {
			t.Errorf("%+v %v", d, errs)
		}
	}
}

// Deeper than descriptors are kept: folders must be opened again on the way back.
func TestCombTree(t *testing.T) {
	dir := t.TempDir()
	const depth = 3*depthOpen + 5
	makeDeep(t, dir, depth, 20, true)
	tree := openTree(t, dir)
	before := openFiles(t)
	most := 0
	n := 0
	for e, err := range tree.Walk(t.Context(), Options{}, nil) {
		must(t, err)
		if e.Err != nil {
			t.Fatalf("%q: %v", e.Path, e.Err)
		}
		if n++; n%16 == 0 {
			most = max(most, openFiles(t)-before)
		}
	}
	if n != 1+depth*4+1 {
		t.Errorf("%d entries, want %d", n, 1+depth*4+1)
	}
	if most > depthOpen+aheadMax/folderCost+32 {
		t.Errorf("%d descriptors at once", most)
	}
}

// A chain of folders needs no more descriptors than a short one.
func TestChainNeedsFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	makeDeep(t, dir, 400, 2, false)
	tree := openTree(t, dir)
	before := openFiles(t)
	for e, err := range tree.Walk(t.Context(), Options{Parallel: 1}, nil) {
		must(t, err)
		must(t, e.Err)
		if n := openFiles(t) - before; n > 4 {
			t.Fatalf("%d descriptors at %d bytes of path", n, len(e.Path))
		}
	}
}

// A folder that takes the place of the one that was listed, while its
// descriptor was given back, is noticed.
func TestReopenedFolderMustBeTheSame(t *testing.T) {
	dir := t.TempDir()
	makeDeep(t, dir, depthOpen+20, 3, true)
	tree := openTree(t, dir)
	at := filepath.Join(dir, "000", "001")
	var failed []string
	for e, err := range tree.Walk(t.Context(), Options{Parallel: 1}, nil) {
		must(t, err)
		if strings.HasSuffix(string(e.Path), "/last") {
			must(t, os.Rename(at, at+"-old"))
			must(t, os.Mkdir(at, 0o755))
		}
		if e.Err != nil {
			failed = append(failed, fmt.Sprintf("%s %v", e.Path, errors.Is(e.Err, ErrChanged)))
		}
	}
	// What lies below the old folder is named, too: its path leads nowhere now.
	if n := len(failed); n < 10 || n > 20 || failed[n-1] != "000/001/z true" {
		t.Errorf("failed: %q", failed)
	}
}

func TestUnreadableFolderIsNamed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, p := range []string{"a/x", "closed/x", "listable/x", "z/x"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, p), nil, 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	must(t, os.Chmod(filepath.Join(dir, "listable"), 0o444))
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	defer os.Chmod(filepath.Join(dir, "listable"), 0o755)
	tree := openTree(t, dir)
	asUser(t, func() {
		got := walkTree(t, tree, Options{Parallel: 1})
		if want := []string{"", "a", "a/x", "closed", "listable", "listable/x", "z", "z/x"}; !slices.Equal(pathsOf(got), want) {
			t.Fatalf("%q", pathsOf(got))
		}
		for _, e := range got {
			bad := e.path == "closed" || e.path == "listable/x"
			if bad != errors.Is(e.err, fs.ErrPermission) {
				t.Errorf("%q: %v", e.path, e.err)
			}
			if e.path == "closed" && e.stat.Type != Dir {
				t.Errorf("closed is %c", e.stat.Type)
			}
		}
		if _, err := tree.Open("listable/x", Stat{}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("open: %v", err)
		}
		f, err := tree.Open("a/x", find(t, got, "a/x").stat) // not ours: its access time cannot be spared
		must(t, err)
		f.Close()
	})
}

func TestVanishedEntriesAreNamed(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * windowSize {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d", i)), nil, 0o644))
	}
	must(t, os.Mkdir(filepath.Join(dir, "dir"), 0o755))
	tree := openTree(t, dir)
	vanished := 0
	for e, err := range tree.Walk(t.Context(), Options{Parallel: 1}, nil) {
		must(t, err)
		switch {
		case string(e.Path) == "0000":
			must(t, os.Remove(filepath.Join(dir, "0700")))
		case string(e.Path) == "0767":
			must(t, os.Remove(filepath.Join(dir, "dir")))
		case e.Err != nil:
			vanished++
			if !errors.Is(e.Err, fs.ErrNotExist) {
				t.Errorf("%q: %v", e.Path, e.Err)
			}
		}
	}
	if vanished != 2 {
		t.Errorf("%d vanished, want 2", vanished)
	}
}

// Whatever takes the place of a folder while the walk is on, nothing outside
// the root is ever seen.
func TestFolderSwappedForSymlink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(outside, "sub", "secret"), nil, 0o644))
	for i := range 40 {
		must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprintf("d%02d", i), "sub"), 0o755))
	}
	stop := swap(t, filepath.Join(dir, "d20"), outside)
	defer stop()
	tree := openTree(t, dir)
	kinds := map[Type]bool{}
	for began := time.Now(); time.Since(began) < 20*time.Second && !(kinds[Dir] && kinds[Symlink]) || time.Since(began) < 200*time.Millisecond; {
		for e, err := range tree.Walk(t.Context(), Options{Exclude: []string{"/x/y"}}, nil) {
			must(t, err)
			if strings.Contains(string(e.Path), "secret") {
				t.Fatalf("followed a symlink: %q", e.Path)
			}
			if string(e.Path) == "d20" {
				kinds[e.Stat.Type] = true
			}
		}
		for _, resolves := range []bool{canResolve(tree.fd), false} {
			tree.resolves = resolves
			for _, p := range []string{"d20/secret", "d20/sub/secret"} {
				if _, err := tree.Open(p, Stat{}); err == nil {
					t.Fatal("opened a file through a symlink")
				}
				if _, errs := tree.Detail(p, Stat{Type: Regular}); errs == nil {
					t.Fatal("read metadata through a symlink")
				}
			}
		}
	}
	if !kinds[Dir] || !kinds[Symlink] {
		t.Errorf("the race was not seen: %v", kinds)
	}
}

// swap makes at, a folder, a symlink to elsewhere and a folder again, over and
// over, until stop is called.
func swap(t testing.TB, at, elsewhere string) (stop func()) {
	t.Helper()
	must(t, os.Symlink(elsewhere, at+"-link"))
	return swapWith(at, at+"-link")
}

// swapWith gives other the name at and takes it away again, over and over.
func swapWith(at, other string) (stop func()) {
	quit, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				_ = os.Rename(at, at+"-dir")
				_ = os.Rename(other, at)
				runtime.Gosched()
				_ = os.Rename(at, other)
				_ = os.Rename(at+"-dir", at)
			}
		}
	}()
	return func() { close(quit); <-done }
}

func TestCacheFolder(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"cache/big", "cache/sub/x", "fake/big", "short/big"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, p), nil, 0o644))
	}
	must(t, os.WriteFile(filepath.Join(dir, "cache", cacheTag), []byte(cacheSignature+"\n# why\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, cacheTag), []byte(cacheSignature), 0o644)) // the root is never left out
	must(t, os.WriteFile(filepath.Join(dir, "fake", cacheTag), []byte("Signature: no"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "short", cacheTag), []byte(cacheSignature[:42]), 0o644))
	tree := openTree(t, dir)
	var got, skipped []string
	for e, err := range tree.Walk(t.Context(), Options{}, func(p, why string) { skipped = append(skipped, p+": "+why) }) {
		must(t, err)
		got = append(got, string(e.Path))
	}
	want := []string{"", "CACHEDIR.TAG", "cache", "cache/CACHEDIR.TAG", "fake", "fake/CACHEDIR.TAG", "fake/big", "short", "short/CACHEDIR.TAG", "short/big"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if !slices.Equal(skipped, []string{"cache: " + whyCache}) {
		t.Errorf("skipped %q", skipped)
	}
	if got := walkAll(t, dir, Options{CacheDirs: true}); len(got) != len(want)+3 {
		t.Errorf("with CacheDirs %q", pathsOf(got))
	}
}

// An ignore file that cannot be used leaves its folder whole, and is told.
func TestIgnoreFileThatCannotBeApplied(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "fifo"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "link"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "large"), 0o755))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo/.cofferignore"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "rules"), []byte("*\n"), 0o644))
	must(t, os.Symlink("../rules", filepath.Join(dir, "link/.cofferignore")))
	must(t, os.WriteFile(filepath.Join(dir, "large/.cofferignore"), []byte("*\n"+strings.Repeat("#", maxIgnoreFile)), 0o644))
	for _, d := range []string{"fifo", "link", "large"} {
		must(t, os.WriteFile(filepath.Join(dir, d, "kept"), nil, 0o644))
	}
	var skipped, got []string
	for e, err := range openTree(t, dir).Walk(t.Context(), Options{}, func(p, why string) { skipped = append(skipped, p+" "+why) }) {
		must(t, err)
		got = append(got, string(e.Path))
	}
	if len(got) != 1+4+6 || len(skipped) != 3 {
		t.Errorf("%q\n%q", got, skipped)
	}
	for _, s := range skipped {
		if !strings.Contains(s, "/.cofferignore ignore file not applied: ") {
			t.Error(s)
		}
	}
}

func TestOneFileSystem(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "mnt"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	must(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "other")))
	mounted := mountTmpfs(t, filepath.Join(dir, "mnt"))
	must(t, os.Mkdir(filepath.Join(dir, "mnt", "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "mnt", "sub", "x"), nil, 0o644))

	got := walkAll(t, dir, Options{})
	if !slices.Equal(pathsOf(got), []string{"", "file", "mnt", "mnt/sub", "mnt/sub/x", "other"}) {
		t.Errorf("%q", pathsOf(got))
	}
	for _, e := range got {
		want := ""
		if mounted && strings.HasPrefix(e.path, "mnt") {
			want = "mnt"
		}
		if e.mount != want {
			t.Errorf("%q is on the mount point %q, want %q", e.path, e.mount, want)
		}
	}
	if a, b := find(t, got, "file"), find(t, got, "other"); a.stat.Ino != b.stat.Ino || a.stat.Nlink != 2 || a.mount != b.mount {
		t.Errorf("hard link: %+v %+v", a, b)
	}

	var skipped, paths []string
	for e, err := range openTree(t, dir).Walk(t.Context(), Options{OneFileSystem: true}, func(p, why string) { skipped = append(skipped, p+" "+why) }) {
		must(t, err)
		paths = append(paths, string(e.Path))
	}
	want, wantSkipped := []string{"", "file", "mnt", "mnt/sub", "mnt/sub/x", "other"}, []string(nil)
	if mounted {
		want, wantSkipped = []string{"", "file", "mnt", "other"}, []string{"mnt " + whyMount}
	}
	if !slices.Equal(paths, want) || !slices.Equal(skipped, wantSkipped) {
		t.Errorf("%q, skipped %q", paths, skipped)
	}
}

// Two files with one inode number on two devices are not one file.
func TestFileMountedOnAFile(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "mnt"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	mounted := mountTmpfs(t, filepath.Join(dir, "mnt"))
	must(t, os.WriteFile(filepath.Join(dir, "mnt", "x"), []byte("mounted"), 0o644))
	must(t, os.Link(filepath.Join(dir, "mnt", "x"), filepath.Join(dir, "mnt", "y")))
	if mounted {
		bindMount(t, filepath.Join(dir, "mnt", "x"), filepath.Join(dir, "file"))
	}
	got := walkAll(t, dir, Options{OneFileSystem: true})
	e := find(t, got, "file")
	if device := fmt.Sprintf("\x00%d", e.stat.Dev); mounted && (e.mount != device || e.stat.Size != 7) || !mounted && e.mount != "" {
		t.Errorf("%+v", e)
	}
}

// The kernel's calls and the arenas are there so that a walk over millions of
// files leaves nothing to collect. Small trees show the fixed cost.
func TestWalkDoesNotAllocatePerEntry(t *testing.T) {
	dir := t.TempDir()
	for i := range 100 {
		must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprint(i%10), fmt.Sprint(i)), 0o755))
		for j := range 60 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i%10), fmt.Sprint(i), fmt.Sprint("a file with a name ", j)), nil, 0o644))
		}
	}
	for _, o := range []Options{{Parallel: 1}, {Parallel: 4}, {Parallel: 1, Exclude: []string{"*.o", "/1/2/3", "**/x[ab]"}}} {
		tree := openTree(t, dir)
		entries := 0
		count := func() {
			entries = 0
			for e, err := range tree.Walk(t.Context(), o, nil) {
				must(t, err)
				must(t, e.Err)
				entries++
			}
		}
		allocs := testing.AllocsPerRun(3, count)
		t.Logf("%+v: %.0f allocations for %d entries", o, allocs, entries)
		if perEntry := allocs / float64(entries); rawCalls && perEntry > 0.3 {
			t.Errorf("%+v: %.3f allocations per entry", o, perEntry)
		}
	}
}

// Thousands of names in one folder go through windows, several at a time.
func TestLargeFolder(t *testing.T) {
	dir := t.TempDir()
	const n = 6000
	for i := range n {
		must(t, os.Symlink("x", filepath.Join(dir, fmt.Sprintf("%05d", i))))
	}
	for _, parallel := range []int{1, 4} {
		i := -1
		for e, err := range openTree(t, dir).Walk(t.Context(), Options{Parallel: parallel}, nil) {
			must(t, err)
			if i >= 0 && string(e.Path) != fmt.Sprintf("%05d", i) {
				t.Fatalf("%q at place %d", e.Path, i)
			}
			i++
		}
		if i != n {
			t.Errorf("%d entries", i)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	dir := b.TempDir()
	if d := os.Getenv("COFFER_BENCH_TREE"); d != "" {
		dir = d
	} else {
		randomTree(b, rand.New(rand.NewPCG(1, 2)), dir, 5)
	}
	tree := openTree(b, dir)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = 0
		for e, err := range tree.Walk(b.Context(), Options{}, nil) {
			must(b, err)
			must(b, e.Err)
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}
