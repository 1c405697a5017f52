package vault

import (
	"context"
	"fmt"
	"time"

	"coffer/chunk"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// auditEvery is how often a run looks whether all packs that it could rely on
// are there, with their sizes: some sixty listings for a terabyte.
const auditEvery = 24 * time.Hour

// auditAlways is up to how many pack numbers a look costs so little, some
// eight listings, that every run takes it.
const auditAlways = 8192

// audit looks for the packs and rolls this device relies on, if that is due or
// the remote was found to have lost something. What is gone counts as unknown
// from now on: this run stores again what it needs of it. What is back is
// known again.
func (r *Run) audit(ctx context.Context) error {
	if now := r.now(); !r.isSmall() && now.Sub(r.own.Audited) < auditEvery && !now.Before(r.own.Audited) {
		return nil
	}
	lost := 0
	for series, table := range r.known.usable {
		n, err := r.auditSeries(ctx, series, table)
		if err != nil {
			return err
		}
		lost += n
	}
	if lost > 0 {
		r.warn(fmt.Errorf("%w: %d are missing from %s; what they held and is still on the disk is stored again; verify shows which snapshots need them", ErrMissing, lost, r.v.store.Location()))
	}
	if len(r.own.Rolls) > 0 {
		if err := r.auditRolls(ctx); err != nil {
			return err
		}
	}
	r.own.Audited = r.now()
	if r.isSmall() {
		return nil // the next run looks in any case; it is saved with the commit
	}
	return r.v.saveOwn(r.own)
}

// isSmall tells whether the packs of this device are listed at once.
func (r *Run) isSmall() bool {
	var numbers int64
	for _, s := range r.v.device().Series {
		numbers += int64(s.Next)
	}
	return numbers < auditAlways
}

// auditSeries compares the table of a series with what the remote lists.
func (r *Run) auditSeries(ctx context.Context, series chunk.Series, table *state.PackTable) (lost int, err error) {
	relied := new(ledger.Set)
	fence := r.known.fence.Load()
	for number, info := range table.All() {
		if info.Flags&state.PackReplaced != 0 || fence.dooms(series, number, info.Sum) {
			continue // a prune may have deleted it
		}
		if r.known.live.Load().Has(series, number) || fence.trusts(info.Acked) {
			relied.Add(series, number)
		}
	}
	if relied.Len() == 0 {
		return 0, nil
	}
	there := new(ledger.Set)
	for o, err := range r.v.store.List(ctx, "packs/"+series.String()+"/", "") {
		if err != nil {
			return 0, fmt.Errorf("list packs: %w", err)
		}
		p, err := ledger.ParsePackName(o.Name)
		if err != nil {
			continue // not one of ours, and nothing relies on it
		}
		if info, ok := table.Get(p.Number); ok && info.Sum == p.Sum && info.Size == o.Size {
			there.Add(series, p.Number)
		}
	}
	for _, number := range relied.All() {
		is := there.Has(series, number)
		news, err := r.noteThere(series, table, number, is)
		if err != nil {
			return lost, err
		}
		if !is && (news || r.known.live.Load().Has(series, number)) {
			lost++
		}
	}
	return lost, nil
}

// noteThere notes whether a pack is on the remote, and tells if that is new.
func (r *Run) noteThere(series chunk.Series, table *state.PackTable, number uint32, there bool) (news bool, err error) {
	info, ok := table.Get(number)
	if !ok || there == (info.Flags&state.PackMissing == 0) {
		return false, nil
	}
	info.Flags ^= state.PackMissing
	if !there {
		p := ledger.Pack{Series: series, Number: number, Sum: info.Sum, Size: info.Size}
		r.v.notice(p.Name(), damaged("missing, or not of its size"), "the files of older snapshots that have a part in this pack")
	}
	return true, table.Set(number, info)
}

// auditRolls forgets the rolls that the remote lost, so that the next ledger
// names new ones.
func (r *Run) auditRolls(ctx context.Context) error {
	there := map[string]bool{}
	for series := range r.known.usable {
		for o, err := range r.v.store.List(ctx, "rolls/"+series.String()+"/", "") {
			if err != nil {
				return fmt.Errorf("list rolls: %w", err)
			}
			there[o.Name] = true
		}
	}
	for key, w := range r.own.Rolls {
		if !there[w.Name] {
			r.v.notice(w.Name, damaged("missing"), "the files of older snapshots whose packs it lists")
			delete(r.own.Rolls, key)
		}
	}
	return nil
}

// allExist tells whether objects are there, by listings, which cost less than
// reading them.
func (v *Vault) allExist(ctx context.Context, names ...string) (bool, error) {
	for _, name := range names {
		there := false
		for o, err := range v.store.List(ctx, name, "") {
			if err != nil {
				return false, fmt.Errorf("look for %s: %w", name, err)
			}
			there = there || o.Name == name
		}
		if !there {
			return false, nil
		}
	}
	return true, nil
}
