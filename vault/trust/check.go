package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coffer/chunk/seal"
	"coffer/vault/trust/canon"
)

// Limits on what a trust may hold. How many devices may be in good standing at
// one time is given by how many recipients an object can be sealed to.
const (
	MaxSize    = 1 << 20  // of the object, in bytes
	MaxHeader  = 64 << 10 // of the header of its seal, in bytes
	MaxDevices = 200      // with the revoked ones
	maxLabel   = 100      // bytes
	maxFloor   = 100_000
)

// Check reports whether t keeps every rule. [Seal] and [Open] call it.
func (t *Trust) Check() error {
	for _, check := range []func(*Trust) error{checkHead, checkSecrets, checkRecipients, checkDevices, checkFloor} {
		if err := check(t); err != nil {
			return err
		}
	}
	return nil
}

func checkHead(t *Trust) error {
	switch {
	case t.Version != canon.Version:
		return fmt.Errorf("version %d: %w", t.Version, canon.ErrVersion)
	case t.Format != Format:
		return fmt.Errorf("vault format %d: %w", t.Format, canon.ErrVersion)
	case t.N < 1 || t.N > canon.MaxNumber:
		return fmt.Errorf("number %d is out of range", t.N)
	case (t.N == 1) != (t.Prev == ""):
		return errors.New("the first trust, and no other, has no predecessor")
	}
	if t.Prev != "" {
		if _, err := canon.ParseSum(t.Prev); err != nil {
			return fmt.Errorf("predecessor: %w", err)
		}
	}
	if at, err := time.Parse(time.RFC3339, t.Time); err != nil || at.UTC().Format(time.RFC3339) != t.Time {
		return fmt.Errorf("time %.40q: want RFC 3339 in UTC with whole seconds", t.Time)
	}
	_, err := ParseVaultID(string(t.Vault))
	return err
}

func checkSecrets(t *Trust) error {
	data, segment, _, err := t.Keys()
	if err == nil && data == segment {
		err = errors.New("data and segments must have keys of their own")
	}
	return err
}

func checkRecipients(t *Trust) error {
	r, err := seal.ParseRecipients(t.Recipients)
	if err != nil {
		return fmt.Errorf("recipients: %w", err)
	}
	if r.Len() == 0 || !slices.Equal(r.Strings(), t.Recipients) {
		return errors.New("recipients: not in canonical form")
	}
	return nil
}

func checkFloor(t *Trust) error {
	if min(t.Floor.KeepLast, t.Floor.KeepDays) < 0 || max(t.Floor.KeepLast, t.Floor.KeepDays) > maxFloor {
		return fmt.Errorf("retention floor: last %d, days %d: want 0 to %d", t.Floor.KeepLast, t.Floor.KeepDays, maxFloor)
	}
	return nil
}

// checkDevices checks each device, and that no two share an ID or a key: what
// one signs must never pass as the other's.
func checkDevices(t *Trust) error {
	if len(t.Devices) < 1 || len(t.Devices) > MaxDevices {
		return fmt.Errorf("%d devices: want 1 to %d", len(t.Devices), MaxDevices)
	}
	taken := map[string]bool{}
	for _, r := range t.Recipients {
		taken[r] = true // a machine that opens what it writes would not be write-only
	}
	for i := range t.Devices {
		d := &t.Devices[i]
		if err := d.check(t.Devices[:i]); err != nil {
			return fmt.Errorf("device %.20q: %w", d.ID, err)
		}
		for _, key := range []string{string(d.ID), d.Sign, d.Age} {
			if taken[key] {
				return fmt.Errorf("device %s: shares its ID or a key with another device or a recipient", d.ID)
			}
			taken[key] = true
		}
	}
	_, err := t.openers()
	return err
}

// check checks one device by itself; earlier are those enrolled before it.
func (d *Device) check(earlier []Device) error {
	if _, err := ParseDeviceID(string(d.ID)); err != nil {
		return err
	}
	if d.Label == "" || len(d.Label) > maxLabel || !utf8.ValidString(d.Label) || strings.ContainsFunc(d.Label, unicode.IsControl) {
		return fmt.Errorf("label %.*q: want 1 to %d bytes of text", maxLabel, d.Label, maxLabel)
	}
	if _, err := ParsePublic(d.Sign); err != nil {
		return err
	}
	if err := checkAge(d.Age); err != nil {
		return err
	}
	if err := checkRoles(d.Roles); err != nil {
		return err
	}
	if d.Until != nil {
		if err := d.Until.check(); err != nil {
			return err
		}
	}
	return checkInherits(d.Inherits, earlier)
}

// checkAge wants one native recipient in its one spelling.
func checkAge(s string) error {
	r, err := seal.ParseRecipients([]string{s})
	if err != nil {
		return err
	}
	if !strings.HasPrefix(s, "age1") || !slices.Equal(r.Strings(), []string{s}) {
		return errors.New("its age key is not a native age recipient in canonical form")
	}
	return nil
}

// checkRoles wants at least one role, each once, in the one order.
func checkRoles(have []Role) error {
	if len(have) == 0 {
		return errors.New("it has no role")
	}
	last := -1
	for _, r := range have {
		i := slices.Index(roles, r)
		if i < 0 {
			return fmt.Errorf("role %.20q is not known", r)
		}
		if i <= last {
			return fmt.Errorf("roles: want each once, in the order %q", roles)
		}
		last = i
	}
	return nil
}

func (u *Until) check() error {
	if u.Seq == 0 && u.Hash == "" && len(u.Also) == 0 {
		return nil
	}
	if u.Seq == 0 || u.Seq > canon.MaxNumber {
		return fmt.Errorf("until: number %d is out of range", u.Seq)
	}
	for _, h := range append([]string{u.Hash}, u.Also...) {
		if _, err := canon.ParseSum(h); err != nil {
			return fmt.Errorf("until: %w", err)
		}
	}
	if len(u.Also) > maxEnds || !slices.IsSorted(u.Also) || len(slices.Compact(slices.Clone(u.Also))) < len(u.Also) {
		return fmt.Errorf("until: further ends: want at most %d, sorted, each once", maxEnds)
	}
	return nil
}

// maxEnds bounds the further ends of a forked history.
const maxEnds = 15

// checkInherits lets a device inherit only what was enrolled earlier, so that
// there is no circle, and was revoked, so that no two machines at work share
// their packs.
func checkInherits(inherits []DeviceID, earlier []Device) error {
	for i, old := range inherits {
		j := slices.IndexFunc(earlier, func(d Device) bool { return d.ID == old })
		switch {
		case slices.Contains(inherits[:i], old):
			return fmt.Errorf("inherits %s twice", old)
		case j < 0:
			return fmt.Errorf("inherits %.20q, which is not an earlier device", old)
		case earlier[j].Until == nil:
			return fmt.Errorf("inherits %s, which is not revoked", old)
		}
	}
	return nil
}
