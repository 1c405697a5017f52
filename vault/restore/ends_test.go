package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/chunk"
	"coffer/files"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/manifest"
)

// sampler makes a snapshot with some of each kind: files of one chunk, of a few
// and of lists, empty ones and holes, hard links, folders and symlinks.
func sampler(t *testing.T) *fake {
	t.Helper()
	src := newFake()
	src.size = 400
	entries := []*manifest.Entry{dirEntry("")}
	for d := range 3 {
		dir := fmt.Sprintf("d%d", d)
		entries = append(entries, dirEntry(dir), linkTo(dir+"/link", "f1"), src.file(t, dir+"/empty", ""))
		for i := range 4 {
			entries = append(entries, src.file(t, fmt.Sprintf("%s/f%d", dir, i), noise(1+900*i, uint64(10*d+i))))
		}
		hard := src.file(t, dir+"/hard", noise(1500, 77))
		hard.Link = [8]byte{7}
		holes := entry(dir+"/holes", files.Regular, 0o644)
		holes.Size, holes.Holes = 9000, []files.Hole{{Off: 0, Len: 4000}, {Off: 5000, Len: 4000}}
		src.content(t, holes, &sliceReader{string(make([]byte, 4000)) + noise(1000, uint64(50+d)) + string(make([]byte, 4000))})
		entries = append(entries, hard, holes)
	}
	entries = append(entries, src.file(t, "d1/large", noise(36_000, 99)))
	src.save(t, "/r", entries...)
	return src
}

// requests counts what a restore asks of its source, and does something at one
// of them.
type requests struct {
	mu sync.Mutex
	n  int
	at int
	do func() error
}

func (r *requests) count() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n == r.at {
		return r.do()
	}
	return nil
}

// watch makes a source count its requests.
func watch(src *fake, at int, do func() error) *requests {
	r := &requests{at: at, do: do}
	src.onRead = func(int) error { return r.count() }
	src.onSegment = func(chunk.Ref) error { return r.count() }
	return r
}

// One request that fails, whichever, ends the restore with its error, although
// the next would be answered; likewise one after which nobody waits any more.
// What is there then is whole, and the same call again does the rest.
func TestEachRequestEndsTheRestore(t *testing.T) {
	src := sampler(t)
	clean := filepath.Join(temp(t), "clean")
	run(t, src, Options{Target: clean})
	small := bounds{entries: 20, refs: 12, open: 3, bytes: 1 << 20}
	tried := 0
	for _, old := range []bool{false, true} {
		for at, more := 1, true; more; at++ {
			for _, want := range []error{remote.ErrUnreachable, context.Canceled} {
				to := temp(t)
				if old {
					run(t, src, Options{Target: to})
					for _, name := range []string{"d0/f2", "d1/large", "d1/holes", "d2/hard"} {
						spoil(t, filepath.Join(to, name))
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				r := watch(src, at, func() error {
					if want == context.Canceled {
						cancel()
						return nil
					}
					return want
				})
				res, err := Run(ctx, src, Options{Target: to, Verify: true, Workers: 1, bounds: small})
				cancel()
				src.onRead, src.onSegment = nil, nil
				if more = r.n >= at; !more {
					must(t, err)
					same(t, clean, to)
					break
				}
				tried++
				if !errors.Is(err, want) || !res.Interrupted || res.Damaged.Count+res.Failed.Count > 0 {
					t.Errorf("request %d, over an old target %v: %v, want %v\n%+v", at, old, err, want, res)
				}
				noTemps(t, to)
				for _, path := range tree(t, to) {
					sameFile(t, filepath.Join(clean, path), filepath.Join(to, path), old)
				}
				if at%5 == 0 {
					run(t, src, Options{Target: to, Verify: true})
					same(t, clean, to)
				}
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d requests", tried)
	}
}

// sameFile compares the content of what may be a file; of an old one only its
// size.
func sameFile(t *testing.T, want, got string, old bool) {
	t.Helper()
	fi, err := os.Lstat(got)
	must(t, err)
	if !fi.Mode().IsRegular() {
		return
	}
	x, err := os.ReadFile(want)
	must(t, err)
	y, err := os.ReadFile(got)
	must(t, err)
	if len(x) != len(y) || !old && string(x) != string(y) {
		t.Errorf("%s is there, with another content", got)
	}
}

// When nobody waits any more, what is at work is done and nothing else begun:
// no file, no symlink, no folder, no further name.
func TestCancelledSoon(t *testing.T) {
	src := newFake()
	src.perPack = 1 << 20
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 8 {
		hard := src.file(t, fmt.Sprintf("h%d", i), "one file")
		hard.Link = [8]byte{7}
		entries = append(entries, src.file(t, fmt.Sprintf("f%d", i), noise(100, uint64(i))), linkTo(fmt.Sprintf("l%d", i), "f"), dirEntry(fmt.Sprintf("d%d", i)), hard)
	}
	src.save(t, "/r", entries...)
	for at, all := 1, false; !all; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		_, err := Run(ctx, src, Options{Target: temp(t), Verify: true, Workers: 1, OnEvent: func(Event) {
			if told++; told == at {
				cancel()
			}
		}})
		cancel()
		if all = told < at; all {
			must(t, err)
		} else if told > at+1 || told < len(entries) && !errors.Is(err, context.Canceled) {
			t.Errorf("after %d things: %d more, %v", at, told-at, err)
		}
	}
}

// What cannot be begun, because its folder went, is named as failed: a file, an
// empty one, a symlink.
func TestWithoutFolder(t *testing.T) {
	src := newFake()
	to, err := openTarget(temp(t), &Options{}, files.WriterOptions{})
	must(t, err)
	told := new(Progress)
	r := &restore{src: marked{src}, rec: &recorder{progress: told}}
	p := &planner{restore: r, to: to}
	must(t, p.empty(newFile("gone/empty", src.file(t, "gone/empty", ""))))
	must(t, p.write(newFile("gone/full", src.file(t, "gone/full", "full")), []byte("full"), 0))
	must(t, p.special(linkTo("gone/link", "to"), "gone/link"))
	must(t, to.Close())
	if !slices.Equal(paths(r.rec.res.Failed), []string{"gone/empty", "gone/full", "gone/link"}) || r.rec.res.Files+r.rec.res.Symlinks > 0 {
		t.Errorf("%+v", r.rec.res)
	}
	if told.Files.Load() != 2 || told.Bytes.Load() != int64(len("full")) {
		t.Errorf("progress ends at %d files and %d bytes", told.Files.Load(), told.Bytes.Load())
	}
}

// A file of which a chunk did not come is not there, and is named, also if the
// source says nothing of it.
func TestChunkThatDoesNotCome(t *testing.T) {
	src := newFake()
	src.perPack = 1 << 20
	src.save(t, "/r", dirEntry(""), src.file(t, "f", noise(3000, 1)), src.file(t, "g", noise(3000, 2)))
	to := temp(t)
	res, err := Run(t.Context(), forgetful{src}, Options{Target: to})
	if !errors.Is(err, vault.ErrDamaged) || !slices.Equal(paths(res.Damaged), []string{"g"}) || !slices.Equal(tree(t, to), []string{"f"}) {
		t.Errorf("%v: %+v", err, res)
	}
}

// A forgetful leaves out the last chunk.
type forgetful struct{ *fake }

func (f forgetful) Read(ctx context.Context, k chunk.Kind, refs []chunk.Ref, fn func(int, []byte) error) error {
	return f.fake.Read(ctx, k, refs[:len(refs)-1], fn)
}

// A pack that is found damaged when all that was needed of it has come harms
// nothing.
func TestDamageAfterAllCame(t *testing.T) {
	src := newFake()
	src.save(t, "/r", dirEntry(""), src.file(t, "f", noise(3000, 1)))
	to := temp(t)
	if res := run(t, damagedAtLast{src}, Options{Target: to}); res.Files != 1 {
		t.Errorf("%+v", res)
	}
	if b, err := os.ReadFile(to + "/f"); err != nil || string(b) != noise(3000, 1) {
		t.Errorf("%v, or another content", err)
	}
}

type damagedAtLast struct{ *fake }

func (d damagedAtLast) Read(ctx context.Context, k chunk.Kind, refs []chunk.Ref, fn func(int, []byte) error) error {
	if err := d.fake.Read(ctx, k, refs, fn); err != nil {
		return err
	}
	return fmt.Errorf("%w: its end", vault.ErrDamaged)
}

// Bytes that are not as many as a ref says end the restore: written all the same,
// a file could be complete and wrong.
func TestBytesAreAsManyAsTheRefSays(t *testing.T) {
	src := newFake()
	src.perPack = 1
	content := noise(2000, 1)
	src.save(t, "/r", dirEntry(""), src.file(t, "f", content))
	to := temp(t)
	told := new(Progress)
	res, err := Run(t.Context(), shifted{src}, Options{Target: to, Workers: 1, Progress: told})
	if err == nil || errors.Is(err, vault.ErrDamaged) || errors.Is(err, ErrPartial) || !res.Interrupted || res.Files > 0 {
		t.Errorf("%v: %+v", err, res)
	}
	if got := tree(t, to); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if told.Current() != "" {
		t.Errorf("%q was written to", told.Current())
	}
	run(t, src, Options{Target: to, Progress: told})
	if told.Current() != "f" {
		t.Errorf("%q was written to", told.Current())
	}
}

// A shifted gives a byte of every second chunk with the one before.
type shifted struct{ *fake }

func (s shifted) Read(ctx context.Context, k chunk.Kind, refs []chunk.Ref, fn func(int, []byte) error) error {
	return s.fake.Read(ctx, k, refs, func(i int, data []byte) error {
		if refs[i].Number%2 == 0 {
			return fn(i, append(data, '~'))
		}
		return fn(i, data[1:])
	})
}

// descriptors counts those that are open.
func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(names)
}

// No more files are open at once than the bounds say, also of those that were
// begun and given up.
func TestFilesOpenAtOnce(t *testing.T) {
	src := newFake()
	src.perPack = 1
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 60 { // so that the first chunks of all come before the second ones
		_, err := src.put(chunk.Data, []byte(noise(1500, uint64(i))[:1000]))
		must(t, err)
	}
	for i := range 60 {
		e := src.file(t, fmt.Sprintf("f%02d", i), noise(1500, uint64(i)))
		src.missing[packKey{e.Refs[1].Series, e.Refs[1].Number}] = i%2 == 0
		entries = append(entries, e)
	}
	src.save(t, "/r", entries...)
	before, most := descriptors(t), 0
	res, err := Run(t.Context(), src, Options{Target: temp(t), bounds: bounds{entries: 99, refs: 999, open: 5, bytes: 1 << 20}, OnEvent: func(Event) {
		most = max(most, descriptors(t)-before)
	}})
	if !errors.Is(err, vault.ErrDamaged) || res.Damaged.Count != 30 || most > 20 {
		t.Errorf("%v: %+v, %d open at once", err, res, most)
	}
}

// A window knows what its entries take in memory, and is full when any of its
// bounds is met.
func TestWindowIsFull(t *testing.T) {
	e := linkTo("ten bytes.", "four")
	e.Err, e.Holes, e.Xattrs = "one", make([]files.Hole, 2), []files.Xattr{{Name: "user.x", Value: make([]byte, 1000)}}
	w := window{}
	w.weigh(e)
	w.put(e, "at")
	if w.bytes != 2*(10+4+3+2*16+6+1000) {
		t.Errorf("%d bytes", w.bytes)
	}
	b := bounds{entries: 2, refs: 2, open: 2, bytes: 2}
	for _, more := range []func(w *window){
		func(w *window) { w.entries++ }, func(w *window) { w.tasks = append(w.tasks, task{}) },
		func(w *window) { w.many++ }, func(w *window) { w.bytes++ },
	} {
		var w window
		for n := range 4 {
			if w.full(b) != (n > 1) {
				t.Errorf("%+v", w)
			}
			more(&w)
		}
	}
}

// An empty window holds on to nothing, and has room again.
func TestWindowIsEmptied(t *testing.T) {
	f := newFile("f", entry("f", files.Regular, 0o600))
	w := window{entries: 1, bytes: 1, many: 1, files: []*file{f}, tasks: []task{{file: f}}, later: []later{{at: "l"}}, closed: []*folder{{}}, leaders: make([][8]byte, 1)}
	w.written(nil)
	w.done()
	if w.full(bounds{1, 1, 1, 1}) || len(w.files)+len(w.later)+len(w.closed)+len(w.leaders) > 0 {
		t.Errorf("%+v", w)
	}
	if w.files[:1][0] != nil || w.tasks[:1][0].file != nil || w.later[:1][0] != (later{}) || w.closed[:1][0] != nil {
		t.Errorf("what was in it stays in memory: %+v", w)
	}
}

// Names and attributes close a window, as refs do, also those of a single file.
func TestWindowsAreSmall(t *testing.T) {
	src := newFake()
	src.perPack, src.size = 1<<20, 100
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 20 {
		entries = append(entries, src.file(t, fmt.Sprintf("ten bytes %02d", i), noise(100, uint64(i))))
	}
	src.save(t, "/many", entries...)
	for name, c := range map[string]struct {
		b    bounds
		want int // reads of the pack
	}{"all at once": {bounds{999, 999, 999, 999}, 1}, "by their names": {bounds{999, 999, 999, 60}, 4}} {
		src.reads = nil
		run(t, src, Options{Target: temp(t), bounds: c.b})
		if len(src.reads) != c.want {
			t.Errorf("%s: %d windows", name, len(src.reads))
		}
	}
	src = newFake()
	src.perPack, src.size = 1<<20, 100
	src.save(t, "/large", dirEntry(""), src.file(t, "large", noise(60_000, 1)))
	run(t, src, Options{Target: temp(t), bounds: bounds{999, 50, 999, 9999}})
	if len(src.reads) != 600/50 {
		t.Errorf("a large file: %d windows", len(src.reads))
	}
}

// No more packs are read at once than was asked for: each takes much memory.
func TestPacksReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFake()
		src.perPack = 1
		src.save(t, "/r", dirEntry(""), src.file(t, "f", noise(20_000, 1)))
		var now, most atomic.Int64
		src.onRead = func(int) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Hour) // until all that may be at work is
			now.Add(-1)
			return nil
		}
		run(t, src, Options{Target: temp(t), Workers: 3})
		if most.Load() != 3 {
			t.Errorf("%d packs at once", most.Load())
		}
	})
}

// What an ignore file says is remembered of a thousand folders, each is read
// once and closed.
func TestSpareRemembers(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close files
	dir := temp(t)
	for i := range 50 {
		writeFile(t, fmt.Sprintf("%s/d%d/.cofferignore", dir, i), "*.o\n")
	}
	tree, err := files.OpenTree(dir)
	must(t, err)
	defer tree.Close()
	s := newSpare(nil, tree)
	spared := func(i int) bool { return s.spares(fmt.Sprintf("d%d/x.o", i), "x.o", false) }
	before := descriptors(t)
	for i := range 50 {
		if !spared(i) || s.spares(fmt.Sprintf("d%d/x.c", i), "x.c", false) {
			t.Errorf("folder %d", i)
		}
	}
	if n := descriptors(t) - before; n > 10 || len(s.found) != 51 {
		t.Errorf("%d open, %d folders known", n, len(s.found))
	}
	must(t, os.Remove(dir+"/d7/.cofferignore"))
	if !spared(7) {
		t.Error("read again")
	}
	for i := 50; len(s.found) < keptIgnore && i < 2*keptIgnore; i++ {
		if spared(i) {
			t.Errorf("folder %d", i)
		}
	}
	if len(s.found) != keptIgnore {
		t.Fatalf("%d folders known", len(s.found))
	}
	if spared(2*keptIgnore) || len(s.found) > 2 {
		t.Errorf("%d folders known", len(s.found))
	}
	if spared(7) || !spared(8) {
		t.Error("not read again")
	}
}
