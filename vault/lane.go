package vault

import (
	"context"
	"fmt"
	"sync"
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
	checker *pack.Checker
	builder *pack.Builder // nil until the first chunk
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
	l.ease()
	return ref, true, nil
}

// ease compresses less when there turns out to be much to do.
func (l *Lane) ease() {
	if l.effort == nil || l.effort.eased {
		return
	}
	_, plain := l.builder.Len()
	if level, ok := l.effort.ease(plain); ok {
		l.builder.SetLevel(level)
	}
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
		l.builder, l.checker = l.newBuilder(), pack.NewChecker(l.run.v.Hasher)
	}
	l.builder.Reuse(l.run.spare.take(l.kind))
	return nil
}

func (l *Lane) newBuilder() *pack.Builder {
	if l.kind == chunk.Segment {
		return pack.NewBuilder(pack.TargetSegment, l.run.o.Level)
	}
	return pack.NewBuilder(pack.TargetData, l.run.o.Level)
}

// Flush closes the open pack, opens it again in memory, re-hashes every chunk in
// it, and hands it to the uploads. The lane seals and checks by itself, as the
// work of the processor that they are; sending goes on beside it.
//
// It blocks while as many packs as may be are on their way, and, if its own made
// them so many, until one of them has arrived: memory does not grow with a slow
// remote, and what is sent takes the place of what would be filled meanwhile.
func (l *Lane) Flush() error {
	if l.builder == nil || l.builder.Empty() {
		return nil
	}
	sealed, err := l.seal()
	if err != nil {
		return err
	}
	r, full := l.run, time.Now()
	if err := r.turn(); err != nil {
		return err
	}
	l.send(sealed)
	if err := r.turn(); err != nil {
		return err
	}
	r.uploads <- struct{}{}
	if l.effort != nil {
		l.builder.SetLevel(l.effort.next(full, time.Now()))
	}
	return nil
}

// send stores a sealed pack beside other work. It is the lane's turn.
func (l *Lane) send(sealed pack.Sealed) {
	r, refs := l.run, l.refs
	p := ledger.Pack{Series: l.series, Number: l.number, Sum: sealed.Sum, Size: int64(len(sealed.Object))}
	l.refs, l.isOpen = nil, false
	r.work.Go(func() {
		if err := r.store(p, sealed, refs); err != nil {
			r.index.Forget(p.Series, p.Number)
			r.cancel(err)
		}
		r.spare.give(l.kind, sealed.Object)
		r.uploads <- struct{}{}
	})
}

// seal seals the open pack and checks what came of it.
func (l *Lane) seal() (pack.Sealed, error) {
	sealed, err := l.builder.Seal(l.run.recipients)
	if err != nil {
		return sealed, fmt.Errorf("seal pack %s/%010d: %w", l.series, l.number, err)
	}
	if err := l.checker.Check(sealed); err != nil {
		err = fmt.Errorf("pack %s/%010d does not open to what was put in; memory may be failing; nothing of it was stored: %w", l.series, l.number, err)
		l.run.index.Forget(l.series, l.number)
		l.run.cancel(err)
		return sealed, err
	}
	return sealed, nil
}

// turn waits until a pack may be sent.
func (r *Run) turn() error {
	select {
	case <-r.uploads:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// store uploads a sealed pack. A failure cancels the run.
func (r *Run) store(p ledger.Pack, sealed pack.Sealed, refs []chunk.Ref) error {
	r.Stats.Flying.Add(p.Size)
	defer r.Stats.Flying.Add(-p.Size)
	err := r.v.store.Put(r.ctx, remote.Object{Name: p.Name(), Data: sealed.Object, Sum: sealed.Sum})
	if err != nil {
		return fmt.Errorf("store pack %s: %w", p.Name(), err)
	}
	return r.acknowledged(p, sealed, refs)
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

// spareMemory is that of packs that are stored, for those to come. It is safe for
// concurrent use.
type spareMemory struct {
	mu   sync.Mutex
	free map[chunk.Kind][][]byte // guarded by mu; packs of one kind are of like lengths
}

func (m *spareMemory) give(k chunk.Kind, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.free == nil {
		m.free = map[chunk.Kind][][]byte{}
	}
	m.free[k] = append(m.free[k], b)
}

// take returns nil if there is none.
func (m *spareMemory) take(k chunk.Kind) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	free := m.free[k]
	if len(free) == 0 {
		return nil
	}
	b := free[len(free)-1]
	m.free[k] = free[:len(free)-1]
	return b
}
