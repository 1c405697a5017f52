package vault

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

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

// PlanForget applies policies to the snapshots that are not forgotten: the
// plans of all stand one after the other, each oldest first. What this device
// made it judges by its catalog; with the identity it reads the bodies of all
// others; what it cannot judge stays. The trust's floor and this device's pins
// hold whatever a policy says. It changes nothing; Forget takes what goes.
func (v *Vault) PlanForget(ctx context.Context, policies ...KeepOptions) ([]Kept, error) {
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
	c, err := v.newKeeper(all, now)
	if err != nil {
		return nil, err
	}
	var plan []Kept
	for _, o := range policies {
		part, err := c.plan(ctx, o)
		if err != nil {
			return nil, err
		}
		plan = append(plan, part...)
	}
	return plan, nil
}

// A keeper knows what policies go by.
type keeper struct {
	v    *Vault
	now  time.Time
	all  []*Snapshot
	held map[*Snapshot]bool        // by the floor
	pins map[string]bool           // by base names
	own  map[string]state.Snapshot // the catalog, by base names
}

func (v *Vault) newKeeper(all []*Snapshot, now time.Time) (*keeper, error) {
	c := &keeper{v: v, now: now, all: all, held: v.FloorHolds(all, now), own: map[string]state.Snapshot{}}
	var err error
	if c.pins, err = v.Pins(); err != nil || v.dir == nil {
		return c, err
	}
	for s, err := range v.dir.Snapshots() {
		if err != nil {
			return nil, err
		}
		c.own[path.Base(s.Commit)] = s
	}
	return c, nil
}

// plan applies one policy.
func (c *keeper) plan(ctx context.Context, o KeepOptions) ([]Kept, error) {
	var snaps []*Snapshot
	for _, s := range c.all {
		if c.v.concerns(o, s) {
			snaps = append(snaps, s)
		}
	}
	values, err := c.describe(ctx, snaps)
	if err != nil {
		return nil, err
	}
	for i, s := range snaps {
		if c.held[s] {
			values[i].Held = append(values[i].Held, "the vault's floor")
		}
		if c.pins[s.Name.Base()] {
			values[i].Held = append(values[i].Held, "pinned")
		}
		if o.ClaimedTimes {
			values[i].Stored = s.Time()
		}
	}
	o.Policy.Minimum = max(o.Policy.Minimum, c.v.Trust().Floor.KeepLast)
	out := make([]Kept, len(snaps))
	for i, d := range retention.Apply(o.Policy, values, c.now) {
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
func (c *keeper) describe(ctx context.Context, snaps []*Snapshot) ([]retention.Snapshot, error) {
	out := make([]retention.Snapshot, len(snaps))
	err := parallel(ctx, 8, len(snaps), func(ctx context.Context, i int) (err error) {
		out[i], err = c.value(ctx, snaps[i])
		return err
	})
	return out, err
}

func (c *keeper) value(ctx context.Context, s *Snapshot) (retention.Snapshot, error) {
	out := retention.Snapshot{
		ID: s.Name.String(), Project: string(s.Commit.Project), Device: string(c.v.heir(s.Name.Device)), Stored: s.Stored, Claimed: s.Time(),
	}
	if own, ok := c.own[s.Name.Base()]; ok {
		out.Known, out.Partial, out.Files, out.Bytes, out.Tags = true, own.Partial, own.Files, own.Bytes, own.Tags
		return out, nil
	}
	if !c.v.HasIdentity() {
		return out, nil
	}
	b, err := c.v.body(ctx, s)
	if isDamage(err) {
		c.v.notice(s.Commit.Body, err, "snapshot "+s.Short()+" cannot be restored until it is back")
		return out, nil
	}
	if err == nil {
		out.Known, out.Partial, out.Files, out.Bytes, out.Tags = true, b.Partial, b.Counts.Files, b.Counts.Bytes, b.Tags
	}
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
