package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// findRepacks notes which packs repacks let go and what stands in for ledgers
// and rolls, and returns all moves of packs.
func (l *live) findRepacks() []*vault.Said {
	var moves []*vault.Said
	for _, c := range l.past.Commits {
		if c.Kind != commit.Move {
			continue
		}
		if c.Body == "" {
			l.stands[c.Ledger] = true
			for _, old := range c.Old {
				l.standIn[old] = append(l.standIn[old], c)
			}
			continue
		}
		moves = append(moves, c)
		for _, old := range c.Old {
			if p, err := ledger.ParsePackName(old); err == nil && c.Repack {
				l.repacks[idOf(p)] = append(l.repacks[idOf(p)], c)
			}
		}
	}
	return moves
}

// findOver finds those moves whose map is not there any more, of the ones that a
// list may need which cannot be read. One that no ledger in force names was
// deleted by a prune, with all that it needed, and it is not missed. Where the
// list would name it, nothing is left to find chunks by; what else there is of it
// stays, and so do all packs, since nobody knows which it had filled. A listing
// that lags or is cut short errs to the safe side: of a move whose map it hides
// everything stays, the map too; and one that shows a map which has gone makes a
// move be needed that then lacks it.
func (l *live) findOver(ctx context.Context, moves []*vault.Said) error {
	all := l.keepAll
	for _, m := range moves {
		if l.over[m] || !l.mayNeed(m) {
			continue
		}
		there, err := l.hasMap(ctx, m.Body)
		if err != nil {
			return err
		}
		if !there {
			l.over[m], l.spared[m.Ledger], l.spared[m.Body], l.keepAll = true, true, true, true
		}
	}
	if l.keepAll && !all {
		return l.findOver(ctx, moves) // now the list may need any of them
	}
	return nil
}

// hasMap tells whether the map of a move is listed. They are listed once.
func (l *live) hasMap(ctx context.Context, name string) (bool, error) {
	if l.maps == nil {
		there := map[string]bool{}
		for info, err := range l.v.Store().List(ctx, folders[Moves], "") {
			if err != nil {
				return false, fmt.Errorf("list moves: %w", err)
			}
			there[info.Name] = true
		}
		l.maps = there
	}
	return l.maps[name], nil
}

// mayNeed tells whether a list that cannot be read may name a pack that a move
// replaces.
func (l *live) mayNeed(m *vault.Said) bool {
	return l.keepAll || slices.ContainsFunc(m.Old, func(old string) bool {
		p, err := ledger.ParsePackName(old)
		return err == nil && l.isKept(p)
	})
}

// wake removes from moves, and returns, those that replace a pack that a live
// ledger names, or one may that cannot be read.
func (l *live) wake(moves *[]*vault.Said) (woken []*vault.Said) {
	*moves = slices.DeleteFunc(*moves, func(m *vault.Said) bool {
		needed := l.mayNeed(m) && !l.over[m] || slices.ContainsFunc(m.Old, func(old string) bool {
			p, err := ledger.ParsePackName(old)
			_, named := l.packs[idOf(p)]
			return err == nil && named
		})
		if needed {
			woken = append(woken, m)
			for _, old := range m.Old {
				l.movedOn[old] = true
			}
		}
		return needed
	})
	return woken
}

// prove reads repacks whole from the remote: once the packs that they let go
// are deleted, what live snapshots need is found by nothing else, and this
// device may have been reading its own copies of them all along.
func (l *live) prove(ctx context.Context, moves []*vault.Said) error {
	for _, m := range moves {
		if !m.Repack {
			continue
		}
		for _, name := range []string{m.Name().String(), m.Ledger, m.Body} {
			_, err := l.v.FetchNamed(ctx, name, maxProven)
			if err != nil && !errors.Is(err, vault.ErrDamaged) {
				return err
			}
			if err != nil {
				l.past.Stop(name, err, "the snapshots whose chunks a repack has moved")
			}
		}
	}
	return nil
}

// maxProven bounds what a repack consists of, in bytes.
const maxProven = 64 << 20
