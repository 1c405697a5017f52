package vault

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/vault/ledger"
)

// A Lane fills one pack after another with chunks of one kind. Each goroutine
// that stores chunks has a lane of its own, so that none waits for another and
// the chunks of a project are spread over several open packs.
type Lane struct {
	run     *Run
	kind    chunk.Kind
	hasher  *chunk.Hasher
	builder *pack.Builder
	series  chunk.Series
	number  uint32 // of the open pack
	isOpen  bool   // a pack is open and has its number
	refs    []chunk.Ref
	effort  *effort // nil: the level stays
}

// Lane returns a new lane for chunks of a kind, for use by one goroutine.
func (r *Run) Lane(kind chunk.Kind) *Lane {
	l := &Lane{run: r, kind: kind, hasher: r.v.Hasher(kind), series: r.series[kind].series}
	if r.o.Adapt && kind == chunk.Data {
		l.effort = newEffort(r.o.Level)
	}
	return l
}

// Put stores a chunk unless a pack that can be relied on holds it already, and
// returns where it is. The ref is final at once; the bytes are safe only after
// Commit. data may be reused when Put returns. It fails with the first error
// of the run's uploads, and when the context of Begin ends.
func (l *Lane) Put(data []byte) (ref chunk.Ref, isNew bool, err error) {
	if err := context.Cause(l.run.ctx); err != nil {
		return ref, false, err
	}
	id := l.hasher.ID(data)
	ref, isNew, err = l.run.index.Claim(id, l.run.reusable, func() (chunk.Ref, error) {
		if err := l.open(); err != nil { // only now: a run that stores nothing uses up no number
			return chunk.Ref{}, err
		}
		off := l.builder.Add(l.kind, id, data)
		return chunk.Ref{ID: id, Series: l.series, Number: l.number, Offset: off, Len: int64(len(data))}, nil
	})
	if err == nil && ref.Len != int64(len(data)) {
		err = fmt.Errorf("chunk %s has %d bytes, and the local index says %d; memory may be failing", id, len(data), ref.Len)
	}
	if err != nil {
		return ref, false, err
	}
	if l.kind == chunk.Segment {
		l.run.noteNamed(id)
	}
	if !isNew {
		return ref, false, nil
	}
	l.refs = append(l.refs, ref)
	l.run.Stats.Chunks.Add(1)
	l.run.Stats.Plain.Add(int64(len(data)))
	if l.builder.Full() {
		return ref, true, l.Flush()
	}
	return ref, true, nil
}

// open makes sure that a pack with a number of its own is open.
func (l *Lane) open() error {
	if l.isOpen {
		return nil
	}
	n, err := l.run.reserve(l.kind)
	if err != nil {
		return err
	}
	l.number, l.isOpen = n, true
	if l.builder == nil {
		l.builder = l.newBuilder()
	}
	return nil
}

func (l *Lane) newBuilder() *pack.Builder {
	if l.kind == chunk.Segment {
		return pack.NewBuilder(pack.TargetSegment, l.run.o.Level)
	}
	return pack.NewBuilder(pack.TargetData, l.run.o.Level)
}

// Flush closes the open pack and hands it to the uploads. It blocks while as
// many packs as may be are on their way: memory does not grow with a slow
// remote. The lane seals by itself, so it needs no second builder; checking
// and sending go on beside it.
func (l *Lane) Flush() error {
	if l.builder == nil || l.builder.Empty() {
		return nil
	}
	r := l.run
	out, err := l.buffer()
	if err != nil {
		return err
	}
	if _, plain := l.builder.Len(); plain > tightPack {
		out.Reset()
		out.Grow(bufferSize)
	}
	sealed, err := l.builder.Seal(r.recipients, out)
	if err != nil {
		r.buffers <- out
		return fmt.Errorf("seal pack %s/%010d: %w", l.series, l.number, err)
	}
	p := ledger.Pack{Series: l.series, Number: l.number, Sum: sealed.Sum, Size: int64(len(sealed.Object))}
	refs := l.refs
	l.refs, l.isOpen = nil, false
	r.work.Go(func() {
		defer func() { r.buffers <- out }()
		if err := r.store(p, sealed, refs); err != nil {
			r.index.Forget(p.Series, p.Number)
			r.cancel(err)
		}
	})
	return nil
}

// buffer waits for one to seal into. How long that takes tells how hard the
// next pack may be compressed.
func (l *Lane) buffer() (out *bytes.Buffer, err error) {
	r, began := l.run, time.Now()
	select {
	case out = <-r.buffers:
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
	if l.effort != nil {
		l.builder.SetLevel(l.effort.next(began, time.Now(), r.sendingShare()))
	}
	return out, nil
}

// store opens a sealed pack again in memory, re-hashes every chunk in it, and
// uploads it. A failure cancels the run.
func (r *Run) store(p ledger.Pack, sealed pack.Sealed, refs []chunk.Ref) error {
	began := time.Now()
	err := r.prove(sealed)
	r.proving.Add(int64(time.Since(began)))
	if err != nil {
		return fmt.Errorf("pack %s/%010d does not open to what was put in; memory may be failing; nothing of it was stored: %w", p.Series, p.Number, err)
	}
	r.Stats.Flying.Add(p.Size)
	defer r.Stats.Flying.Add(-p.Size)
	began = time.Now()
	err = r.v.store.Put(r.ctx, remote.Object{Name: p.Name(), Data: sealed.Object, Sum: sealed.Sum})
	r.sending.Add(int64(time.Since(began)))
	if err != nil {
		return fmt.Errorf("store pack %s: %w", p.Name(), err)
	}
	return r.acknowledged(p, sealed, refs)
}

// prove runs the one checker, which holds the memory of a pack.
func (r *Run) prove(s pack.Sealed) error {
	r.checking.Lock()
	defer r.checking.Unlock()
	return r.checker.Check(s)
}

// acknowledged notes durably that the remote has the pack, so that a run that
// is killed now need not send it again.
func (r *Run) acknowledged(p ledger.Pack, s pack.Sealed, refs []chunk.Ref) error {
	if err := r.known.note(p, len(refs), r.now()); err != nil {
		return err
	}
	if err := r.index.Acked(p.Series, p.Number, refs); err != nil {
		return err
	}
	r.Stats.Packs.Add(1)
	r.Stats.Uploaded.Add(p.Size)
	r.mu.Lock()
	r.last = &sentPack{p, s.Key, len(refs)}
	r.acked = append(r.acked, packNumber{p.Series, p.Number})
	r.mu.Unlock()
	return nil
}
