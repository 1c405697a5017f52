package restore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"coffer/chunk"
	"coffer/files"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/manifest"
)

// checkerOf returns a checker of the files in a folder.
func checkerOf(t *testing.T, src Source, dir string) *checker {
	t.Helper()
	tree, err := files.OpenTree(dir)
	must(t, err)
	t.Cleanup(func() { tree.Close() })
	return (&planner{restore: &restore{src: marked{src}}, to: &target{tree: tree}}).newChecker()
}

// there writes a file that looks as an entry says.
func there(t *testing.T, dir string, e *manifest.Entry, content string) {
	t.Helper()
	path := filepath.Join(dir, e.Path)
	writeFile(t, path, content)
	must(t, os.Truncate(path, e.Size))
	must(t, os.Chmod(path, 0o644))
	must(t, os.Chtimes(path, time.Time{}, e.Mtime.Time()))
}

// What a chunk is compared with are bytes of the file, never those that an
// earlier one left in memory.
func TestCheckerComparesTheFile(t *testing.T) {
	src := newFake()
	src.size = 20
	dir := temp(t)
	whole, fresh := noise(20, 1), noise(10, 2)
	over := entry("over", files.Regular, 0o644) // its second chunk has ten bytes too many, which are the last of the first
	over.Size, over.Holes = 40, []files.Hole{{Off: 30, Len: 10}}
	for _, data := range []string{whole, fresh + whole[10:]} {
		r, err := src.put(chunk.Data, []byte(data))
		must(t, err)
		over.Refs = append(over.Refs, r)
	}
	there(t, dir, over, whole+fresh)
	good := src.file(t, "good", whole)
	there(t, dir, good, whole)
	src.save(t, "/r", dirEntry(""), good, over)
	for _, of := range []struct {
		entry *manifest.Entry
		want  error
	}{{good, nil}, {over, errContent}} {
		c := checkerOf(t, src, dir)
		f := newFile(of.entry.Path, of.entry)
		for _, r := range of.entry.Refs {
			c.p.win.tasks = append(c.p.win.tasks, task{ref: r, file: f})
			f.count++
		}
		if err := c.check(t.Context(), f); !errors.Is(err, of.want) {
			t.Errorf("%s: %v", f.path, err)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.check(stopped, f); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled, and the answer is %v", f.path, err)
		}
	}
	res, err := Run(t.Context(), src, Options{Target: dir, Verify: true})
	if !errors.Is(err, vault.ErrDamaged) || len(paths(res.Damaged)) != 1 || res.Verified != 1 {
		t.Errorf("%v: %+v", err, res)
	}

	c := checkerOf(t, src, dir)
	f := newFile(good.Path, good)
	must(t, c.chunk(f, strings.NewReader(whole), good.Refs[0], 0)) // its bytes stay in memory
	torn := errors.New("torn")
	if err := c.chunk(f, failingAt{torn}, good.Refs[0], 0); err != torn {
		t.Errorf("the file cannot be read: %v", err)
	}
	if err := c.chunk(f, strings.NewReader(whole[:19]+"~"), good.Refs[0], 0); err != errDiffers {
		t.Errorf("another content: %v", err)
	}
}

// A failingAt cannot be read.
type failingAt struct{ err error }

func (f failingAt) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// A chunk that is larger than any is not read at all.
func TestCheckerIsBounded(t *testing.T) {
	c := checkerOf(t, newFake(), temp(t))
	e := entry("huge", files.Regular, 0o644)
	e.Size = maxChunk + 1
	if err := c.chunk(newFile("huge", e), strings.NewReader(""), chunk.Ref{Len: e.Size}, 0); !errors.Is(err, errContent) || c.buf != nil {
		t.Errorf("%v, %d bytes in memory", err, cap(c.buf))
	}
}

// A hole must hold zeros to its end; that it cannot be read, or that nobody
// waits any more, is no answer.
func TestCheckerReadsHoles(t *testing.T) {
	c := checkerOf(t, newFake(), temp(t))
	torn := errors.New("torn")
	zeros := strings.Repeat("\x00", 200_000)
	for name, task := range map[string]struct {
		r    io.Reader
		want error
	}{
		"empty":            {strings.NewReader(""), nil},
		"zeros":            {strings.NewReader(zeros), nil},
		"zeros at once":    {iotest.DataErrReader(strings.NewReader(zeros[:100])), nil},
		"a byte at last":   {strings.NewReader(zeros + "x"), errDiffers},
		"a byte with EOF":  {iotest.DataErrReader(strings.NewReader(zeros[:100] + "x")), errDiffers},
		"torn, then zeros": {io.MultiReader(&once{iotest.ErrReader(torn)}, strings.NewReader(zeros)), torn},
	} {
		if err := c.zeros(t.Context(), task.r); err != task.want {
			t.Errorf("%s: %v, want %v", name, err, task.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.zeros(ctx, strings.NewReader(zeros)); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// A once is at its end after the first read.
type once struct{ r io.Reader }

func (o *once) Read(p []byte) (int, error) {
	r := o.r
	o.r = strings.NewReader("")
	return r.Read(p)
}

// The list of a large file that is there already is read once; where the file
// differs, once more for its chunks, and once to read it back.
func TestListsAreReadOnce(t *testing.T) {
	src := newFake()
	src.size = 100
	large := src.file(t, "large", noise(60_000, 1))
	src.save(t, "/r", dirEntry(""), large)
	asked := 0
	src.onSegment = func(r chunk.Ref) error {
		if r == large.Refs[0] {
			asked++
		}
		return nil
	}
	to := temp(t)
	run(t, src, Options{Target: to})
	for _, c := range []struct {
		name        string
		o           Options
		spoiled     bool
		want        int
		wrote, read int64
	}{
		{"it is left alone", Options{}, true, 0, 0, 0},
		{"it differs", Options{Verify: true}, true, 3, 1, 1},
		{"it is the same", Options{Verify: true}, false, 1, 0, 1},
		{"it is written anew", Options{Overwrite: Always}, false, 1, 1, 0},
		{"it is written anew and read back", Options{Overwrite: Always, Verify: true}, false, 2, 1, 1},
	} {
		if c.spoiled {
			spoil(t, to+"/large")
		}
		asked, c.o.Target, c.o.bounds = 0, to, bounds{entries: 9, refs: 50, open: 9, bytes: 1 << 20}
		if res := run(t, src, c.o); res.Files != c.wrote || res.Verified != c.read || asked != c.want {
			t.Errorf("%s: asked %d times, %+v", c.name, asked, res)
		}
	}
}

// That the remote cannot be reached while a file is read back says nothing of
// the file, and ends the work.
func TestUnreachableWhileReadingBack(t *testing.T) {
	src := newFake()
	large := src.file(t, "large", noise(200_000, 1))
	src.save(t, "/r", dirEntry(""), large, src.file(t, "small", "x"))
	asked := 0
	src.onSegment = func(r chunk.Ref) error {
		if r != large.Refs[0] {
			return nil
		}
		if asked++; asked == 2 {
			return remote.ErrUnreachable
		}
		return nil
	}
	res, err := Run(t.Context(), src, Options{Target: temp(t), Verify: true})
	if !errors.Is(err, remote.ErrUnreachable) || !res.Interrupted || res.Failed.Count+res.Damaged.Count > 0 {
		t.Errorf("%v: %+v", err, res)
	}
}
