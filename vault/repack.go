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

// RepackOptions say how Repack goes about it.
type RepackOptions struct {
	// Seen tells whether it was found out what a commit of this device needs, by
	// its full name. nil: what this device had committed when the run began was.
	Seen func(name string) bool
	Done func(Partly) // is told of each pack; may be nil
}

// Repack stores what is needed of the packs again, and commits moves that say
// where it is now and let the old packs go: a prune deletes them as it does
// everything else. Which chunks are needed must have been found out since the
// run began, or nothing of this device was committed since. A pack that cannot
// be read stays as it is. Killed anywhere, all that was committed restores.
// ErrRestart if a commit turned up that was not seen: the move would let go what
// only it needs.
func (r *Run) Repack(ctx context.Context, packs []Partly, o RepackOptions) (Repacked, error) {
	r.stopProgress()
	r.seen = o.Seen
	if r.seen == nil {
		heads := slices.Clone(r.own.Heads)
		r.seen = func(name string) bool { return slices.Contains(heads, name) }
	}
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
		if o.Done != nil {
			o.Done(p)
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
	from  [][]chunk.Ref // for each of old: where the needed chunks were
	where map[chunk.ID]chunk.Ref
	used  *ledger.Set
}

func (m *repacker) begin() {
	m.old, m.from, m.where, m.used = nil, nil, map[chunk.ID]chunk.Ref{}, new(ledger.Set)
}

// take stores what is needed of one pack. One that is bad is not moved.
func (m *repacker) take(ctx context.Context, p Partly) error {
	err := m.r.v.openPack(ctx, p.Pack, &m.buf)
	var was, now []chunk.Ref
	if err == nil {
		was, now, err = m.copy(p)
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
	m.old, m.from = append(m.old, p.Pack), append(m.from, was)
	m.done.Read += p.Pack.Size
	return nil
}

// copy puts the needed chunks of the open pack into new ones, and tells where
// they were and are.
func (m *repacker) copy(p Partly) (was, now []chunk.Ref, err error) {
	var extents []pack.Extent
	for e := range m.buf.reader.Entries() {
		if p.Needed(e.Offset) {
			was = append(was, chunk.Ref{ID: e.ID, Series: p.Pack.Series, Number: p.Pack.Number, Offset: e.Offset, Len: e.Len})
			extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
		}
	}
	var own error // of storing: no damage
	err = m.buf.reader.Read(extents, func(i int, data []byte) error {
		if m.hasher.ID(data) != was[i].ID {
			return damaged("chunk %s is not what its ID says", was[i].ID)
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
	return was, now, err
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
	for i, p := range m.old {
		names = append(names, p.Name())
		if err := m.r.v.dir.SetRepacking(woundOf(p), m.from[i]); err != nil {
			return err
		}
	}
	for _, p := range m.old {
		if err := m.r.replaced(p, true); err != nil {
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
	for _, p := range m.old {
		if err := m.r.v.dir.RemoveRepacking(woundOf(p)); err != nil {
			m.r.warn(err) // the next run finds the move
		}
	}
	m.done.Packs += len(m.old)
	m.done.Chunks += len(m.where)
	m.done.Stored = m.r.Stats.Uploaded.Load()
	m.begin()
	return nil
}

func woundOf(p ledger.Pack) state.Wound {
	return state.Wound{Series: p.Series, Number: p.Number, Sum: p.Sum}
}

// replaced notes whether a pack's chunks are elsewhere.
func (r *Run) replaced(p ledger.Pack, is bool) error {
	change := func(info *state.Pack) {
		switch {
		case info.Sum != p.Sum:
		case is:
			info.Flags |= state.PackReplaced
		default:
			info.Flags &^= state.PackReplaced
		}
	}
	if table := r.known.usable[p.Series]; table != nil {
		return table.Update(p.Number, change)
	}
	table, err := r.v.dir.Packs(p.Series)
	if err != nil {
		return err
	}
	return errors.Join(table.Update(p.Number, change), table.Sync(), table.Close())
}

// settleRepacks looks how repacks ended that were cut off: where no move was
// committed, their old packs are still what snapshots need. Such a pack counts
// again, and so do its chunks in it, or healing would pass it over. A move that
// becomes visible only afterwards does no harm: it lets nothing go that a commit
// needs which did not come before it.
func (r *Run) settleRepacks(ctx context.Context) error {
	packs, err := r.v.dir.Repacking()
	if err != nil || len(packs) == 0 {
		return err
	}
	moves, err := r.v.Moves(ctx)
	if err != nil {
		return err
	}
	for _, w := range packs {
		p := ledger.Pack{Series: w.Series, Number: w.Number, Sum: w.Sum}
		if !slices.ContainsFunc(moves, func(m *Move) bool { return m.Commit.Repack && slices.Contains(m.Commit.Old, p.Name()) }) {
			if err := r.takeBack(w, p); err != nil {
				return err
			}
		}
		if err := r.v.dir.RemoveRepacking(w); err != nil {
			return err
		}
	}
	return nil
}

// takeBack counts a pack as if its repack had never been. Of a note that is
// damaged its chunks are not known: then they are found where the repack had put
// them, or stored again.
func (r *Run) takeBack(w state.Wound, p ledger.Pack) error {
	refs, err := r.v.dir.RepackingRefs(w)
	if err != nil && !errors.Is(err, state.ErrDamaged) {
		return err
	}
	if err := r.index.Add(p.Series, p.Number, refs); err != nil {
		return err
	}
	if err := r.index.Sync(); err != nil {
		return err
	}
	if err := r.replaced(p, false); err != nil {
		return err
	}
	if table := r.known.usable[p.Series]; table != nil {
		return table.Sync() // before the note goes, which nothing else would say again
	}
	return nil
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
