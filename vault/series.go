package vault

import (
	"crypto/rand"
	"fmt"

	"coffer/chunk"
	"coffer/vault/state"
)

// numbers hands out the pack numbers of one series.
type numbers struct {
	series chunk.Series
	next   *state.Numbers
}

// openSeries finds or makes the series that this run writes: one for each
// kind, sealed to the present recipients. New ones are made when recipients
// changed, and when someone else wrote with this device's keys.
func (r *Run) openSeries() error {
	v := r.v
	for _, kind := range []chunk.Kind{chunk.Data, chunk.Segment} {
		s, ok := v.device().OpenSeries(kind, v.device().RecipientsHash)
		if !ok || r.own.Cloned {
			var err error
			if s, err = v.newSeries(kind); err != nil {
				return err
			}
		}
		r.series[kind] = &numbers{series: s.ID(), next: v.dir.Numbers(s.ID())}
	}
	if !r.own.Cloned {
		return nil
	}
	r.own.Cloned = false
	return v.saveOwn(r.own)
}

// newSeries opens a new series of a kind and closes the ones before it.
func (v *Vault) newSeries(kind chunk.Kind) (state.SeriesState, error) {
	var id chunk.Series
	if _, err := rand.Read(id[:]); err != nil {
		return state.SeriesState{}, err
	}
	s := state.SeriesState{
		Series: id.String(), Kind: string(kind), RecipientsHash: v.device().RecipientsHash, Recipients: recipientTags(v.device().Recipients),
	}
	err := v.updateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == s.Kind {
				d.Series[i].Closed = true
			}
		}
		d.Series = append(d.Series, s)
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("begin a new series of packs: %w", err)
	}
	return s, nil
}

// reserve returns a pack number that no object of the series has.
func (r *Run) reserve(kind chunk.Kind) (uint32, error) {
	n, err := r.series[kind].next.Next()
	if err != nil {
		return 0, fmt.Errorf("reserve a pack number: %w", err)
	}
	return n, nil
}

// giveBack returns the numbers that were reserved and not used, so that
// folders fill up and runs leave no gaps unless they are killed.
func (r *Run) giveBack() error {
	for _, n := range r.series {
		if err := n.next.Close(); err != nil {
			return err
		}
	}
	dev, err := r.v.dir.Device()
	if err == nil {
		r.v.dev.Store(dev)
	}
	return err
}

// usedUp tells whether no pack of this folder will ever be written again. The
// lanes must be flushed and unused numbers given back.
func (r *Run) usedUp(series chunk.Series, folder uint32) bool {
	for _, s := range r.v.device().Series {
		if s.ID() == series {
			return s.Closed || s.Next >= (folder+1)*folderSize
		}
	}
	return false
}
