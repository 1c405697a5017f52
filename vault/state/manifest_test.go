package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coffer/chunk"
	"coffer/files"
)

const project = "0123456789abcdef"

// randomStat fills every field there is, so that one that is added later and
// not stored is noticed.
func randomStat(r *rand.Rand) (s files.Stat) {
	var set func(v reflect.Value)
	set = func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.Struct:
			for _, field := range v.Fields() {
				set(field)
			}
		case v.CanInt():
			v.SetInt(int64(r.Uint64() >> (64 - v.Type().Bits()) << (64 - v.Type().Bits()) >> (64 - v.Type().Bits())))
		default:
			v.SetUint(r.Uint64() >> (64 - v.Type().Bits()))
		}
	}
	set(reflect.ValueOf(&s).Elem())
	return s
}

// entryPath returns the i-th of a sequence of paths in the order of a walk.
func entryPath(i int) string { return fmt.Sprintf("%04d/%04d", i/50, i%50) }

// newRecord returns a record of a path that says which version of it it is.
func newRecord(path string, version int) *Record {
	r := rand.New(rand.NewPCG(uint64(len(path)), uint64(version)))
	rec := &Record{
		Path: []byte(path), Stat: randomStat(r), Racy: version%2 == 1,
		Line: fmt.Appendf(nil, `{"path":%q,"version":%d,"pad":%q}`, path, version, strings.Repeat("x", r.IntN(300))),
	}
	rec.Stat.Ino = uint64(version)
	for range r.IntN(4) {
		first := r.Uint32() / 2
		for n := range uint32(1 + r.IntN(3)) {
			rec.Packs = append(rec.Packs, PackNo{uint16(r.IntN(2)), first + n})
		}
		rec.Deep = AppendPrefix(rec.Deep, randomID(uint64(first)))
	}
	return rec
}

func begin(t testing.TB, d *Dir) (*Base, *ManifestWriter) {
	t.Helper()
	b, w, err := d.BeginManifest(project, "/root")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); w.Close() })
	w.SeriesPos(seriesOne)
	w.SeriesPos(seriesTwo)
	return b, w
}

func addRecords(t testing.TB, w *ManifestWriter, version int, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := w.Add(newRecord(p, version)); err != nil {
			t.Fatal(err)
		}
	}
}

func pathRange(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, entryPath(i))
	}
	return list
}

// all reads what is left, as path -> version.
func all(t testing.TB, next func(*Record) bool) (list []string) {
	t.Helper()
	var rec Record
	for next(&rec) {
		version := int(rec.Stat.Ino)
		want := newRecord(string(rec.Path), version)
		same := rec.Stat == want.Stat && rec.Racy == want.Racy && slices.Equal(rec.Packs, want.Packs) &&
			bytes.Equal(rec.Deep, want.Deep) && bytes.Equal(rec.Line, want.Line)
		if !same || !slices.Equal(rec.Series, []chunk.Series{seriesOne, seriesTwo}) {
			t.Fatalf("record %q is wrong: %+v, want %+v", rec.Path, rec, want)
		}
		list = append(list, fmt.Sprintf("%s v%d", rec.Path, version))
	}
	return list
}

func versions(version int, paths ...string) (list []string) {
	for _, p := range paths {
		list = append(list, fmt.Sprintf("%s v%d", p, version))
	}
	return list
}

func wantList(t testing.TB, got []string, want ...[]string) {
	t.Helper()
	if want := slices.Concat(want...); !slices.Equal(want, got) {
		t.Fatal(cmp.Diff(want, got))
	}
}

func TestManifest(t *testing.T) {
	d := newDir(t)
	if _, err := d.OpenManifest(project, "/root"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none yet: %v", err)
	}
	base, w := begin(t, d)
	wantList(t, all(t, base.Next))
	addRecords(t, w, 1, "")
	addRecords(t, w, 1, pathRange(0, 3000)...)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(newRecord("z", 1)); err == nil {
		t.Error("record after the end was accepted")
	}
	r, err := d.OpenManifest(project, "/root")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wantList(t, all(t, r.Next), versions(1, ""), versions(1, pathRange(0, 3000)...))
	if !r.Finished() || r.Damaged() != 0 || r.Root() != "/root" {
		t.Errorf("finished %v, damaged %d, root %q", r.Finished(), r.Damaged(), r.Root())
	}
	base, _ = begin(t, d)
	wantList(t, all(t, base.Next), versions(1, ""), versions(1, pathRange(0, 3000)...))
}

func TestManifestOrder(t *testing.T) {
	_, w := begin(t, newDir(t))
	addRecords(t, w, 1, "", "a", "a/b", "a-b")
	for _, p := range []string{"a-b", "a/c", ""} {
		if err := w.Add(newRecord(p, 1)); !errors.Is(err, errOrder) {
			t.Errorf("%q: %v", p, err)
		}
	}
	addRecords(t, w, 1, "b")
}

func TestComparePaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.StringOfN(rapid.RuneFrom([]rune("ab/-\x00\u00ff")), 0, 40, -1)
		prefix := path.Draw(t, "prefix")
		a, b := prefix+path.Draw(t, "a"), prefix+path.Draw(t, "b")
		got, want := comparePaths([]byte(a), []byte(b)), files.Compare(a, b)
		if got < 0 != (want < 0) || got > 0 != (want > 0) {
			t.Fatalf("%q and %q: %d, want %d", a, b, got, want)
		}
	})
}

// A table of other series, or a position that is not in it, must not get in:
// the line would name another pack.
func TestManifestSeries(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	rec := newRecord("a", 1)
	for _, table := range [][]chunk.Series{{seriesTwo}, {seriesOne, {3}}, {seriesTwo, seriesOne}} {
		rec.Series = table
		if err := w.Add(rec); !errors.Is(err, ErrSeries) {
			t.Errorf("table %v: %v", table, err)
		}
	}
	rec.Series = nil
	rec.Packs = []PackNo{{2, 1}}
	if err := w.Add(rec); !errors.Is(err, ErrSeries) {
		t.Errorf("series out of range: %v", err)
	}
	// One that only goes on is taken over.
	rec.Series = []chunk.Series{seriesOne, seriesTwo, {3}}
	if err := w.Add(rec); err != nil {
		t.Fatal(err)
	}
	if pos := w.SeriesPos(chunk.Series{3}); pos != 2 {
		t.Errorf("position %d", pos)
	}
	if pos := w.SeriesPos(chunk.Series{4}); pos != 3 {
		t.Errorf("position %d", pos)
	}
	w.Close()
	// The next run begins with the table of what it may copy.
	base, w, err := d.BeginManifest(project, "/root")
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	defer w.Close()
	got, ok := base.Find("a")
	if !ok || w.Add(got) != nil || got.Packs[0] != (PackNo{2, 1}) || got.Series[2] != (chunk.Series{3}) {
		t.Errorf("copied record: %+v", got)
	}
}

func TestManifestLarge(t *testing.T) {
	_, w := begin(t, newDir(t))
	deep := &Record{Path: []byte("a"), Deep: make([]byte, maxRecord/2), Line: []byte("{}")}
	for i := range uint32(70_000) {
		deep.Packs = append(deep.Packs, PackNo{0, i})
	}
	if err := w.Add(deep); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(&Record{Path: []byte("b"), Line: make([]byte, maxRecord)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(&Record{Path: []byte("c"), Line: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if w.LeftOut() != 1 {
		t.Errorf("%d left out", w.LeftOut())
	}
	if len(w.buf) > 1000 {
		t.Errorf("70,000 packs in a row and two records take %d bytes", len(w.buf))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := openManifest(w.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec Record
	if !r.Next(&rec) || string(rec.Path) != "a" || !slices.Equal(rec.Packs, deep.Packs) || len(rec.Deep) != 0 {
		t.Errorf("got %q, %d packs, %d deep", rec.Path, len(rec.Packs), len(rec.Deep))
	}
	if !r.Next(&rec) || string(rec.Path) != "c" {
		t.Errorf("got %q", rec.Path)
	}
}

// A record counts in the file soon, though the block is far from full.
func TestManifestFlushesInTime(t *testing.T) {
	d := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		b, w, err := d.BeginManifest(project, "/root")
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		defer w.Close()
		count := func() (n int) {
			r, err := openManifest(w.checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var rec Record
			for r.Next(&rec) {
				n++
			}
			return n
		}
		for i := range 3 {
			if err := w.Add(&Record{Path: []byte(entryPath(i))}); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(); n != 0 {
			t.Errorf("%d records at once", n)
		}
		time.Sleep(flushEvery)
		if err := w.Add(&Record{Path: []byte(entryPath(3))}); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 4 {
			t.Errorf("%d records after %v", n, flushEvery)
		}
	})
}

// Run after run is killed: what the longest of them noted is not lost.
func TestBaseAfterKills(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	addRecords(t, w, 1, pathRange(0, 100)...)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	_, w = begin(t, d)
	addRecords(t, w, 2, pathRange(0, 60)...) // 10 was removed since
	w.Close()

	// Killed before it got as far.
	base, w := begin(t, d)
	wantList(t, all(t, base.Next), versions(2, pathRange(0, 60)...), versions(1, pathRange(60, 100)...))
	addRecords(t, w, 3, pathRange(0, 20)...)
	w.Close()
	// Killed before it noted anything.
	base, w = begin(t, d)
	wantList(t, all(t, base.Next), versions(2, pathRange(0, 60)...), versions(1, pathRange(60, 100)...))
	w.Close()
	// Killed further on; a file in between is gone.
	base, w = begin(t, d)
	wantList(t, all(t, base.Next), versions(2, pathRange(0, 60)...), versions(1, pathRange(60, 100)...))
	addRecords(t, w, 4, pathRange(0, 30)...)
	addRecords(t, w, 4, pathRange(31, 80)...)
	w.Close()
	base, w = begin(t, d)
	wantList(t, all(t, base.Next), versions(4, pathRange(0, 30)...), versions(4, pathRange(31, 80)...), versions(1, pathRange(80, 100)...))
	addRecords(t, w, 5, pathRange(0, 100)...)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	base, w = begin(t, d)
	wantList(t, all(t, base.Next), versions(5, pathRange(0, 100)...))
	if base.Damaged() != 0 {
		t.Errorf("%d damaged", base.Damaged())
	}
	w.Close()
	names, err := filepath.Glob(d.file("projects", project, "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("files left: %v", names)
	}
}

// A run that came to its end, but was killed before its manifest took its
// place: nothing of the one before counts.
func TestBaseOfFinishedCheckpoint(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	addRecords(t, w, 1, pathRange(0, 100)...)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	_, w = begin(t, d)
	addRecords(t, w, 2, pathRange(0, 90)...)
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	base, _ := begin(t, copyDir(t, d))
	wantList(t, all(t, base.Next), versions(2, pathRange(0, 90)...))
}

func TestBaseFind(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	addRecords(t, w, 1, "", "a", "a/b", "a-b", "c")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	base, _ := begin(t, d)
	for _, c := range []struct {
		path string
		want bool
	}{{"", true}, {"a", true}, {"a/a", false}, {"a/b", true}, {"a/b", true}, {"b", false}, {"bb", false}, {"c", true}, {"d", false}, {"e", false}} {
		rec, ok := base.Find(c.path)
		if ok != c.want || ok && string(rec.Path) != c.path {
			t.Errorf("%q: %+v %v", c.path, rec, ok)
		}
	}
}

// The checkpoint cut at any place: everything up to the last whole block.
func TestCheckpointCut(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	var ends []int
	for i := range 20 {
		addRecords(t, w, 1, pathRange(i*10, i*10+10)...)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(w.at))
	}
	good := read(t, w.checkpoint)
	for cut := 0; cut <= len(good); cut += 1 + len(good)/250 {
		c := newDir(t)
		write(t, c.manifestPaths(project, "/root").checkpoint, good[:cut])
		base, _, err := c.BeginManifest(project, "/root")
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		wantList(t, all(t, base.Next), versions(1, pathRange(0, whole*10)...))
		base.Close()
	}
}

func TestManifestDamage(t *testing.T) {
	d := newDir(t)
	const n, perBlock = 300, 10
	_, w := begin(t, d)
	for i := range n / perBlock {
		addRecords(t, w, 1, pathRange(i*perBlock, (i+1)*perBlock)...)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	path := w.final
	good := read(t, path)
	want := versions(1, pathRange(0, n)...)
	for i, bad := range damages(good, 300) {
		write(t, path, bad)
		r, err := d.OpenManifest(project, "/root")
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d: %v", i, err)
			}
			continue
		}
		got := all(t, r.Next)
		for _, e := range got {
			if _, ok := slices.BinarySearch(want, e); !ok {
				t.Fatalf("byte %d: %s is wrong", i, e)
			}
		}
		r.Close()
		if len(bad) < len(good) {
			if r.Finished() {
				t.Fatalf("cut at %d, and finished", i)
			}
			continue
		}
		if len(got) < n-perBlock {
			t.Fatalf("byte %d cost %d records", i, n-len(got))
		}
		if r.Damaged() == 0 && r.Finished() {
			t.Fatalf("byte %d: damage was not counted", i)
		}
		base, w, err := d.BeginManifest(project, "/root")
		if err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		wantList(t, all(t, base.Next), got)
		base.Close()
		w.Close()
	}
}

// Bytes of one file in another, or of one block in place of another, are
// damage.
func TestManifestMovedBlocks(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	start := int(w.at)
	addRecords(t, w, 1, "a")
	w.Flush()
	first := int(w.at)
	addRecords(t, w, 1, "b")
	w.Flush()
	good := read(t, w.checkpoint)
	w.Close()
	swapped := slices.Concat(good[:start], good[first:], good[start:first])
	for _, c := range []struct {
		file []byte
		want []string
	}{
		{slices.Concat(good[:first], good[start:]), versions(1, "a", "b")},
		{swapped, versions(1, "b")},
		{slices.Concat(good[:start], bytes.Repeat([]byte{'x'}, 100), good[start:]), versions(1, "a", "b")},
	} {
		write(t, w.checkpoint, c.file)
		r, err := openManifest(w.checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, all(t, r.Next), c.want)
		r.Close()
	}
	_, v, err := d.BeginManifest(project, "/other")
	if err != nil {
		t.Fatal(err)
	}
	addRecordsTo := v.checkpoint
	v.Close()
	write(t, addRecordsTo, append(read(t, addRecordsTo), good[start:]...))
	r, err := openManifest(addRecordsTo)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wantList(t, all(t, r.Next))
}

func TestRoots(t *testing.T) {
	d := newDir(t)
	for _, root := range []string{"/b", "/a", "/\xff"} {
		_, w, err := d.BeginManifest(project, root)
		if err != nil {
			t.Fatal(err)
		}
		if root == "/a" {
			err = w.Commit()
		} else {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, d.file("projects", project, "manifest-0000000000000000"), []byte("junk"))
	wantRoots := func(want ...string) {
		t.Helper()
		got, err := d.Roots(project)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("roots %q %v, want %q", got, err, want)
		}
	}
	wantRoots("/a", "/b", "/\xff")
	if err := d.KeepRoots(project, []string{"/\xff"}); err != nil {
		t.Fatal(err)
	}
	wantRoots("/\xff")
	if names, _ := os.ReadDir(d.file("projects", project)); len(names) != 1 {
		t.Errorf("files left: %v", names)
	}
	if roots, err := d.Roots("ffffffffffffffff"); err != nil || len(roots) != 0 {
		t.Errorf("project that is not there: %v %v", roots, err)
	}
	if _, _, err := d.BeginManifest("../x", "/a"); err == nil {
		t.Error("project ID that is none was accepted")
	}
	// Another root with the same hash is not this one's past.
	paths := d.manifestPaths(project, "/x")
	_, w, err := d.BeginManifest(project, "/y")
	if err != nil {
		t.Fatal(err)
	}
	addRecords(t, w, 1)
	w.Add(&Record{Path: []byte("secret")})
	w.Commit()
	if err := os.Rename(w.final, paths.final); err != nil {
		t.Fatal(err)
	}
	base, w, err := d.BeginManifest(project, "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if rec, ok := base.Find("secret"); ok {
		t.Errorf("record of another root: %+v", rec)
	}
}

func TestManifestAllocates(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	rec := benchRecord()
	i := 0
	addOne := func() {
		number(rec.Path, i)
		i++
		if err := w.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	for range 5000 {
		addOne()
	}
	if n := testing.AllocsPerRun(5000, addOne); n > 0.1 {
		t.Errorf("%v allocations to write a record", n)
	}
	w.Flush()
	r, err := openManifest(w.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got Record
	r.Next(&got)
	if n := testing.AllocsPerRun(5000, func() { r.Next(&got) }); n > 0.1 {
		t.Errorf("%v allocations to read a record", n)
	}
}

func FuzzRecord(f *testing.F) {
	table := []chunk.Series{seriesOne, seriesTwo}
	for version := range 4 {
		body, _, _ := cutRecord(appendRecord(nil, newRecord("some/path", version)))
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var rec Record
		if parseRecord(data, table, &rec) != nil {
			return
		}
		if out := appendRecord(nil, &rec); !bytes.Equal(out[4:], data) {
			t.Errorf("%x is also %x", data, out[4:])
		}
	})
}

func FuzzManifestBlock(f *testing.F) {
	id := manifestID{1, 2, 3}
	table := []chunk.Series{seriesOne, seriesTwo}
	body := appendRecord(make([]byte, blockHead), newRecord("a", 1))
	f.Add(sealBlock(body, id, 3, kindRecords, table))
	f.Add(sealBlock(make([]byte, blockHead+8), id, 3, kindEnd, table))
	f.Fuzz(func(t *testing.T, data []byte) {
		for range 2 {
			if b, ok := parseBlock(data, id); ok {
				out := sealBlock(append(make([]byte, blockHead), b.body...), id, b.number, b.kind, parseTable(b.table))
				if !bytes.Equal(out, data) {
					t.Errorf("%x is also %x", data, out)
				}
			}
			if len(data) < blockHead {
				return
			}
			data = slices.Clone(data) // again, with a right checksum
			copy(data, id[:])
			putSum(data[16:], data[24:])
		}
	})
}

func FuzzManifestFile(f *testing.F) {
	d := newDir(f)
	_, w := begin(f, d)
	addRecords(f, w, 1, "", "a", "b")
	w.Flush()
	addRecords(f, w, 1, "c")
	if err := w.Commit(); err != nil {
		f.Fatal(err)
	}
	f.Add(read(f, w.final))
	f.Add([]byte(manifestMagic))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "manifest")
		write(t, path, data)
		r, err := openManifest(path)
		if err != nil {
			return
		}
		defer r.Close()
		r.lastTable()
		r.survey()
		n := 0
		var rec Record
		for r.Next(&rec) {
			n += len(rec.Path) + len(rec.Line) + len(rec.Deep) + 1
		}
		if n > len(data) {
			t.Errorf("%d bytes of records from %d", n, len(data))
		}
	})
}

// benchRecord is like the one of a source file.
func benchRecord() *Record {
	rec := newRecord("x", 0)
	rec.Path = []byte("projects/customer/src/main/java/com/example/000000000.java")
	rec.Packs = []PackNo{{0, 1234}}
	rec.Deep = nil
	rec.Line = bytes.Repeat([]byte("x"), 260)
	return rec
}

func BenchmarkManifestWrite(b *testing.B) {
	_, w := begin(b, newDir(b))
	rec := benchRecord()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		number(rec.Path, i)
		if err := w.Add(rec); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(appendRecord(nil, rec))))
}

// number writes i into the path, as nine digits before the suffix.
func number(path []byte, i int) {
	for at := len(path) - len(".java") - 1; i > 0; at-- {
		path[at] = '0' + byte(i%10)
		i /= 10
	}
}

func BenchmarkManifestRead(b *testing.B) {
	d := newDir(b)
	_, w := begin(b, d)
	rec := benchRecord()
	const n = 500_000
	for i := range n {
		number(rec.Path, i)
		if err := w.Add(rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(appendRecord(nil, rec))))
	b.ResetTimer()
	for i := b.N; i > 0; {
		base, w, err := d.BeginManifest(project, "/root")
		if err != nil {
			b.Fatal(err)
		}
		stat := rec.Stat
		for ; i > 0; i-- {
			var got Record
			if !base.Next(&got) {
				break
			}
			if got.Stat != stat {
				b.Fatal("changed")
			}
		}
		base.Close()
		w.Close()
	}
}
