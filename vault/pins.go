package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coffer/vault/commit"
)

// A pin keeps this device from forgetting a snapshot, whatever a policy or a
// person says, until it is taken off. Pins are local: a body is sealed once it
// is made, and a commit has no room for one. Other devices with the role forget
// do not know of them; what is to stay whoever forgets is tagged when it is
// made, and the tag kept by each policy.

// pinned is what a pin's small file holds.
type pinned struct {
	Snapshot string `json:"snapshot"` // base name of its commit
}

const pinPrefix = "pin-"

// A PinnedError: snapshots were to be forgotten that are pinned here. Nothing
// was forgotten.
type PinnedError struct{ Snapshots []*Snapshot }

func (e *PinnedError) Error() string {
	var ids []string
	for _, s := range e.Snapshots {
		ids = append(ids, s.Short())
	}
	return "pinned on this machine: " + strings.Join(ids, ", ")
}

// Pin pins a snapshot on this device, and reports whether it was not before.
func (v *Vault) Pin(s *Snapshot) (bool, error) {
	if v.dir == nil {
		return false, fmt.Errorf("pin %s: %w: it keeps no state here", s.Short(), ErrRevoked)
	}
	pins, err := v.Pins()
	if err != nil || pins[s.Name.Base()] {
		return false, err
	}
	if err := v.dir.WriteSmall(pinPrefix+s.Name.Base(), pinned{s.Name.Base()}); err != nil {
		return false, fmt.Errorf("pin %s: %w", s.Short(), err)
	}
	return true, nil
}

// Unpin takes a pin off, and reports whether there was one.
func (v *Vault) Unpin(s *Snapshot) (bool, error) {
	if v.dir == nil {
		return false, nil
	}
	err := os.Remove(filepath.Join(v.dir.Path(), pinPrefix+s.Name.Base()))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("unpin %s: %w", s.Short(), err)
	}
	return true, nil
}

// Pins returns the base names of what is pinned. The name of a pin's file says
// it all, so one whose content is damaged still holds.
func (v *Vault) Pins() (map[string]bool, error) {
	pins := map[string]bool{}
	if v.dir == nil {
		return pins, nil
	}
	entries, err := os.ReadDir(v.dir.Path())
	if err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	for _, e := range entries {
		if base, ok := strings.CutPrefix(e.Name(), pinPrefix); ok {
			if n, err := commit.ParseBase(base); err == nil {
				pins[n.Base()] = true
			}
		}
	}
	return pins, nil
}

// refusePinned fails with a *PinnedError if one of snaps is pinned.
func (v *Vault) refusePinned(snaps []*Snapshot) error {
	pins, err := v.Pins()
	if err != nil {
		return err
	}
	held := slices.DeleteFunc(slices.Clone(snaps), func(s *Snapshot) bool { return !pins[s.Name.Base()] })
	if len(held) > 0 {
		return &PinnedError{held}
	}
	return nil
}
