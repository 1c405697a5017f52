package restore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/manifest"
)

// peak runs f and returns how much the heap grew meanwhile, in bytes of live
// objects and little more.
func peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	heap := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	base, most := heap(), int64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				most = max(most, heap()-base)
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most
}

// A file of many chunks, and many files, take the memory of a window and no
// more, however many they are.
func TestMemory(t *testing.T) {
	src := newFake()
	large := entry("large", files.Regular, 0o600)
	zero, err := src.put(chunk.Data, make([]byte, 64<<10))
	must(t, err)
	refs := make([]chunk.Ref, 120_000)
	for i := range refs {
		refs[i] = zero
	}
	large.Size = zero.Len * int64(len(refs))
	src.setRefs(t, large, refs)
	refs = nil
	src.save(t, "/large", dirEntry(""), large)
	to := temp(t)
	grew := peak(func() { run(t, src, Options{Target: to, Sparse: true}) })
	fi, err := os.Stat(to + "/large")
	must(t, err)
	t.Logf("%d chunks, %d bytes: %d KiB", len(large.Refs), fi.Size(), grew>>10)
	if fi.Size() != large.Size || grew > 24<<20 {
		t.Errorf("%d bytes restored, the heap grew by %d KiB", fi.Size(), grew>>10)
	}

	src = newFake()
	src.perPack = 1000
	entries := []*manifest.Entry{dirEntry("")}
	for d := range 60 {
		dir := fmt.Sprintf("some folder with a name %04d", d)
		entries = append(entries, dirEntry(dir))
		for i := range 100 {
			entries = append(entries, src.file(t, fmt.Sprintf("%s/some file with a name %04d", dir, i), fmt.Sprint(d, i)))
		}
	}
	src.save(t, "/many", entries...)
	entries = nil
	small := bounds{entries: 1000, refs: 1000, open: 100, bytes: 1 << 20}
	grew = peak(func() { run(t, src, Options{Target: temp(t), bounds: small}) })
	t.Logf("6,000 files in windows of 1,000: %d KiB", grew>>10)
	if grew > 12<<20 {
		t.Errorf("the heap grew by %d KiB", grew>>10)
	}
}

// With Sparse, zeros take no space, also where the file saved had no holes.
func TestSparse(t *testing.T) {
	src := newFake()
	src.size = 64 << 10
	src.save(t, "/r", dirEntry(""), src.file(t, "f", noise(10_000, 1)+strings.Repeat("\x00", 8<<20)+noise(10_000, 2)))
	for _, sparse := range []bool{false, true} {
		to := temp(t)
		run(t, src, Options{Target: to, Sparse: sparse, Verify: true})
		fi, err := os.Stat(to + "/f")
		must(t, err)
		if blocks := fi.Sys().(*syscall.Stat_t).Blocks; (blocks*512 < 1<<20) != sparse {
			t.Errorf("sparse %v: %d blocks", sparse, blocks)
		}
	}
}

// What was written is read back: a disk that does not keep it is found out.
func TestVerifyReadsBack(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	to := filepath.Join(temp(t), "out")
	res, err := Run(t.Context(), src, Options{Target: to, Verify: true, OnEvent: func(ev Event) {
		switch path := filepath.Join(to, ev.Path); {
		case ev.Action == Restored && (ev.Path == "large" || ev.Path == "large copy" || ev.Path == "sparse"):
			spoil(t, path)
		case ev.Action == Restored && ev.Path == "medium":
			must(t, os.Truncate(path, ev.Size+1)) // all that was written is there
		}
	}})
	if !errors.Is(err, ErrPartial) || fmt.Sprint(slices.Sorted(slices.Values(paths(res.Failed)))) != "[large large copy medium sparse]" || res.Verified != res.Files-4 {
		t.Errorf("%v: %+v", err, res)
	}
	// Its other name does not share what came of it.
	want, err := os.ReadFile(dir + "/large")
	must(t, err)
	if got, err := os.ReadFile(to + "/links/large"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("links/large: %v, or another content", err)
	}
}

// A full disk ends the restore; a file that the disk refuses does not.
func TestDiskErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		stop bool
	}{{syscall.ENOSPC, true}, {syscall.EDQUOT, true}, {syscall.EROFS, true}, {syscall.EIO, false}, {syscall.EACCES, false}} {
		var p Progress
		rec := &recorder{progress: &p}
		pl := &planner{restore: &restore{rec: rec}, to: &target{dir: "/to"}}
		f := newFile("f", entry("f", files.Regular, 0o600))
		err := pl.targetError(f, &fs.PathError{Op: "write", Path: "f", Err: c.err})
		if (err != nil) != c.stop || rec.res.Failed.Count != 1 || p.Files.Load() != 1 || !f.isOver() {
			t.Errorf("%v: %v, %+v", c.err, err, rec.res)
		}
	}
}

// The report keeps the first names and counts all.
func TestReport(t *testing.T) {
	rec := &recorder{}
	for i := range 2000 {
		rec.lost(fmt.Sprint("f", i), files.Loss{Kind: "owner", Err: files.ErrNotRoot}, files.Loss{Kind: fmt.Sprint("xattr ", i%2), Err: files.ErrNotRoot})
		rec.note(Event{Action: Damaged, Path: fmt.Sprint(i), Err: errors.New("x")})
	}
	res := rec.res
	if len(res.Losses) != 3 || res.Losses[0].Count != 2000 || len(res.Losses[0].First) != keepNames || res.Losses[0].First[4] != "f4" {
		t.Errorf("%+v", res.Losses)
	}
	if res.Damaged.Count != 2000 || len(res.Damaged.First) != keepProblems {
		t.Errorf("%d damaged, %d kept", res.Damaged.Count, len(res.Damaged.First))
	}
}
