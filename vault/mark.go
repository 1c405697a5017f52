package vault

import (
	"errors"
	"fmt"
	"slices"

	"coffer/vault/ledger"
	"coffer/vault/state"
)

// MarkBad notes on this device that packs were found missing or damaged: the
// next run relies on none of them, and stores anew what is still on the disk.
// Packs of other devices are passed over. It needs the local lock:
// state.ErrLocked if a run is at work. Without local state it does nothing.
func (v *Vault) MarkBad(packs []ledger.Pack) (err error) {
	if v.dir == nil || len(packs) == 0 {
		return nil
	}
	lock, err := v.dir.TryLockRun("verify")
	if err != nil {
		return fmt.Errorf("note what is bad: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	for _, p := range packs {
		own := slices.ContainsFunc(v.device().Series, func(s state.SeriesState) bool { return s.ID() == p.Series })
		if !own {
			continue
		}
		if err := v.markBad(p); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) markBad(p ledger.Pack) error {
	table, err := v.dir.Packs(p.Series)
	if err != nil {
		return err
	}
	err = table.Update(p.Number, func(info *state.Pack) {
		if info.Sum == p.Sum {
			info.Flags |= state.PackBad
		}
	})
	return errors.Join(err, table.Sync(), table.Close())
}
