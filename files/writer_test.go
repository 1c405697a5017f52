package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newWriter(t testing.TB, dir string, o WriterOptions) *Writer {
	t.Helper()
	w, err := NewWriter(dir, o)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

var fileStat = Stat{Type: Regular, Mode: 0o644, Mtime: Time{1, 2}}

// put writes a small file.
func put(w *Writer, path, content string) error {
	f, err := w.Create(path, int64(len(content)))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		return errors.Join(err, f.Abort())
	}
	st := fileStat
	st.Size = int64(len(content))
	_, err = f.Finish(st, Detail{})
	return err
}

func listDir(t testing.TB, dir string) []string {
	t.Helper()
	names, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, n := range names {
		out = append(out, n.Name())
	}
	return out
}

// Everything a Writer can be asked to do to one path.
func everyAct(w *Writer, path string) map[string]error {
	link := Detail{Target: "x"}
	acts := map[string]error{
		"file":   put(w, path, "x"),
		"mkdir":  w.Mkdir(path),
		"link":   w.Link(path, "source"),
		"from":   w.Link("new", path),
		"remove": w.Remove(path),
		"all":    w.RemoveAll(path),
	}
	_, acts["symlink"] = w.Symlink(path, Stat{Type: Symlink}, link)
	_, acts["fifo"] = w.FIFO(path, Stat{Type: FIFO}, Detail{})
	_, acts["device"] = w.Device(path, Stat{Type: Char, Rdev: 1<<32 | 3}, Detail{})
	_, acts["finish folder"] = w.FinishDir(path, Stat{Type: Dir, Mode: 0o700}, Detail{})
	_, acts["lstat"] = w.Lstat(path)
	_, acts["readdir"] = w.ReadDir(path)
	return acts
}

// Names come from whoever wrote the snapshot.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	w := newWriter(t, target, WriterOptions{Devices: true, Replace: true})
	must(t, put(w, "source", "s"))
	for _, path := range []string{
		"..", "../x", "a/..", "a/../../x", "/", "/x", "x/", "a//b", ".", "./x", "x/.", "a\x00b", "\x00", "../target/x", "source/..", "/etc/x",
	} {
		for act, err := range everyAct(w, path) {
			if err == nil {
				t.Errorf("%s of %q went through", act, path)
			} else if !strings.Contains(fmt.Sprintf("%q", err.Error()), strings.Trim(fmt.Sprintf("%q", path), `"`)) && !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
				t.Errorf("%s of %q: %v: does not name it", act, path, err)
			}
		}
	}
	for _, act := range []func(string) error{w.Remove, w.RemoveAll, func(p string) error { return put(w, p, "x") }} {
		if act("") == nil {
			t.Error("the target itself was removed or written")
		}
	}
	long := strings.Repeat("n", 256)
	if err := put(w, long, "x"); err == nil || !strings.Contains(err.Error(), long) {
		t.Errorf("a name of 256 bytes: %v", err)
	}
	if got := listDir(t, dir); !slices.Equal(got, []string{"target"}) {
		t.Errorf("outside: %q", got)
	}
	if got := listDir(t, target); !slices.Equal(got, []string{"source"}) {
		t.Errorf("inside: %q", got)
	}
}

// Links that are there before the restore begins are never written through,
// wherever they lead, also if it is elsewhere in the target.
func TestPlantedLinks(t *testing.T) {
	for _, replace := range []bool{false, true} {
		dir := t.TempDir()
		target, outside := filepath.Join(dir, "target"), filepath.Join(dir, "outside")
		must(t, os.MkdirAll(filepath.Join(target, "real"), 0o755))
		must(t, os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
		must(t, os.WriteFile(filepath.Join(outside, "file"), []byte("mine"), 0o644))
		must(t, os.Symlink(outside, filepath.Join(target, "out")))
		must(t, os.Symlink("../outside", filepath.Join(target, "rel")))
		must(t, os.Symlink("real", filepath.Join(target, "in")))
		must(t, os.Symlink("../outside/file", filepath.Join(target, "f")))
		must(t, os.Symlink("loop", filepath.Join(target, "loop")))
		w := newWriter(t, target, WriterOptions{Replace: replace, Devices: true})
		for _, p := range []string{"out/x", "rel/x", "in/x", "out/sub/x", "loop/x"} {
			for act, err := range everyAct(w, p) {
				if err == nil {
					t.Errorf("%s of %s went through a link", act, p)
				} else if act != "from" && act != "link" && !errors.Is(err, ErrInTheWay) {
					t.Errorf("%s of %s: %v", act, p, err)
				}
			}
		}
		// A name that is a link: the link is replaced, never followed.
		must(t, put(w, "f", "new"))
		if _, err := w.FIFO("loop", Stat{Type: FIFO, Mode: 0o600}, Detail{}); err != nil {
			t.Error(err)
		}
		for _, p := range []string{"out", "rel", "in"} {
			err := w.Mkdir(p)
			if replace != (err == nil) || !replace && !errors.Is(err, ErrInTheWay) {
				t.Errorf("replace %v: %v", replace, err)
			}
			if replace {
				must(t, put(w, p+"/x", "x"))
			}
		}
		if got := listDir(t, outside); !slices.Equal(got, []string{"file", "sub"}) {
			t.Errorf("outside: %q", got)
		}
		if got := listDir(t, filepath.Join(target, "real")); len(got) > 0 {
			t.Errorf("in real: %q", got)
		}
		if b, _ := os.ReadFile(filepath.Join(outside, "file")); string(b) != "mine" {
			t.Errorf("written through: %q", b)
		}
	}
}

// While a restore runs, somebody swaps its folders for links to elsewhere, as
// fast as they can.
func TestSwapperDuringRestore(t *testing.T) {
	dir := t.TempDir()
	target, outside := filepath.Join(dir, "target"), filepath.Join(dir, "outside")
	must(t, os.MkdirAll(filepath.Join(target, "d", "sub"), 0o755))
	must(t, os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "x"), []byte("mine"), 0o604))
	must(t, os.Chtimes(filepath.Join(outside, "x"), time.Unix(5, 0), time.Unix(5, 0)))
	must(t, os.Mkdir(filepath.Join(outside, "old"), 0o705))
	stop := swap(t, filepath.Join(target, "d"), outside)
	var wrote, refused int
	for began := time.Now(); time.Since(began) < 3*time.Second && (wrote < 50 || refused < 50) || time.Since(began) < 300*time.Millisecond; {
		w, err := NewWriter(target, WriterOptions{Replace: true, Devices: true, Owner: true})
		must(t, err)
		for _, p := range []string{"d/x", "d/sub/x", "d/old"} {
			for act, err := range everyAct(w, p) {
				switch {
				case err == nil:
					wrote++
				case act != "link" && act != "from":
					refused++
				}
			}
		}
		must(t, w.Close())
	}
	stop()
	if wrote == 0 || refused == 0 {
		t.Errorf("the race was not seen: %d acts done, %d refused", wrote, refused)
	}
	if got := listDir(t, outside); !slices.Equal(got, []string{"old", "sub", "x"}) {
		t.Errorf("outside: %q", got)
	}
	if got := listDir(t, filepath.Join(outside, "sub")); len(got) > 0 {
		t.Errorf("outside/sub: %q", got)
	}
	fi, err := os.Lstat(filepath.Join(outside, "x"))
	must(t, err)
	if b, _ := os.ReadFile(filepath.Join(outside, "x")); string(b) != "mine" || fi.Mode().Perm() != 0o604 || fi.ModTime().Unix() != 5 {
		t.Errorf("outside/x is %q, %v", b, fi)
	}
	if fi, _ = os.Lstat(filepath.Join(outside, "old")); fi.Mode().Perm() != 0o705 {
		t.Errorf("outside/old is %v", fi)
	}
}

// A link to another folder of the target leads a restore astray just as well.
func TestSwapperInsideTheTarget(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "bait"), 0o755))
	defer swap(t, filepath.Join(dir, "d"), "bait")()
	p, err := newPlaceAt(dir)
	must(t, err)
	defer p.close()
	bait, err := p.root.Lstat("bait")
	must(t, err)
	opened, before := 0, openFiles(t)
	for began := time.Now(); time.Since(began) < 5*time.Second && opened < 20000; {
		d, err := openChild(p, "d")
		if err != nil {
			continue
		}
		opened++
		fi, err := d.root.Stat(".")
		must(t, err)
		d.close()
		if os.SameFile(fi, bait) {
			t.Fatal("opened the folder that a link led to")
		}
	}
	if opened == 0 {
		t.Error("never opened")
	}
	if n := openFiles(t); n > before {
		t.Errorf("%d descriptors are open, were %d", n, before)
	}
}

// A FIFO where a folder must be does not stop a restore for ever.
func TestFIFOInTheWay(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(dir, "p"), 0o600))
	w := newWriter(t, dir, WriterOptions{Replace: true})
	within(t, 5*time.Second, func() {
		if err := put(w, "p/x", "x"); !errors.Is(err, ErrInTheWay) {
			t.Error(err)
		}
		p, err := newPlaceAt(dir)
		must(t, err)
		defer p.close()
		if r, err := p.root.OpenRoot("p/."); err == nil { // what openChild relies on
			r.Close()
			t.Error("a FIFO was opened as a folder")
		}
		must(t, w.Mkdir("p"))
		must(t, put(w, "p", "x")) // an empty folder goes
		must(t, w.Mkdir("p"))
		must(t, put(w, "p/x", "x"))
		if err := put(w, "p", "x"); !errors.Is(err, ErrInTheWay) {
			t.Errorf("a folder with something in it: %v", err)
		}
		if _, err := w.Symlink("p", Stat{}, Detail{Target: "x"}); !errors.Is(err, ErrInTheWay) {
			t.Errorf("a folder with something in it: %v", err)
		}
	})
	if got := listDir(t, dir); !slices.Equal(got, []string{"p"}) {
		t.Errorf("%q", got)
	}
	keep := newWriter(t, dir, WriterOptions{})
	must(t, keep.Mkdir("q"))
	for what, err := range map[string]error{"file": put(keep, "q", "x"), "folder": keep.Mkdir("p/x")} {
		if !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Nor does one that takes the place of a folder in the moment it is opened.
func TestFIFOSwappedForAFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, unix.Mkfifo(filepath.Join(dir, "d-link"), 0o600))
	stop := swapWith(filepath.Join(dir, "d"), filepath.Join(dir, "d-link"))
	defer stop()
	within(t, 20*time.Second, func() {
		p, err := newPlaceAt(dir)
		must(t, err)
		defer p.close()
		for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
			if d, err := openChild(p, "d"); err == nil {
				d.close()
			}
		}
	})
}

func newPlaceAt(dir string) (*place, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return newPlace(root)
}

func TestFilesAppearCompleteOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o644))
	w, err := NewWriter(dir, WriterOptions{})
	must(t, err)
	f, err := w.Create("old", 3)
	must(t, err)
	_, err = f.WriteAt([]byte("new"), 0)
	must(t, err)
	names := listDir(t, dir)
	if len(names) != 2 || !IsTemp(names[0]) || IsTemp(names[1]) {
		t.Errorf("%q", names)
	}
	if fi, _ := os.Lstat(filepath.Join(dir, names[0])); fi.Mode().Perm() != 0o600 {
		t.Errorf("others may read it while it is written: %v", fi.Mode())
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "old")); string(b) != "old" {
		t.Errorf("old is %q", b)
	}
	must(t, f.Abort())
	must(t, f.Abort())
	if _, err := f.Finish(fileStat, Detail{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("finished after abort: %v", err)
	}
	left, err := w.Create("left", 10)
	must(t, err)
	_, err = left.WriteAt([]byte("x"), 5)
	must(t, err)
	for _, bad := range []struct {
		n   int
		off int64
	}{{1, 10}, {11, 0}, {1, -1}, {1, 1 << 62}, {2, 9}} {
		if _, err := left.WriteAt(make([]byte, bad.n), bad.off); err == nil {
			t.Errorf("wrote outside: %+v", bad)
		}
	}
	must(t, w.Close())
	if got := listDir(t, dir); !slices.Equal(got, []string{"old"}) {
		t.Errorf("after Close %q", got)
	}
	if err := put(w, "x", "x"); err == nil {
		t.Error("wrote after Close")
	}
}

func TestRemove(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "x"), nil, 0o644))
	w := newWriter(t, dir, WriterOptions{})
	must(t, w.Mkdir("d"))
	must(t, put(w, "d/x", "x"))
	must(t, os.Symlink(outside, filepath.Join(dir, "d", "out")))
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	if err := w.Remove("d"); err == nil {
		t.Error("Remove took a folder that was not empty")
	}
	if names, err := w.ReadDir("d"); err != nil || !slices.Equal(names, []string{"out", "x"}) {
		t.Errorf("%q %v", names, err)
	}
	must(t, w.RemoveAll("d"))
	must(t, w.Remove("out"))
	must(t, w.RemoveAll("never there"))
	if err := w.Remove("never there"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := w.Lstat("d"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	must(t, w.Mkdir("d")) // no longer the folder that was open
	must(t, put(w, "d/y", "y"))
	if names, err := w.ReadDir(""); err != nil || !slices.Equal(names, []string{"d"}) {
		t.Errorf("%q %v", names, err)
	}
	if st, err := w.Lstat("d/y"); err != nil || st.Type != Regular || st.Size != 1 {
		t.Errorf("%+v %v", st, err)
	}
	if st, err := w.Lstat(""); err != nil || st.Type != Dir {
		t.Errorf("%+v %v", st, err)
	}
	if got := listDir(t, outside); len(got) != 1 {
		t.Errorf("outside: %q", got)
	}
}

func TestHardLinks(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, WriterOptions{})
	must(t, w.Mkdir("d"))
	must(t, put(w, "a", "a"))
	must(t, put(w, "d/b", "b"))
	must(t, w.Link("d/b", "a")) // in place of another file
	must(t, w.Link("d/b", "a")) // again: a rename onto itself leaves nothing behind
	a, err := w.Lstat("a")
	must(t, err)
	b, err := w.Lstat("d/b")
	must(t, err)
	if a.Ino != b.Ino || a.Nlink != 2 {
		t.Errorf("%+v %+v", a, b)
	}
	if got := listDir(t, filepath.Join(dir, "d")); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q", got)
	}
	if err := w.Link("x", "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// A link that took the place of the first name is linked itself.
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "s")))
	must(t, w.Link("s2", "s"))
	if st, err := w.Lstat("s2"); err != nil || st.Type != Symlink {
		t.Errorf("%+v %v", st, err)
	}
}

// Many folders, many goroutines: more folders than are kept open.
func TestManyFoldersAtOnce(t *testing.T) {
	dir := t.TempDir()
	before := openFiles(t)
	w, err := NewWriter(dir, WriterOptions{})
	must(t, err)
	const folders = 3 * placesKept
	var group sync.WaitGroup
	for i := range folders {
		must(t, w.Mkdir(fmt.Sprintf("d%d", i)))
		must(t, w.Mkdir(fmt.Sprintf("d%d/e", i)))
	}
	for g := range 4 {
		group.Go(func() {
			for i := range folders {
				for _, p := range []string{"d%d/e/%d", "d%d/%d"} {
					if err := put(w, fmt.Sprintf(p, (i*7+g*13)%folders, g), "x"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if n := openFiles(t) - before; n > 2*(placesKept+1)+4 {
		t.Errorf("%d descriptors are open", n)
	}
	for i := folders - 1; i >= 0; i-- {
		for _, p := range []string{"d%d/e", "d%d"} {
			losses, err := w.FinishDir(fmt.Sprintf(p, i), Stat{Type: Dir, Mode: 0o555, Mtime: Time{int64(i), 1}}, Detail{})
			if err != nil || losses != nil {
				t.Fatal(losses, err)
			}
		}
	}
	must(t, w.Close())
	if n := openFiles(t); n != before {
		t.Errorf("%d descriptors, before %d", n, before)
	}
	got := walkAll(t, dir, Options{})
	if len(got) != 1+folders*(2+8) {
		t.Errorf("%d entries", len(got))
	}
	for _, e := range got {
		if e.stat.Type == Dir && e.path != "" {
			if e.stat.Mode != 0o555 || e.stat.Mtime.Nsec != 1 {
				t.Fatalf("%+v", e)
			}
			_ = os.Chmod(filepath.Join(dir, e.path), 0o755)
		}
	}
}

// The folders used last stay open, and one that is in use is closed by its last
// user.
func TestFoldersKept(t *testing.T) {
	w := newWriter(t, t.TempDir(), WriterOptions{})
	w.kept = 3 // the target is one of them
	for _, dir := range []string{"a", "b", "c", "d"} {
		must(t, w.Mkdir(dir))
	}
	for _, use := range []string{"a", "b", "a", "c"} {
		must(t, put(w, use+"/x", "x"))
	}
	if len(w.dirs) != 3 || w.dirs["a"] == nil || w.dirs["c"] == nil {
		t.Errorf("kept: %v", w.dirs)
	}
	must(t, put(w, "a/y", "y"))
	must(t, put(w, "b/x", "x")) // opened later than a was used last
	must(t, put(w, "c/x", "x"))
	if len(w.dirs) != 3 || w.dirs["b"] == nil || w.dirs["c"] == nil {
		t.Errorf("kept: %v", w.dirs)
	}
	must(t, put(w, "a/x", "x"))
	must(t, put(w, "c/x", "x"))
	a, _, err := w.parent("a/x")
	must(t, err)
	c, _, err := w.parent("c/x")
	must(t, err)
	must(t, put(w, "d/x", "x")) // none can be given back but this one
	before := openFiles(t)
	w.forget("a")
	w.forget("c/x") // not that folder
	if w.dirs["a"] != nil || w.dirs["c"] != c || openFiles(t) != before {
		t.Errorf("forgotten, but in use: %v, %d descriptors more", w.dirs, openFiles(t)-before)
	}
	w.release(a)
	w.release(c)
	if n := openFiles(t); n != before-2 {
		t.Errorf("%d descriptors, want two less than %d: the last user did not close the folder", n, before)
	}
}

// Where descriptors are few, fewer folders stay open.
func TestFewDescriptors(t *testing.T) {
	limit := descriptorLimit(t)
	for n, want := range map[uint64]int{600: 100, 20: 16, limit.Max: int(min(placesKept, limit.Max/6))} {
		withDescriptors(t, n, func() {
			if got := mayKeep(); got != want {
				t.Errorf("of %d descriptors %d folders are kept open, want %d", n, got, want)
			}
		})
	}
}

// The folder unused for longest is given back, whether it was found open or
// opened anew when it was used.
func TestOldestFolderGoes(t *testing.T) {
	w := newWriter(t, t.TempDir(), WriterOptions{})
	w.kept = 3 // with the target itself
	use := func(path string) {
		p, err := w.folder(path)
		must(t, err)
		w.release(p)
	}
	for _, path := range []string{"a", "b", "c", "d"} {
		must(t, w.Mkdir(path))
	}
	for range 20 { // maps have no order
		for _, path := range []string{"a", "b", "a", "c", "d", "c", "a"} {
			use(path)
		}
		for path, open := range map[string]bool{"": true, "a": true, "b": false, "c": true, "d": false} {
			if w.dirs[path] != nil != open {
				t.Fatalf("folder %q: open %v, want %v", path, !open, open)
			}
		}
	}
}

func TestReadDirSorts(t *testing.T) {
	w := newWriter(t, t.TempDir(), WriterOptions{})
	for i := range 50 {
		must(t, put(w, fmt.Sprint(i*7%50), "x"))
	}
	if names, err := w.ReadDir(""); err != nil || len(names) != 50 || !slices.IsSorted(names) {
		t.Errorf("%q, %v", names, err)
	}
}

// An error says what was done to which path, once.
func TestErrorsNameThePathOnce(t *testing.T) {
	w := newWriter(t, t.TempDir(), WriterOptions{})
	must(t, put(w, "file", "x"))
	_, list := w.ReadDir("none")
	_, symlink := w.Symlink("file", Stat{Type: Symlink}, Detail{Target: strings.Repeat("x", 5000)})
	for want, err := range map[string]error{
		"open folder none: no such file or directory": list,
		"remove none: no such file or directory":      w.Remove("none"),
		"make file: file name too long":               symlink,
		`path "": the target itself`:                  w.Remove(""),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestIsTemp(t *testing.T) {
	name := tempName()
	if name == tempName() {
		t.Error("two unfinished files have one name")
	}
	for of, want := range map[string]bool{
		name: true, name + mixedUp[0][0]: true, name + mixedUp[0][1]: true, name + "x": false, name[1:]: false, name[:len(name)-1]: false,
		"": false, tempPrefix: false, "x" + name[1:]: false, strings.Repeat("x", 99): false, strings.TrimSuffix(name, tempSuffix) + "xxxx": false,
	} {
		if IsTemp(of) != want {
			t.Errorf("%q: want %v", of, want)
		}
	}
}

func TestDeepTreeIsWritten(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, WriterOptions{})
	path := ""
	for range 3 * placesKept {
		path = strings.TrimPrefix(path+"/"+strings.Repeat("d", 60), "/")
		must(t, w.Mkdir(path))
	}
	must(t, put(w, path+"/file", "deep"))
	must(t, w.Link(path+"/again", path+"/file"))
	st := find(t, walkAll(t, dir, Options{}), path+"/again").stat
	if st.Size != 4 || st.Nlink != 2 {
		t.Errorf("%+v", st)
	}
}

// A file system that takes two names for one: the second must not silently
// replace the first. (Hard links stand in for one here.)
func TestNamesThatTheFileSystemMixesUp(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, WriterOptions{Replace: true})
	if w.blurry {
		t.Log("the tests run on such a file system")
	}
	w.blurry = true
	must(t, os.WriteFile(filepath.Join(dir, "old"), nil, 0o644))
	must(t, put(w, "a", "first"))
	must(t, put(w, "old", "replaced: not ours"))
	must(t, put(w, "a", "again, the same path"))
	must(t, w.Link("linked", "a"))
	must(t, w.Link("linked", "a"))
	must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "A")))
	for what, err := range map[string]error{"file": put(w, "A", "x"), "folder": w.Mkdir("A"), "link": w.Link("A", "old")} {
		if !errors.Is(err, ErrSameName) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.Symlink("A", Stat{}, Detail{Target: "x"}); !errors.Is(err, ErrSameName) {
		t.Errorf("symlink: %v", err)
	}
	must(t, os.Link(filepath.Join(dir, "linked"), filepath.Join(dir, "LINKED")))
	must(t, w.Remove("linked"))
	must(t, w.Remove("a")) // no name of ours is that file any more
	must(t, put(w, "LINKED", "not the second name of anything"))
	must(t, w.Mkdir("d"))
	must(t, w.Mkdir("d"))
	if b, _ := os.ReadFile(filepath.Join(dir, "A")); string(b) != "again, the same path" {
		t.Errorf("%q", b)
	}
	for _, n := range listDir(t, dir) {
		if IsTemp(n) {
			t.Errorf("%s is left", n)
		}
	}
}

func TestMkdirOverWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "d", "stays"), nil, 0o644))
	must(t, os.Chmod(filepath.Join(dir, "d"), 0o555))
	must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
	w := newWriter(t, dir, WriterOptions{})
	must(t, w.Mkdir(""))
	must(t, w.Mkdir("d"))
	if st, err := w.Lstat("d"); err != nil || st.Mode != 0o755 {
		t.Errorf("%+v %v", st, err)
	}
	must(t, put(w, "d/new", "x"))
	if err := w.Mkdir("f"); !errors.Is(err, ErrInTheWay) || !strings.Contains(err.Error(), "f: file in the way") {
		t.Error(err)
	}
	if err := w.Mkdir("missing/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got := listDir(t, filepath.Join(dir, "d")); !slices.Equal(got, []string{"new", "stays"}) {
		t.Errorf("%q", got)
	}
	old := umask(0)
	defer old()
	must(t, w.Mkdir("private"))
	if st, _ := w.Lstat("private"); st.Mode != 0o700 {
		t.Errorf("until it is finished a folder is %o", st.Mode)
	}
}
