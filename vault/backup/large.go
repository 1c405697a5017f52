package backup

import (
	"context"
	"errors"
	"io"
	"slices"

	"coffer/chunk"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// A chunkJob is one chunk of a large file on its way to whichever worker is
// free: one worker cuts the file while the others hash and compress its
// chunks.
type chunkJob struct {
	buf    []byte
	shared bool // by all workers of the pass
	data   []byte
	ref    chunk.Ref
	err    error
	done   chan struct{}
}

// free returns a job that is idle, or nil if there is none now. Each worker has
// one of its own, so that it always gets on; as many more are shared, for whoever
// cuts a file while others have time. A job holds a buffer of chunk.MaxSize.
func (w *worker) free() *chunkJob {
	if job := w.own; job != nil {
		w.own = nil
		return job
	}
	if !w.hasOwn {
		w.hasOwn = true
		return newChunkJob(false)
	}
	select {
	case job := <-w.p.spare:
		if job == nil {
			job = newChunkJob(true)
		}
		return job
	default:
		return nil
	}
}

func newChunkJob(shared bool) *chunkJob {
	return &chunkJob{buf: make([]byte, chunk.MaxSize), shared: shared, done: make(chan struct{}, 1)}
}

// idle takes a job back.
func (w *worker) idle(job *chunkJob) {
	if job.shared {
		w.p.spare <- job
		return
	}
	w.own = job
}

// large cuts r and stores its chunks. It returns the bytes read.
func (w *worker) large(ctx context.Context, it *item, e *manifest.Entry, r io.Reader) (int64, error) {
	f := &fileRefs{w: w, it: it, list: manifest.NewListBuilder(w.p.putUse(it))}
	w.splitter.Reset(r)
	var total int64
	for {
		job := w.free()
		if job == nil {
			if err := f.take(ctx); err != nil {
				return total, errors.Join(err, f.drain())
			}
			continue
		}
		data, err := w.splitter.Next(job.buf)
		if err != nil {
			w.idle(job)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if failed := f.drain(); failed != nil {
				return total, failed
			}
			return total, &contentError{err}
		}
		job.data = data
		total += int64(len(data))
		w.p.count(int64(len(data)))
		f.add(job)
	}
	if err := f.drain(); err != nil {
		return total, err
	}
	return total, f.finish(e)
}

// fileRefs gathers the refs of one large file in order.
type fileRefs struct {
	w       *worker
	it      *item
	pending []*chunkJob // in order of the file
	list    *manifest.ListBuilder
	ids     []chunk.ID
}

// add hands a chunk to a worker that waits, or stores it here if none does.
func (f *fileRefs) add(job *chunkJob) {
	f.pending = append(f.pending, job)
	select {
	case f.w.p.chunks <- job:
	default:
		f.w.chunk(job)
	}
}

// chunk stores one chunk.
func (w *worker) chunk(job *chunkJob) {
	job.ref, _, job.err = w.lane.Put(job.data)
	job.done <- struct{}{}
}

// take waits for the oldest chunk and takes its ref.
func (f *fileRefs) take(ctx context.Context) error {
	job := f.pending[0]
	select {
	case <-job.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.pending = f.pending[1:]
	ref, err := job.ref, job.err
	job.err = nil
	f.w.idle(job)
	if err != nil {
		return err
	}
	f.ids = append(f.ids, ref.ID)
	f.it.use(ref)
	return f.list.Add(ref)
}

// drain waits for all chunks that are on their way, also after an error, so
// that no buffer is given back while a worker still reads it.
func (f *fileRefs) drain() error {
	var first error
	for len(f.pending) > 0 {
		if err := f.take(context.Background()); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// finish enters the refs, or the lists that hold them, into the entry.
func (f *fileRefs) finish(e *manifest.Entry) error {
	depth, top, _, err := f.list.Finish()
	if err != nil {
		return err
	}
	e.ListDepth, e.Refs, e.ContentHash = depth, top, chunk.ID{}
	if depth > 0 {
		e.ContentHash = manifest.ContentHash(f.w.content, slices.Values(f.ids))
		for _, id := range f.ids {
			f.it.ids = state.AppendPrefix(f.it.ids, id)
		}
	}
	return nil
}
