package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"coffer/files"
	"coffer/vault/manifest"
)

// Symlinks, FIFOs and hard links that were planted in the target lead nowhere
// and hang nothing: what they point to is not touched.
func TestPlanted(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	base := temp(t)
	outside := base + "/outside"
	writeFile(t, outside+"/medium", "precious")
	writeFile(t, outside+"/00/f0", "precious")
	before := snapshotOf(t, outside)
	for _, always := range []Overwrite{IfChanged, Always} {
		to := filepath.Join(temp(t), "to")
		must(t, os.Mkdir(to, 0o755))
		must(t, os.Symlink(outside, to+"/small"))
		must(t, os.Symlink(outside+"/medium", to+"/medium"))
		must(t, os.Symlink("../outside", to+"/deep"))
		must(t, os.Symlink(to, to+"/links"))
		must(t, syscall.Mkfifo(to+"/large", 0o600))
		must(t, syscall.Mkfifo(to+"/empty dir", 0o600))
		must(t, os.Link(outside+"/medium", to+"/empty"))
		run(t, src, Options{Target: to, Overwrite: always})
		same(t, dir, to)
		if after := snapshotOf(t, outside); !slices.Equal(before, after) {
			t.Errorf("outside:\n%q\nwas\n%q", after, before)
		}
		if b, _ := os.ReadFile(outside + "/medium"); string(b) != "precious" {
			t.Errorf("outside: %q", b)
		}
	}
}

// While somebody keeps swapping folders of the target for symlinks that lead
// out of it, nothing is written outside.
func TestSwapper(t *testing.T) {
	src := newFake()
	entries := []*manifest.Entry{dirEntry("")}
	for d := range 8 {
		entries = append(entries, dirEntry(fmt.Sprintf("d%d", d)))
		for i := range 60 {
			entries = append(entries, src.file(t, fmt.Sprintf("d%d/f%02d", d, i), noise(3000, uint64(d*100+i))))
		}
	}
	src.save(t, "/r", entries...)
	base := temp(t)
	to, outside := base+"/to", base+"/outside"
	must(t, os.MkdirAll(outside, 0o755))
	must(t, os.MkdirAll(to, 0o755))
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		swaps := 0
		for i := 0; !stop.Load(); i++ {
			d := fmt.Sprintf("%s/d%d", to, i%8)
			if os.Rename(d, d+".away") == nil {
				_ = os.Symlink(outside, d)
				swaps++
				_ = os.Remove(d)
				_ = os.Rename(d+".away", d)
			}
		}
		done <- swaps
	}()
	for range 5 {
		_, err := Run(t.Context(), src, Options{Target: to, Overwrite: Always, bounds: bounds{entries: 30, refs: 100, open: 10, bytes: 1 << 20}})
		if err != nil && !errors.Is(err, ErrPartial) {
			t.Error(err)
		}
	}
	stop.Store(true)
	if n := <-done; n < 10 {
		t.Logf("only %d swaps", n)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
		t.Errorf("outside: %v, %v", names, err)
	}
	run(t, src, Options{Target: to, Delete: true})
	clean := temp(t)
	run(t, src, Options{Target: clean})
	same(t, clean, to)
}

// Names that the file system cannot hold are refused one by one.
func TestNamesThatDoNotFit(t *testing.T) {
	src := newFake()
	long := strings.Repeat("x", 300)
	src.save(t, "/r", dirEntry(""), src.file(t, "fine", "1"), src.file(t, long, "2"), dirEntry(long+"dir"), src.file(t, long+"dir/f", "3"),
		linkTo(long+"link", "fine"), src.file(t, `a\..\b`, "4"), src.file(t, "C:", "5"), src.file(t, "CON", "6"), src.file(t, "...", "7"), src.file(t, "-rf", "8"))
	to := temp(t)
	told := new(Progress)
	res, err := Run(t.Context(), src, Options{Target: to, Progress: told})
	if !errors.Is(err, ErrPartial) || !slices.Equal(paths(res.Refused), []string{long, long + "dir", long + "dir/f", long + "link"}) {
		t.Errorf("%v: %+v", err, res)
	}
	if told.Files.Load() != src.body.Counts.Files || told.Bytes.Load() != src.body.Counts.Bytes {
		t.Errorf("progress ends at %d files and %d bytes", told.Files.Load(), told.Bytes.Load())
	}
	if got := tree(t, to); !slices.Equal(got, []string{"-rf", "...", "C:", "CON", `a\..\b`, "fine"}) {
		t.Errorf("%q", got)
	}
}

// Of the names of one file those that do not fit are refused, and the others are
// names of one file again; where that cannot be, it is told.
func TestLinksThatDoNotFit(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		names, refused []string
		entries        int // in a window
		links, lost    int64
	}{
		{[]string{"a", "b", long}, []string{"d/" + long}, 99, 1, 0},
		{[]string{long, "y1", "y2", "y3"}, []string{"d/" + long}, 99, 0, 3},
		{[]string{long, "y1", "y2", "y3"}, []string{"d/" + long}, 1, 2, 0},
	} {
		src := newFake()
		entries := []*manifest.Entry{dirEntry(""), dirEntry("d")}
		for _, name := range c.names {
			e := src.file(t, "d/"+name, noise(5000, 1))
			e.Link = [8]byte{9}
			entries = append(entries, e)
		}
		src.save(t, "/r", entries...)
		to := temp(t)
		told := new(Progress)
		res, err := Run(t.Context(), src, Options{Target: to, Progress: told, bounds: bounds{entries: c.entries, refs: 99, open: 99, bytes: 1 << 20}})
		lost := int64(0)
		for _, l := range res.Losses {
			if lost += l.Count; l.Kind != "hard link" || l.Err == nil {
				t.Errorf("%.3q lost: %+v", c.names, l)
			}
		}
		if !errors.Is(err, ErrPartial) || !slices.Equal(paths(res.Refused), c.refused) || res.Links != c.links || lost != c.lost || res.Files+res.Links+1 != int64(len(c.names)) {
			t.Errorf("%.3q: %v, %+v", c.names, err, res)
		}
		if told.Files.Load() != int64(len(c.names)) || told.Bytes.Load() != told.TotalBytes.Load() {
			t.Errorf("%.3q: progress ends at %d files and %d bytes", c.names, told.Files.Load(), told.Bytes.Load())
		}
		for _, name := range tree(t, to+"/d") {
			if b, err := os.ReadFile(filepath.Join(to, "d", name)); err != nil || string(b) != noise(5000, 1) {
				t.Errorf("%s: %v, or another content", name, err)
			}
		}
		noTemps(t, to)
	}
}

// Sockets, and devices that were not asked for, do not come back, which is told;
// nothing stands in their place.
func TestWhatIsNotMade(t *testing.T) {
	src := newFake()
	device := entry("device", files.Char, 0o600)
	device.Rdev = 1<<8 | 3
	src.save(t, "/r", dirEntry(""), device, entry("socket", files.Socket, 0o600), entry("fifo", files.FIFO, 0o600))
	to := temp(t)
	var seen events
	res := run(t, src, Options{Target: to, Devices: No, OnEvent: seen.add})
	if got := tree(t, to); !slices.Equal(got, []string{"fifo"}) || res.Specials != 1 || !slices.Equal(seen.sorted(), []string{"restored .", "restored fifo"}) {
		t.Errorf("%q: %+v, told %q", got, res, seen)
	}
	lost := map[string]string{}
	for _, l := range res.Losses {
		lost[l.Kind] = strings.Join(l.First, " ")
	}
	if fmt.Sprint(lost) != "map[device:device socket:socket]" {
		t.Errorf("lost: %+v", res.Losses)
	}
}

// A name that leads out of the tree does not get into a manifest; if it did,
// it would be refused here.
func TestNamesThatLeadOut(t *testing.T) {
	for _, name := range []string{"..", "../x", "/abs", "a/../../x", "a//b", "./a", "a/", "nul\x00"} {
		src := newFake()
		b := manifest.NewBuilder(src.keys['s'], src.putSegment)
		must(t, b.Add(dirEntry("")))
		e := src.file(t, name, "x")
		if err := b.Add(e); err == nil {
			t.Logf("%q was taken into a manifest", name)
		}
		src.save(t, "/r", dirEntry(""))
		base := temp(t)
		to, err := openTarget(base+"/to", &Options{}, files.WriterOptions{})
		must(t, err)
		r := &restore{src: marked{src}, names: map[string]string{}, rec: &recorder{}, o: Options{Target: base + "/to", bounds: bounds{}.orDefault()}}
		p := &planner{restore: r, to: to, sift: newSift(nil, nil), links: linkTable{}}
		must(t, p.entry(t.Context(), dirEntry("")))
		must(t, p.entry(t.Context(), e))
		must(t, p.flush(t.Context()))
		must(t, to.Close())
		if r.rec.res.Refused.Count != 1 || !slices.Equal(tree(t, base), []string{"to"}) {
			t.Errorf("%q: %+v, %q", name, r.rec.res, tree(t, base))
		}
	}
}

// A root's own path, which a hostile body chooses, names the folder in the
// target by its last component only.
func TestHostileRoots(t *testing.T) {
	src := newFake()
	for _, p := range []string{"/", "/..", "..", "/a/../../etc", "/x/same", "/y/same", "/z/same-2", "."} {
		src.save(t, p, dirEntry(""), src.file(t, "f", p))
	}
	base := temp(t)
	to := base + "/a/b/c"
	res := run(t, src, Options{Target: to})
	got := tree(t, base)
	want := []string{"a", "a/b", "a/b/c"}
	for _, n := range []string{"etc", "root", "root-2", "root-3", "root-4", "same", "same-2", "same-2-2"} {
		want = append(want, "a/b/c/"+n, "a/b/c/"+n+"/f")
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || res.Files != 8 {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{"same": "/x/same", "same-2": "/y/same", "same-2-2": "/z/same-2"} {
		if b, _ := os.ReadFile(filepath.Join(to, name, "f")); string(b) != want {
			t.Errorf("%s holds the root %s", name, b)
		}
	}
}

// Where linking does not work, a further name gets the content as a file of
// its own, and the loss is told.
func TestLinkFails(t *testing.T) {
	src := newFake()
	entries := []*manifest.Entry{dirEntry("")}
	for _, n := range []string{"a", "b", "c"} {
		e := src.file(t, n, noise(5000, 1))
		e.Link = [8]byte{9}
		entries = append(entries, e)
	}
	src.save(t, "/r", entries...)
	to := temp(t)
	res := run(t, src, Options{Target: to, OnEvent: func(ev Event) {
		if ev.Path == "a" {
			must(t, os.Remove(to+"/a")) // what the others should be linked to
		}
	}})
	if got := tree(t, to); !slices.Equal(got, []string{"b", "c"}) || res.Files != 3 || len(res.Losses) != 1 || res.Losses[0].Kind != "hard link" || res.Losses[0].Count != 2 {
		t.Errorf("%q: %+v", got, res)
	}
	if b, _ := os.ReadFile(to + "/c"); string(b) != noise(5000, 1) {
		t.Error("c differs")
	}
}

// Names of one file that differ in the snapshot, because it changed while it
// was saved, each keep the content they were saved with.
func TestLinksThatDiffer(t *testing.T) {
	src := newFake()
	a, b, c := src.file(t, "a", "first"), src.file(t, "b", "later"), src.file(t, "c", "first")
	for _, e := range []*manifest.Entry{a, b, c} {
		e.Link = [8]byte{9}
	}
	src.save(t, "/r", dirEntry(""), a, b, c)
	to := temp(t)
	res := run(t, src, Options{Target: to})
	for name, want := range map[string]string{"a": "first", "b": "later", "c": "first"} {
		if got, _ := os.ReadFile(to + "/" + name); string(got) != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if res.Files != 2 || res.Links != 1 || len(res.Losses) != 1 {
		t.Errorf("%+v", res)
	}
}
