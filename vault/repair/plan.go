package repair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// A Kind says how something is repaired.
type Kind string

const (
	PutBack  Kind = "put back" // a copy of this device is stored again
	StandIn  Kind = "write"    // a new list stands in for it
	State    Kind = "rebuild"  // local state is made anew
	Move     Kind = "move"     // its chunks are in other packs too, and a move says so
	Heal     Kind = "heal"     // the next backup does it
	NeedsKit Kind = "needs kit"
	Hopeless Kind = "lost" // it can be had from nowhere
)

// A Step is one thing to be repaired, or that cannot be.
type Step struct {
	Kind   Kind
	Object string // full name, or what of the local state
	Why    error  // what is wrong with it
	How    string // in words for people
}

// CanDo tells whether Plan.Run does it.
func (s Step) CanDo() bool { return slices.Contains([]Kind{PutBack, StandIn, State, Move}, s.Kind) }

// A Plan says what would be repaired.
type Plan struct {
	Steps []Step

	v     *vault.Vault
	packs map[string][]ledger.Pack // what a stand-in is to name, by the name of what it replaces
	found []elsewhere              // chunks of bad packs
}

// CanDo tells whether there is anything to do.
func (p *Plan) CanDo() bool { return slices.ContainsFunc(p.Steps, Step.CanDo) }

func (p *Plan) add(kind Kind, object string, why error, how string) {
	p.Steps = append(p.Steps, Step{kind, object, why, how})
}

// Make looks what is wrong. It reads the list of packs of every snapshot; with
// the identity also the manifests of those whose list is lost.
func Make(ctx context.Context, v *vault.Vault) (*Plan, error) {
	m := &maker{v: v, plan: &Plan{v: v, packs: map[string][]ledger.Pack{}}, bad: map[string]error{}}
	for _, look := range []func(context.Context) error{m.state, m.condemned, m.lists, m.bodies, m.heal} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	return m.plan, nil
}

// A maker is a plan in the making.
type maker struct {
	v     *vault.Vault
	plan  *Plan
	snaps []*vault.Snapshot
	moves []*vault.Move
	all   *vault.Sources
	bad   map[string]error // ledgers and rolls that are lost, and rolls that were looked at: nil
}

// state looks at what this device remembers.
func (m *maker) state(ctx context.Context) error {
	lost, err := m.v.LookAtState(ctx)
	if err != nil {
		return err
	}
	for _, what := range lost {
		kind, how := State, "read back from the vault's newest snapshots"
		if !m.v.HasIdentity() {
			kind, how = NeedsKit, "read back with the kit; without it the next backup uploads again what it does not remember"
		}
		m.plan.add(kind, what, errors.New("damaged, or lost"), how)
	}
	return nil
}

// condemned looks for lists of what prunes mean to delete, of which this device
// has copies.
func (m *maker) condemned(ctx context.Context) error {
	lost, err := m.v.LostLists(ctx)
	for _, name := range lost {
		m.plan.add(PutBack, name, fs.ErrNotExist, "this device has a copy")
	}
	return err
}

// lists looks at the ledgers and rolls that snapshots and moves need.
func (m *maker) lists(ctx context.Context) error {
	now, err := m.v.Store().Now(ctx)
	if err != nil {
		return err
	}
	gone, err := m.v.Gone(ctx, now, nil)
	if err != nil && !errors.Is(err, vault.ErrDamaged) {
		return err
	}
	for s, err := range m.v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if !gone[s.Name.String()] {
			m.snaps = append(m.snaps, s)
		}
	}
	if m.moves, err = m.v.Moves(ctx); err != nil {
		return err
	}
	m.all = m.v.Sources(append([]*vault.Move{}, m.moves...))
	by := map[string]*vault.Snapshot{}
	for _, s := range m.snaps {
		by[s.Commit.Ledger] = s
	}
	there, err := m.listed(ctx, "moves/")
	if err != nil {
		return err
	}
	for _, mv := range m.moves {
		// Without its map a move is of no use: as a rule a prune has deleted both,
		// since nothing needs them any more.
		if by[mv.Commit.Ledger] == nil && there[mv.Commit.Body] {
			by[mv.Commit.Ledger] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if err := m.ledger(ctx, name, by[name]); err != nil {
			return err
		}
	}
	return nil
}

// listed lists the objects whose names begin with prefix.
func (m *maker) listed(ctx context.Context, prefix string) (map[string]bool, error) {
	there := map[string]bool{}
	for info, err := range m.v.Store().List(ctx, prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		there[info.Name] = true
	}
	return there, nil
}

// ledger looks at one ledger, of a snapshot or, if that is nil, of a move.
func (m *maker) ledger(ctx context.Context, name string, s *vault.Snapshot) error {
	l, err := m.v.Ledger(ctx, name)
	if err == nil {
		for _, roll := range l.Rolls() {
			if err := m.roll(ctx, roll); err != nil {
				return err
			}
		}
		return nil
	}
	return m.lost(ctx, name, err, func() ([]ledger.Pack, error) {
		if s == nil {
			return m.packsOfMove(ctx, name)
		}
		return m.walk(ctx, s)
	})
}

// packsOfMove finds the packs that a move's ledger named by the move's map.
func (m *maker) packsOfMove(ctx context.Context, name string) ([]ledger.Pack, error) {
	i := slices.IndexFunc(m.moves, func(mv *vault.Move) bool { return mv.Commit.Ledger == name && mv.Commit.Body != "" })
	err := m.v.LoadMove(ctx, m.moves[i])
	if errors.Is(err, vault.ErrDamaged) {
		err = m.v.LoadListed(ctx, m.moves[i])
	}
	if err != nil {
		return nil, err
	}
	return m.v.PacksNamed(ctx, m.moves[i].Ledger())
}

// roll looks at one roll, once.
func (m *maker) roll(ctx context.Context, name string) error {
	if _, ok := m.bad[name]; ok {
		return nil
	}
	m.bad[name] = nil
	b, err := m.v.FetchNamed(ctx, name, ledger.MaxRoll)
	if err == nil {
		_, err = ledger.ParseRoll(name, b)
	}
	if err == nil {
		return nil
	}
	return m.lost(ctx, name, err, func() ([]ledger.Pack, error) { return m.v.PacksListed(ctx, name) })
}

// lost plans for a ledger or roll that cannot be read, for why. again makes it
// anew where there is no copy.
func (m *maker) lost(ctx context.Context, name string, why error, again func() ([]ledger.Pack, error)) error {
	if vault.IsRemote(why) {
		return why
	}
	l, err := m.v.StandIn(ctx, m.moves, name)
	if err != nil || l != nil {
		return err // it was repaired before
	}
	if errors.Is(why, fs.ErrNotExist) && m.v.HasCopy(name) {
		m.plan.add(PutBack, name, why, "this device has a copy")
		return nil
	}
	packs, err := m.v.CopyOf(ctx, name)
	how := "what it named is known from a copy on this device; a new list stands in for it"
	if err != nil {
		packs, err = again()
		how = "the names are found by listing; a new list stands in for it"
	}
	switch {
	case errors.Is(err, vault.ErrNoIdentity):
		m.plan.add(NeedsKit, name, why, "which packs it named is told by the manifest, or a move's map, which the kit opens")
	case vault.IsRemote(err):
		return err
	case err != nil:
		m.plan.add(Hopeless, name, why, fmt.Sprintf("it cannot be made anew: %v", err))
	default:
		m.plan.packs[name] = packs
		m.plan.add(StandIn, name, why, fmt.Sprintf("%s (%d packs)", how, len(packs)))
	}
	return nil
}

// walk finds by its manifest which packs a snapshot needs. It fails if a part
// of that is missing: what stands there would be lost for good.
func (m *maker) walk(ctx context.Context, s *vault.Snapshot) ([]ledger.Pack, error) {
	src, err := m.all.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	used := new(ledger.Set)
	for _, root := range src.Body().Roots {
		for use, err := range manifest.Closure(ctx, root.Root, src.Segment) {
			if err != nil {
				return nil, err
			}
			used.Add(use.Ref.Series, use.Ref.Number)
		}
	}
	var packs []ledger.Pack
	for series, number := range used.All() {
		p, err := src.PackName(ctx, series, number)
		if vault.IsRemote(err) {
			return nil, err
		}
		if err == nil { // else it has gone: what moves have of it is found by its number
			packs = append(packs, p)
		}
	}
	return packs, nil
}

// bodies looks for the body of every snapshot.
func (m *maker) bodies(ctx context.Context) error {
	there, err := m.listed(ctx, "snapshots/")
	if err != nil {
		return err
	}
	for _, s := range m.snaps {
		name := s.Commit.Body
		if there[name] {
			continue
		}
		there[name] = true
		if m.v.HasCopy(name) {
			m.plan.add(PutBack, name, fs.ErrNotExist, "this device has a copy")
			continue
		}
		m.plan.add(Hopeless, name, fs.ErrNotExist,
			fmt.Sprintf("snapshot %s cannot be opened without it; its files are in its packs, and in other snapshots as far as those have them", s.Short()))
	}
	return nil
}
