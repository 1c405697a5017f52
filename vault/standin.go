package vault

import (
	"context"
	"fmt"

	"coffer/vault/ledger"
	"coffer/vault/trust/canon"
)

// A ledger or roll that is lost leaves packs without their names. A move may
// have written them anew. Else the remote's listing has them: whatever stands
// there under a number is tried, and the IDs of the chunks, which only who has
// the chunk keys can make, decide whether it is the right one. A pack that was
// moved and has gone is in no listing: its name stands among those that moves
// replace.

// ledgerOf returns a ledger, or what stands in for it, and tells which; nil if
// there is nothing but the listing.
func (s *Source) ledgerOf(ctx context.Context, name string) (l *ledger.Ledger, stood bool, err error) {
	l, err = s.v.Ledger(ctx, name)
	if err == nil || !isDamage(err) {
		return l, false, err
	}
	t, e := s.all.table(ctx)
	if e != nil {
		return nil, false, e
	}
	if l, e = s.v.standIn(ctx, t, name); e != nil || l != nil {
		return l, true, e
	}
	s.v.notice(name, err, "nothing that is read: the packs it named are found by their listing; coffer repair writes it anew, and until then no prune deletes anything")
	return nil, false, nil
}

// standIn returns the ledger of a move that replaces a ledger or roll, or nil.
func (v *Vault) standIn(ctx context.Context, t *moveTable, name string) (*ledger.Ledger, error) {
	return v.standInAfter(ctx, t, name, map[string]bool{}, 0)
}

// standInAfter leaves out what was tried and is lost.
func (v *Vault) standInAfter(ctx context.Context, t *moveTable, name string, lost map[string]bool, depth int) (*ledger.Ledger, error) {
	if lost[name] || depth == MaxMoves {
		return nil, nil
	}
	lost[name] = true
	for _, m := range t.byOld[name] {
		l, err := v.Ledger(ctx, m.Commit.Ledger)
		if isDamage(err) {
			l, err = v.standInAfter(ctx, t, m.Commit.Ledger, lost, depth+1)
		}
		if l != nil || err != nil && !isDamage(err) {
			return l, err
		}
	}
	return nil, nil
}

// StandIn returns what a move says instead of a ledger or roll that is lost:
// a ledger, of whose packs those of a roll's folder count. nil if none does.
func (v *Vault) StandIn(ctx context.Context, moves []*Move, name string) (*ledger.Ledger, error) {
	return v.standIn(ctx, tableOf(moves), name)
}

// ledgerInstead returns what stands in for a ledger that is lost, or cause.
func (v *Vault) ledgerInstead(ctx context.Context, name string, cause error) (*ledger.Ledger, error) {
	moves, err := v.Moves(ctx)
	if err != nil {
		return nil, err
	}
	if l, err := v.StandIn(ctx, moves, name); l != nil || err != nil {
		return l, err
	}
	return nil, cause
}

// standInRoll returns the packs that a move names instead of a roll that is
// lost, for cause.
func (o *Sources) standInRoll(ctx context.Context, name string, cause error) ([]ledger.Pack, error) {
	t, err := o.table(ctx)
	if err != nil {
		return nil, err
	}
	l, err := o.v.standIn(ctx, t, name)
	if err != nil {
		return nil, err
	}
	if l == nil {
		o.v.notice(name, cause, "nothing that is read: the packs it named are found by their listing; coffer repair writes it anew, and until then no prune deletes anything")
		return nil, cause
	}
	return o.v.packsInFolder(ctx, l, name)
}

// packsInFolder returns the packs of a ledger in the folder of a roll.
func (v *Vault) packsInFolder(ctx context.Context, l *ledger.Ledger, roll string) ([]ledger.Pack, error) {
	series, folder, _, err := ledger.ParseRollName(roll)
	if err != nil {
		return nil, damaged("%w", err)
	}
	var out []ledger.Pack
	for p, err := range Packs(l, func(name string) ([]byte, error) { return v.fetchCached(ctx, name, ledger.MaxRoll) }) {
		if err != nil {
			return nil, err
		}
		if p.Series == series && ledger.FolderOf(p.Number) == folder {
			out = append(out, p)
		}
	}
	return out, nil
}

// listFolder lists the packs of one folder, in order.
func (v *Vault) listFolder(ctx context.Context, id ledger.FolderID) ([]ledger.Pack, error) {
	var out []ledger.Pack
	for o, err := range v.store.List(ctx, "packs/"+id.Series.String()+"/"+canon.Number(uint64(id.Folder))+"/", "") {
		if err != nil {
			return nil, fmt.Errorf("list packs: %w", err)
		}
		if p, err := ledger.ParsePackName(o.Name); err == nil && o.Size > 0 {
			p.Size = o.Size
			out = append(out, p)
		}
	}
	return out, nil
}
