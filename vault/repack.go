package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// A Partly is a pack of this device of which only a part is needed.
type Partly struct {
	Pack   ledger.Pack
	Needed func(offset int64) bool // whether a live snapshot needs the chunk that begins there
}

// Repacked tells what Repack did.
type Repacked struct {
	Packs  int   // that may go now
	Read   int64 // bytes of them
	Chunks int   // that were needed, and are elsewhere now
	Stored int64 // bytes of new packs
}

// BeginRepack starts a run that stores again, in new packs, what is needed of
// packs that are partly dead. It needs the vault's identity and the role
// maintain. Close ends it. Errors: those of Begin, ErrNoIdentity, ErrNoRole.
func (v *Vault) BeginRepack(ctx context.Context, warn func(error)) (*Run, error) {
	if !v.HasIdentity() {
		return nil, ErrNoIdentity
	}
	return v.Begin(ctx, RunOptions{Role: trust.Maintain, OnWarning: warn})
}

// Repack stores what is needed of the packs again, and commits moves that say
// where it is now and let the old packs go: a prune deletes them as it does
// everything else. Which chunks are needed must have been found out since the
// run began, or nothing of this device was committed since. A pack that cannot
// be read stays as it is. done, if not nil, is told of each pack. Killed
// anywhere, all that was committed restores.
func (r *Run) Repack(ctx context.Context, packs []Partly, done func(Partly)) (Repacked, error) {
	r.stopProgress()
	for _, p := range packs { // none of them is a place to put a chunk
		r.scattered[chunk.Data].Add(p.Pack.Series, p.Pack.Number)
	}
	m := &repacker{r: r, lane: r.Lane(chunk.Data), hasher: r.v.Hasher(chunk.Data)}
	m.begin()
	for _, p := range packs {
		err := m.take(ctx, p)
		if err == nil && (len(m.old) == commit.MaxList || len(m.where) >= maxMoved) {
			err = m.commit(ctx)
		}
		if err != nil {
			return m.done, fmt.Errorf("repack: %w", err)
		}
		if done != nil {
			done(p)
		}
	}
	if err := m.commit(ctx); err != nil {
		return m.done, fmt.Errorf("repack: %w", err)
	}
	return m.done, nil
}

// A repacker gathers one move after another.
type repacker struct {
	r      *Run
	lane   *Lane
	hasher *chunk.Hasher
	buf    packBuffer
	done   Repacked

	old   []ledger.Pack
	where map[chunk.ID]chunk.Ref
	used  *ledger.Set
}

func (m *repacker) begin() {
	m.old, m.where, m.used = nil, map[chunk.ID]chunk.Ref{}, new(ledger.Set)
}

// take stores what is needed of one pack. One that is bad is not moved.
func (m *repacker) take(ctx context.Context, p Partly) error {
	err := m.r.v.openPack(ctx, p.Pack, &m.buf)
	var now []chunk.Ref
	if err == nil {
		now, err = m.copy(p)
	}
	if isDamage(err) {
		m.r.warn(&PackError{p.Pack, fmt.Errorf("it stays as it is: %w", err)})
		return nil
	}
	if err != nil {
		return err
	}
	for _, ref := range now {
		m.where[ref.ID] = ref
		m.used.Add(ref.Series, ref.Number)
	}
	m.old = append(m.old, p.Pack)
	m.done.Read += p.Pack.Size
	return nil
}

// copy puts the needed chunks of the open pack into new ones.
func (m *repacker) copy(p Partly) (now []chunk.Ref, err error) {
	var ids []chunk.ID
	var extents []pack.Extent
	for e := range m.buf.reader.Entries() {
		if p.Needed(e.Offset) {
			ids = append(ids, e.ID)
			extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
		}
	}
	var own error // of storing: no damage
	err = m.buf.reader.Read(extents, func(i int, data []byte) error {
		if m.hasher.ID(data) != ids[i] {
			return damaged("chunk %s is not what its ID says", ids[i])
		}
		var ref chunk.Ref
		if ref, _, own = m.lane.Put(data); own != nil {
			return own
		}
		now = append(now, ref)
		return nil
	})
	if err != nil && own == nil {
		err = damaged("%w", err) // the bytes were those of its name
	}
	return now, err
}

// commit commits the move of what was gathered. From then on nothing of this
// device relies on the old packs.
func (m *repacker) commit(ctx context.Context) error {
	if len(m.where) == 0 {
		return nil
	}
	if err := errors.Join(m.lane.Flush(), m.r.wait()); err != nil {
		return err
	}
	if err := errors.Join(m.r.sample(ctx), m.r.checkRecipients()); err != nil {
		return err
	}
	var names []string
	for _, p := range m.old {
		names = append(names, p.Name())
		if err := m.r.replaced(p); err != nil {
			return err
		}
	}
	slices.Sort(names)
	m.r.commitMu.Lock()
	err := m.r.commitMove(ctx, names, m.where, m.used, true)
	m.r.commitMu.Unlock()
	if err != nil {
		return err
	}
	m.done.Packs += len(m.old)
	m.done.Chunks += len(m.where)
	m.done.Stored = m.r.Stats.Uploaded.Load()
	m.begin()
	return nil
}

// replaced notes that a pack's chunks are elsewhere. If the move is not
// committed after all, its chunks are found where they were put, or stored
// again.
func (r *Run) replaced(p ledger.Pack) error {
	if r.known.usable[p.Series] != nil {
		return r.known.mark(p, state.PackReplaced)
	}
	table, err := r.v.dir.Packs(p.Series)
	if err != nil {
		return err
	}
	err = table.Update(p.Number, func(info *state.Pack) {
		if info.Sum == p.Sum {
			info.Flags |= state.PackReplaced
		}
	})
	return errors.Join(err, table.Sync(), table.Close())
}

// PackDirectory reads what a pack holds: its end, and the beginning of its
// header, which is much less than the pack. ErrNoIdentity if the vault's
// identity was not lent.
func (v *Vault) PackDirectory(ctx context.Context, p ledger.Pack) (*pack.Directory, error) {
	if !v.HasIdentity() {
		return nil, ErrNoIdentity
	}
	at := &partOf{ctx: ctx, v: v, name: p.Name()}
	d, err := pack.DirectoryAt(at, p.Size, v.ids)
	switch {
	case at.err != nil:
		return nil, &PackError{p, badIsDamage(at.err)}
	case err != nil:
		return nil, &PackError{p, openError(p.Name(), err)}
	}
	return d, nil
}

// partOf reads parts of an object.
type partOf struct {
	ctx  context.Context
	v    *Vault
	name string
	err  error // of the remote
}

func (a *partOf) ReadAt(b []byte, off int64) (int, error) {
	got, err := a.v.store.Get(a.ctx, b[:0:len(b)], a.name, off, int64(len(b)))
	if err != nil {
		a.err = err
		return 0, err
	}
	n := copy(b, got)
	if n < len(b) {
		return n, fmt.Errorf("read %s at %d: %w", a.name, off, errShort)
	}
	return n, nil
}

var errShort = errors.New("it ends too soon")
