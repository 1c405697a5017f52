package restore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/manifest"
)

// Cat writes the content of one file of a snapshot to w, holes as zeros. Each
// chunk is verified before its bytes are written: after an error, what was
// written is the true beginning of the file. The error is vault.ErrDamaged if
// the vault could not give what follows, fs.ErrNotExist if there is no such
// path.
func Cat(ctx context.Context, src Source, path string, w io.Writer) error {
	src = marked{src}
	v := newView(src.Body())
	sels, err := v.resolve(ctx, src, []string{path})
	if err != nil {
		return unmark(err)
	}
	if len(sels) > 1 {
		return fmt.Errorf("%q is not a file: it stands for %d folders", path, len(sels))
	}
	e := sels[0].top
	if err := readable(ctx, src, &sels[0]); err != nil {
		return fmt.Errorf("%q: %w", path, unmark(err))
	}
	c := concat{src: src, file: newFile(path, e), w: w}
	if err := c.run(ctx, e); err != nil {
		return fmt.Errorf("%q: %w", path, unmark(err))
	}
	return nil
}

// ErrFolder: what [Cat] is to print is a folder.
var ErrFolder = errors.New("it is a folder")

// readable tells whether a selection has content. One whose entry is not known
// is looked up again, for the error.
func readable(ctx context.Context, src Source, s *selection) error {
	if s.top == nil {
		_, err := manifest.Lookup(ctx, s.root.tree, s.path, src.Segment)
		return err
	}
	switch s.top.Type {
	case files.Regular:
	case files.Dir:
		return ErrFolder
	case files.Symlink:
		return fmt.Errorf("it is a symlink to %q", s.top.Target)
	default:
		return errors.New("it is not a regular file and has no content")
	}
	if unsaved(s.top) {
		return fmt.Errorf("the snapshot does not hold its content: %s", s.top.Err)
	}
	return nil
}

// A concat writes the content of one file in order.
type concat struct {
	src  Source
	file *file
	w    io.Writer

	at   int64 // in the content
	off  int64 // in the file: what is written
	refs []chunk.Ref
	data [][]byte // of refs
}

// Bounds of what is read at a time: chunks of one file that follow each other
// may lie in turns in some packs, each of which should be read once.
const (
	catBytes = 32 << 20
	catRefs  = 4096
)

func (c *concat) run(ctx context.Context, e *manifest.Entry) error {
	planned := int64(0)
	batch := int64(0)
	for ref, err := range manifest.Refs(ctx, e, c.src.Segment) {
		if err == nil && (ref.Len > c.file.content-planned || ref.Len > maxChunk) {
			err = errContent
		}
		if err != nil {
			return err
		}
		if len(c.refs) > 0 && (batch+ref.Len > catBytes || len(c.refs) == catRefs) {
			if err := c.flush(ctx); err != nil {
				return err
			}
			batch = 0
		}
		c.refs = append(c.refs, ref)
		planned += ref.Len
		batch += ref.Len
	}
	if planned != c.file.content {
		return errContent
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.zeros(c.file.stat.Size)
}

// flush reads the chunks collected, pack by pack, and writes them in order.
func (c *concat) flush(ctx context.Context) error {
	for len(c.data) < len(c.refs) {
		c.data = append(c.data, nil)
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for _, pack := range packsOf(c.refs) {
		g.Go(func() error { return c.read(inner, pack) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, ref := range c.refs {
		if err := c.write(c.data[i]); err != nil {
			return err
		}
		c.at += ref.Len
	}
	c.refs = c.refs[:0]
	return nil
}

// packsOf groups refs by their pack, each group ascending; it returns places
// in refs.
func packsOf(refs []chunk.Ref) [][]int32 {
	order := make([]int32, len(refs))
	for i := range order {
		order[i] = int32(i)
	}
	sortByPlace(order, func(i int32) *chunk.Ref { return &refs[i] })
	var packs [][]int32
	for from, i := 0, 1; i <= len(order); i++ {
		if i == len(order) || !samePack(refs[order[i]], refs[order[from]]) {
			packs = append(packs, order[from:i])
			from = i
		}
	}
	return packs
}

// read reads chunks of one pack into their buffers.
func (c *concat) read(ctx context.Context, pack []int32) error {
	refs := make([]chunk.Ref, len(pack))
	for i, j := range pack {
		refs[i] = c.refs[j]
		c.data[j] = c.data[j][:0]
	}
	err := c.src.Read(ctx, chunk.Data, refs, func(i int, data []byte) error {
		c.data[pack[i]] = append(c.data[pack[i]], data...)
		return nil
	})
	if err != nil {
		return err
	}
	for i, j := range pack {
		if int64(len(c.data[j])) != refs[i].Len {
			return errContent
		}
	}
	return nil
}

// write writes one chunk, and the holes before and in it.
func (c *concat) write(data []byte) error {
	return c.file.each(c.at, int64(len(data)), func(from, n, off int64) error {
		if err := c.zeros(off); err != nil {
			return err
		}
		m, err := c.w.Write(data[from : from+n])
		c.off += int64(m)
		return err
	})
}

// zeros fills up to an offset.
func (c *concat) zeros(end int64) error {
	if c.off >= end {
		return nil
	}
	n, err := io.CopyN(c.w, zeroReader{}, end-c.off)
	c.off += n
	return err
}

// zeroReader reads zeros without end.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
