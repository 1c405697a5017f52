package state

import (
	"fmt"

	"coffer/chunk"
)

// A repack counts its old packs as unknown, and knows their chunks elsewhere,
// from before its move is committed. Where the move never is, the old packs are
// what snapshots need, and what they held must be known again. So each has a
// file meanwhile, in the folder repacking, of the form of a wound's.

const repackingFolder = "repacking"

// SetRepacking notes, durably, which chunks a repack is about to move from a
// pack.
func (d *Dir) SetRepacking(w Wound, refs []chunk.Ref) error {
	if err := d.setWoundIn(repackingFolder, w, WoundNote{Refs: refs}); err != nil {
		return fmt.Errorf("note repack: %w", err)
	}
	return nil
}

// Repacking lists the packs of repacks of which it was not noted that they
// ended.
func (d *Dir) Repacking() ([]Wound, error) { return d.woundsIn(repackingFolder) }

// RepackingRefs returns the chunks that a repack was about to move from a pack:
// ErrDamaged if the file is not what was written.
func (d *Dir) RepackingRefs(w Wound) ([]chunk.Ref, error) {
	n, err := d.woundIn(repackingFolder, w)
	return n.Refs, err
}

// RemoveRepacking notes that it is known how the repack of a pack ended.
func (d *Dir) RemoveRepacking(w Wound) error {
	if err := removeFile(d.file(repackingFolder, w.name())); err != nil {
		return fmt.Errorf("note repack: %w", err)
	}
	return nil
}
