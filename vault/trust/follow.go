package trust

import (
	"errors"
	"fmt"
	"slices"
)

// Follows reports whether next may succeed prev, whose object has the hash
// prevSum. Both must have come from [Open]. The root key may let devices in,
// put them out, and change roles, recipients and floor. It may not change what
// the vault is, nor undo an enrolment or a revocation: what was committed
// under prev must stay readable and verifiable under next.
func Follows(next, prev *Trust, prevSum string) error {
	switch {
	case next.Vault != prev.Vault:
		return fmt.Errorf("trust %d is of vault %s, not %s", next.N, next.Vault, prev.Vault)
	case next.N != prev.N+1:
		return fmt.Errorf("trust %d does not come right after trust %d", next.N, prev.N)
	case next.Prev != prevSum:
		return fmt.Errorf("trust %d was not made from the trust %d that is known", next.N, prev.N)
	case next.Format < prev.Format:
		return fmt.Errorf("trust %d goes back to vault format %d", next.N, next.Format)
	case next.DataKey != prev.DataKey, next.SegmentKey != prev.SegmentKey, next.Polynomial != prev.Polynomial:
		return fmt.Errorf("trust %d has other chunk keys", next.N)
	case len(next.Devices) < len(prev.Devices):
		return fmt.Errorf("trust %d lacks a device of trust %d", next.N, prev.N)
	}
	for i := range prev.Devices {
		if err := next.Devices[i].follows(&prev.Devices[i]); err != nil {
			return fmt.Errorf("trust %d: device %s: %w", next.N, prev.Devices[i].ID, err)
		}
	}
	return nil
}

func (d *Device) follows(old *Device) error {
	switch {
	case d.ID != old.ID:
		return errors.New("it left the list, or its place in it")
	case d.Sign != old.Sign, d.Age != old.Age:
		return errors.New("its keys changed")
	case !slices.Equal(d.Inherits, old.Inherits):
		return errors.New("what it inherits changed")
	case old.Until != nil && d.Until == nil:
		return errors.New("its revocation was taken back")
	}
	return nil
}
