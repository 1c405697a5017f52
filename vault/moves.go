package vault

import (
	"context"
	"fmt"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// A moveTable answers where the chunks of a bad or repacked pack are now. It
// is read only when a pack is missing or bad, so that restoring an unharmed
// snapshot never pays for it.
type moveTable struct {
	byPack map[string][]*move // full name of the old pack -> the moves that replace it, oldest first
}

type move struct {
	name   commit.Name
	c      *commit.Commit
	ledger *ledger.Ledger         // nil until loaded
	where  map[chunk.ID]chunk.Ref // nil until loaded
}

// maxMoveDepth bounds how often a chunk may have been moved on.
const maxMoveDepth = 16

// readMoved reads what is not done from where moves say the chunks are. cause
// is why the pack itself could not be used.
func (s *Source) readMoved(ctx context.Context, old ledger.Pack, kind chunk.Kind, refs []chunk.Ref, done []bool, fn func(i int, data []byte) error, cause error) error {
	if old.Size == 0 {
		return cause // not even the ledger knows the pack's name
	}
	for i, ref := range refs {
		if done[i] {
			continue
		}
		if err := s.readOneMoved(ctx, old, kind, ref, func(data []byte) error { return fn(i, data) }, cause, 0); err != nil {
			return err
		}
		done[i] = true
	}
	return nil
}

func (s *Source) readOneMoved(ctx context.Context, old ledger.Pack, kind chunk.Kind, ref chunk.Ref, fn func(data []byte) error, cause error, depth int) error {
	if depth > maxMoveDepth {
		return cause
	}
	moves, err := s.movesOf(ctx, old)
	if err != nil {
		return err
	}
	for _, m := range moves {
		to, ok := m.where[ref.ID]
		if !ok {
			continue
		}
		p, err := s.lookup(ctx, m.ledger, to.Series, to.Number)
		if err != nil {
			return err
		}
		done := []bool{false}
		one := func(_ int, data []byte) error { return fn(data) }
		err = s.readFrom(ctx, p, kind, []chunk.Ref{to}, done, one)
		if err == nil || done[0] || !isDamage(err) {
			return err
		}
		if err := s.readOneMoved(ctx, p, kind, to, fn, cause, depth+1); err == nil || !isDamage(err) {
			return err
		}
	}
	return cause
}

// movesOf returns the loaded moves that replace pack p.
func (s *Source) movesOf(ctx context.Context, p ledger.Pack) ([]*move, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moves == nil {
		t, err := s.v.moveTable(ctx)
		if err != nil {
			return nil, err
		}
		s.moves = t
	}
	var good []*move
	for _, m := range s.moves.byPack[p.Name()] {
		if err := s.v.loadMove(ctx, m); err != nil {
			if isDamage(err) {
				s.v.notice(m.name.String(), err, "the chunks it moved, where no other move has them")
				continue
			}
			return nil, err
		}
		good = append(good, m)
	}
	return good, nil
}

// moveTable lists all valid moves of all devices.
func (v *Vault) moveTable(ctx context.Context) (*moveTable, error) {
	t := &moveTable{byPack: map[string][]*move{}}
	for _, dev := range v.Trust().Devices {
		recs, err := v.history(ctx, &dev)
		if err != nil {
			return nil, err
		}
		for i := range recs {
			if recs[i].name.Kind != commit.Move {
				continue
			}
			if err := v.load(ctx, &recs[i]); err != nil {
				if !isDamage(err) {
					return nil, err
				}
				v.notice(recs[i].name.String(), err, "the chunks it moved")
				continue
			}
			v.addMove(t, &dev, recs[i])
		}
	}
	return t, nil
}

// addMove enters a move under each pack it replaces. The device had to have
// the role for it; that it may have been revoked since does not undo the move.
func (v *Vault) addMove(t *moveTable, dev *trust.Device, r record) {
	if !dev.Has(r.c.Role()) {
		v.notice(r.name.String(), fmt.Errorf("device %s has no role %q", dev.ID, r.c.Role()), "nothing: it is left out")
		return
	}
	m := &move{name: r.name, c: r.c}
	for _, old := range r.c.Old {
		t.byPack[old] = append(t.byPack[old], m)
	}
}

// loadMove fetches a move's ledger and map.
func (v *Vault) loadMove(ctx context.Context, m *move) error {
	if m.where != nil {
		return nil
	}
	l, err := v.Ledger(ctx, m.c.Ledger)
	if err != nil {
		return err
	}
	b, err := v.fetchNamed(ctx, m.c.Body, maxLedger)
	if err != nil {
		return err
	}
	plain, err := pack.OpenBlob(b, v.ids, maxLedger)
	if err != nil {
		return openError(m.c.Body, err)
	}
	refs, err := manifest.ParseMap(plain)
	if err != nil {
		return damaged("%s: %w", m.c.Body, err)
	}
	where := make(map[chunk.ID]chunk.Ref, len(refs))
	for _, r := range refs {
		where[r.ID] = r
	}
	m.ledger, m.where = l, where
	return nil
}
