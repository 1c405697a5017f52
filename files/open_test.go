package files

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// within fails the test if f hangs: a FIFO must never stop a run.
func within(t testing.TB, d time.Duration, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatal("it hangs")
	}
}

// Between stat and open a file becomes something else.
func TestFileReplacedBeforeOpen(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "sub", "f")
	must(t, os.Mkdir(filepath.Dir(at), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "other"), []byte("other"), 0o644))
	tree := openTree(t, dir)
	for name, make := range map[string]func() error{
		"FIFO":    func() error { return unix.Mkfifo(at, 0o644) },
		"folder":  func() error { return os.Mkdir(at, 0o755) },
		"symlink": func() error { return os.Symlink("../other", at) },
		"socket":  func() error { return makeSocket(t, at) },
		"nothing": func() error { return nil },
	} {
		must(t, os.WriteFile(at, []byte("content"), 0o644))
		st := find(t, walkTree(t, tree, Options{}), "sub/f").stat
		must(t, os.Remove(at))
		must(t, make())
		for _, resolves := range []bool{canResolve(tree.fd), false} {
			tree.resolves = resolves
			within(t, 5*time.Second, func() {
				if f, err := tree.Open("sub/f", st); err == nil {
					f.Close()
					t.Errorf("opened a %s", name)
				}
				if _, errs := tree.Detail("sub/f", st); errs == nil {
					t.Errorf("metadata of a %s", name)
				}
			})
		}
		must(t, os.RemoveAll(at))
	}
	must(t, unix.Mkfifo(at, 0o644))
	if _, err := tree.Open("sub/f", Stat{}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a FIFO: %v", err)
	}
}

func makeSocket(t testing.TB, at string) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: at})
}

func TestOpenRefusesOtherPaths(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "d", "f"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "out"), nil, 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "d", "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "d", "sub", "g"), nil, 0o644))
	must(t, os.Symlink("sub", filepath.Join(dir, "d", "inner")))
	must(t, os.Symlink("f", filepath.Join(dir, "d", "link")))
	tree := openTree(t, filepath.Join(dir, "d"))
	for _, resolves := range []bool{canResolve(tree.fd), false} {
		tree.resolves = resolves
		for _, p := range []string{"../out", "/", "./f", "f/", "/f", "d/../f", "..", ".", "f\x00", "x//f", "inner/g", "link", "sub", ""} {
			if _, err := tree.Open(p, Stat{}); err == nil {
				t.Errorf("opened %q", p)
			}
		}
		f, err := tree.Open("f", Stat{})
		must(t, err)
		f.Close()
		if _, err := tree.Open("missing", Stat{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
	}
}

func TestFStatSeesAChange(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "f")
	must(t, os.WriteFile(at, []byte("one"), 0o644))
	tree := openTree(t, dir)
	st := find(t, walkTree(t, tree, Options{}), "f").stat
	f, err := tree.Open("f", st)
	must(t, err)
	defer f.Close()
	now, err := FStat(f)
	must(t, err)
	if now != st {
		t.Errorf("walked %+v\nopened %+v", st, now)
	}
	b, err := io.ReadAll(f)
	must(t, err)
	if string(b) != "one" {
		t.Errorf("read %q", b)
	}
	must(t, os.WriteFile(at, []byte("other"), 0o644))
	if now, err = FStat(f); err != nil || now == st || now.Size != 5 {
		t.Errorf("after a change %+v, %v", now, err)
	}
}

func TestHoles(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "sparse")
	const size = 40 << 20
	makeSparse(t, at, size, map[int64]int{0: 4096, 8 << 20: 70 << 10, 8<<20 + 100<<10: 4096, 32 << 20: 1})
	tree := openTree(t, dir)
	st := find(t, walkTree(t, tree, Options{}), "sparse").stat
	d, errs := tree.Detail("sparse", st)
	if errs != nil {
		t.Fatal(errs)
	}
	if len(d.Holes) == 0 {
		t.Fatal("no holes: does the file system of the tests not have them?")
	}
	must(t, CheckHoles(size, d.Holes))
	checkHolesReadZero(t, at, size, d.Holes)
	stored := int64(0)
	for _, n := range DataExtents(size, d.Holes) {
		stored += n
	}
	if stored > 1<<20 {
		t.Errorf("%d bytes are stored of %d", stored, size)
	}
	for _, h := range d.Holes {
		if h.Len < minHole {
			t.Errorf("a hole of %d bytes", h.Len)
		}
	}

	f, err := tree.Open("sparse", st)
	must(t, err)
	defer f.Close()
	_, err = f.Seek(17, io.SeekStart)
	must(t, err)
	fd, errs := tree.FDetail(f, st)
	if errs != nil || !slices.Equal(fd.Holes, d.Holes) {
		t.Errorf("FDetail: %v %v", fd.Holes, errs)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != 17 {
		t.Errorf("the offset moved to %d", at)
	}
}

func makeSparse(t testing.TB, at string, size int64, data map[int64]int) {
	t.Helper()
	f, err := os.Create(at)
	must(t, err)
	for off, n := range data {
		_, err = f.WriteAt(bytes.Repeat([]byte("x"), n), off)
		must(t, err)
	}
	must(t, f.Truncate(size))
	must(t, f.Sync())
	must(t, f.Close())
}

func checkHolesReadZero(t testing.TB, at string, size int64, holes []Hole) {
	t.Helper()
	all, err := os.ReadFile(at)
	must(t, err)
	if int64(len(all)) != size {
		t.Errorf("%d bytes, want %d", len(all), size)
	}
	for _, h := range holes {
		if len(bytes.Trim(all[h.Off:h.Off+h.Len], "\x00")) > 0 {
			t.Errorf("data in the hole %+v", h)
		}
	}
}

// A file full of holes keeps the largest, in order.
func TestHoleSetKeepsTheLargest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Hole
		var set holeSet
		at := int64(0)
		for range rapid.IntRange(0, 3*maxHoles).Draw(t, "n") {
			h := Hole{at, minHole - 1 + int64(len(all)*7919%1000)}
			at += h.Len + 1
			set.add(h)
			if h.Len >= minHole {
				all = append(all, h)
			}
		}
		got := set.list()
		slices.SortStableFunc(all, func(a, b Hole) int { return int(b.Len - a.Len) })
		want := int64(0)
		for _, h := range all[:min(len(all), maxHoles)] {
			want += h.Len
		}
		sum := int64(0)
		for _, h := range got {
			sum += h.Len
		}
		if err := CheckHoles(at, got); err != nil || sum != want {
			t.Fatalf("%v: %d bytes in %d holes, want %d", err, sum, len(got), want)
		}
	})
}

func TestDataExtentsAndHolesFillTheFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var holes []Hole
		at := rapid.Int64Range(0, 2).Draw(t, "first")
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			h := Hole{at, rapid.Int64Range(1, 9).Draw(t, "len")}
			holes = append(holes, h)
			at += h.Len + rapid.Int64Range(1, 9).Draw(t, "gap")
		}
		size := at + rapid.Int64Range(0, 3).Draw(t, "rest")
		if err := CheckHoles(size, holes); err != nil {
			t.Fatal(err)
		}
		covered := make([]int, size)
		for off, n := range DataExtents(size, holes) {
			if n <= 0 {
				t.Fatalf("%d bytes at %d", n, off)
			}
			for i := range n {
				covered[off+i]++
			}
		}
		for _, h := range holes {
			for i := range h.Len {
				covered[h.Off+i]++
			}
		}
		for i, n := range covered {
			if n != 1 {
				t.Fatalf("byte %d covered %d times", i, n)
			}
		}
	})
	for _, bad := range [][]Hole{{{0, 0}}, {{-1, 5}}, {{0, 11}}, {{5, 1 << 62}}, {{0, 2}, {2, 2}}, {{4, 2}, {0, 2}}, {{11, 1}}, make([]Hole, maxHoles+1)} {
		if CheckHoles(10, bad) == nil {
			t.Errorf("%v passed", bad)
		}
	}
}

func FuzzCheckHoles(f *testing.F) {
	f.Add(int64(10), int64(0), int64(2), int64(5), int64(5))
	f.Add(int64(1)<<62, int64(0), int64(1)<<62, int64(-1), int64(1)<<62)
	f.Fuzz(func(t *testing.T, size, a, b, c, d int64) {
		if CheckHoles(size, []Hole{{a, b}, {c, d}}) != nil {
			return
		}
		for off, n := range DataExtents(size, []Hole{{a, b}, {c, d}}) {
			if off < 0 || n <= 0 || off+n > size {
				t.Errorf("%d bytes at %d of %d", n, off, size)
			}
		}
	})
}
