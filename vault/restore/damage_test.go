package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"coffer/chunk"
	"coffer/files"
	"coffer/files/treecmp"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/manifest"
)

// contentOf returns which chunks of a snapshot each path of its first root
// needs.
func contentOf(t testing.TB, f *fake) map[string][]chunk.Ref {
	t.Helper()
	out := map[string][]chunk.Ref{}
	for e, err := range manifest.Walk(t.Context(), f.body.Roots[0].Root, f.Segment, manifest.WalkOptions{}) {
		must(t, err)
		e = e.Clone()
		for r, err := range manifest.Refs(t.Context(), e, f.Segment) {
			must(t, err)
			out[e.Path] = append(out[e.Path], r)
		}
	}
	return out
}

// paths lists the paths of problems, sorted.
func paths(p Problems) []string {
	var out []string
	for _, x := range p.First {
		out = append(out, x.Path)
	}
	slices.Sort(out)
	return out
}

// differing lists what treecmp finds only in a, or different in content.
func missingIn(a, b string) []string {
	var out []string
	for _, d := range treecmp.Compare(a, b, treecmp.Options{}) {
		if d.Kind != "mtime" { // of folders, see the callers
			out = append(out, d.Path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A missing pack harms the files that need it, and no others; they are named,
// and none of them is there with less than all of its content.
func TestMissingPack(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	content := contentOf(t, src)
	packs := map[packKey]bool{}
	for _, refs := range content {
		for _, r := range refs {
			packs[packKey{r.Series, r.Number}] = true
		}
	}
	if len(packs) < 20 {
		t.Fatalf("only %d packs", len(packs))
	}
	n := 0
	for k := range packs {
		if n++; n > 12 {
			break
		}
		src.missing = map[packKey]bool{k: true}
		var want []string
		for p, refs := range content {
			if slices.ContainsFunc(refs, func(r chunk.Ref) bool { return r.Number == k.number }) {
				want = append(want, p)
			}
		}
		slices.Sort(want)
		to := filepath.Join(temp(t), "out")
		res, err := Run(t.Context(), src, Options{Target: to, bounds: bounds{entries: 20, refs: 90, open: 9, bytes: 1 << 20}})
		if !errors.Is(err, vault.ErrDamaged) {
			t.Fatalf("error %v", err)
		}
		if got := paths(res.Damaged); !slices.Equal(got, want) || res.Damaged.Count != int64(len(want)) {
			t.Errorf("damaged %q, want %q", got, want)
		}
		if got := missingIn(dir, to); !slices.Equal(got, want) {
			t.Errorf("missing or wrong on the disk: %q, want %q", got, want)
		}
		noTemps(t, to)
		for _, p := range res.Damaged.First {
			if !strings.Contains(p.Err.Error(), "missing") && !strings.Contains(p.Err.Error(), "same file") {
				t.Errorf("%s: %v", p.Path, p.Err)
			}
		}
	}
}

// Of a pack with one bad chunk everything else is used.
func TestBadChunk(t *testing.T) {
	src := newFake()
	src.perPack = 1 << 20 // all in one
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 50 {
		entries = append(entries, src.file(t, fmt.Sprintf("f%02d", i), noise(900, uint64(i))))
	}
	src.save(t, "/root", entries...)
	for i := range 3 {
		src.bad[entries[1+i*20].Refs[0].ID] = true
	}
	to := temp(t)
	res, err := Run(t.Context(), src, Options{Target: to})
	if !errors.Is(err, vault.ErrDamaged) || res.Files != 47 || !slices.Equal(paths(res.Damaged), []string{"f00", "f20", "f40"}) {
		t.Errorf("%v: %+v", err, res)
	}
	if len(src.reads) > 4 {
		t.Errorf("the pack was read %d times", len(src.reads))
	}
}

// A pack that is wholly gone is not asked for again and again.
func TestGonePackIsAskedForFewTimes(t *testing.T) {
	src := newFake()
	src.perPack = 1 << 20
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 500 {
		entries = append(entries, src.file(t, fmt.Sprintf("f%03d", i), noise(90, uint64(i))))
	}
	src.save(t, "/root", entries...)
	src.missing[packKey{chunk.Series{'d'}, 0}] = true
	res, _ := Run(t.Context(), src, Options{Target: temp(t)})
	if res.Damaged.Count != 500 || len(src.reads) > 5 {
		t.Errorf("%d damaged, %d reads", res.Damaged.Count, len(src.reads))
	}
}

// big makes a tree whose manifest has several segments.
func big(t testing.TB, src *fake) []*manifest.Entry {
	t.Helper()
	entries := []*manifest.Entry{dirEntry("")}
	for d := range 20 {
		entries = append(entries, dirEntry(fmt.Sprintf("d%02d", d)))
		for i := range 60 {
			entries = append(entries, src.file(t, fmt.Sprintf("d%02d/f%02d", d, i), fmt.Sprint(d, i)))
		}
	}
	src.save(t, "/big", entries...)
	return entries
}

// leaves returns the refs of a middle and the last segment that
// hold entries.
func leaves(t testing.TB, src *fake) []chunk.Ref {
	t.Helper()
	var all []chunk.Ref
	for r, err := range manifest.WalkRefs(t.Context(), src.body.Roots[0].Root, src.Segment) {
		must(t, err)
		all = append(all, r)
	}
	all = all[1:] // the root comes first; two levels here
	return []chunk.Ref{all[len(all)/2], all[len(all)-1]}
}

// A damaged segment hides its entries and nothing else: what is known is
// restored, also where the folder that holds it is not known, and --delete
// spares what may be in the gap.
func TestDamagedSegment(t *testing.T) {
	src := newFake()
	entries := big(t, src)
	for _, bad := range leaves(t, src) {
		src.bad = map[chunk.ID]bool{bad.ID: true}
		known := map[string]bool{}
		for e, err := range manifest.Walk(t.Context(), src.body.Roots[0].Root, src.Segment, manifest.WalkOptions{}) {
			if err == nil {
				known[e.Path] = true
			}
		}
		if len(known) == len(entries) || len(known) == 0 {
			t.Fatalf("%d of %d entries known", len(known), len(entries))
		}
		to := temp(t)
		for _, e := range entries { // all is there, old and something more
			if e.Type == files.Regular {
				writeFile(t, filepath.Join(to, e.Path), "old")
			}
		}
		writeFile(t, to+"/zzz", "after everything")
		writeFile(t, to+"/a", "before everything")
		res, err := Run(t.Context(), src, Options{Target: to, Delete: true, bounds: bounds{entries: 500, refs: 500, open: 9, bytes: 1 << 20}})
		if !errors.Is(err, vault.ErrDamaged) || res.Damaged.Count != 1 {
			t.Fatalf("%v: %+v", err, res)
		}
		for _, e := range entries {
			if e.Type != files.Regular {
				continue
			}
			b, err := os.ReadFile(filepath.Join(to, e.Path))
			if want := "old"; err != nil || known[e.Path] != (string(b) != want) {
				t.Fatalf("%s: %q, %v; known: %v", e.Path, b, err, known[e.Path])
			}
		}
		src.bad = map[chunk.ID]bool{}
		run(t, src, Options{Target: to, Delete: true})
		if b, _ := os.ReadFile(to + "/d19/f59"); string(b) != "19 59" {
			t.Errorf("not healed: %q", b)
		}
		if _, err := os.Lstat(to + "/zzz"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("zzz: %v", err)
		}
	}
}

// Into an empty target, what a damaged segment leaves of the tree gets folders
// that only we can enter.
func TestDamagedSegmentFresh(t *testing.T) {
	src := newFake()
	big(t, src)
	for _, bad := range leaves(t, src) {
		src.bad = map[chunk.ID]bool{bad.ID: true}
		to := temp(t)
		res, err := Run(t.Context(), src, Options{Target: to})
		if !errors.Is(err, vault.ErrDamaged) || res.Failed.Count > 0 {
			t.Fatalf("%v: %+v", err, res)
		}
		count := int64(0)
		for e, err := range manifest.Walk(t.Context(), src.body.Roots[0].Root, src.Segment, manifest.WalkOptions{}) {
			if err == nil && e.Type == files.Regular {
				count++
			}
		}
		if res.Files != count {
			t.Errorf("%d files restored, %d known", res.Files, count)
		}
	}
}

// A list of chunks that is damaged, or too short or too long for its file,
// harms that file only.
func TestBadLists(t *testing.T) {
	src := newFake()
	large := src.file(t, "large", noise(200_000, 1))
	short := src.file(t, "short", noise(200_000, 2))
	short.Size += 10
	long := src.file(t, "tiny", "0123456789")
	long.Size = 20
	good := src.file(t, "zgood", noise(200_000, 3))
	more := src.file(t, "more", noise(1000, 4)+"more than its data")
	more.Size, more.Holes = 2000, []files.Hole{{Off: 1000, Len: 1000}}
	many := src.file(t, "many", noise(200_000, 5))
	many.Holes = []files.Hole{{Off: 199_000, Len: 1000}}
	src.save(t, "/r", dirEntry(""), large, short, long, good, more, many)
	src.bad[large.Refs[len(large.Refs)-1].ID] = true
	why := map[string]string{"large": "not what its ID says", "many": "there are more", "more": "there are more", "short": "200000 bytes of 200010", "tiny": "10 bytes of 20"}
	for _, b := range []bounds{{}, {entries: 9, refs: 10, open: 9, bytes: 1 << 20}} {
		to := temp(t)
		told := new(Progress)
		res, err := Run(t.Context(), src, Options{Target: to, bounds: b, Progress: told})
		if !errors.Is(err, vault.ErrDamaged) || !slices.Equal(paths(res.Damaged), slices.Sorted(maps.Keys(why))) || res.Files != 1 {
			t.Errorf("%v: %+v", err, res)
		}
		for _, p := range res.Damaged.First {
			if !errors.Is(p.Err, vault.ErrDamaged) || !strings.Contains(p.Err.Error(), why[p.Path]) {
				t.Errorf("%s: %v", p.Path, p.Err)
			}
		}
		if told.Files.Load() != told.TotalFiles.Load() || told.Bytes.Load() != told.TotalBytes.Load() {
			t.Errorf("progress ends at %d files and %d bytes, of %d and %d", told.Files.Load(), told.Bytes.Load(), told.TotalFiles.Load(), told.TotalBytes.Load())
		}
		noTemps(t, to)
		if names, _ := os.ReadDir(to); len(names) != 1 {
			t.Errorf("%d files are there", len(names))
		}
	}
}

// A file of the target that fits a list of chunks as far as that goes is not
// equal to a file that the list does not fit.
func TestBadListsOfWhatIsThere(t *testing.T) {
	src := newFake()
	short := src.file(t, "short", noise(200_000, 2))
	short.Size += 10
	over := src.file(t, "over", noise(200_000, 4))
	over.Size -= 10
	tiny := src.file(t, "tiny", "0123456789")
	tiny.Size = 20
	gap := src.file(t, "gap", noise(200_000, 5))
	gap.Holes = []files.Hole{{Off: 199_990, Len: 10}} // of which the list knows nothing
	src.save(t, "/r", dirEntry(""), gap, over, short, tiny)
	there := map[string]string{"gap": noise(200_000, 5)[:199_990] + strings.Repeat("\x00", 10), "short": noise(200_000, 2) + "0123456789", "over": noise(200_000, 4)[:199_990], "tiny": "0123456789" + strings.Repeat("\x00", 10)}
	for _, b := range []bounds{{}, {entries: 9, refs: 10, open: 9, bytes: 1 << 20}} {
		to := temp(t)
		for name, content := range there {
			writeFile(t, filepath.Join(to, name), content)
			must(t, os.Chmod(filepath.Join(to, name), 0o644))
			must(t, os.Chtimes(filepath.Join(to, name), time.Time{}, time.Unix(someTime.Sec, int64(someTime.Nsec))))
		}
		if res := run(t, src, Options{Target: to, bounds: b}); res.Unchanged < 4 {
			t.Errorf("not taken for equal by size and time: %+v", res)
		}
		res, err := Run(t.Context(), src, Options{Target: to, Verify: true, bounds: b})
		if !errors.Is(err, vault.ErrDamaged) || !slices.Equal(paths(res.Damaged), []string{"gap", "over", "short", "tiny"}) || res.Verified != 0 {
			t.Errorf("%v: %+v", err, res)
		}
	}
}

// A large attribute that is damaged costs the attribute, not the file.
func TestDamagedAttribute(t *testing.T) {
	src := newFake()
	e := src.file(t, "f", "content")
	e.Xattrs = []files.Xattr{{Name: "user.big", Value: []byte(noise(8000, 5))}, {Name: "user.small", Value: []byte("x")}}
	must(t, manifest.StoreXattrs(e, src.putSegment))
	src.save(t, "/r", dirEntry(""), e)
	src.bad[e.BigXattrs[0].Ref.ID] = true
	to := temp(t)
	res, err := Run(t.Context(), src, Options{Target: to})
	b, _ := os.ReadFile(to + "/f")
	if !errors.Is(err, vault.ErrDamaged) || string(b) != "content" || len(res.Losses) != 1 || res.Losses[0].Kind != "xattr user.big" {
		t.Errorf("%v: %q, %+v", err, b, res)
	}
}

// Large attributes come back, of folders too; where the file system has no
// room for them, that is told.
func TestLargeAttributes(t *testing.T) {
	src := newFake()
	big := []files.Xattr{{Name: "user.big", Value: []byte(noise(8000, 5))}}
	f, d := src.file(t, "d/f", "content"), dirEntry("d")
	f.Xattrs, d.Xattrs = slices.Clone(big), slices.Clone(big)
	must(t, manifest.StoreXattrs(f, src.putSegment))
	must(t, manifest.StoreXattrs(d, src.putSegment))
	src.save(t, "/r", dirEntry(""), d, f)
	to := temp(t)
	res := run(t, src, Options{Target: to})
	var lost []string
	for _, l := range res.Losses {
		lost = append(lost, l.First...)
	}
	for _, path := range []string{"d", "d/f"} {
		v, _ := xattr.LGet(filepath.Join(to, path), "user.big")
		if (string(v) == noise(8000, 5)) == slices.Contains(lost, path) {
			t.Errorf("%s: %d bytes, losses %+v", path, len(v), res.Losses)
		}
	}
}

// A remote that does not answer ends the restore; it is no damage.
func TestUnreachable(t *testing.T) {
	dir := zoo(t)
	src := newFake()
	src.backup(t, dir)
	src.onRead = func(n int) error {
		if n > 5 {
			return fmt.Errorf("get pack: %w", remote.ErrUnreachable)
		}
		return nil
	}
	to := filepath.Join(temp(t), "out")
	res, err := Run(t.Context(), src, Options{Target: to})
	if !errors.Is(err, remote.ErrUnreachable) || errors.Is(err, vault.ErrDamaged) || res.Damaged.Count > 0 || !res.Interrupted {
		t.Errorf("%v: %+v", err, res)
	}
	noTemps(t, to)
}

// A hard-link group whose content is damaged is damaged under every name, and
// asked for once.
func TestDamagedLinks(t *testing.T) {
	src := newFake()
	entries := []*manifest.Entry{dirEntry("")}
	for i := range 200 {
		e := src.file(t, fmt.Sprintf("l%03d", i), "the content")
		e.Link = [8]byte{1}
		entries = append(entries, e)
	}
	src.save(t, "/r", entries...)
	src.bad[entries[1].Refs[0].ID] = true
	told := new(Progress)
	res, err := Run(t.Context(), src, Options{Target: temp(t), Progress: told})
	if !errors.Is(err, vault.ErrDamaged) || res.Damaged.Count != 200 || len(src.reads) > 1 {
		t.Errorf("%v: %d damaged, %d reads", err, res.Damaged.Count, len(src.reads))
	}
	if told.Files.Load() != 200 || told.Bytes.Load() != told.TotalBytes.Load() {
		t.Errorf("progress ends at %d files and %d bytes of %d", told.Files.Load(), told.Bytes.Load(), told.TotalBytes.Load())
	}
}
