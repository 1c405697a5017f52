package vault

import (
	"context"
	"fmt"
	"path"
	"slices"

	"coffer/vault/retention"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// KeepOptions say to what a policy is applied.
type KeepOptions struct {
	Policy retention.Policy
	// Projects, if not nil, are the only ones to look at.
	Projects []trust.ProjectID
	// OwnOnly leaves out what other devices made. A device that this one
	// replaced is not another.
	OwnOnly bool
	// ClaimedTimes goes by the times that devices claim, in a vault that was
	// copied: there the remote's times are those of the copy.
	ClaimedTimes bool
}

// A Kept is a snapshot and what the policy says of it.
type Kept struct {
	Snapshot *Snapshot
	retention.Decision
}

// PlanForget applies a policy to the snapshots that are not forgotten, oldest
// first. What this device made it judges by its catalog; with the identity it
// reads the bodies of all others; what it cannot judge stays. The trust's floor
// and this device's pins hold whatever the policy says. It changes nothing;
// Forget takes what goes.
func (v *Vault) PlanForget(ctx context.Context, o KeepOptions) ([]Kept, error) {
	now, err := v.store.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its time: %w", v.store.Location(), err)
	}
	all, err := v.list(ctx)
	if err == nil {
		err = v.loadAll(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	held := v.FloorHolds(all, now)
	snaps := slices.DeleteFunc(all, func(s *Snapshot) bool { return !v.concerns(o, s) })
	values, err := v.describe(ctx, snaps)
	if err != nil {
		return nil, err
	}
	pins, err := v.Pins()
	if err != nil {
		return nil, err
	}
	for i, s := range snaps {
		if held[s] {
			values[i].Held = append(values[i].Held, "the vault's floor")
		}
		if pins[s.Name.Base()] {
			values[i].Held = append(values[i].Held, "pinned")
		}
		if o.ClaimedTimes {
			values[i].Stored = s.Time()
		}
	}
	o.Policy.Minimum = max(o.Policy.Minimum, v.Trust().Floor.KeepLast)
	out := make([]Kept, len(snaps))
	for i, d := range retention.Apply(o.Policy, values, now) {
		out[i] = Kept{snaps[i], d}
	}
	return out, nil
}

// concerns tells whether a plan is about s.
func (v *Vault) concerns(o KeepOptions, s *Snapshot) bool {
	return s.Commit != nil && !s.Forgotten &&
		(o.Projects == nil || slices.Contains(o.Projects, s.Commit.Project)) &&
		(!o.OwnOnly || v.inherits(s.Name.Device))
}

// describe turns snapshots into what a policy goes by.
func (v *Vault) describe(ctx context.Context, snaps []*Snapshot) ([]retention.Snapshot, error) {
	own := map[string]state.Snapshot{}
	if v.dir != nil {
		for s, err := range v.dir.Snapshots() {
			if err != nil {
				return nil, err
			}
			own[path.Base(s.Commit)] = s
		}
	}
	out := make([]retention.Snapshot, len(snaps))
	err := parallel(ctx, 8, len(snaps), func(ctx context.Context, i int) error {
		s := snaps[i]
		out[i] = retention.Snapshot{
			ID: s.Name.String(), Project: string(s.Commit.Project), Device: string(v.heir(s.Name.Device)), Stored: s.Stored, Claimed: s.Time(),
		}
		if c, ok := own[s.Name.Base()]; ok {
			out[i].Known, out[i].Partial, out[i].Files, out[i].Bytes, out[i].Tags = true, c.Partial, c.Files, c.Bytes, c.Tags
			return nil
		}
		if !v.HasIdentity() {
			return nil
		}
		b, err := v.body(ctx, s)
		if isDamage(err) {
			v.notice(s.Commit.Body, err, "snapshot "+s.Short()+" cannot be restored until it is back")
			return nil
		}
		if err != nil {
			return err
		}
		out[i].Known, out[i].Partial, out[i].Files, out[i].Bytes, out[i].Tags = true, b.Partial, b.Counts.Files, b.Counts.Bytes, b.Tags
		return nil
	})
	return out, err
}

// heir is the device that took a device's place, at any remove; the device
// itself if none did.
func (v *Vault) heir(id trust.DeviceID) trust.DeviceID {
	for _, d := range v.Trust().Devices { // heirs come later in the list
		if slices.Contains(d.Inherits, id) {
			id = d.ID
		}
	}
	return id
}
