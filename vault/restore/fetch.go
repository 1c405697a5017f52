package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"coffer/chunk"
	"coffer/vault"
)

// fetch reads the packs that the window needs, some at once, and writes what
// they hold to where it belongs.
func (p *planner) fetch(ctx context.Context) error {
	order := p.order()
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(p.o.Workers)
	for len(order) > 0 && inner.Err() == nil {
		first := p.win.tasks[order[0]].ref
		n := 1
		for n < len(order) && samePack(p.win.tasks[order[n]].ref, first) {
			n++
		}
		pack := order[:n]
		order = order[n:]
		g.Go(func() error { return p.readPack(inner, pack) })
	}
	return cmp.Or(g.Wait(), ctx.Err())
}

// order lists the tasks that are still wanted, by their place in packs.
func (p *planner) order() []int32 {
	order := make([]int32, 0, len(p.win.tasks))
	for i := range p.win.tasks {
		if !p.win.tasks[i].file.isOver() {
			order = append(order, int32(i))
		}
	}
	sortByPlace(order, func(i int32) *chunk.Ref { return &p.win.tasks[i].ref })
	return order
}

// sortByPlace sorts things by where their chunks are, and then as they came.
func sortByPlace(order []int32, ref func(i int32) *chunk.Ref) {
	slices.SortFunc(order, func(i, j int32) int {
		a, b := ref(i), ref(j)
		return cmp.Or(
			bytes.Compare(a.Series[:], b.Series[:]),
			cmp.Compare(a.Number, b.Number),
			cmp.Compare(a.Offset, b.Offset),
			cmp.Compare(a.Len, b.Len),
			bytes.Compare(a.ID[:], b.ID[:]),
			cmp.Compare(i, j),
		)
	})
}

func samePack(a, b chunk.Ref) bool { return a.Series == b.Series && a.Number == b.Number }

// A need is a chunk of one pack and the tasks that want it.
type need struct {
	ref   chunk.Ref
	tasks []int32
}

// needs sums up tasks, sorted and of one pack: each chunk once.
func (p *planner) needs(order []int32) []need {
	var list []need
	from := 0
	for i := range order {
		if last := i == len(order)-1; last || p.win.tasks[order[i]].ref != p.win.tasks[order[i+1]].ref {
			list = append(list, need{p.win.tasks[order[i]].ref, order[from : i+1]})
			from = i + 1
		}
	}
	return list
}

// Bounds on how often one pack is read again after a chunk in it was bad.
const (
	maxRereads = 64 // in all
	maxInVain  = 3  // in a row, without any chunk
)

// readPack reads chunks of one pack. Where some are damaged it goes on with
// the others; only the files that need those are given up.
func (p *planner) readPack(ctx context.Context, order []int32) error {
	list := p.needs(order)
	inVain := 0
	for tries := 0; len(list) > 0; tries++ {
		rest, err := p.readNeeds(ctx, list)
		if err == nil || !errors.Is(err, vault.ErrDamaged) {
			return err
		}
		inVain++
		if len(rest) < len(list) {
			inVain = 0
		}
		if inVain == maxInVain || tries == maxRereads || len(rest) == 0 {
			p.giveUp(rest, err)
			return nil
		}
		p.giveUp(rest[:1], err)
		list = rest[1:]
	}
	return nil
}

// readNeeds reads the chunks once, and returns those that did not come.
func (p *planner) readNeeds(ctx context.Context, list []need) (rest []need, err error) {
	refs := make([]chunk.Ref, len(list))
	for i := range list {
		refs[i] = list[i].ref
	}
	came := make([]bool, len(list))
	p.rec.add(&p.rec.res.Packs, 1)
	err = p.src.Read(ctx, chunk.Data, refs, func(i int, data []byte) error {
		came[i] = true
		if int64(len(data)) != refs[i].Len {
			return fmt.Errorf("chunk %s: %d bytes came, not %d", refs[i].ID, len(data), refs[i].Len)
		}
		return p.hand(list[i].tasks, data)
	})
	for i := range list {
		if !came[i] {
			rest = append(rest, list[i])
		}
	}
	return rest, err
}

// hand writes a chunk to all places where it belongs.
func (p *planner) hand(tasks []int32, data []byte) error {
	for _, i := range tasks {
		t := &p.win.tasks[i]
		if err := p.write(t.file, data, t.at); err != nil {
			return err
		}
	}
	return nil
}

// giveUp gives up the files that need chunks which are damaged.
func (p *planner) giveUp(list []need, err error) {
	for _, n := range list {
		for _, i := range n.tasks {
			p.give(p.win.tasks[i].file, Damaged, err)
		}
	}
}
