package vault

import (
	"errors"
	"io/fs"
	"slices"

	"coffer/vault/ledger"
	"coffer/vault/state"
)

// What this device knows of its wounds, and for how long.

// Unhealed is what this device knows of a pack that it found bad or missing.
type Unhealed struct {
	Left int // chunks that it has not stored elsewhere since, of those that it knew
	// All: it knew every chunk of the pack. With nothing left, nothing that any
	// snapshot needs of the pack is lost, as long as the moves are good.
	All bool
}

// Unhealed tells what this device knows of each pack that it found bad or
// missing, by full name.
func (v *Vault) Unhealed() (map[string]Unhealed, error) {
	if v.dir == nil {
		return nil, nil
	}
	wounds, err := v.dir.Wounds()
	if err != nil {
		return nil, err
	}
	out := map[string]Unhealed{}
	for _, w := range wounds {
		note, err := v.dir.Wound(w)
		if err != nil && !errors.Is(err, state.ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out[ledger.Pack{Series: w.Series, Number: w.Number, Sum: w.Sum}.Name()] = Unhealed{len(note.Refs) + int(note.Gone), note.Whole}
	}
	return out, nil
}

// letGo forgets which chunks of bad packs were not found, as the index does
// with those that no manifest names: whoever takes the machine could test a
// guess of a file against them. How many there were stays known.
func (r *Run) letGo(days int) error {
	wounds, err := r.v.dir.Wounds()
	if err != nil {
		return err
	}
	for _, w := range wounds {
		note, err := r.v.dir.Wound(w)
		if err != nil {
			continue // the next run sees to it
		}
		if today := state.DayOf(r.now()); len(note.Refs) == 0 || int(today)-int(note.Since) <= days {
			continue
		}
		note.Gone += uint32(len(note.Refs))
		note.Refs = nil
		if err := r.v.dir.SetWound(w, note); err != nil {
			return err
		}
	}
	return nil
}

// doubtWounds notes that it is not known any more of any bad pack whether all of
// its chunks are elsewhere: a rollback may have taken a move away.
func (v *Vault) doubtWounds() error {
	wounds, err := v.dir.Wounds()
	if err != nil {
		return err
	}
	for _, w := range wounds {
		note, err := v.dir.Wound(w)
		if errors.Is(err, state.ErrDamaged) || err == nil && !note.Whole {
			continue // Heal sees to one that is damaged
		}
		if err != nil {
			return err
		}
		note.Whole = false
		if err := v.dir.SetWound(w, note); err != nil {
			return err
		}
	}
	return nil
}

// SettleWounds notes that nothing of these packs, by full name, is missing any
// more that a snapshot needs which is there now: someone has proven it with the
// identity. While a run is at work it does nothing: the next proof will.
func (v *Vault) SettleWounds(packs []string) error {
	if v.dir == nil || len(packs) == 0 {
		return nil
	}
	lock, err := v.dir.TryLockRun("verify")
	if errors.Is(err, state.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	wounds, err := v.dir.Wounds()
	for _, w := range wounds {
		if err == nil && slices.Contains(packs, (ledger.Pack{Series: w.Series, Number: w.Number, Sum: w.Sum}).Name()) {
			err = v.settleWound(w)
		}
	}
	return errors.Join(err, lock.Unlock())
}

// settleWound lets go what was not found of a bad pack, and with it that every
// chunk was known. If nothing was missing, that stays known for whatever snapshot.
func (v *Vault) settleWound(w state.Wound) error {
	note, err := v.dir.Wound(w)
	if err == nil && len(note.Refs)+int(note.Gone) == 0 {
		return nil
	}
	if err != nil && !errors.Is(err, state.ErrDamaged) {
		return err
	}
	return v.dir.SetWound(w, state.WoundNote{})
}
