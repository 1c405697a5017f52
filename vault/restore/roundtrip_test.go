package restore

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"coffer/files"
	"coffer/files/treecmp"
)

// noise is content that no two calls with different seeds share.
func noise(size int, seed uint64) string {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return string(b)
}

// zoo makes a tree with every kind of entry and metadata.
func zoo(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(temp(t), "zoo")
	for i := range 40 {
		writeFile(t, fmt.Sprintf("%s/small/%02d/f%d", dir, i%7, i), noise(i*97, uint64(i)))
	}
	writeFile(t, dir+"/empty", "")
	writeFile(t, dir+"/medium", noise(30_500, 1000))
	writeFile(t, dir+"/large", noise(300_000, 1001)) // 300 chunks: a list
	writeFile(t, dir+"/large copy", noise(300_000, 1001))
	writeFile(t, dir+"/zeros", strings.Repeat("\x00", 50_000))
	writeFile(t, dir+"/deep/a/b/c/d/e/f/g/h", "deep")
	writeFile(t, dir+"/a", "before a/b") // sorts between "a-" and "a/b"
	writeFile(t, dir+"/a-", "a-")
	must(t, os.Mkdir(dir+"/a dir", 0o755))
	writeFile(t, dir+"/a dir/b", "b")
	writeFile(t, dir+"/not utf-8 \xff\xfe/\x80", "bytes")
	writeFile(t, dir+"/ctl \x1b[2J\n", "control")
	writeFile(t, dir+"/"+strings.Repeat("n", 255), "long name")
	must(t, os.Mkdir(dir+"/empty dir", 0o755))
	sparseFile(t, dir+"/sparse", 900_000, 200_000, 600_000)
	sparseFile(t, dir+"/all hole", 1<<20)
	must(t, os.Symlink("medium", dir+"/link"))
	must(t, os.Symlink("/nowhere/\xff at all", dir+"/dangling"))
	must(t, os.Symlink("..", dir+"/up"))
	must(t, syscall.Mkfifo(dir+"/fifo", 0o640))
	zooLinks(t, dir)
	zooAttributes(t, dir)
	zooModes(t, dir)
	zooTimes(t, dir)
	return dir
}

// sparseFile makes a file of holes, with some data at the offsets.
func sparseFile(t testing.TB, path string, size int64, data ...int64) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(size))
	for i, off := range data {
		_, err := f.WriteAt([]byte(noise(5000, uint64(2000+i))), off)
		must(t, err)
	}
	must(t, f.Close())
}

func zooLinks(t testing.TB, dir string) {
	t.Helper()
	writeFile(t, dir+"/links/1", noise(5000, 3000))
	for _, to := range []string{"/links/2", "/small/00/linked", "/zzz linked"} {
		must(t, os.Link(dir+"/links/1", dir+to))
	}
	writeFile(t, dir+"/links/e1", "")
	must(t, os.Link(dir+"/links/e1", dir+"/links/e2"))
	must(t, os.Link(dir+"/large", dir+"/links/large"))
	must(t, os.Link(dir+"/fifo", dir+"/links/fifo"))
	if isLinux {
		must(t, os.Link(dir+"/dangling", dir+"/links/dangling"))
	}
}

func zooAttributes(t testing.TB, dir string) {
	t.Helper()
	must(t, xattr.LSet(dir+"/medium", "user.coffer.small", []byte("value \x00 with a zero")))
	must(t, xattr.LSet(dir+"/small", "user.coffer.dir", []byte("on a folder")))
	if isLinux { // ext4 has 4 KiB for all; what is larger goes the same way in the manifest tests
		must(t, xattr.LSet(dir+"/large", "user.coffer.big", []byte(noise(3000, 4000))))
	}
}

func zooModes(t testing.TB, dir string) {
	t.Helper()
	for path, mode := range map[string]fs.FileMode{
		"/small/01": 0o555, "/small/02": 0o700, "/small/03": 0o1777, "/small/04": fs.ModeSetgid | 0o755,
		"/small/00/f0": 0o400, "/small/00/f7": 0o751, "/medium": 0o600, "/empty": 0o444,
	} {
		must(t, os.Chmod(dir+path, mode))
	}
	must(t, os.Chmod(dir+"/small/03", fs.ModeSticky|0o777))
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Chmod(dir+"/small/00/f0", 0))
	must(t, os.Chmod(dir+"/a-", fs.ModeSetuid|0o755))
	must(t, os.Lchown(dir+"/link", 12, 34))
	must(t, os.Chown(dir+"/medium", 4321, 8765))
	must(t, os.Chown(dir+"/small/05", 4321, 8765))
	must(t, syscall.Mknod(dir+"/device", syscall.S_IFCHR|0o600, 1<<8|3))
}

// zooTimes gives everything a time of its own, folders last.
func zooTimes(t testing.TB, dir string) {
	t.Helper()
	var dirs []string
	i := int64(0)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		i++
		if d.IsDir() {
			dirs = append(dirs, path)
		} else if d.Type() == 0 {
			must(t, os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000-i*50_000_000, 111*i)))
		}
		return nil
	}))
	for j, d := range dirs {
		must(t, os.Chtimes(d, time.Time{}, time.Unix(int64(-1000*j), int64(j))))
	}
}

// same fails the test for each difference of two trees.
func same(t testing.TB, want, got string) {
	t.Helper()
	for _, d := range treecmp.Compare(want, got, treecmp.Options{Limit: 20}) {
		t.Error(d)
	}
}

// noTemps fails the test for each unfinished file below dir.
func noTemps(t testing.TB, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if files.IsTemp(filepath.Base(path)) {
			t.Errorf("left behind: %s", path)
		}
		return err
	}))
}

// run restores and expects no trouble.
func run(t testing.TB, src Source, o Options) Result {
	t.Helper()
	res, err := Run(t.Context(), src, o)
	if err != nil {
		t.Fatalf("%v\n%+v", err, res)
	}
	return res
}

// The tree comes back with everything, whatever the size of the windows: a
// window that ends in the middle of a folder, a file or a hard-link group
// makes no difference.
func TestRoundTrip(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	for name, b := range map[string]bounds{
		"default":     {},
		"one entry":   {entries: 1, refs: 1 << 20, open: 1 << 20, bytes: 1 << 30},
		"three":       {entries: 3, refs: 1 << 20, open: 1 << 20, bytes: 1 << 30},
		"one ref":     {entries: 1 << 20, refs: 1, open: 1 << 20, bytes: 1 << 30},
		"hundred":     {entries: 1 << 20, refs: 100, open: 1 << 20, bytes: 1 << 30},
		"one open":    {entries: 1 << 20, refs: 1 << 20, open: 1, bytes: 1 << 30},
		"fifty bytes": {entries: 1 << 20, refs: 1 << 20, open: 1 << 20, bytes: 50},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(temp(t), "out")
			var progress Progress
			res := run(t, src, Options{Target: to, bounds: b, Verify: true, Progress: &progress})
			same(t, dir, to)
			noTemps(t, to)
			if len(res.Losses) > 0 && os.Geteuid() == 0 {
				t.Errorf("losses: %+v", res.Losses)
			}
			if res.Files != res.Verified {
				t.Errorf("%d files restored, %d verified", res.Files, res.Verified)
			}
			for _, c := range []struct{ got, want int64 }{
				{progress.Files.Load(), src.body.Counts.Files}, {progress.TotalFiles.Load(), src.body.Counts.Files},
				{progress.Bytes.Load(), src.body.Counts.Bytes}, {progress.TotalBytes.Load(), src.body.Counts.Bytes},
				{res.Files + res.Links - 1 - linkedSymlinks, src.body.Counts.Files}, {res.Folders, src.body.Counts.Dirs},
			} {
				if c.got != c.want {
					t.Errorf("counted %d, want %d: %+v", c.got, c.want, res)
				}
			}
		})
	}
}

// linkedSymlinks is how many further names of symlinks the zoo has; one more
// is of the FIFO.
var linkedSymlinks = map[bool]int64{true: 1}[isLinux]

// Restoring over what was restored writes nothing and changes nothing.
func TestSecondTime(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	to := filepath.Join(temp(t), "out")
	run(t, src, Options{Target: to})
	for _, o := range []Options{{}, {Verify: true}, {Delete: true}, {Overwrite: IfNewer}, {bounds: bounds{1, 1, 1, 1}}} {
		src.reads = nil
		o.Target = to
		res := run(t, src, o)
		same(t, dir, to)
		if res.Files+res.Links+res.Symlinks+res.Specials+res.Bytes+res.Deleted > 0 || len(src.reads) > 0 {
			t.Errorf("%+v: not left alone: %+v, %d reads", o, res, len(src.reads))
		}
	}
}

// With Overwrite always, everything is written anew, hard links included.
func TestAlways(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	to := filepath.Join(temp(t), "out")
	first := run(t, src, Options{Target: to})
	second := run(t, src, Options{Target: to, Overwrite: Always})
	same(t, dir, to)
	if second.Files != first.Files || second.Unchanged > 0 {
		t.Errorf("first %+v, then %+v", first, second)
	}
}
