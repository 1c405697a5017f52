package backup

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// A pass walks one root and writes its manifest.
//
//	walk ──▶ batches ──▶ workers ──▶ manifest
//	  ▲ merged with the last manifest     in walk order
type pass struct {
	run  *vault.Run
	o    *Options
	t    *tally
	root string
	ctx  context.Context // of the pass: ends with its first error
	tree *files.Tree
	old  *merge                // what the last run found
	out  *state.ManifestWriter // what this run finds
	rec  state.Record          // of the writing goroutine, with memory of its own
	kept state.Record          // likewise, pointing into a batch
	// table is what positions in rec mean; of the writing goroutine.
	table   []chunk.Series
	sure    ledger.Set // packs known to be reliable; of the walking goroutine
	dropped []string   // folders that could not be kept; of the writing goroutine

	used    *ledger.Set
	segMu   sync.Mutex // guards segments and used while workers run
	segment *vault.Lane

	free   chan *batch
	jobs   chan *batch
	order  chan *batch
	chunks chan *chunkJob
	spare  chan *chunkJob // idle ones; nil stands for one that was not needed yet
	open   atomic.Int64   // batches to be read, and one for the walk: at 0 no chunk will come any more
}

// rootPass backs up one root: its tree goes into used and, as the next run's
// base, into out.
func rootPass(ctx context.Context, run *vault.Run, o *Options, t *tally, root string, used *ledger.Set) (manifest.Root, *state.ManifestWriter, error) {
	tree, err := files.OpenTree(root)
	if err != nil {
		return manifest.Root{}, nil, &rootError{root, err}
	}
	defer tree.Close()
	base, out, err := run.Vault().State().BeginManifest(string(o.Project), root)
	if err != nil {
		return manifest.Root{}, nil, err
	}
	defer base.Close()
	p := &pass{run: run, o: o, t: t, root: root, tree: tree, old: &merge{next: base.Next}, out: out, used: used, segment: run.Lane(chunk.Segment)}
	r, err := p.do(ctx)
	if err != nil {
		return r, nil, errors.Join(err, out.Close())
	}
	return r, out, nil
}

// rootError says that a whole root could not be opened.
type rootError struct {
	root string
	err  error
}

func (e *rootError) Error() string { return fmt.Sprintf("%s: %v", e.root, e.err) }
func (e *rootError) Unwrap() error { return e.err }

// queue is how many batches may be on their way: what the walk runs ahead of
// the slowest reader.
const queue = 32

func (p *pass) do(ctx context.Context) (root manifest.Root, err error) {
	p.free = make(chan *batch, queue)
	for range queue {
		p.free <- &batch{done: make(chan struct{}, 1)}
	}
	p.jobs, p.order = make(chan *batch, queue), make(chan *batch, queue)
	p.chunks = make(chan *chunkJob)
	p.spare = make(chan *chunkJob, workers(p.o))
	for range workers(p.o) {
		p.spare <- nil
	}
	g, ctx := errgroup.WithContext(ctx)
	p.ctx = ctx
	p.open.Store(1)
	for range workers(p.o) {
		w := p.worker()
		g.Go(func() error { return w.loop(ctx) })
	}
	g.Go(func() error { return p.walk(ctx) })
	g.Go(func() error {
		var err error
		root, err = p.write(ctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return root, cause(ctx, err)
	}
	if err := p.segment.Flush(); err != nil {
		return root, err
	}
	_ = p.out.Flush() // a kill while other roots are walked costs nothing of this one; an error is told at the end
	return root, nil
}

// workers is how many files are read at a time.
func workers(o *Options) int {
	if o.Workers == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return o.Workers
}

// cause prefers why a context ended to the bare fact that it did.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && errors.Is(err, ctx.Err()) {
		return c
	}
	return err
}

func (p *pass) worker() *worker {
	data, segment := p.run.Vault().Keys()
	return &worker{
		p: p, lane: p.run.Lane(chunk.Data), splitter: chunk.NewSplitter(p.run.Vault().Polynomial()),
		content: chunk.NewHasher(data), links: chunk.NewHasher(segment),
		buf: make([]byte, chunk.MinSize+1),
	}
}

// loop reads batches, and chunks of other workers' large files first, until
// the walk is over. It ends by closing the lane's open pack.
func (w *worker) loop(ctx context.Context) error {
	jobs := w.p.jobs
	for {
		select {
		case job, ok := <-w.p.chunks:
			if !ok {
				return w.lane.Flush()
			}
			w.chunk(job)
		case b, ok := <-jobs:
			if !ok {
				jobs = nil // others' last files may still want help with their chunks
				continue
			}
			if err := w.read(ctx, b); err != nil {
				return err
			}
			b.done <- struct{}{}
			w.p.batchRead()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// batchRead counts a batch, or the walk, as over. After the last one no file
// is being cut, so the workers may go.
func (p *pass) batchRead() {
	if p.open.Add(-1) == 0 {
		close(p.chunks)
	}
}

// putUse stores segment chunks for an entry: list chunks and large attributes.
// All workers share one lane for them, since they are few.
func (p *pass) putUse(it *item) manifest.Put {
	return func(data []byte) (chunk.Ref, error) {
		p.segMu.Lock()
		defer p.segMu.Unlock()
		ref, _, err := p.segment.Put(data)
		if err == nil {
			it.use(ref)
		}
		return ref, err
	}
}

// putSegment stores a segment of the manifest.
func (p *pass) putSegment(data []byte) (chunk.Ref, error) {
	p.segMu.Lock()
	defer p.segMu.Unlock()
	ref, _, err := p.segment.Put(data)
	if err == nil {
		p.used.Add(ref.Series, ref.Number)
	}
	return ref, err
}
