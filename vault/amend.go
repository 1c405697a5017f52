package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/kit"
	"coffer/vault/trust"
)

// Amend makes and stores the trust that follows the present one, as change
// makes it: who may do what from now on. It needs the kit. change may be called
// again, on top of another trust, if one was made at the same time; it must
// then find that what it wants is there, or do it again. What the other one
// said is taken in, see takeIn, so that neither is lost.
func (v *Vault) Amend(ctx context.Context, k *kit.Kit, change func(next *trust.Trust) error) error {
	if !v.IsRoot(k) {
		return fmt.Errorf("%w: the identity given is one of a further recipient, and only the kit's own may change who takes part", ErrNoIdentity)
	}
	for range maxEnrols {
		if err := v.refreshTrust(ctx, k); err != nil {
			return err
		}
		next, err := v.nextTrust(ctx)
		if err == nil {
			err = change(next)
		}
		if err != nil {
			return err
		}
		if sameRules(next, v.Trust()) {
			return nil
		}
		name, obj, _, err := trust.Seal(next, trust.RootKey(k.Identity))
		if err != nil {
			return err
		}
		if err := v.store.Put(ctx, remote.NewObject(name, obj)); err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
	}
	return fmt.Errorf("%w, %d times in a row", errOvertaken, maxEnrols)
}

// IsRoot tells whether a kit holds the vault's own identity, and not that of a
// further recipient.
func (v *Vault) IsRoot(k *kit.Kit) bool {
	return v.root.Equal(trust.RootKey(k.Identity).Public().(ed25519.PublicKey))
}

// nextTrust is the trust that follows the one in force, with what others of the
// same number said, and nothing else changed.
func (v *Vault) nextTrust(ctx context.Context) (*trust.Trust, error) {
	b := v.belief.Load()
	next := *b.trust
	next.Devices, next.Recipients = slices.Clone(b.trust.Devices), slices.Clone(b.trust.Recipients)
	for _, o := range b.others {
		if err := v.takeIn(ctx, &next, o); err != nil {
			return nil, err
		}
	}
	var err error
	if _, next.Prev, err = trust.ParseName(b.name); err != nil {
		return nil, err
	}
	next.N++
	next.Time = time.Now().UTC().Format(time.RFC3339)
	return &next, nil
}

// takeIn adds to next what another trust said that the root key signed too, and
// that next was not made from: two machines were enrolled, or two people at
// work, in the same seconds. Devices and revocations are taken from any; all
// else only from one with the number of the trust in force, by what it changed:
// an older one has been heard before, and may have been changed back since.
func (v *Vault) takeIn(ctx context.Context, next *trust.Trust, o otherTrust) error {
	for i := range next.Devices {
		d := &next.Devices[i]
		if theirs, ok := o.trust.Device(d.ID); ok && d.Until == nil {
			d.Until = theirs.Until
		}
	}
	for _, theirs := range o.trust.Devices {
		if _, ok := next.Device(theirs.ID); !ok {
			next.Devices = append(next.Devices, theirs)
		}
	}
	if o.trust.N != next.N {
		return nil
	}
	base, err := v.trustBefore(ctx, o.trust)
	if err != nil || base == nil {
		return err
	}
	for i := range next.Devices {
		takeInDevice(&next.Devices[i], base, o.trust)
	}
	if o.trust.Floor != base.Floor {
		next.Floor = o.trust.Floor
	}
	return takeInRecipients(next, base, o.trust)
}

func takeInDevice(d *trust.Device, base, theirs *trust.Trust) {
	was, ok := base.Device(d.ID)
	is, still := theirs.Device(d.ID)
	if !ok || !still {
		return
	}
	if !slices.Equal(is.Roles, was.Roles) {
		d.Roles = is.Roles
	}
	if is.Label != was.Label {
		d.Label = is.Label
	}
}

func takeInRecipients(next, base, theirs *trust.Trust) error {
	list := slices.DeleteFunc(next.Recipients, func(r string) bool {
		return slices.Contains(base.Recipients, r) && !slices.Contains(theirs.Recipients, r)
	})
	for _, r := range theirs.Recipients {
		if !slices.Contains(base.Recipients, r) && !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return setRecipients(next, list)
}

func setRecipients(t *trust.Trust, list []string) error {
	r, err := seal.ParseRecipients(list)
	if err == nil {
		t.Recipients = r.Strings()
	}
	return err
}

// trustBefore reads the trust that t was made from; nil if it cannot be read.
func (v *Vault) trustBefore(ctx context.Context, t *trust.Trust) (*trust.Trust, error) {
	if t.N < 2 {
		return nil, nil
	}
	found, err := v.listTrusts(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if f.n != t.N-1 || f.sum != t.Prev {
			continue
		}
		base, err := v.openTrust(ctx, f)
		if err != nil && IsRemote(err) {
			return nil, err
		}
		return base, nil
	}
	return nil, nil
}

// sameRules tells whether two trusts say the same but for their place.
func sameRules(a, b *trust.Trust) bool {
	x, y := *a, *b
	x.N, x.Prev, x.Time = y.N, y.Prev, y.Time
	return reflect.DeepEqual(x, y)
}

// A LastError: a change would leave no device in good standing with a role.
type LastError struct{ Role trust.Role }

func (e *LastError) Error() string {
	return fmt.Sprintf("no other device has the role %q", e.Role)
}

// Revoke puts a device out: of what it signed only what stands on the remote
// now counts from then on, and it can read no trust that is made later. force
// revokes also the last one that has a role; else that is a *LastError. It does
// nothing if the device is revoked.
func (v *Vault) Revoke(ctx context.Context, k *kit.Kit, id trust.DeviceID, force bool) error {
	return v.Amend(ctx, k, func(next *trust.Trust) error {
		i, err := findEntry(next, id)
		if err != nil || next.Devices[i].Until != nil {
			return err
		}
		if err := v.end(ctx, &next.Devices[i]); err != nil || force {
			return err
		}
		return someoneLeft(next, next.Devices[i].Roles)
	})
}

// SetRoles gives a device in good standing other roles, at least one. force and
// the errors are those of Revoke.
func (v *Vault) SetRoles(ctx context.Context, k *kit.Kit, id trust.DeviceID, roles []trust.Role, force bool) error {
	if err := v.rolesNotUsed(ctx, id, roles); err != nil {
		return err
	}
	return v.Amend(ctx, k, func(next *trust.Trust) error {
		i, err := findEntry(next, id)
		if err != nil {
			return err
		}
		d := &next.Devices[i]
		if d.Until != nil {
			return fmt.Errorf("device %s is revoked", id)
		}
		had := d.Roles
		d.Roles = slices.DeleteFunc(slices.Clone(allRoles), func(r trust.Role) bool { return !slices.Contains(roles, r) })
		if force {
			return nil
		}
		return someoneLeft(next, had)
	})
}

// ErrRoleUsed: commits that a device signed count only while it has a role, and
// must go on to count: what they forgot is deleted, what they moved lies where
// they say.
var ErrRoleUsed = errors.New("it has signed what counts only while it has this role")

// rolesNotUsed fails with ErrRoleUsed if a device would lose a role that it has
// used. To revoke the device is another matter: what it signed until then stays
// valid.
func (v *Vault) rolesNotUsed(ctx context.Context, id trust.DeviceID, keeps []trust.Role) error {
	dev, ok := v.Trust().Device(id)
	if !ok {
		return nil // Amend tells
	}
	recs, err := v.history(ctx, dev)
	if err != nil {
		return err
	}
	for i := range recs {
		switch recs[i].name.Kind {
		case commit.Forget, commit.Move, commit.Dismiss:
		default:
			continue
		}
		if err := v.load(ctx, &recs[i]); err != nil {
			return fmt.Errorf("look for what device %s has signed: %w", id, err)
		}
		if role := recs[i].c.Role(); dev.Has(role) && !slices.Contains(keeps, role) {
			return fmt.Errorf("take the role %q from device %s: %w: %s", role, id, ErrRoleUsed, recs[i].name)
		}
	}
	return v.condemnsNot(ctx, dev, keeps)
}

// condemnsNot is rolesNotUsed for condemned lists, which runs at work must go on
// to heed.
func (v *Vault) condemnsNot(ctx context.Context, dev *trust.Device, keeps []trust.Role) error {
	if slices.Contains(keeps, trust.Maintain) {
		return nil
	}
	for info, err := range v.store.List(ctx, commit.Condemned+"/"+string(dev.ID)+"/", "") {
		if err != nil {
			return fmt.Errorf("list condemned: %w", err)
		}
		return fmt.Errorf("take the role %q from device %s: %w: %s", trust.Maintain, dev.ID, ErrRoleUsed, info.Name)
	}
	return nil
}

// allRoles in the order in which a trust lists them.
var allRoles = []trust.Role{trust.Write, trust.Forget, trust.Maintain}

// SetFloor changes what every forget must leave.
func (v *Vault) SetFloor(ctx context.Context, k *kit.Kit, f trust.Floor) error {
	return v.Amend(ctx, k, func(next *trust.Trust) error {
		next.Floor = f
		return nil
	})
}

// AddRecipient lets the holder of one more key read everything that is stored
// from the next run on. That run deduplicates against nothing that was stored
// before, so it costs an upload of all; see StoredNow.
func (v *Vault) AddRecipient(ctx context.Context, k *kit.Kit, recipient string) error {
	return v.Amend(ctx, k, func(next *trust.Trust) error {
		if slices.Contains(next.Recipients, recipient) {
			return nil
		}
		return setRecipients(next, append(next.Recipients, recipient))
	})
}

// RemoveRecipient ends that for what is stored from the next run on. What was
// stored before stays open to it, and is still relied on. The kit's own cannot
// be removed.
func (v *Vault) RemoveRecipient(ctx context.Context, k *kit.Kit, recipient string) error {
	if v.IsRoot(k) && recipient == k.Identity.Recipient() {
		return errors.New("that recipient is the recovery kit's own: without it nobody could restore")
	}
	return v.Amend(ctx, k, func(next *trust.Trust) error {
		return setRecipients(next, slices.DeleteFunc(next.Recipients, func(r string) bool { return r == recipient }))
	})
}

func findEntry(t *trust.Trust, id trust.DeviceID) (int, error) {
	i := slices.IndexFunc(t.Devices, func(d trust.Device) bool { return d.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("the trust names no device %s", id)
	}
	return i, nil
}

// someoneLeft fails if no device in good standing has one of the roles.
func someoneLeft(t *trust.Trust, roles []trust.Role) error {
	for _, r := range roles {
		if !slices.ContainsFunc(t.Devices, func(d trust.Device) bool { return d.Until == nil && d.Has(r) }) {
			return &LastError{r}
		}
	}
	return nil
}

// StoredNow returns how many bytes the packs have that the newest snapshot of
// each project needs: about what a full upload of all would cost.
func (v *Vault) StoredNow(ctx context.Context) (int64, error) {
	newest := map[trust.ProjectID]*Snapshot{}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return 0, err
		}
		if !s.Forgotten {
			newest[s.Commit.Project] = s
		}
	}
	sizes := map[string]int64{}
	for _, s := range newest {
		for p, err := range v.packsOf(ctx, s.Commit.Ledger) {
			if isDamage(err) {
				v.notice(s.Commit.Ledger, err, "snapshot "+s.Short())
				continue
			}
			if err != nil {
				return 0, err
			}
			sizes[p.Name()] = p.Size
		}
	}
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	return sum, nil
}
