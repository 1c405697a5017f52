package repair

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// A healer looks for chunks of bad packs in good ones: another device has
// stored the same file, or this one has once more, for other recipients or
// after it had forgotten the first time. It needs the identity, since only
// manifests say what is where.
type healer struct {
	*maker
	listed map[string]int64 // sizes of packs
	old    *vault.OldPacks
	reads  *vault.Reads
	moved  map[string][]*vault.Move            // by the full name of the old pack
	named  map[*vault.Move]map[key]ledger.Pack // the packs of a move
	done   map[tree]bool

	wanted map[chunk.ID][]string    // names of the bad packs that had it
	where  map[chunk.ID]chunk.Ref   // where it is as well
	packs  map[chunk.ID]ledger.Pack // the pack that is
}

type key struct {
	series chunk.Series
	number uint32
}

// tree is a manifest as one ledger reads it.
type tree struct {
	ledger string
	root   chunk.ID
}

// heal plans moves for packs that are missing or bad, and tells of those that
// only a backup can heal.
func (m *maker) heal(ctx context.Context) (err error) {
	if !m.v.HasIdentity() {
		return m.unhealed()
	}
	h := &healer{
		maker: m, listed: map[string]int64{}, old: vault.OldPacksOf(m.moves), moved: map[string][]*vault.Move{}, named: map[*vault.Move]map[key]ledger.Pack{},
		wanted: map[chunk.ID][]string{}, where: map[chunk.ID]chunk.Ref{}, packs: map[chunk.ID]ledger.Pack{},
	}
	if h.reads, err = m.v.Reads(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.reads.Close()) }()
	any, err := h.look(ctx)
	if err != nil || !any {
		return err
	}
	for _, pass := range []func(*vault.Source, manifest.Use, ledger.Pack) error{h.want(ctx), h.find} {
		h.done = map[tree]bool{}
		if err := h.walkAll(ctx, pass); err != nil {
			return err
		}
		if len(h.wanted) == 0 {
			return nil // moves say of all of them where they are
		}
	}
	h.plan()
	return nil
}

// look lists packs and moves, and tells if a snapshot needs a pack that is bad.
func (h *healer) look(ctx context.Context) (any bool, err error) {
	for info, err := range h.v.Store().List(ctx, "packs/", "") {
		if err != nil {
			return false, fmt.Errorf("list packs: %w", err)
		}
		h.listed[info.Name] = info.Size
	}
	for _, mv := range h.moves {
		if mv.Commit.Body == "" {
			continue
		}
		for _, old := range mv.Commit.Old {
			h.moved[old] = append(h.moved[old], mv)
		}
	}
	done := map[string]bool{}
	for _, s := range h.snaps {
		if done[s.Commit.Ledger] {
			continue
		}
		done[s.Commit.Ledger] = true
		l, err := h.v.Ledger(ctx, s.Commit.Ledger)
		if errors.Is(err, vault.ErrDamaged) {
			if l, err = h.v.StandIn(ctx, h.moves, s.Commit.Ledger); l == nil && err == nil {
				return true, nil // only its manifest tells
			}
		}
		if vault.IsRemote(err) {
			return false, err
		}
		if err != nil {
			continue // told
		}
		for p, err := range vault.Packs(l, func(roll string) ([]byte, error) { return h.v.Peek(ctx, roll, ledger.MaxRoll) }) {
			if vault.IsRemote(err) {
				return false, err
			}
			if err != nil || h.isBad(p) {
				return true, nil
			}
		}
	}
	return false, nil
}

// isBad tells whether a pack is missing, or not of its size, or was bad when it
// was last read.
func (h *healer) isBad(p ledger.Pack) bool {
	if size, ok := h.listed[p.Name()]; !ok || size != p.Size {
		return true
	}
	_, bad := h.reads.Get(p)
	return bad
}

// walkAll calls fn for every ref of every snapshot whose manifest can be read.
func (h *healer) walkAll(ctx context.Context, fn func(*vault.Source, manifest.Use, ledger.Pack) error) error {
	for _, s := range h.snaps {
		src, err := h.v.Source(ctx, s)
		if err != nil {
			if vault.IsRemote(err) {
				return err
			}
			continue // told
		}
		for _, root := range src.Body().Roots {
			t := tree{s.Commit.Ledger, root.Root.Ref.ID}
			if h.done[t] {
				continue
			}
			h.done[t] = true
			if err := h.walkRoot(ctx, src, root.Root, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *healer) walkRoot(ctx context.Context, src *vault.Source, root manifest.Root, fn func(*vault.Source, manifest.Use, ledger.Pack) error) error {
	for use, err := range manifest.Closure(ctx, root, src.Segment) {
		if vault.IsRemote(err) {
			return err
		}
		if err != nil {
			continue // verify --deep names what is harmed
		}
		p, err := src.PackName(ctx, use.Ref.Series, use.Ref.Number)
		if vault.IsRemote(err) {
			return err
		}
		if err != nil {
			named := false
			if p, named = h.old.Pack(use.Ref.Series, use.Ref.Number); !named {
				continue // nobody knows its name any more, so no move can name it
			}
		}
		if err := fn(src, use, p); err != nil {
			return err
		}
	}
	return nil
}

// want gathers the chunks of bad packs that no move has in a good one.
func (h *healer) want(ctx context.Context) func(*vault.Source, manifest.Use, ledger.Pack) error {
	return func(_ *vault.Source, use manifest.Use, p ledger.Pack) error {
		name := p.Name()
		if !h.isBad(p) || slices.Contains(h.wanted[use.Ref.ID], name) {
			return nil
		}
		is, err := h.isMoved(ctx, name, use.Ref.ID, map[string]bool{}, 0)
		if err == nil && !is {
			h.wanted[use.Ref.ID] = append(h.wanted[use.Ref.ID], name)
		}
		return err
	}
}

// isMoved tells whether moves have a chunk of a bad pack in a good one. It passes
// over packs that it has been to: moves may lead in circles, or to one pack many
// times.
func (h *healer) isMoved(ctx context.Context, old string, id chunk.ID, been map[string]bool, depth int) (bool, error) {
	if been[old] || depth == vault.MaxMoves {
		return false, nil
	}
	been[old] = true
	for _, mv := range h.moved[old] {
		packs, err := h.packsOf(ctx, mv)
		if err != nil {
			return false, err
		}
		to, ok := mv.To(id)
		p, named := packs[key{to.Series, to.Number}]
		if !ok || !named {
			continue
		}
		if !h.isBad(p) {
			return true, nil
		}
		if is, err := h.isMoved(ctx, p.Name(), id, been, depth+1); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// packsOf loads a move and returns the packs that it names. One that is damaged
// names none. Where its list is lost, packs are found as a restore does: what
// stands in may lack some, or nothing does.
func (h *healer) packsOf(ctx context.Context, mv *vault.Move) (map[key]ledger.Pack, error) {
	if packs, ok := h.named[mv]; ok {
		return packs, nil
	}
	packs := map[key]ledger.Pack{}
	err := h.v.LoadMove(ctx, mv)
	if errors.Is(err, vault.ErrDamaged) && mv.Ledger() == nil {
		err = h.v.LoadListed(ctx, mv)
	}
	if err == nil {
		var list []ledger.Pack
		list, err = h.v.PacksNamed(ctx, mv.Ledger())
		for _, p := range list {
			packs[key{p.Series, p.Number}] = p
		}
		if mv.LostLedger() != nil {
			h.addUnnamed(mv, packs)
		}
	}
	if vault.IsRemote(err) {
		return nil, err
	}
	h.named[mv] = packs
	return packs, nil
}

// addUnnamed adds the packs in which a move has chunks and which packs lacks: the
// only one that is listed under the number, or the only one that was moved on.
func (h *healer) addUnnamed(mv *vault.Move, packs map[key]ledger.Pack) {
	lacks := map[key][]ledger.Pack{}
	for series, number := range mv.Numbers().All() {
		if _, ok := packs[key{series, number}]; !ok {
			lacks[key{series, number}] = nil
		}
	}
	for name, size := range h.listed {
		p, err := ledger.ParsePackName(name)
		if there, ok := lacks[key{p.Series, p.Number}]; ok && err == nil {
			p.Size = size
			lacks[key{p.Series, p.Number}] = append(there, p)
		}
	}
	for k, there := range lacks {
		if len(there) == 1 {
			packs[k] = there[0]
		} else if p, ok := h.old.Pack(k.series, k.number); ok {
			packs[k] = p
		}
	}
}

// find notes where a wanted chunk is as well.
func (h *healer) find(_ *vault.Source, use manifest.Use, p ledger.Pack) error {
	id := use.Ref.ID
	if _, found := h.where[id]; found || len(h.wanted[id]) == 0 || h.isBad(p) {
		return nil
	}
	h.where[id], h.packs[id] = use.Ref, p
	return nil
}

// plan makes a step for each bad pack.
func (h *healer) plan() {
	total, found := map[string]int{}, map[string]int{}
	for id, olds := range h.wanted {
		for _, old := range olds {
			total[old]++
			if _, ok := h.where[id]; ok {
				found[old]++
			}
		}
	}
	for _, old := range slices.Sorted(maps.Keys(total)) {
		why := errors.New("missing, or wrong")
		if n := found[old]; n > 0 {
			how := fmt.Sprintf("%d of its chunks are in other packs too; a move says so, and older snapshots find them there", n)
			h.maker.plan.add(Move, old, why, how)
		}
		if n := total[old] - found[old]; n > 0 {
			h.maker.plan.add(Heal, old, why, fmt.Sprintf("%d of its chunks are nowhere else in the vault; what is still on the disk is stored again by the next backup", n))
		}
	}
	for id, ref := range h.where {
		h.maker.plan.found = append(h.maker.plan.found, elsewhere{h.wanted[id], ref, h.packs[id]})
	}
}

// elsewhere is a chunk of bad packs, and where it is as well.
type elsewhere struct {
	old  []string
	ref  chunk.Ref
	pack ledger.Pack
}

// unhealed tells of packs that this device found bad, without the identity.
func (m *maker) unhealed() error {
	left, err := m.v.Unhealed()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if n := left[name].Left; n > 0 {
			m.plan.add(Heal, name, errors.New("missing, or wrong"), fmt.Sprintf("%d of its chunks were not on the disk at the last backup; if their files come back, the next one stores them again; with the kit other snapshots and devices are searched for them", n))
		}
	}
	return nil
}
