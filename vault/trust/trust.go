package trust

import (
	"fmt"
	"slices"

	"coffer/chunk"
)

// Format is the version of the vault's format that this program reads and
// writes: of all objects together, where "v" is that of one line.
const Format = 1

// A Role is what the trust lets a device sign.
type Role string

const (
	Write    Role = "write"    // snapshots, progress, checks, drills, moves that heal
	Forget   Role = "forget"   // that snapshots may go
	Maintain Role = "maintain" // condemned lists, repacks, dismissals
)

// roles in the order in which a device lists them.
var roles = []Role{Write, Forget, Maintain}

// A Trust says who may do what in a vault. Its fields stand in the order of
// its one line of JSON.
type Trust struct {
	Version int     `json:"v"`
	Vault   VaultID `json:"vault"`
	N       uint64  `json:"n"`    // 1 for the first, then one more each time
	Prev    string  `json:"prev"` // SHA-256 of the object of trust N-1, in hex; "" for the first
	Format  int     `json:"format"`
	Time    string  `json:"time"` // when it was signed, RFC 3339 in UTC; decides nothing

	// Devices in the order they were enrolled. None ever leaves the list, or
	// its commits could no longer be verified.
	Devices []Device `json:"devices"`
	// Recipients of everything in the vault, canonical (see seal.Recipients).
	Recipients []string `json:"recipients"`

	// Secrets that all devices share, in the text form of chunk.Key and
	// chunk.Polynomial. They never change. See [Trust.Keys].
	DataKey    string `json:"data_key"`
	SegmentKey string `json:"segment_key"`
	Polynomial string `json:"polynomial"`

	Floor Floor `json:"floor"`
}

// A Device is a machine that writes to the vault, or once did.
type Device struct {
	ID    DeviceID `json:"id"`
	Label string   `json:"label"` // what people call it
	Sign  string   `json:"sign"`  // its signing key, "ssh-ed25519 AAAA..."
	Age   string   `json:"age"`   // the age recipient that trusts are sealed to
	Roles []Role   `json:"roles"`
	// Until is nil for a device in good standing. A revoked one keeps its
	// entry, and this says which of its commits stay valid.
	Until *Until `json:"until,omitempty"`
	// Inherits lists revoked devices that this one replaces: it counts their
	// packs as its own.
	Inherits []DeviceID `json:"inherits,omitempty"`
}

// Until names the last valid commit of a revoked device: it and its ancestors
// stay valid, nothing else does. Seq 0 and no hash mean none. Where the device's
// history had forked and no commit had joined the branches, Also names the ends
// of the others: what they hold was committed, so it stays.
type Until struct {
	Seq  uint64   `json:"seq"`
	Hash string   `json:"hash"`           // SHA-256 of the commit, as its name ends
	Also []string `json:"also,omitempty"` // likewise, of the further ends, sorted
}

// A Floor is what every forget must leave of each project, whatever a policy
// says.
type Floor struct {
	KeepLast int `json:"last"` // the newest so many snapshots
	KeepDays int `json:"days"` // every snapshot of the last so many days
}

// Device returns the entry of a device, revoked or not.
func (t *Trust) Device(id DeviceID) (*Device, bool) {
	i := slices.IndexFunc(t.Devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return nil, false
	}
	return &t.Devices[i], true
}

// Allows reports whether the device may sign in this role now. A revoked
// device may sign nothing more; what it signed before is judged by its role
// and its Until.
func (t *Trust) Allows(id DeviceID, role Role) bool {
	d, ok := t.Device(id)
	return ok && d.Until == nil && d.Has(role)
}

// Has reports whether the device was given the role.
func (d *Device) Has(role Role) bool { return slices.Contains(d.Roles, role) }

// Lineage returns the device and all that it inherits, at any remove: what
// "this device" means where packs are looked for. It is empty for a device
// that is not in the trust.
func (t *Trust) Lineage(id DeviceID) []DeviceID {
	d, ok := t.Device(id)
	if !ok {
		return nil
	}
	line := []DeviceID{id}
	for _, old := range d.Inherits {
		for _, id := range t.Lineage(old) { // ends: Check allows earlier devices only
			if !slices.Contains(line, id) {
				line = append(line, id)
			}
		}
	}
	return line
}

// Keys returns the shared secrets.
func (t *Trust) Keys() (data, segment chunk.Key, poly chunk.Polynomial, err error) {
	if data, err = chunk.ParseKey(t.DataKey); err != nil {
		return data, segment, poly, fmt.Errorf("data key: %w", err)
	}
	if segment, err = chunk.ParseKey(t.SegmentKey); err != nil {
		return data, segment, poly, fmt.Errorf("segment key: %w", err)
	}
	poly, err = chunk.ParsePolynomial(t.Polynomial)
	return data, segment, poly, err
}

// String names the trust without its secrets.
func (t Trust) String() string {
	return fmt.Sprintf("trust %d of vault %s", t.N, t.Vault)
}

// GoString is String: a trust holds secrets.
func (t Trust) GoString() string { return t.String() }
