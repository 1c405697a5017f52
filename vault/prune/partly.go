package prune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// Partly is what packs hold that are needed for a part only. Which part that is
// stands in the manifests, so it takes the vault's identity to know. Only packs
// of file content of this device are looked at: segments are few, and a run
// puts them together by itself.
type Partly struct {
	Packs int64 // packs looked at
	Bytes int64 // of them, as they are stored
	Dead  int64 // about how many of these nothing needs

	Chosen int64 // packs to be repacked
	Read   int64 // bytes of them, to be read
	Write  int64 // about how many of these are stored again; the others are freed
}

// part is a pack and what is needed of it.
type part struct {
	pack   ledger.Pack
	needed *offsets
	dead   int64 // bytes, about
}

// share is how much of the pack is dead.
func (p *part) share() float64 { return float64(p.dead) / float64(p.pack.Size) }

// offsets are where the needed chunks of a pack begin. They are kept small:
// there are millions.
type offsets struct {
	list   []uint32
	sorted int  // how many of list are sorted, and there once
	high   bool // one did not fit
}

func (o *offsets) add(off int64) {
	if off>>32 != 0 {
		o.high = true
		return
	}
	if n := len(o.list); n > 0 && o.list[n-1] == uint32(off) {
		return
	}
	o.list = append(o.list, uint32(off))
	if len(o.list) > 2*o.sorted+64 {
		o.tidy()
	}
}

func (o *offsets) tidy() {
	slices.Sort(o.list)
	o.list = slices.Compact(o.list)
	o.sorted = len(o.list)
}

// has tells whether an offset is there. The list must be tidy.
func (o *offsets) has(off int64) bool {
	_, ok := slices.BinarySearch(o.list, uint32(off))
	return ok && off>>32 == 0
}

// seeker finds out what is needed of this device's packs.
type seeker struct {
	v      *vault.Vault
	alive  *live
	parts  map[numbered]*part
	series map[chunk.Series]bool // of this device, for file content
	seen   map[chunk.ID]bool     // segments that were read

	moved map[numbered][]*vault.Move     // live moves by the packs they replace
	asked map[numbered]map[chunk.ID]bool // chunks of those packs that are needed
}

// numbered is a pack as refs name it.
type numbered struct {
	series chunk.Series
	number uint32
}

// findPartly looks at the packs that live snapshots need of this device. An
// error that is vault.ErrDamaged says that it cannot be known what they need.
func findPartly(ctx context.Context, v *vault.Vault, alive *live, p *Progress) ([]*part, error) {
	s := &seeker{v: v, alive: alive, parts: map[numbered]*part{}, series: map[chunk.Series]bool{}, seen: map[chunk.ID]bool{}, moved: map[numbered][]*vault.Move{}, asked: map[numbered]map[chunk.ID]bool{}}
	dev, err := v.State().Device()
	if err != nil {
		return nil, err
	}
	for _, own := range dev.Series {
		s.series[own.ID()] = own.Kind == string(chunk.Data)
	}
	s.candidates()
	p.stage("walking manifests")
	if err := s.findMoves(ctx); err != nil {
		return nil, err
	}
	for _, c := range alive.roots() {
		if err := s.snapshot(ctx, c); err != nil {
			return nil, err
		}
	}
	p.stage("looking into packs")
	return s.measure(ctx)
}

// candidates are the packs that are there, that a snapshot or move needs, and
// that neither open progress nor a move that healed names, as far as the lists can
// be read: what these need of them is not found by walking this device's snapshots.
// Where two packs have one number neither is.
func (s *seeker) candidates() {
	for id, n := range s.alive.packs {
		k := numbered{id.series, id.number}
		if !s.series[id.series] {
			continue
		}
		if other, twice := s.parts[k]; twice || !n.live || !n.found || n.progress || n.healing || s.alive.isKept(ledger.Pack{Series: id.series, Number: id.number}) {
			if twice {
				other.needed = nil
			} else {
				s.parts[k] = &part{}
			}
			continue
		}
		s.parts[k] = &part{pack: ledger.Pack{Series: id.series, Number: id.number, Sum: id.sum, Size: n.size}, needed: new(offsets)}
	}
}

// need enters that a chunk is needed: where it is, and where moves say that it
// is now.
func (s *seeker) need(ref chunk.Ref) {
	k := numbered{ref.Series, ref.Number}
	if p := s.parts[k]; p != nil && p.needed != nil {
		p.needed.add(ref.Offset)
	}
	if len(s.moved[k]) == 0 || s.asked[k][ref.ID] {
		return
	}
	if s.asked[k] == nil {
		s.asked[k] = map[chunk.ID]bool{}
	}
	s.asked[k][ref.ID] = true
	for _, m := range s.moved[k] {
		if to, ok := m.To(ref.ID); ok {
			s.need(to)
		}
	}
}

// snapshot enters what a snapshot needs, if it can need packs of this device.
func (s *seeker) snapshot(ctx context.Context, c *vault.Said) error {
	t, me := s.v.Trust(), s.v.Device()
	if c.Kind != commit.Snapshot || !related(t, me, c.Device) {
		return nil
	}
	src, err := s.v.Source(ctx, &vault.Snapshot{Name: c.Name(), Commit: c.Commit})
	if err != nil {
		return err
	}
	skip := func(ref chunk.Ref) bool {
		old := s.seen[ref.ID]
		s.seen[ref.ID] = true
		return old
	}
	for _, root := range src.Body().Roots {
		for use, err := range manifest.ClosureBut(ctx, root.Root, src.Segment, skip) {
			if err != nil {
				return fmt.Errorf("manifest of snapshot %.8s: %w", c.Name().Hash(), err)
			}
			if use.Kind == chunk.Data {
				s.need(use.Ref)
			}
		}
	}
	return nil
}

// related tells whether one of two devices may rely on packs of the other.
func related(t *trust.Trust, a, b trust.DeviceID) bool {
	return a == b || slices.Contains(t.Lineage(a), b) || slices.Contains(t.Lineage(b), a)
}

// findMoves reads the live moves.
func (s *seeker) findMoves(ctx context.Context) error {
	all, err := s.v.Moves(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !s.alive.objects[m.Commit.Body] {
			continue
		}
		if err := s.v.LoadMove(ctx, m); err != nil {
			return err
		}
		for _, old := range m.Commit.Old {
			if p, err := ledger.ParsePackName(old); err == nil {
				k := numbered{p.Series, p.Number}
				s.moved[k] = append(s.moved[k], m)
			}
		}
	}
	return nil
}

// measure reads the directory of each pack and finds out how much of it is
// dead: of each chunk as much as it has a part in the stored bytes.
func (s *seeker) measure(ctx context.Context) ([]*part, error) {
	var parts []*part
	for _, p := range s.parts {
		if p.needed == nil || p.needed.high {
			continue
		}
		p.needed.tidy()
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b *part) int {
		return cmp.Or(slices.Compare(a.pack.Series[:], b.pack.Series[:]), cmp.Compare(a.pack.Number, b.pack.Number))
	})
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deleters)
	for _, p := range parts {
		g.Go(func() error { return s.look(ctx, p) })
	}
	return parts, g.Wait()
}

// look reads what one pack holds. A pack that cannot be read is left alone.
func (s *seeker) look(ctx context.Context, p *part) error {
	d, err := s.v.PackDirectory(ctx, p.pack)
	if errors.Is(err, vault.ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	var needed int64
	for e := range d.Entries() {
		if p.needed.has(e.Offset) {
			needed += e.Len
		}
	}
	if _, plain := d.Len(); plain > 0 {
		p.dead = int64(float64(p.pack.Size) * float64(plain-needed) / float64(plain))
	}
	return nil
}

// worthIt is the part of a pack that must be dead for it to be repacked.
const worthIt = 0.1

// choose returns those that are to be repacked, the deadest first, so that no
// more than allowed bytes are dead in the others, and says what that comes to.
func choose(parts []*part, o Options) (chosen []*part, sum Partly) {
	for _, p := range parts {
		sum.Packs++
		sum.Bytes += p.pack.Size
		sum.Dead += p.dead
	}
	allowed := int64(float64(sum.Bytes) * cmp.Or(o.MaxUnused, DefaultMaxUnused))
	if o.MaxUnusedBytes > 0 {
		allowed = o.MaxUnusedBytes
	}
	left := sum.Dead
	byShare := slices.SortedStableFunc(slices.Values(parts), func(a, b *part) int { return cmp.Compare(b.share(), a.share()) })
	for _, p := range byShare {
		if left <= allowed || p.share() < worthIt {
			break
		}
		left -= p.dead
		chosen = append(chosen, p)
		sum.Chosen++
		sum.Read += p.pack.Size
		sum.Write += p.pack.Size - p.dead
	}
	return chosen, sum
}

// repack stores again what is needed of the chosen packs. No backup of this
// device is at work meanwhile, so what was found to be needed is all there is,
// if nothing was committed since.
func (p *Plan) repack(ctx context.Context, r *Result) (err error) {
	run, err := p.v.BeginRepack(ctx, p.warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if err := p.findAgain(ctx); err != nil {
		return err
	}
	todo := make([]vault.Partly, len(p.chosen))
	for i, c := range p.chosen {
		todo[i] = vault.Partly{Pack: c.pack, Needed: c.needed.has}
	}
	p.o.Progress.stage("repacking")
	p.o.Progress.Done.Store(0)
	p.o.Progress.Total.Store(int64(len(todo)))
	seen := map[string]bool{}
	for _, end := range p.at.past.Ends {
		seen[end] = true
	}
	for _, c := range p.at.past.Commits {
		seen[c.Name().String()] = true
	}
	r.Repacked, err = run.Repack(ctx, todo, vault.RepackOptions{
		Seen: func(name string) bool { return seen[name] },
		Done: func(vault.Partly) { p.o.Progress.Done.Add(1) },
	})
	return err
}

// findAgain looks whether anything was committed since the plan was made, and
// if so what is needed now.
func (p *Plan) findAgain(ctx context.Context) error {
	again, err := lookAt(ctx, p.v, p.o.Progress, p.at.past.Ends)
	if err != nil {
		return err
	}
	again.contains(p.at)
	p.at = again
	p.sort(again)
	if err := p.Stopped(); err != nil || slices.Equal(p.chosenAt, again.past.Ends) && !again.alive.keepAll {
		return err
	}
	return p.lookIntoPacks(ctx)
}

// lookIntoPacks finds the packs to be repacked.
func (p *Plan) lookIntoPacks(ctx context.Context) error {
	if p.at.alive.keepAll {
		// What only that list names could be needed of a pack, too: a repack would
		// let the pack go, once the list is found. And until then none goes.
		p.warn(errors.New("nothing is repacked while a list of packs is lost: it is not known what snapshots need"))
		p.chosen, p.Partly = nil, Partly{}
		return nil
	}
	parts, err := findPartly(ctx, p.v, p.at.alive, p.o.Progress)
	if errors.Is(err, vault.ErrDamaged) {
		p.warn(fmt.Errorf("nothing is repacked, because it is not known what snapshots need: %w", err))
		p.chosen, p.Partly = nil, Partly{}
		return nil
	}
	if err != nil {
		return err
	}
	p.chosen, p.Partly = choose(parts, p.o)
	p.chosenAt = p.at.past.Ends
	return nil
}
