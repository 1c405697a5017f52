package vault

import (
	"context"
	"fmt"
	"slices"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// A moveTable answers where the chunks of a bad or repacked pack are now. It
// is read only when a pack is missing or bad, so that restoring an unharmed
// snapshot never pays for it. Its moves are in order, the oldest first.
type moveTable struct {
	byOld    map[string][]*Move  // by the full name of a ledger or roll that they replace
	byNumber map[packKey][]*Move // by the number of a pack that they replace
}

// A Move is a valid commit that says where chunks are now, or what stands in
// for a ledger or roll: then it has no map.
type Move struct {
	Name   commit.Name
	Commit *commit.Commit

	ledger *ledger.Ledger         // nil until loaded
	lost   error                  // why it is not the move's own, but stands in for it; nil if it is that
	where  map[chunk.ID]chunk.Ref // nil until loaded
	tries  int                    // of a Source, that failed: after two it is not fetched again for each chunk
}

// Ledger returns the packs that the move's refs mean; nil until it was loaded.
func (m *Move) Ledger() *ledger.Ledger { return m.ledger }

// LostLedger returns why the move's own ledger could not be read; nil if it could.
func (m *Move) LostLedger() error { return m.lost }

// To returns where a chunk is, as far as this move knows. It must be loaded.
func (m *Move) To(id chunk.ID) (chunk.Ref, bool) {
	ref, ok := m.where[id]
	return ref, ok
}

// Numbers returns the numbers of the packs in which the move has chunks. It must
// be loaded.
func (m *Move) Numbers() *ledger.Set {
	used := new(ledger.Set)
	for _, ref := range m.where {
		used.Add(ref.Series, ref.Number)
	}
	return used
}

// MaxMoves bounds how often a chunk may have been moved on, or a list stood in
// for: five years of a repack each week that each time meets the same chunk. It
// is part of the format.
const MaxMoves = 256

// A wanted list is what is to be read from one pack: the refs, which of them
// are done, and what is called for each.
type wanted struct {
	kind chunk.Kind
	refs []chunk.Ref
	done []bool
	fn   func(i int, data []byte) error
}

// all tells whether all of it was read.
func (w *wanted) all() bool { return !slices.Contains(w.done, false) }

// A way is where the search for chunks has been: however moves lead, in circles
// or to one place many times, each move is asked for each chunk once.
type way map[step]bool

type step struct {
	move *Move
	id   chunk.ID
}

// readMoved reads what is not done from where moves say the chunks are. cause
// is why the pack itself could not be used.
func (s *Source) readMoved(ctx context.Context, old ledger.Pack, w *wanted, cause error) error {
	return s.follow(ctx, old, w, cause, way{}, 0)
}

func (s *Source) follow(ctx context.Context, old ledger.Pack, w *wanted, cause error, been way, depth int) error {
	if depth == MaxMoves {
		return cause
	}
	moves, err := s.movesOf(ctx, old)
	if err != nil {
		return err
	}
	for _, m := range moves {
		for _, part := range w.movedBy(m, been) {
			if err := s.readPart(ctx, m, part, cause, been, depth); err != nil {
				return err
			}
		}
	}
	if w.all() {
		return nil
	}
	return cause
}

// movedBy splits what is not done, and of which the move was not asked before,
// by the packs in which the move has it. One chunk may be wanted many times.
func (w *wanted) movedBy(m *Move, been way) []*wanted {
	at := map[packKey][]int{}
	for i, ref := range w.refs {
		if to, ok := m.where[ref.ID]; ok && !w.done[i] && !been[step{m, ref.ID}] {
			k := packKey{to.Series, to.Number}
			at[k] = append(at[k], i)
		}
	}
	for _, is := range at {
		for _, i := range is {
			been[step{m, w.refs[i].ID}] = true
		}
	}
	var parts []*wanted
	for _, is := range at {
		part := &wanted{kind: w.kind, done: make([]bool, len(is))}
		for _, i := range is {
			part.refs = append(part.refs, m.where[w.refs[i].ID])
		}
		part.fn = func(j int, data []byte) error {
			err := w.fn(is[j], data)
			w.done[is[j]] = err == nil
			return err
		}
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b *wanted) int { return compareRefs(a.refs[0], b.refs[0]) })
	return parts
}

// readPart reads chunks from the pack in which a move has them, or from where
// they were moved on from there. That they are not there is no error: another
// move may have them.
func (s *Source) readPart(ctx context.Context, m *Move, part *wanted, cause error, been way, depth int) error {
	p, err := s.lookup(ctx, m.ledger, m.lost != nil, part.refs[0].Series, part.refs[0].Number)
	if err == nil {
		err = s.readFrom(ctx, p, part)
	}
	if err != nil && isDamage(err) {
		err = s.follow(ctx, p, part, cause, been, depth+1)
	}
	if err != nil && isDamage(err) {
		return nil
	}
	return err
}

// movesOf returns the loaded moves that replace pack p, or another one of its
// number: where a list is lost nobody says which is meant, or what is listed
// under the number may be the wrong one. The IDs of the chunks tell.
func (s *Source) movesOf(ctx context.Context, p ledger.Pack) ([]*Move, error) {
	t, err := s.allMoves(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var good []*Move
	for _, m := range t.byNumber[packKey{p.Series, p.Number}] {
		if m.tries > 1 {
			continue
		}
		err := s.v.LoadMove(ctx, m)
		if isDamage(err) && m.ledger == nil {
			s.v.notice(m.Commit.Ledger, err, "nothing that is read: the packs it named are found by their listing; coffer repair writes it anew, and until then no prune deletes anything")
			err = s.v.LoadListed(ctx, m)
		}
		if isDamage(err) {
			s.v.notice(m.Name.String(), err, "the chunks it moved, where no other move has them")
			m.tries++
			continue
		}
		if err != nil {
			return nil, err
		}
		good = append(good, m)
	}
	return good, nil
}

// allMoves reads the table of moves, once.
func (s *Source) allMoves(ctx context.Context) (*moveTable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moves == nil {
		t, err := s.v.moveTable(ctx)
		if err != nil {
			return nil, err
		}
		s.moves = t
	}
	return s.moves, nil
}

// moveTable enters all valid moves under each object they replace.
func (v *Vault) moveTable(ctx context.Context) (*moveTable, error) {
	moves, err := v.Moves(ctx)
	if err != nil {
		return nil, err
	}
	return tableOf(moves), nil
}

func tableOf(moves []*Move) *moveTable {
	t := &moveTable{byOld: map[string][]*Move{}, byNumber: map[packKey][]*Move{}}
	for _, m := range moves {
		for _, old := range m.Commit.Old {
			p, err := ledger.ParsePackName(old)
			if err != nil {
				t.byOld[old] = append(t.byOld[old], m)
				continue
			}
			k := packKey{p.Series, p.Number}
			if n := len(t.byNumber[k]); n == 0 || t.byNumber[k][n-1] != m {
				t.byNumber[k] = append(t.byNumber[k], m)
			}
		}
	}
	return t
}

// Moves lists all valid moves of all devices, those of each device oldest
// first. Their maps are not read yet: see LoadMove.
func (v *Vault) Moves(ctx context.Context) ([]*Move, error) {
	var out []*Move
	for _, dev := range v.Trust().Devices {
		recs, err := v.history(ctx, &dev)
		if err != nil {
			return nil, err
		}
		for i := range recs {
			if recs[i].name.Kind != commit.Move {
				continue
			}
			err := v.load(ctx, &recs[i])
			switch {
			case err != nil && !isDamage(err):
				return nil, err
			case err != nil:
				v.notice(recs[i].name.String(), err, "the chunks it moved")
			case v.mayMove(&dev, recs[i]):
				out = append(out, &Move{Name: recs[i].name, Commit: recs[i].c})
			}
		}
	}
	return out, nil
}

// mayMove tells whether a move counts. The device had to have the role for it;
// that it may have been revoked since does not undo the move.
func (v *Vault) mayMove(dev *trust.Device, r record) bool {
	if dev.Has(r.c.Role()) {
		return true
	}
	v.notice(r.name.String(), fmt.Errorf("device %s has no role %q", dev.ID, r.c.Role()), "nothing: it is left out")
	return false
}

// LoadMove fetches a move's ledger, or what stands in for it, and with the
// identity its map. It is not safe for concurrent use with the same move.
func (v *Vault) LoadMove(ctx context.Context, m *Move) error {
	if m.ledger != nil && m.where != nil {
		return nil
	}
	l, err := v.Ledger(ctx, m.Commit.Ledger)
	m.lost = nil
	if isDamage(err) {
		m.lost = err
		l, err = v.ledgerInstead(ctx, m.Commit.Ledger, err)
	}
	if err != nil {
		return err
	}
	m.ledger = l
	if !v.HasIdentity() {
		return nil
	}
	return v.loadMap(ctx, m)
}

// LoadListed loads a move of which LoadMove has found the ledger lost, and nothing
// that stands in for it: its packs are those that the remote lists under the
// numbers that its map names, if it is one object only. Whether they are the
// right ones, the IDs of the chunks tell. It needs the identity, and is not safe
// for concurrent use with the same move.
func (v *Vault) LoadListed(ctx context.Context, m *Move) error {
	if !v.HasIdentity() {
		return ErrNoIdentity
	}
	if err := v.loadMap(ctx, m); err != nil {
		return err
	}
	var packs []ledger.Pack
	src := v.source(nil)
	for series, number := range m.Numbers().All() {
		p, err := src.listedPack(ctx, series, number)
		if err != nil && !isDamage(err) {
			return err
		}
		if err == nil {
			packs = append(packs, p)
		}
	}
	m.ledger = ledgerOfPacks(v.ID(), packs)
	return nil
}

// loadMap fetches and opens a move's map.
func (v *Vault) loadMap(ctx context.Context, m *Move) error {
	b, err := v.fetchNamed(ctx, m.Commit.Body, maxLedger)
	if err != nil {
		return err
	}
	plain, err := pack.OpenBlob(b, v.ids, maxLedger)
	if err != nil {
		return openError(m.Commit.Body, err)
	}
	refs, err := manifest.ParseMap(plain)
	if err != nil {
		return damaged("%s: %w", m.Commit.Body, err)
	}
	m.where = make(map[chunk.ID]chunk.Ref, len(refs))
	for _, r := range refs {
		m.where[r.ID] = r
	}
	return nil
}
