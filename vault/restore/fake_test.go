package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// A fake is a snapshot in memory: real manifests, made by the real Builder,
// and packs that are maps. It does what *vault.Source promises, and what is
// broken on purpose is damaged in the way it would be there.
type fake struct {
	keys    map[chunk.Kind]chunk.Key
	body    manifest.Body
	perPack int // chunks
	size    int // of the chunks that content is cut into

	refs map[chunk.ID]chunk.Ref
	data map[chunk.ID][]byte
	next map[chunk.Kind]int   // chunks put
	at   map[chunk.Kind]int64 // in the open pack

	mu      sync.Mutex
	missing map[packKey]bool
	bad     map[chunk.ID]bool
	reads   []packKey         // packs read for data
	onRead  func(n int) error // called before each

	onSegment func(chunk.Ref) error // called before each segment is read
}

func newFake() *fake {
	return &fake{
		keys:    map[chunk.Kind]chunk.Key{chunk.Data: {1}, chunk.Segment: {2}},
		perPack: 7, size: 1000,
		refs: map[chunk.ID]chunk.Ref{}, data: map[chunk.ID][]byte{},
		next: map[chunk.Kind]int{}, at: map[chunk.Kind]int64{},
		missing: map[packKey]bool{}, bad: map[chunk.ID]bool{},
	}
}

func (f *fake) Body() *manifest.Body { return &f.body }

func (f *fake) Hasher(k chunk.Kind) *chunk.Hasher { return chunk.NewHasher(f.keys[k]) }

// put stores a chunk. Every third is stored in another series, so that files
// are spread over packs.
func (f *fake) put(k chunk.Kind, data []byte) (chunk.Ref, error) {
	id := f.Hasher(k).ID(data)
	if r, ok := f.refs[id]; ok {
		return r, nil
	}
	n := f.next[k]
	if n%f.perPack == 0 {
		f.at[k] = 0
	}
	r := chunk.Ref{ID: id, Series: chunk.Series{byte(k)}, Number: uint32(n / f.perPack), Offset: f.at[k], Len: int64(len(data))}
	f.next[k]++
	f.at[k] += r.Len
	f.refs[id], f.data[id] = r, slices.Clone(data)
	return r, nil
}

func (f *fake) putSegment(data []byte) (chunk.Ref, error) { return f.put(chunk.Segment, data) }

func (f *fake) get(r chunk.Ref) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	want, ok := f.refs[r.ID]
	switch {
	case f.missing[packKey{r.Series, r.Number}]:
		return nil, fmt.Errorf("%w: pack %s/%d is missing", vault.ErrDamaged, r.Series, r.Number)
	case !ok || want != r:
		return nil, fmt.Errorf("%w: no chunk there", vault.ErrDamaged)
	case f.bad[r.ID]:
		return nil, fmt.Errorf("%w: chunk %s is not what its ID says", vault.ErrDamaged, r.ID)
	}
	return f.data[r.ID], nil
}

func (f *fake) Segment(ctx context.Context, r chunk.Ref) ([]byte, error) {
	if f.onSegment != nil {
		if err := f.onSegment(r); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return f.get(r)
}

// Read ends at the first bad chunk, as the real one does.
func (f *fake) Read(ctx context.Context, k chunk.Kind, refs []chunk.Ref, fn func(i int, data []byte) error) error {
	f.mu.Lock()
	f.reads = append(f.reads, packKey{refs[0].Series, refs[0].Number})
	n, hook := len(f.reads), f.onRead
	f.mu.Unlock()
	if hook != nil {
		if err := hook(n); err != nil {
			return err
		}
	}
	var buf []byte
	for i, r := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !samePack(r, refs[0]) || i > 0 && r.Offset < refs[i-1].Offset {
			return errors.New("refs are not of one pack and ascending")
		}
		data, err := f.get(r)
		if err != nil {
			return err
		}
		buf = append(buf[:0], data...)
		if err := fn(i, buf); err != nil {
			return err
		}
		clear(buf) // valid during the call only
	}
	return nil
}

// save adds a root with the entries, in any order.
func (f *fake) save(t testing.TB, path string, entries ...*manifest.Entry) {
	t.Helper()
	slices.SortStableFunc(entries, func(a, b *manifest.Entry) int { return files.Compare(a.Path, b.Path) })
	b := manifest.NewBuilder(f.keys[chunk.Segment], f.putSegment)
	for _, e := range entries {
		must(t, b.Add(e))
		switch e.Type {
		case files.Regular:
			f.body.Counts.Files++
			f.body.Counts.Bytes += e.Size
		case files.Dir:
			f.body.Counts.Dirs++
		}
	}
	root, err := b.Finish()
	must(t, err)
	f.body.Roots = append(f.body.Roots, manifest.BodyRoot{Path: path, Root: root})
}

// backup adds the tree at path as it is on the disk.
func (f *fake) backup(t testing.TB, path string) {
	t.Helper()
	f.save(t, path, f.scan(t, path)...)
}

// scan makes the entries of a tree on the disk, storing their content.
func (f *fake) scan(t testing.TB, path string) []*manifest.Entry {
	t.Helper()
	tree, err := files.OpenTree(path)
	must(t, err)
	defer tree.Close()
	var out []*manifest.Entry
	for we, err := range tree.Walk(t.Context(), files.Options{}, nil) {
		must(t, cmp.Or(err, we.Err))
		e := &manifest.Entry{Path: string(we.Path), Stat: we.Stat}
		var errs []error
		e.Detail, errs = tree.Detail(e.Path, e.Stat)
		must(t, errors.Join(errs...))
		if we.Stat.Nlink > 1 && e.Type != files.Dir {
			e.Link = manifest.LinkGroup(f.Hasher(chunk.Segment), we.Mount, we.Stat.Ino)
		}
		must(t, manifest.StoreXattrs(e, f.putSegment))
		if e.Type == files.Regular {
			in, err := tree.Open(e.Path, e.Stat)
			must(t, err)
			f.content(t, e, in)
			in.Close()
		}
		out = append(out, e)
	}
	return out
}

// content cuts the data of a file into chunks.
func (f *fake) content(t testing.TB, e *manifest.Entry, in io.ReaderAt) {
	t.Helper()
	var data []io.Reader
	for off, n := range files.DataExtents(e.Size, e.Holes) {
		data = append(data, io.NewSectionReader(in, off, n))
	}
	all := io.MultiReader(data...)
	var refs []chunk.Ref
	buf := make([]byte, f.size)
	for {
		n, err := io.ReadFull(all, buf)
		if n > 0 {
			r, err := f.put(chunk.Data, buf[:n])
			must(t, err)
			refs = append(refs, r)
		}
		if err != nil {
			break
		}
	}
	f.setRefs(t, e, refs)
}

func (f *fake) setRefs(t testing.TB, e *manifest.Entry, refs []chunk.Ref) {
	t.Helper()
	var err error
	e.ListDepth, e.Refs, _, err = manifest.BuildList(refs, f.putSegment)
	must(t, err)
	if e.ListDepth > 0 {
		e.ContentHash = manifest.ContentHash(f.Hasher(chunk.Data), manifest.IDs(refs))
	}
}

var someTime = files.Time{Sec: 1_600_000_000, Nsec: 123_456_789}

// folder, regular and symlink make entries by hand, owned by who runs the test.
func dirEntry(path string) *manifest.Entry { return entry(path, files.Dir, 0o755) }

func entry(path string, typ files.Type, mode uint32) *manifest.Entry {
	return &manifest.Entry{Path: path, Stat: files.Stat{
		Type: typ, Mode: mode, Mtime: someTime, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
	}}
}

func (f *fake) file(t testing.TB, path, content string) *manifest.Entry {
	e := entry(path, files.Regular, 0o644)
	e.Size = int64(len(content))
	f.content(t, e, &sliceReader{content})
	return e
}

func linkTo(path, target string) *manifest.Entry {
	e := entry(path, files.Symlink, 0o777)
	e.Target = target
	return e
}

type sliceReader struct{ s string }

func (r *sliceReader) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, r.s[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// temp is a folder for the test, which can be removed whatever the modes of
// what is in it.
func temp(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { loosen(dir) })
	return dir
}

// loosen gives its owner the right to remove all that is in a folder.
func loosen(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

func removeAll(t testing.TB, path string) {
	t.Helper()
	loosen(path)
	must(t, os.RemoveAll(path))
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

var isLinux = runtime.GOOS == "linux"
