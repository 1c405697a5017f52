package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// A worker reads new and changed entries. It owns a lane, buffers and hashers;
// other workers help it with the chunks of a large file.
type worker struct {
	p        *pass
	lane     *vault.Lane
	splitter *chunk.Splitter
	content  *chunk.Hasher // data key, for content hashes
	links    *chunk.Hasher // segment key, for hard-link groups
	buf      []byte        // for a file that is one chunk
	own      *chunkJob     // for large files, if it is idle
	hasOwn   bool          // own was made
}

// maxReads is how often a file that changes while it is read is read before
// it is stored as it was last found.
const maxReads = 2

// read fills in the entries of a batch that are not kept.
func (w *worker) read(ctx context.Context, b *batch) error {
	for i := range b.items {
		it := &b.items[i]
		if it.keep {
			continue
		}
		if err := w.entry(ctx, b, it); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one entry. The error is the run's; what cannot be read of the
// entry is noted in it.
func (w *worker) entry(ctx context.Context, b *batch, it *item) error {
	path := string(b.bytes(it.path))
	e := &manifest.Entry{Path: path, Stat: it.stat}
	it.entry = e
	if it.err != nil {
		w.miss(e, it.err)
		return nil
	}
	switch {
	case it.spare:
		if kept, err := w.again(ctx, it, e); kept || err != nil {
			return err
		}
	case e.Type == files.Regular:
		w.p.showCurrent(path)
		if err := w.contents(ctx, it, e); err != nil {
			return err
		}
	default:
		errs, err := w.detail(it, e, func() (files.Detail, []error) { return w.p.tree.Detail(path, it.stat) })
		if err != nil {
			return err
		}
		w.missAll(e, errs)
	}
	if it.stat.Nlink > 1 && e.Type != files.Dir {
		e.Link = manifest.LinkGroup(w.links, b.bytes(it.mount), it.stat.Ino)
	}
	return nil
}

// detail fills in names, attributes, link target and holes. What could not be
// read of them is returned to be noted; err is the run's.
func (w *worker) detail(it *item, e *manifest.Entry, look func() (files.Detail, []error)) (misses []error, err error) {
	e.Detail, misses = look()
	err = manifest.StoreXattrs(e, w.p.putUse(it))
	if errors.Is(err, manifest.ErrTooLarge) {
		e.Xattrs, e.BigXattrs = nil, nil
		return append(misses, fmt.Errorf("extended attributes: %w", err)), nil
	}
	return misses, err
}

func (w *worker) missAll(e *manifest.Entry, errs []error) {
	for _, err := range errs {
		w.miss(e, err)
	}
}

// miss notes on an entry what could not be read of it.
func (w *worker) miss(e *manifest.Entry, err error) {
	text := errorText(err)
	if e.Err != "" {
		text = e.Err + "; " + text
	}
	e.Err = text
	w.p.missed(e.Path, err)
}

// errorText is err without the path, which stands beside it anyway.
func errorText(err error) string {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Op + ": " + pe.Err.Error()
	}
	s := strings.ToValidUTF8(err.Error(), "?")
	return s[:min(len(s), 500)]
}

// again reads a file that has not changed, to store its chunks once more. One
// that cannot be read now is kept as it was stored, and so is one that changes
// meanwhile: the next run sees that.
func (w *worker) again(ctx context.Context, it *item, e *manifest.Entry) (kept bool, err error) {
	w.p.showCurrent(e.Path)
	began, stored := time.Now(), it.stat
	still, misses, err := w.once(ctx, it, e)
	if ce := (*contentError)(nil); err != nil && !errors.As(err, &ce) {
		return false, err
	}
	if err != nil || !still || len(misses) > 0 {
		// With the stat of what is stored: it may have changed since the walk.
		it.keep, it.stat, it.entry, it.uses, it.ids = true, stored, nil, nil, nil
		return true, nil
	}
	it.racy = racy(e.Stat, began)
	return false, nil
}

// contents reads a regular file until it held still, and stores its chunks.
func (w *worker) contents(ctx context.Context, it *item, e *manifest.Entry) error {
	for try := 1; ; try++ {
		began := time.Now()
		still, misses, err := w.once(ctx, it, e)
		if err == nil && !still && try < maxReads {
			continue
		}
		if ce := (*contentError)(nil); errors.As(err, &ce) {
			return w.unreadable(it, e, append(misses, ce.err))
		}
		if err != nil {
			return err
		}
		w.missAll(e, misses)
		e.Changed = !still
		it.racy = !still || racy(e.Stat, began)
		if !still {
			w.p.changed(e.Path)
		}
		return nil
	}
}

// unreadable keeps of a file what can be known without its content.
func (w *worker) unreadable(it *item, e *manifest.Entry, misses []error) error {
	*e = manifest.Entry{Path: e.Path, Stat: it.stat, Detail: e.Detail, BigXattrs: e.BigXattrs}
	e.Holes, e.Size = nil, 0
	it.racy = true
	w.missAll(e, misses)
	return nil
}

// contentError is an error of the file, not of the run.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }

// racy tells whether the file could change again without its times showing
// it: it changed within the file system's granularity before it was read.
func racy(st files.Stat, began time.Time) bool {
	window := 50 * time.Millisecond
	if st.Ctime.Nsec == 0 {
		window = 2 * time.Second // a file system that counts whole seconds
	}
	return st.Ctime.Time().After(began.Add(-window))
}

// once reads the file from start to end and reports whether it held still. All
// it fills in, attributes and holes too, comes from the one open file.
func (w *worker) once(ctx context.Context, it *item, e *manifest.Entry) (still bool, misses []error, err error) {
	f, err := w.p.tree.Open(e.Path, it.stat)
	if err != nil {
		return false, nil, &contentError{err}
	}
	defer f.Close()
	before := f.Opened()
	*e = manifest.Entry{Path: e.Path, Stat: before}
	it.stat, it.uses, it.ids = before, it.uses[:0], it.ids[:0]
	misses, err = w.detail(it, e, func() (files.Detail, []error) { return w.p.tree.FDetail(f, before) })
	if err != nil {
		return false, misses, err
	}
	e.Holes = within(e.Holes, before.Size)
	size, err := w.store(ctx, it, e, f, before.Size)
	if err != nil {
		return false, misses, err
	}
	e.Size = size
	after, err := files.FStat(f)
	if err != nil {
		return false, misses, &contentError{err}
	}
	return size == before.Size && after.Size == before.Size && after.Mtime == before.Mtime && after.Ctime == before.Ctime, misses, nil
}

// within leaves out holes that a file which shrank no longer has.
func within(holes []files.Hole, size int64) []files.Hole {
	for len(holes) > 0 && holes[len(holes)-1].Off+holes[len(holes)-1].Len > size {
		holes = holes[:len(holes)-1]
	}
	return holes
}

// store stores the content of f and returns the file's length as it was read.
func (w *worker) store(ctx context.Context, it *item, e *manifest.Entry, f *files.OpenFile, size int64) (int64, error) {
	if len(e.Holes) > 0 {
		return w.sparse(ctx, it, e, f, size)
	}
	if size <= chunk.MinSize {
		return w.small(it, e, f, size)
	}
	return w.large(ctx, it, e, f)
}

// small stores a file that is one chunk. It reads one byte more than a small
// file has, to see one that grew.
func (w *worker) small(it *item, e *manifest.Entry, f *files.OpenFile, size int64) (int64, error) {
	n, err := readFull(f, w.buf[:chunk.MinSize+1], size)
	if err != nil {
		return 0, &contentError{err}
	}
	if n > chunk.MinSize {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, &contentError{err}
		}
		return w.large(w.p.ctx, it, e, f)
	}
	e.Refs, e.ListDepth = e.Refs[:0], 0
	w.p.count(int64(n))
	if n == 0 {
		return 0, nil
	}
	ref, _, err := w.lane.Put(w.buf[:n])
	if err != nil {
		return 0, err
	}
	e.Refs = append(e.Refs, ref)
	it.use(ref)
	return int64(n), nil
}

// readFull fills buf as far as the file goes. A read that ended short where the
// file is said to end has met its end; if it grew after that, its size tells. A
// size of 0 says nothing: files that a kernel makes up have it.
func readFull(f io.Reader, buf []byte, size int64) (int, error) {
	n := 0
	for n < len(buf) {
		k, err := f.Read(buf[n:])
		n += k
		if err == nil && int64(n) == size && n < len(buf) {
			return n, nil
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// sparse stores the data between the holes of a file. One that shrank loses
// the holes that are no longer in it.
func (w *worker) sparse(ctx context.Context, it *item, e *manifest.Entry, f *files.OpenFile, size int64) (int64, error) {
	r := &extentReader{f: f}
	for off, n := range files.DataExtents(size, e.Holes) {
		r.extents = append(r.extents, [2]int64{off, n})
	}
	stored, err := w.large(ctx, it, e, r)
	if err != nil {
		return 0, err
	}
	var want int64
	for _, x := range r.extents {
		want += x[1]
	}
	if stored != want {
		return 0, &contentError{fmt.Errorf("sparse file shrank while it was read: %w", io.ErrUnexpectedEOF)}
	}
	return size, nil
}

// extentReader reads the data extents of a sparse file one after another.
type extentReader struct {
	f       io.ReaderAt
	extents [][2]int64
	next    int
	done    int64 // bytes of extents[next] that were read
}

func (r *extentReader) Read(p []byte) (int, error) {
	for r.next < len(r.extents) {
		x := r.extents[r.next]
		if left := x[1] - r.done; left > 0 {
			n, err := r.f.ReadAt(p[:min(int64(len(p)), left)], x[0]+r.done)
			r.done += int64(n)
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		r.next, r.done = r.next+1, 0
	}
	return 0, io.EOF
}

// use notes the pack of a ref, once.
func (it *item) use(ref chunk.Ref) {
	id := packID{ref.Series, ref.Number}
	for i := len(it.uses) - 1; i >= 0 && i >= len(it.uses)-8; i-- {
		if it.uses[i] == id {
			return
		}
	}
	it.uses = append(it.uses, id)
}
