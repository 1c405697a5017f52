package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/manifest"
)

// A checker reads files of the target and compares them with the snapshot. It
// is for one goroutine.
type checker struct {
	p   *planner
	h   *chunk.Hasher
	buf []byte
}

func (p *planner) newChecker() *checker { return &checker{p: p, h: p.src.Hasher(chunk.Data)} }

// errDiffers: a file of the target does not hold what the snapshot says.
var errDiffers = errors.New("its content differs from the snapshot")

// check reads a file and compares its size, each of its chunks with its ID,
// and that its holes read as zeros. The error is errDiffers, or says why the
// file or its list of chunks could not be read.
func (c *checker) check(ctx context.Context, f *file) error {
	in, err := c.p.to.tree.Open(f.path, f.stat)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := files.FStat(in)
	if err != nil {
		return err
	}
	if st.Size != f.stat.Size {
		return fmt.Errorf("%w: %d bytes, not %d", errDiffers, st.Size, f.stat.Size)
	}
	if err := c.chunks(ctx, f, in); err != nil {
		return err
	}
	for _, h := range f.detail.Holes {
		if err := c.zeros(ctx, io.NewSectionReader(in, h.Off, h.Len)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) chunks(ctx context.Context, f *file, in io.ReaderAt) error {
	at := int64(0)
	for ref, err := range c.p.refsOf(ctx, f) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && ref.Len > f.content-at {
			err = errContent
		}
		if err != nil {
			return err
		}
		if err := c.chunk(f, in, ref, at); err != nil {
			return err
		}
		at += ref.Len
	}
	if at < f.content {
		return errContent
	}
	return nil
}

func (c *checker) chunk(f *file, in io.ReaderAt, ref chunk.Ref, at int64) error {
	if ref.Len > maxChunk {
		return errContent
	}
	if int64(cap(c.buf)) < ref.Len {
		c.buf = make([]byte, ref.Len)
	}
	data := c.buf[:ref.Len]
	err := f.each(at, ref.Len, func(from, n, off int64) error {
		_, err := in.ReadAt(data[from:from+n], off)
		return err
	})
	if err != nil {
		return err
	}
	if c.h.ID(data) != ref.ID {
		return errDiffers
	}
	return nil
}

// maxChunk bounds what is read at once for a ref of a hostile manifest.
const maxChunk = 64 << 20

var zeroes [64 << 10]byte

// zeros reads to the end of r, which must hold nothing else.
func (c *checker) zeros(ctx context.Context, r io.Reader) error {
	buf := make([]byte, len(zeroes))
	for {
		n, err := r.Read(buf)
		if !bytes.Equal(buf[:n], zeroes[:n]) {
			return errDiffers
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// refsOf yields the refs of a file of the window, from the start of its
// content.
func (p *planner) refsOf(ctx context.Context, f *file) iter.Seq2[chunk.Ref, error] {
	if f.entry != nil {
		return manifest.Refs(ctx, f.entry, p.src.Segment)
	}
	return func(yield func(chunk.Ref, error) bool) {
		for _, t := range p.win.tasks[f.first : f.first+f.count] {
			if !yield(t.ref, nil) {
				return
			}
		}
	}
}

// compare looks whether the files that look equal are; then they are not
// written.
func (p *planner) compare(ctx context.Context) error {
	return p.eachFile(ctx, func(f *file) bool { return f.check && !f.isOver() }, func(c *checker, f *file) error {
		if c.check(ctx, f) == nil {
			p.confirm(f)
			return nil
		}
		if f.content == 0 {
			return p.empty(f)
		}
		return ctx.Err()
	})
}

// confirm ends a file that is in the target as it should be.
func (p *planner) confirm(f *file) {
	f.end(Unchanged)
	p.rec.add(&p.rec.res.Verified, 1)
	p.rec.settled(f.stat.Size)
	p.tell(Unchanged, f.path, f.stat, nil)
}

// verify reads back what was written.
func (p *planner) verify(ctx context.Context) error {
	if !p.o.Verify {
		return nil
	}
	return p.eachFile(ctx, func(f *file) bool { return f.result == Restored }, func(c *checker, f *file) error {
		err := c.check(ctx, f)
		switch {
		case err == nil:
			p.rec.add(&p.rec.res.Verified, 1)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if _, stop := errors.AsType[*stopError](err); stop {
			return err // says nothing of the file
		}
		f.end(Failed)
		p.tell(Failed, f.path, f.stat, fmt.Errorf("read back: %w", err))
		return nil
	})
}

// eachFile calls do for the chosen files of the window, some at once.
func (p *planner) eachFile(ctx context.Context, choose func(*file) bool, do func(*checker, *file) error) error {
	var chosen []*file
	for _, f := range p.win.files {
		if choose(f) {
			chosen = append(chosen, f)
		}
	}
	var next atomic.Int64
	g, inner := errgroup.WithContext(ctx)
	for range min(len(chosen), runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			c := p.newChecker()
			for i := next.Add(1) - 1; i < int64(len(chosen)) && inner.Err() == nil; i = next.Add(1) - 1 {
				if err := do(c, chosen[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmp.Or(g.Wait(), ctx.Err())
}
