package repair

import (
	"bytes"
	"cmp"
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
	held   map[string][]held // what packs hold that no list names for certain, by full name
	done   map[tree]bool

	wanted map[chunk.ID][]string     // names of the bad packs that had it
	lost   map[key]map[chunk.ID]bool // chunks of packs that nobody can name
	where  map[chunk.ID]vault.Place  // where it is as well
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
		maker: m, listed: map[string]int64{}, old: vault.OldPacksOf(m.moves), held: map[string][]held{},
		wanted: map[chunk.ID][]string{}, lost: map[key]map[chunk.ID]bool{}, where: map[chunk.ID]vault.Place{},
	}
	if h.reads, err = m.v.Reads(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.reads.Close()) }()
	any, err := h.look(ctx)
	if err != nil || !any {
		return err
	}
	for _, pass := range []func(context.Context, *vault.Source, chunk.Ref) error{h.want, h.find} {
		h.done = map[tree]bool{}
		if err := h.walkAll(ctx, pass); err != nil {
			return err
		}
		if len(h.wanted) == 0 {
			break // moves say of all others where they are
		}
	}
	h.plan()
	h.planLost()
	return nil
}

// look lists packs, and tells if a snapshot needs one that is bad, or may.
func (h *healer) look(ctx context.Context) (any bool, err error) {
	for info, err := range h.v.Store().List(ctx, "packs/", "") {
		if err != nil {
			return false, fmt.Errorf("list packs: %w", err)
		}
		h.listed[info.Name] = info.Size
	}
	done := map[string]bool{}
	for _, s := range h.snaps {
		if done[s.Commit.Ledger] {
			continue
		}
		done[s.Commit.Ledger] = true
		l, err := h.v.Ledger(ctx, s.Commit.Ledger)
		if vault.IsRemote(err) {
			return false, err
		}
		if err != nil {
			return true, nil // only its manifest tells, whether another list stands in or not
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
func (h *healer) walkAll(ctx context.Context, fn func(context.Context, *vault.Source, chunk.Ref) error) error {
	for _, s := range h.snaps {
		src, err := h.all.Open(ctx, s)
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
			for use, err := range manifest.Closure(ctx, root.Root, src.Segment) {
				if vault.IsRemote(err) {
					return err
				}
				if err != nil {
					continue // verify --deep names what is harmed
				}
				if err := fn(ctx, src, use.Ref); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// want gathers the chunks that a restore does not find where the snapshot has
// them, nor where moves say; and those that it finds on a way which no prune
// keeps open.
func (h *healer) want(ctx context.Context, src *vault.Source, ref chunk.Ref) error {
	at, found, err := h.search(ctx, src, ref)
	if found && !at.Aside || err != nil {
		return err
	}
	p, err := src.PackName(ctx, ref.Series, ref.Number)
	if vault.IsRemote(err) {
		return err
	}
	if err != nil {
		named := false
		if p, named = h.old.Pack(ref.Series, ref.Number); !named {
			k := key{ref.Series, ref.Number}
			if h.lost[k] == nil {
				h.lost[k] = map[chunk.ID]bool{}
			}
			h.lost[k][ref.ID] = true // nobody knows its name any more, so no move can name it
			return nil
		}
	}
	if name := p.Name(); !slices.Contains(h.wanted[ref.ID], name) {
		h.wanted[ref.ID] = append(h.wanted[ref.ID], name)
	}
	return nil
}

// find notes where a wanted chunk is as well.
func (h *healer) find(ctx context.Context, src *vault.Source, ref chunk.Ref) error {
	if _, known := h.where[ref.ID]; known || len(h.wanted[ref.ID]) == 0 {
		return nil
	}
	at, found, err := h.search(ctx, src, ref)
	if found {
		h.where[ref.ID] = at
	}
	return err
}

// search goes the way of a restore to a chunk.
func (h *healer) search(ctx context.Context, src *vault.Source, ref chunk.Ref) (at vault.Place, found bool, err error) {
	return src.Find(ctx, ref, func(at vault.Place) (bool, error) { return h.holds(ctx, at) })
}

// holds tells whether a chunk is there, as far as is known without reading packs:
// one that a list names for certain has what refs say. Of any other its directory
// is read.
func (h *healer) holds(ctx context.Context, at vault.Place) (bool, error) {
	if h.isBad(at.Pack) {
		return false, nil
	}
	if at.Named {
		return true, nil
	}
	list, err := h.directory(ctx, at.Pack)
	i, ok := slices.BinarySearchFunc(list, at.Ref.Offset, func(e held, off int64) int { return cmp.Compare(e.off, off) })
	return ok && list[i] == heldAs(at.Ref.ID, at.Ref.Offset, at.Ref.Len), err
}

// held is a chunk in a pack. It is kept small: there may be millions.
type held struct {
	off, len int64
	id       [8]byte // its beginning
}

func heldAs(id chunk.ID, off, n int64) held { return held{off, n, [8]byte(id[:8])} }

// directory lists what a pack holds, by offset: nothing, if it cannot be opened.
func (h *healer) directory(ctx context.Context, p ledger.Pack) (list []held, err error) {
	name := p.Name()
	if list, ok := h.held[name]; ok {
		return list, nil
	}
	d, err := h.v.PackDirectory(ctx, p)
	if vault.IsRemote(err) {
		return nil, err
	}
	if err == nil {
		for e := range d.Entries() {
			list = append(list, heldAs(e.ID, e.Offset, e.Len))
		}
	}
	h.held[name] = list
	return list, nil
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
	for id, at := range h.where {
		h.maker.plan.found = append(h.maker.plan.found, elsewhere{h.wanted[id], at.Ref, at.Pack})
	}
}

// planLost tells of packs that are not there, or not alone under their number, and
// that no list names any more.
func (h *healer) planLost() {
	byNumber := func(a, b key) int {
		return cmp.Or(bytes.Compare(a.series[:], b.series[:]), cmp.Compare(a.number, b.number))
	}
	for _, k := range slices.SortedFunc(maps.Keys(h.lost), byNumber) {
		h.maker.plan.add(Heal, fmt.Sprintf("pack %s/%010d", k.series, k.number), errors.New("missing, and the list is lost that named it"),
			fmt.Sprintf("%d of its chunks are not found; if it comes back they are, and what is still on the disk is stored again by the next backup", len(h.lost[k])))
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
