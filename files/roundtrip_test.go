package files

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/files/treecmp"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// copyTree walks src and writes it to dst, as a backup and a restore together
// do: content by data extents, in pieces out of order, hard links by mount
// point and inode, folders finished deepest first.
func copyTree(t testing.TB, src, dst string, o WriterOptions) map[string]Losses {
	t.Helper()
	tree := openTree(t, src)
	w, err := NewWriter(dst, o)
	must(t, err)
	c := &copier{t: t, tree: tree, w: w, links: map[string]string{}, losses: map[string]Losses{}}
	for e, err := range tree.Walk(t.Context(), Options{CacheDirs: true, IgnoreFiles: []string{}}, nil) {
		must(t, err)
		must(t, e.Err)
		c.entry(string(e.Path), e.Stat, string(e.Mount))
	}
	for i := len(c.folders) - 1; i >= 0; i-- {
		f := c.folders[i]
		losses, err := w.FinishDir(f.path, f.stat, f.detail)
		c.done(f.path, losses, err)
	}
	must(t, w.Close())
	return c.losses
}

type copier struct {
	t       testing.TB
	tree    *Tree
	w       *Writer
	links   map[string]string
	folders []folderSeen
	losses  map[string]Losses
}

type folderSeen struct {
	path   string
	stat   Stat
	detail Detail
}

func (c *copier) done(path string, losses Losses, err error) {
	c.t.Helper()
	must(c.t, err)
	if losses != nil {
		c.losses[path] = losses
	}
}

func (c *copier) entry(path string, st Stat, mount string) {
	c.t.Helper()
	d, errs := c.tree.Detail(path, st)
	if errs != nil {
		c.t.Fatalf("%q: %v", path, errs)
	}
	if st.Nlink > 1 && st.Type != Dir {
		group := fmt.Sprintf("%q %d", mount, st.Ino)
		if first, ok := c.links[group]; ok {
			must(c.t, c.w.Link(path, first))
			return
		}
		c.links[group] = path
	}
	switch st.Type {
	case Dir:
		must(c.t, c.w.Mkdir(path))
		c.folders = append(c.folders, folderSeen{path, st, d})
	case Regular:
		c.file(path, st, d)
	case Symlink:
		losses, err := c.w.Symlink(path, st, d)
		c.done(path, losses, err)
	case FIFO:
		losses, err := c.w.FIFO(path, st, d)
		c.done(path, losses, err)
	case Char, Block:
		losses, err := c.w.Device(path, st, d)
		c.done(path, losses, err)
	case Socket: // not kept
	default:
		c.t.Fatalf("%q is a %c", path, st.Type)
	}
}

func (c *copier) file(path string, st Stat, d Detail) {
	c.t.Helper()
	src, err := c.tree.Open(path, st)
	must(c.t, err)
	defer src.Close()
	f, err := c.w.Create(path, st.Size)
	must(c.t, err)
	type piece struct{ off, n int64 }
	var pieces []piece
	for off, n := range DataExtents(st.Size, d.Holes) {
		for n > 0 {
			step := min(n, 300<<10)
			pieces = append(pieces, piece{off, step})
			off, n = off+step, n-step
		}
	}
	rand.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	for _, p := range pieces {
		buf := make([]byte, p.n)
		_, err := src.ReadAt(buf, p.off)
		must(c.t, err)
		_, err = f.WriteAt(buf, p.off)
		must(c.t, err)
	}
	losses, err := f.Finish(st, d)
	c.done(path, losses, err)
}

func compareTrees(t testing.TB, a, b string, ignore ...string) {
	t.Helper()
	diffs := treecmp.Compare(a, b, treecmp.Options{Ignore: func(d treecmp.Difference) bool {
		for _, kind := range ignore {
			if d.Kind == kind {
				return true
			}
		}
		return false
	}})
	for _, d := range diffs {
		t.Error(d)
	}
}

var oddNames = []string{
	" ", "  lead", "trail ", "new\nline", "tab\t", "\x01\x7f", "\xff\xfe", "é", "e\u0301", "..a", "...", "-rf", "*", "a\\b", "C:", "CON", "a:b",
	"\x1b[31mred", strings.Repeat("n", 255), strings.Repeat("ü", 127), "%2F", "$(x)", "'", `"`, "#", "!",
}

// buildZoo makes one of everything that a file system here can hold.
func buildZoo(t testing.TB, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, content []byte, perm os.FileMode) {
		must(t, os.WriteFile(at(name), content, 0o600))
		must(t, os.Chmod(at(name), perm))
	}
	must(t, os.MkdirAll(at("sub/deeper/empty"), 0o755))
	write("empty", nil, 0o644)
	write("sub/content", bytes.Repeat([]byte("content\n"), 100_000), 0o640)
	write("zeros", make([]byte, 1<<20), 0o600)
	write("unreadable by others", []byte("x"), 0o400)
	write("no rights at all", nil, 0o000|0o400)
	write("setuid", []byte("#!"), 0o755|os.ModeSetuid|os.ModeSetgid|os.ModeSticky)
	must(t, os.MkdirAll(at("odd"), 0o755))
	for _, name := range oddNames {
		write("odd/"+name, []byte(name), 0o644)
		must(t, os.Symlink(name, at("odd/l"+name[:min(len(name), 250)])))
	}
	must(t, os.Symlink("/nowhere/\xff", at("dangling")))
	must(t, os.Symlink("..", at("up")))
	must(t, os.Symlink("sub", at("to folder")))
	must(t, os.Link(at("sub/content"), at("hard")))
	must(t, os.Link(at("sub/content"), at("sub/deeper/hard")))
	must(t, os.Link(at("dangling"), at("hard dangling")))
	must(t, unix.Mkfifo(at("fifo"), 0o622))
	must(t, makeSocket(t, at("socket")))
	makeSparse(t, at("sparse"), 64<<20, map[int64]int{0: 1, 5 << 20: 100, 60 << 20: 1 << 20})
	makeSparse(t, at("all hole"), 8<<20+1, nil)
	must(t, os.Mkdir(at("shared"), 0o700))
	must(t, os.Chmod(at("shared"), 0o775|os.ModeSetgid|os.ModeSticky))
	must(t, os.Mkdir(at("closed"), 0o700))
	write("closed/inside", []byte("inside"), 0o444)
	buildZooMore(t, dir)
	setTimes(t, dir)
	must(t, os.Chmod(at("closed"), 0o500))
	t.Cleanup(func() { _ = os.Chmod(at("closed"), 0o700) })
}

// setTimes gives everything a time of its own, to the nanosecond, some long ago.
func setTimes(t testing.TB, dir string) {
	t.Helper()
	entries := walkAll(t, dir, Options{CacheDirs: true, IgnoreFiles: []string{}})
	for i := len(entries) - 1; i >= 0; i-- {
		ts := []unix.Timespec{{Sec: 1}, {Sec: int64(1_000_000_000 + i*1000), Nsec: 123456789 + int64(i)}}
		if i%7 == 0 {
			ts[1].Sec = -int64(i) - 1
		}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, entries[i].path), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// removeSocket takes away what is reported and not kept.
func removeSocket(t testing.TB, dir string) {
	t.Helper()
	fi, err := os.Lstat(dir)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "socket")))
	must(t, os.Chtimes(dir, fi.ModTime(), fi.ModTime()))
}

// The promise of the whole room: what was walked and written is the same tree.
func TestZooComesBack(t *testing.T) {
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "new", "target")
	buildZoo(t, src)
	losses := copyTree(t, src, dst, WriterOptions{Owner: true, Devices: true, SetID: true})
	for path, l := range losses {
		t.Errorf("%q: %v", path, l)
	}
	removeSocket(t, src)
	compareTrees(t, src, dst)
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dst, "closed"), 0o700) })

	// Again, over what is there: nothing may change.
	copyTree(t, src, dst, WriterOptions{Owner: true, Devices: true, SetID: true, Sparse: true, Sync: true})
	compareTrees(t, src, dst, "holes") // there are more now
}

// The default gives away no rights, and says what it left out.
func TestZooWithoutPrivileges(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	buildZoo(t, src)
	losses := copyTree(t, src, dst, WriterOptions{})
	removeSocket(t, src)
	kinds := map[string]bool{}
	for _, l := range losses {
		for _, loss := range l {
			kinds[loss.Kind] = true
		}
	}
	if !kinds["setuid"] {
		t.Errorf("losses %v", losses)
	}
	if os.Geteuid() == 0 && (!kinds["device"] || !kinds["xattr security.capability"]) {
		t.Errorf("losses %v", losses)
	}
	fi, err := os.Lstat(filepath.Join(dst, "setuid"))
	must(t, err)
	if fi.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		t.Error("setuid came back")
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dst, "closed"), 0o700) })
	for _, d := range treecmp.Compare(src, dst, treecmp.Options{}) {
		switch {
		case d.Kind == "mode" && d.Path == "setuid", d.Kind == "owner", d.Kind == "only in a" && strings.HasPrefix(d.Path, "device"),
			d.Kind == "xattr security.capability":
		default:
			t.Error(d)
		}
	}
}

// Random trees, with content at the sizes where things change.
func TestWriteThenWalkIsTheSameTree(t *testing.T) {
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		src, dst := filepath.Join(base, fmt.Sprint("a", n)), filepath.Join(base, fmt.Sprint("b", n))
		must(t, os.Mkdir(src, 0o755))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		grow(t, r, src, 3)
		o := WriterOptions{Owner: true, Sparse: rapid.Bool().Draw(rt, "sparse"), Replace: rapid.Bool().Draw(rt, "replace")}
		if losses := copyTree(t, src, dst, o); len(losses) > 0 {
			rt.Fatalf("losses %v", losses)
		}
		ignore := []string{}
		if o.Sparse {
			ignore = append(ignore, "holes")
		}
		compareTrees(t, src, dst, ignore...)
		if t.Failed() {
			rt.Fatal("see above")
		}
		must(t, os.RemoveAll(src))
		must(t, os.RemoveAll(dst))
	})
}

func grow(t testing.TB, r *rand.Rand, dir string, depth int) {
	t.Helper()
	var made []string
	for range r.IntN(7) {
		name := oddNames[r.IntN(len(oddNames))]
		if r.IntN(2) == 0 {
			name = fmt.Sprintf("%x", r.IntN(1000))
		}
		at := filepath.Join(dir, name)
		if _, err := os.Lstat(at); err == nil {
			continue
		}
		switch k := r.IntN(10); {
		case k < 3 && depth > 0:
			must(t, os.Mkdir(at, 0o755))
			grow(t, r, at, depth-1)
			continue
		case k == 3:
			must(t, os.Symlink(oddNames[r.IntN(len(oddNames))], at))
		case k == 4:
			must(t, unix.Mkfifo(at, 0o600))
		case k == 5 && len(made) > 0:
			must(t, os.Link(made[r.IntN(len(made))], at))
		default:
			sizes := []int{0, 1, 4095, 4096, 4097, minHole - 1, minHole, minHole + 1, 300<<10 + 1, 3*minHole + 5}
			b := make([]byte, sizes[r.IntN(len(sizes))])
			for i := 0; i < len(b) && r.IntN(3) > 0; i += 1 + r.IntN(200<<10) {
				b[i] = 1
			}
			must(t, os.WriteFile(at, b, 0o600))
			must(t, os.Chmod(at, os.FileMode(0o400|r.IntN(0o777))))
		}
		made = append(made, at)
	}
}

func TestSparseWritingLeavesHoles(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, WriterOptions{Sparse: true})
	must(t, err)
	content := make([]byte, 4<<20+123)
	content[2<<20] = 1
	copy(content[3<<20+5:], bytes.Repeat([]byte("y"), 100))
	f, err := w.Create("f", int64(len(content)))
	must(t, err)
	for off := 0; off < len(content); off += 1<<20 + 77 {
		_, err := f.WriteAt(content[off:min(off+1<<20+77, len(content))], int64(off))
		must(t, err)
	}
	back := make([]byte, 10)
	if _, err := f.ReadAt(back, 3<<20+3); err != nil && err != io.EOF || string(back) != "\x00\x00yyyyyyyy" {
		t.Errorf("read back %q, %v", back, err)
	}
	_, err = f.Finish(Stat{Type: Regular, Mode: 0o600, Size: int64(len(content)), Mtime: Time{1, 2}}, Detail{})
	must(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	must(t, err)
	if !bytes.Equal(got, content) {
		t.Error("content differs")
	}
	if st := find(t, walkAll(t, dir, Options{}), "f").stat; st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes are allocated", st.Blocks*512)
	}
	must(t, w.Close())
}

func TestDataRunsCoverAllData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := make([]byte, rapid.IntRange(0, 400<<10).Draw(t, "len"))
		for range rapid.IntRange(0, 4).Draw(t, "data") {
			if len(p) > 0 {
				p[rapid.IntRange(0, len(p)-1).Draw(t, "at")] = 1
			}
		}
		off := rapid.Int64Range(0, 1<<40).Draw(t, "off")
		last, skipped := 0, 0
		check := func(from, to int) {
			if len(bytes.Trim(p[from:to], "\x00")) > 0 {
				t.Fatalf("data in %d..%d is left out", from, to)
			}
			skipped += to - from
		}
		for from, to := range dataRuns(p, off) {
			if from < last || to <= from || to > len(p) {
				t.Fatalf("run %d..%d", from, to)
			}
			check(last, from)
			last = to
		}
		check(last, len(p))
		if zero := len(bytes.Trim(p, "\x00")) == 0; zero && len(p) >= minHole+2*zeroBlock && skipped == 0 {
			t.Fatal("nothing is left out of zeros")
		}
	})
}
