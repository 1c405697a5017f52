package state

import (
	"cmp"
	"fmt"
	"slices"
)

const headsFile = "heads.json"

// A Head is a commit that this device has verified and that no other it knows
// of follows.
type Head struct {
	Device string `json:"device"` // 16 hex digits
	Seq    uint64 `json:"seq"`
	Name   string `json:"name"`  // last component of the object's name
	Chain  string `json:"chain"` // 64 hex digits
}

type headList struct {
	Heads []Head `json:"heads"`
}

// Heads returns the newest commits seen of every device, by device, then name.
// A listing that does not reach them was cut short or rolled back. So damage is
// an error here: take it for "nothing was ever seen" only after saying so.
func (d *Dir) Heads() ([]Head, error) {
	v, err := readSealedOr[headList](d.file(headsFile))
	if err != nil {
		return nil, err
	}
	return v.Heads, nil
}

// SetHeads replaces the heads of one device. All must be of that device; more
// than one is a fork, none forgets it.
func (d *Dir) SetHeads(device string, heads []Head) error {
	for _, h := range heads {
		if h.Device != device || !isHex(h.Device, 8) || !isHex(h.Chain, 32) || !cleanText(maxText, h.Name) {
			return fmt.Errorf("note head %.100q of device %.40q: not in its form", h.Name, device)
		}
	}
	return d.change(func() error {
		v, err := readSealedOr[headList](d.file(headsFile))
		if err != nil {
			return err
		}
		v.Heads = slices.DeleteFunc(v.Heads, func(h Head) bool { return h.Device == device })
		v.Heads = append(v.Heads, heads...)
		slices.SortFunc(v.Heads, func(a, b Head) int {
			return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Name, b.Name))
		})
		return writeSealed(d.file(headsFile), v)
	})
}

// ForgetHeads removes a heads.json that is damaged. The next [Dir.SetHeads]
// begins anew.
func (d *Dir) ForgetHeads() error {
	return d.change(func() error { return removeFile(d.file(headsFile)) })
}
