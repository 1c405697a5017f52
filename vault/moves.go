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

// of returns the moves that may have chunks of a pack: those that replace it, and
// after them those that replace another one of its number. Where a list is lost
// nobody says which is meant, or what is listed under the number may be the wrong
// one. The IDs of the chunks tell.
func (t *moveTable) of(p ledger.Pack) []*Move {
	moves := t.byNumber[packKey{p.Series, p.Number}]
	if len(moves) < 2 {
		return moves
	}
	name := p.Name()
	var its, others []*Move
	for _, m := range moves {
		if slices.Contains(m.Commit.Old, name) {
			its = append(its, m)
		} else {
			others = append(others, m)
		}
	}
	return append(its, others...)
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

// A search is on its way to chunks: to the pack in which a snapshot has them, and
// from there where moves lead. Whoever says what a restore would find goes the
// same way, and only looks whether the chunks are there.
type search struct {
	*Source
	// take takes what is not done from a pack; ErrDamaged if it is not all there.
	// named is Place.Named.
	take  func(ctx context.Context, p ledger.Pack, named bool, w *wanted) error
	been  way
	aside bool // see Place.Aside
}

// reading is a search that reads.
func (s *Source) reading() *search {
	return &search{Source: s, been: way{}, take: func(ctx context.Context, p ledger.Pack, _ bool, w *wanted) error { return s.readFrom(ctx, p, w) }}
}

// run gets what is wanted from where a ledger has it, or where it was moved from
// there. stood says that the ledger stands in for another one.
func (f *search) run(ctx context.Context, l *ledger.Ledger, stood bool, w *wanted, depth int) error {
	p, named, err := f.lookup(ctx, l, stood, w.refs[0].Series, w.refs[0].Number)
	if err == nil {
		err = f.take(ctx, p, named, w)
	}
	if err == nil || !isDamage(err) {
		return err
	}
	return f.follow(ctx, p, named, w, err, depth)
}

// follow gets what is not done from where moves say that the chunks of a pack
// are. named tells whether a list names it for certain, and cause why the pack
// itself could not be used.
func (f *search) follow(ctx context.Context, old ledger.Pack, named bool, w *wanted, cause error, depth int) error {
	if depth == MaxMoves {
		return cause
	}
	t, err := f.all.table(ctx)
	if err != nil {
		return err
	}
	defer func(aside bool) { f.aside = aside }(f.aside)
	aside := f.aside
	for _, m := range t.of(old) {
		if w.all() {
			return nil
		}
		good, err := f.all.load(ctx, m)
		if err != nil {
			return err
		}
		if !good {
			continue
		}
		f.aside = aside || named && !slices.Contains(m.Commit.Old, old.Name())
		for _, part := range w.movedBy(m, f.been) {
			// That they are not there is no error: another move may have them.
			if err := f.run(ctx, m.ledger, m.lost != nil, part, depth+1); err != nil && !isDamage(err) {
				return err
			}
		}
	}
	if w.all() {
		return nil
	}
	return cause
}

// A Place is where a search for a chunk has come to.
type Place struct {
	Pack ledger.Pack
	Ref  chunk.Ref // the chunk as the pack should have it
	// Named: the list names the pack of which a commit says so. Else it is what
	// stands in for that, or only listed under the number, and may be another one.
	Named bool
	// Aside: on the way to it a move was followed of another pack that has the number
	// of one which a list names. Whoever deletes does not know of that way: what
	// stands at its end goes when nothing else needs it.
	Aside bool
}

// Find goes the way that Read goes to one chunk, and reads nothing but lists and
// moves: of each place on it holds is asked, until it says that the chunk is
// there. Find returns that place, and false if there was none. Other errors than
// those of holds are the remote's.
func (s *Source) Find(ctx context.Context, ref chunk.Ref, holds func(Place) (bool, error)) (at Place, found bool, err error) {
	f := &search{Source: s, been: way{}}
	f.take = func(_ context.Context, p ledger.Pack, named bool, w *wanted) error {
		at = Place{p, w.refs[0], named, f.aside}
		is, err := holds(at)
		if err == nil && !is {
			err = errNotThere
		}
		if err == nil {
			w.done[0], err = true, w.fn(0, nil)
		}
		return err
	}
	w := &wanted{refs: []chunk.Ref{ref}, done: make([]bool, 1), fn: func(int, []byte) error { return nil }}
	if err := f.run(ctx, s.ledger, s.stood, w, 0); isDamage(err) {
		return Place{}, false, nil
	} else if err != nil {
		return Place{}, false, err
	}
	return at, true, nil
}

var errNotThere = damaged("the chunk is not there")

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
	all := v.Sources(nil)
	for series, number := range m.Numbers().All() {
		p, err := all.listedPack(ctx, series, number)
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
