package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/files"
)

// events collects what OnEvent tells, as "action path".
type events []string

func (e *events) add(ev Event) { *e = append(*e, string(ev.Action)+" "+ev.Path) }

func (e *events) sorted() []string { slices.Sort(*e); return *e }

// What happens to what is there already, for each rule and each kind of
// difference. A snapshot's "f" is a file of 8 bytes, "l" a symlink, "d" a
// folder that holds "x".
func TestOverwriteMatrix(t *testing.T) {
	const age = 100 * time.Second
	now := someTime.Time()
	file := func(content string, mtime time.Time) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			writeFile(t, path, content)
			must(t, os.Chtimes(path, time.Time{}, mtime))
		}
	}
	symlink := func(target string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { must(t, os.Symlink(target, path)) }
	}
	for _, c := range []struct {
		name  string
		path  string
		there func(t *testing.T, path string)
		want  string // action for always, if-changed, if-newer, never
	}{
		{"equal", "f", file("snapshot", now), "restored unchanged unchanged kept"},
		{"same size and time, other content", "f", file("SNAPSHOT", now), "restored unchanged unchanged kept"},
		{"older", "f", file("snapshot", now.Add(-age)), "restored restored restored kept"},
		{"newer", "f", file("snapshot", now.Add(age)), "restored restored kept kept"},
		{"newer by a nanosecond", "f", file("snapshot", now.Add(1)), "restored restored kept kept"},
		{"other size", "f", file("longer than it", now), "restored restored kept kept"},
		{"other size, older", "f", file("longer than it", now.Add(-age)), "restored restored restored kept"},
		{"symlink for a file", "f", symlink("/etc/passwd"), "restored restored kept kept"},
		{"fifo for a file", "f", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, "restored restored kept kept"},
		{"empty folder for a file", "f", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "restored restored kept kept"},
		{"folder for a file", "f", func(t *testing.T, path string) { writeFile(t, path+"/in", "the way") }, "failed failed kept kept"},
		{"other target", "l", symlink("elsewhere"), "restored restored kept kept"},
		{"file for a symlink", "l", file("x", now.Add(-age)), "restored restored restored kept"},
		{"file for a folder", "d", file("x", now.Add(age)), "restored restored kept kept"},
		{"file for a folder, older", "d", file("x", now.Add(-age)), "restored restored restored kept"},
		{"symlink for a folder", "d", symlink("/tmp"), "restored restored kept kept"},
	} {
		for i, rule := range []Overwrite{Always, IfChanged, IfNewer, Never} {
			t.Run(c.name+"/"+string(rule), func(t *testing.T) {
				src := newFake()
				src.save(t, "/r", dirEntry(""), dirEntry("d"), src.file(t, "d/x", "in d"), src.file(t, "f", "snapshot"), linkTo("l", "target"))
				to := temp(t)
				c.there(t, filepath.Join(to, c.path))
				before := describe(t, filepath.Join(to, c.path))
				want := strings.Fields(c.want)[i]
				for _, dry := range []bool{true, false} {
					var seen events
					res, err := Run(t.Context(), src, Options{Target: to, Overwrite: rule, OnEvent: seen.add, DryRun: dry})
					if (want == "failed") != errors.Is(err, ErrPartial) || want != "failed" && err != nil {
						t.Fatalf("%v: %+v", err, res)
					}
					if !slices.Contains(seen, want+" "+c.path) {
						t.Errorf("dry %v: want %s %s in %q", dry, want, c.path, seen)
					}
					if c.path == "d" && !slices.Contains(seen, want+" d/x") {
						t.Errorf("dry %v: want %s d/x in %q", dry, want, seen)
					}
					if dry && describe(t, filepath.Join(to, c.path)) != before {
						t.Errorf("a dry run changed it")
					}
				}
				if after := describe(t, filepath.Join(to, c.path)); (after != before) != (want == "restored" && c.name != "equal") {
					t.Errorf("before %s, after %s", before, after)
				}
			})
		}
	}
}

// describe sums up what has a name.
func describe(t testing.TB, path string) string {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	s := fmt.Sprint(fi.Mode().Type(), fi.ModTime())
	switch {
	case fi.Mode().IsRegular():
		b, err := os.ReadFile(path)
		must(t, err)
		s += string(b)
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		must(t, err)
		s += target
	case fi.IsDir():
		names, err := os.ReadDir(path)
		must(t, err)
		s += fmt.Sprint(names)
	}
	return s
}

// Verify does not trust size and time: what differs in content is written
// anew.
func TestVerifyFindsSilentDifference(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	to := filepath.Join(temp(t), "out")
	first := run(t, src, Options{Target: to})
	names := []string{"medium", "large", "sparse", "all hole", "small/03/f3"}
	for _, b := range []bounds{{}, {entries: 5, refs: 50, open: 9, bytes: 1 << 20}} {
		for _, name := range names {
			spoil(t, filepath.Join(to, name))
		}
		if res := run(t, src, Options{Target: to}); res.Files != 0 {
			t.Errorf("without Verify %d files restored", res.Files)
		}
		res := run(t, src, Options{Target: to, Verify: true, bounds: b})
		if int(res.Files) != len(names) || res.Links != 1 { // "large" has two names
			t.Errorf("with Verify %d files and %d links restored", res.Files, res.Links)
		}
		same(t, dir, to)
		var seen events
		told := new(Progress)
		res = run(t, src, Options{Target: to, Verify: true, OnEvent: seen.add, Progress: told, bounds: b})
		if res.Files+res.Links != 0 || res.Verified != first.Files {
			t.Errorf("the second time %+v", res)
		}
		n, bytes, allFiles, allBytes := told.Files.Load(), told.Bytes.Load(), told.TotalFiles.Load(), told.TotalBytes.Load()
		if n != allFiles || bytes != allBytes || n < first.Files {
			t.Errorf("progress ends at %d files and %d bytes, of %d and %d", n, bytes, allFiles, allBytes)
		}
		for _, name := range names {
			if !slices.Contains(seen, "unchanged "+name) {
				t.Errorf("not told that %s is as it should be: %q", name, seen)
			}
		}
	}
}

// spoil changes a byte of a file and nothing that a stat call tells.
func spoil(t testing.TB, path string) {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("~"), fi.Size()/2)
	must(t, err)
	must(t, f.Close())
	must(t, os.Chtimes(path, time.Time{}, fi.ModTime()))
}

// deleteTree makes a target with things the snapshot does not have.
func deleteTree(t *testing.T) (src *fake, to, outside string) {
	t.Helper()
	src = newFake()
	src.save(t, "/r", dirEntry(""), dirEntry("b"), src.file(t, "b/keep", "k"), dirEntry("e"), src.file(t, "m", "m"))
	base := temp(t)
	to, outside = base+"/to", base+"/outside"
	writeFile(t, outside+"/precious", "p")
	run(t, src, Options{Target: to})
	writeFile(t, to+"/a", "extra")
	writeFile(t, to+"/b/extra", "extra")
	writeFile(t, to+"/b/dir/deep/extra.o", "extra")
	writeFile(t, to+"/e/x.o", "extra")
	writeFile(t, to+"/z", "extra")
	writeFile(t, to+"/locked/x", "extra")
	must(t, os.Chmod(to+"/locked", 0o500))
	must(t, os.Symlink(outside, to+"/out"))
	must(t, os.Symlink(outside, to+"/b/dir/out"))
	must(t, syscall.Mkfifo(to+"/fifo", 0o600))
	return src, to, outside
}

func TestDelete(t *testing.T) {
	src, to, outside := deleteTree(t)
	var dry, seen events
	would := run(t, src, Options{Target: to, Delete: true, DryRun: true, OnEvent: dry.add})
	res := run(t, src, Options{Target: to, Delete: true, OnEvent: seen.add})
	if !slices.Equal(dry.sorted(), seen.sorted()) || would.Deleted != res.Deleted || res.Deleted != 12 {
		t.Errorf("dry run: %q\nreal run: %q\n%d deleted", dry, seen, res.Deleted)
	}
	clean := temp(t)
	run(t, src, Options{Target: clean})
	same(t, clean, to)
	if describe(t, outside+"/precious") == "" || !strings.HasSuffix(describe(t, outside+"/precious"), "p") {
		t.Error("a symlink was followed")
	}
}

// What a filter leaves out is not deleted either, and a folder stays as long
// as something in it does. Only folders that are restored whole are cleared.
func TestDeleteSparesWhatIsLeftOut(t *testing.T) {
	src, to, _ := deleteTree(t)
	run(t, src, Options{Target: to, Delete: true, Exclude: []string{"*.o", "/z"}})
	left := tree(t, to)
	if want := []string{"b", "b/dir", "b/dir/deep", "b/dir/deep/extra.o", "b/keep", "e", "e/x.o", "m", "z"}; !slices.Equal(left, want) {
		t.Errorf("left: %q", left)
	}
	src, to, _ = deleteTree(t)
	run(t, src, Options{Target: to, Delete: true, Include: []string{"/b"}})
	left = tree(t, to)
	if want := []string{"a", "b", "b/keep", "e", "e/x.o", "fifo", "locked", "locked/x", "m", "out", "z"}; !slices.Equal(left, want) {
		t.Errorf("left: %q", left)
	}
	src, to, _ = deleteTree(t)
	run(t, src, Options{Target: to, Delete: true})
	run(t, src, Options{Target: to + "/e", Paths: []string{"b"}, Delete: true})
	if left = tree(t, to); !slices.Equal(left, []string{"b", "b/keep", "e", "e/keep", "m"}) {
		t.Errorf("left: %q", left)
	}
}

// What the backup leaves out on purpose is not deleted for not being in the
// snapshot.
func TestDeleteSparesWhatTheBackupLeavesOut(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), dirEntry("a"), src.file(t, "a/.cofferignore", "*.o\r\n/build/\n# comment\n"), dirEntry("a/b"), src.file(t, "a/b/f", "f"))
	src.body.Policy = []string{"exclude node_modules/", "one-file-system", "exclude /a/b/cache"}
	for _, o := range []Options{{}, {Paths: []string{"a"}}} {
		to := temp(t)
		at := to
		if o.Paths != nil {
			at = to + "/x"
			must(t, os.Mkdir(at, 0o755))
			must(t, os.Symlink("x", to+"/a"))
		}
		for _, f := range []string{"a/1.o", "a/b/2.o", "a/build/x", "a/b/build/x", "a/node_modules/m/i.js", "a/b/cache/x", "a/cache/x", "a/new/3.o", "a/new/4"} {
			writeFile(t, to+"/"+f, "")
		}
		o.Target, o.Delete = at, true
		res := run(t, src, o)
		if o.Paths == nil {
			at += "/a"
		}
		want := ".cofferignore 1.o b b/2.o b/cache b/cache/x b/f build build/x new new/3.o node_modules node_modules/m node_modules/m/i.js"
		if got := strings.Join(tree(t, at), " "); got != want || res.Kept != 6 {
			t.Errorf("%q, %d kept", got, res.Kept)
		}
	}
}

// tree lists the paths below a folder.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			out = append(out, rel)
		}
		return err
	}))
	return out
}

// Without Delete, a folder in the way of a file stays; with it, it goes.
func TestFolderInTheWay(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), src.file(t, "f", "file"), linkTo("l", "f"))
	for _, del := range []bool{false, true} {
		to := temp(t)
		writeFile(t, to+"/f/a/b", "1")
		writeFile(t, to+"/l/a", "2")
		res, err := Run(t.Context(), src, Options{Target: to, Delete: del})
		if del && (err != nil || !slices.Equal(tree(t, to), []string{"f", "l"})) {
			t.Errorf("%v: %q", err, tree(t, to))
		}
		if !del && (!errors.Is(err, ErrPartial) || res.Failed.Count != 2 || len(tree(t, to)) != 5) {
			t.Errorf("%v: %+v, %q", err, res, tree(t, to))
		}
	}
}

// A dry run changes nothing, not even a time, makes no target, and tells what
// the real run then does.
func TestDryRun(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	to := filepath.Join(temp(t), "out")
	var dry, real events
	would := run(t, src, Options{Target: to, DryRun: true, OnEvent: dry.add})
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the target: %v", err)
	}
	did := run(t, src, Options{Target: to, OnEvent: real.add})
	if !slices.Equal(dry.sorted(), real.sorted()) {
		t.Errorf("would:\n%q\ndid:\n%q", dry, real)
	}
	would.Elapsed, did.Elapsed, would.DryRun = 0, 0, false
	if would.Packs == 0 || would.Packs > did.Packs {
		t.Errorf("would read %d packs, did read %d", would.Packs, did.Packs)
	}
	would.Packs = did.Packs
	if fmt.Sprint(would) != fmt.Sprint(did) {
		t.Errorf("would: %+v\ndid: %+v", would, did)
	}
	removeAll(t, to+"/small/03")
	removeAll(t, to+"/links/1")
	writeFile(t, to+"/medium", "changed")
	before := snapshotOf(t, to)
	dry, real = nil, nil
	run(t, src, Options{Target: to, DryRun: true, OnEvent: dry.add})
	if after := snapshotOf(t, to); !slices.Equal(before, after) {
		t.Error("a dry run changed something")
	}
	run(t, src, Options{Target: to, OnEvent: real.add})
	if !slices.Equal(dry.sorted(), real.sorted()) {
		t.Errorf("would:\n%q\ndid:\n%q", dry, real)
	}
	same(t, dir, to)
}

// snapshotOf describes all that a dry run could change below a folder.
func snapshotOf(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		fi, err := d.Info()
		must(t, err)
		out = append(out, fmt.Sprint(path, fi.Mode(), fi.ModTime(), fi.Size()))
		return nil
	}))
	return out
}

// A target that holds other things keeps its own metadata, as long as they
// stay; one that holds nothing else gets the snapshot's.
func TestTargetKeepsItsOwn(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), src.file(t, "f", "x"))
	to := temp(t)
	must(t, os.Chmod(to, 0o711))
	writeFile(t, to+"/other", "")
	res := run(t, src, Options{Target: to})
	fi, err := os.Lstat(to)
	must(t, err)
	if fi.Mode().Perm() != 0o711 || len(res.Losses) != 1 || res.Losses[0].Kind != "folder" {
		t.Errorf("%v: %+v", fi.Mode(), res.Losses)
	}
	res = run(t, src, Options{Target: to, Delete: true})
	if fi, _ = os.Lstat(to); fi.Mode().Perm() != 0o755 || len(res.Losses) != 0 || !fi.ModTime().Equal(someTime.Time()) {
		t.Errorf("%v: %+v", fi, res.Losses)
	}
}

// What a killed restore left behind is removed by the next one, if it is old.
func TestLeftovers(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), dirEntry("d"), src.file(t, "d/f", "x"))
	to := temp(t)
	old, fresh := to+"/d/.coffer-0123456789abcdef.tmp", to+"/.coffer-0123456789abcdee.tmp"
	writeFile(t, old, "half")
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)))
	writeFile(t, fresh, "half")
	must(t, os.Chtimes(fresh, time.Time{}, time.Now().Add(time.Hour)))
	run(t, src, Options{Target: to})
	if got := tree(t, to); !slices.Equal(got, []string{".coffer-0123456789abcdee.tmp", "d", "d/f"}) {
		t.Errorf("left: %q", got)
	}
}

// Entries that the snapshot does not hold never replace what is there.
func TestUnsaved(t *testing.T) {
	src := newFake()
	gone := entry("gone", files.Regular, 0o600)
	gone.Err = "open: permission denied"
	part := src.file(t, "part", "content")
	part.Err = "xattr user.x: permission denied"
	locked := dirEntry("locked")
	locked.Err = "list: permission denied"
	racy := src.file(t, "racy", "content")
	racy.Changed = true
	src.save(t, "/r", dirEntry(""), gone, part, locked, src.file(t, "locked/known", "x"), racy)
	to := temp(t)
	writeFile(t, to+"/gone", "still here")
	writeFile(t, to+"/locked/inside", "unknown to the snapshot")
	writeFile(t, to+"/locked/more", "unknown to the snapshot")
	res, err := Run(t.Context(), src, Options{Target: to, Delete: true, Overwrite: Always})
	if !errors.Is(err, ErrPartial) || !slices.Equal(paths(res.Unsaved), []string{"gone", "locked"}) || res.Changed != 1 {
		t.Errorf("%v: %+v", err, res)
	}
	if len(res.Losses) != 1 || res.Losses[0].Kind != "unsaved" || res.Losses[0].First[0] != "part" {
		t.Errorf("%+v", res.Losses)
	}
	if got := tree(t, to); !slices.Equal(got, []string{"gone", "locked", "locked/inside", "locked/known", "locked/more", "part", "racy"}) {
		t.Errorf("left: %q", got)
	}
	if b, _ := os.ReadFile(to + "/gone"); string(b) != "still here" {
		t.Errorf("gone: %q", b)
	}
}

// Options that contradict each other are refused before anything is done.
func TestBadOptions(t *testing.T) {
	src := newFake()
	src.save(t, "relative", dirEntry(""))
	for _, o := range []Options{
		{}, {Target: "/x", InPlace: true}, {Target: "/x", Overwrite: "sometimes"},
		{Target: "/x", Delete: true, Overwrite: Never}, {InPlace: true}, {Target: "/x", Paths: []string{"missing"}},
	} {
		if _, err := Run(t.Context(), src, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// Filters choose by gitignore rules, and folders that lead to what is chosen
// come with it.
func TestFilters(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), dirEntry("a"), src.file(t, "a/1.go", "1"), src.file(t, "a/2.c", "2"), dirEntry("a/sub"), src.file(t, "a/sub/3.go", "3"),
		dirEntry("b"), src.file(t, "b/4.c", "4"), dirEntry("b/empty"), src.file(t, "top.go", "5"))
	for _, c := range []struct{ include, exclude, want string }{
		{"*.go", "", "a a/1.go a/sub a/sub/3.go top.go"},
		{"", "*.go", "a a/2.c a/sub b b/4.c b/empty"},
		{"/a", "", "a a/1.go a/2.c a/sub a/sub/3.go"},
		{"/a", "sub/", "a a/1.go a/2.c"},
		{"*.go !top.go", "", "a a/1.go a/sub a/sub/3.go"},
		{"empty", "", "b b/empty"},
		{"nothing", "", ""},
		{"", "a b", "top.go"},
	} {
		to := temp(t)
		var p Progress
		run(t, src, Options{Target: to, Include: strings.Fields(c.include), Exclude: strings.Fields(c.exclude), Progress: &p})
		if got := strings.Join(tree(t, to), " "); got != c.want {
			t.Errorf("include %q exclude %q: %q, want %q", c.include, c.exclude, got, c.want)
		}
		if p.Files.Load() != p.TotalFiles.Load() || p.Bytes.Load() != p.TotalBytes.Load() {
			t.Errorf("progress %d of %d", p.Files.Load(), p.TotalFiles.Load())
		}
	}
}

// A mounted is a disk on which something is mounted at a path.
type mounted struct {
	disk
	at string
}

func (m mounted) Lstat(path string) (files.Stat, error) {
	st, err := m.disk.Lstat(path)
	if _, in := within(path, m.at); in {
		st.Dev++
	}
	return st, err
}

// Nothing is deleted on a file system that is mounted below the target: the
// backup may have stopped there.
func TestDeleteStopsAtMountPoints(t *testing.T) {
	for _, c := range []struct {
		mount string
		want  string
	}{
		{"d", "d d/x f"}, // in the snapshot, empty
		{"other/mnt", "d f other other/mnt other/mnt/y"}, // not in it
	} {
		src := newFake()
		src.save(t, "/r", dirEntry(""), dirEntry("d"), src.file(t, "f", "f"))
		dir := temp(t)
		writeFile(t, dir+"/d/x", "")
		writeFile(t, dir+"/other/mnt/y", "")
		writeFile(t, dir+"/other/z", "")
		o := Options{Target: dir, Delete: true}
		must(t, o.check())
		to, err := openTarget(dir, &o, o.writerOptions())
		must(t, err)
		to.disk = mounted{to.disk, c.mount}
		sels, err := newView(&src.body).resolve(t.Context(), src, nil)
		must(t, err)
		r := &restore{src: marked{src}, names: map[string]string{}, rec: &recorder{}, o: o}
		p := &planner{restore: r, sel: sels[0], to: to, sift: newSift(nil, nil), links: linkTable{}}
		must(t, p.run(t.Context()))
		must(t, to.Close())
		if got := strings.Join(tree(t, dir), " "); got != c.want || r.rec.res.Failed.Count != 1 {
			t.Errorf("%s: %q, %+v", c.mount, got, r.rec.res)
		}
	}
}

// Owners that are not restored are told, whoever runs the test.
func TestOwnerLoss(t *testing.T) {
	src := newFake()
	mine, other := src.file(t, "mine", "1"), src.file(t, "other", "2")
	other.UID += 17
	theirs := dirEntry("their dir")
	theirs.GID += 17
	link := linkTo("their link", "x")
	link.UID += 17
	src.save(t, "/r", dirEntry(""), mine, other, theirs, link)
	res := run(t, src, Options{Target: temp(t), Owner: No})
	if len(res.Losses) != 1 || res.Losses[0].Kind != "owner" || res.Losses[0].Count != 3 {
		t.Errorf("%+v", res.Losses)
	}
}
