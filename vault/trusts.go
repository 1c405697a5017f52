package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// A belief is the trust in force.
type belief struct {
	trust *trust.Trust
	name  string // of its object
	// others bear the root's signature too: it was not made from each of them.
	others []otherTrust
	// unopened are trusts with a higher number that are sealed to others.
	unopened []string
	// lost says that the remote does not show it any more.
	lost bool
}

// otherTrust is one that was found beside the trust in force.
type otherTrust struct {
	trust *trust.Trust
	name  string
}

// pin is a trust that was seen and believed before.
type pin struct {
	n   uint64
	sum string // hex SHA-256 of the object; "" if unknown
}

// refreshTrust finds the newest trust that the root key signed. It never goes
// back: where a remote shows less than this device or the kit has seen, the
// device's own copy stays in force and that is noticed; without a copy the
// remote is refused with ErrRollback.
func (v *Vault) refreshTrust(ctx context.Context, k *kit.Kit) error {
	p := v.pinned(k)
	found, err := v.listTrusts(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		if err := v.noTrust(ctx, p); err != nil {
			return err
		}
	}
	c := &candidates{pin: p, dev: v.device()}
	for _, f := range found {
		if f.n < p.n {
			continue
		}
		t, err := v.openTrust(ctx, f)
		if isDamage(err) || errors.Is(err, seal.ErrNoIdentity) {
			v.notice(f.name, err, c.harmOf(err))
			c.missed(f, err)
			continue
		}
		if err != nil {
			return err
		}
		c.read = true
		if err := c.take(t, f); err != nil {
			c.odd = append(c.odd, oddTrust{t, f.name, err})
		}
	}
	if c.last == nil && !v.recall(ctx, c) {
		if v.device() != nil && len(c.unopened) > 0 {
			return fmt.Errorf("%w: %s is not sealed to it, so it was revoked", ErrRevoked, c.unopened[len(c.unopened)-1].name)
		}
		return v.noneBelieved(p, c.read)
	}
	for _, o := range c.odd {
		if !c.heard(o.trust) {
			v.notice(o.name, o.err, "the devices that only one of the trusts of this number names, until the kit is lent again:  coffer device list --kit FILE")
		}
	}
	return v.adoptTrust(c, slices.Contains(found, c.at))
}

// candidates are the trusts listed, from the pinned one on. The highest that
// bears the root's signature decides: only the holder of the kit can make one.
// So one that is rotten or missing in between stops nothing.
type candidates struct {
	pin      pin
	dev      *state.Device // nil when opened by the kit alone
	last     *trust.Trust  // the highest so far, nil at first
	at       foundTrust    // where last was found
	read     bool          // one could be opened
	unopened []foundTrust
	opened   []otherTrust
	odd      []oddTrust
}

// harmOf says what a trust that cannot be read harms.
func (c *candidates) harmOf(err error) string {
	if c.dev != nil && errors.Is(err, seal.ErrNoIdentity) {
		return "this device, which was revoked if that is genuine: it then can back up no more"
	}
	return "nothing if another trust of this number is good"
}

// oddTrust is one that does not fit the others.
type oddTrust struct {
	trust *trust.Trust
	name  string
	err   error
}

// heard tells whether the trust in force knows all devices of an earlier one,
// so that it no longer matters that this one did not fit.
func (c *candidates) heard(t *trust.Trust) bool {
	for _, d := range t.Devices {
		if _, ok := c.last.Device(d.ID); !ok {
			return false
		}
	}
	return t.N < c.last.N
}

// missed remembers a trust that is sealed to others.
func (c *candidates) missed(f foundTrust, err error) {
	if errors.Is(err, seal.ErrNoIdentity) {
		c.unopened = append(c.unopened, f)
	}
}

// take puts t in force. An error is what is wrong with the listing; of two
// trusts with one number the one that was seen before stays, else the first.
func (c *candidates) take(t *trust.Trust, f foundTrust) error {
	if c.dev != nil && (string(t.Vault) != c.dev.Vault || t.DataKey != c.dev.DataKey || t.SegmentKey != c.dev.SegmentKey || t.Polynomial != c.dev.Polynomial) {
		return errors.New("it is of another vault, or has other chunk keys")
	}
	c.opened = append(c.opened, otherTrust{t, f.name})
	var err error
	last := c.last
	switch {
	case last == nil && f.n == c.pin.n && c.pin.sum != "" && f.sum != c.pin.sum:
		return errors.New("it is not the trust that was seen under this number")
	case last == nil && f.n == c.pin.n+1 && c.pin.sum != "" && t.Prev != c.pin.sum:
		err = errors.New("it was not made from the trust that was seen before: two were made at once")
	case last != nil && t.N == last.N:
		return errors.New("two trusts have this number: two machines were enrolled at once")
	case last != nil && t.N == last.N+1:
		err = trust.Follows(t, last, c.at.sum)
	}
	c.last, c.at = t, f
	return err
}

// recall takes the trust that was seen before from this device's own copy.
func (v *Vault) recall(ctx context.Context, c *candidates) bool {
	raw, err := hex.DecodeString(c.pin.sum)
	if c.pin.n == 0 || err != nil || len(raw) != 32 {
		return false
	}
	f := foundTrust{trust.Name(c.pin.n, [32]byte(raw)), c.pin.n, c.pin.sum}
	if _, ok := v.cached(cacheName(f.name)); !ok {
		return false
	}
	t, err := v.openTrust(ctx, f)
	if err != nil {
		return false
	}
	c.last, c.at = t, f
	return true
}

// pinned returns the newest of what the state and the kit have seen.
func (v *Vault) pinned(k *kit.Kit) pin {
	var p pin
	if v.device() != nil {
		p = pin{v.device().TrustN, v.device().TrustSum}
	}
	if k != nil && k.TrustN > p.n {
		p = pin{k.TrustN, k.TrustSum}
	}
	return p
}

type foundTrust struct {
	name string
	n    uint64
	sum  string
}

// listTrusts lists the trust objects, oldest first.
func (v *Vault) listTrusts(ctx context.Context) ([]foundTrust, error) {
	var out []foundTrust
	for info, err := range v.store.List(ctx, "trust/", "") {
		if err != nil {
			return nil, fmt.Errorf("find the vault: %w", err)
		}
		n, sum, err := trust.ParseName(info.Name)
		if err != nil {
			v.notice(info.Name, err, "nothing: it is not one of ours")
			continue
		}
		out = append(out, foundTrust{info.Name, n, sum})
	}
	return out, nil
}

// openTrust fetches and verifies one trust with the keys at hand. The one in
// force was verified before, and its name is the hash of its bytes.
func (v *Vault) openTrust(ctx context.Context, f foundTrust) (*trust.Trust, error) {
	if b := v.belief.Load(); b != nil && b.name == f.name {
		return b.trust, nil
	}
	b, err := v.fetchCached(ctx, f.name, maxTrust)
	if err != nil {
		return nil, err
	}
	ids, err := v.trustIdentities()
	if err != nil {
		return nil, err
	}
	t, err := trust.Open(b, ids, v.root)
	if errors.Is(err, seal.ErrNoIdentity) {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if err != nil {
		return nil, damaged("%s: %w", f.name, err)
	}
	if t.N != f.n {
		return nil, damaged("%s: it says it is trust %d", f.name, t.N)
	}
	return t, nil
}

// trustIdentities are the vault's identity, if lent, and the device's own.
func (v *Vault) trustIdentities() (seal.Identities, error) {
	if v.device() == nil {
		return v.ids, nil
	}
	own, err := seal.ParseIdentity(v.device().AgeIdentity)
	if err != nil {
		return seal.Identities{}, fmt.Errorf("read device keys: %w", err)
	}
	return seal.NewIdentities(append(v.ids.Native(), own)...), nil
}

// noTrust tells a remote that holds nothing of a vault, where nothing may be
// begun again by itself (a disk that is not mounted looks like that, and so does
// the wrong folder), from one that lost its trusts.
func (v *Vault) noTrust(ctx context.Context, p pin) error {
	if p.n == 0 {
		return fmt.Errorf("%w: %s", ErrNoVault, v.store.Location())
	}
	for _, kind := range []string{"coffer.json", "commits/", "packs/", "snapshots/", "ledgers/", "rolls/", "moves/", "condemned/"} {
		for _, err := range v.store.List(ctx, kind, "") {
			if err != nil {
				return fmt.Errorf("find the vault: %w", err)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: %s holds nothing of this vault", ErrNoVault, v.store.Location())
}

// noneBelieved explains why not one of the listed trusts could be used.
func (v *Vault) noneBelieved(p pin, opened bool) error {
	if !opened && v.device() == nil {
		for _, q := range v.Problems() {
			if errors.Is(q.Err, seal.ErrNoIdentity) {
				return fmt.Errorf("%w: the kit is of another vault than the one at %s", ErrNoIdentity, v.store.Location())
			}
		}
	}
	if !opened && p.n == 0 {
		for _, q := range v.Problems() {
			if errors.Is(q.Err, trust.ErrSignature) {
				return fmt.Errorf("%w: the identity given is one of a further recipient of the vault at %s, and not its kit; without the kit's root key nothing there can be believed", ErrNoIdentity, v.store.Location())
			}
		}
		return damaged("no trust on %s could be opened: %v", v.store.Location(), v.Problems())
	}
	return fmt.Errorf("%w: trust %d was seen, and %s does not show it", ErrRollback, p.n, v.store.Location())
}

// adoptTrust puts the last of the chain in force and pins it.
func (v *Vault) adoptTrust(c *candidates, shown bool) error {
	t := c.last
	if v.belief.Load() == nil { // they never change
		var err error
		if v.dataKey, v.segKey, v.poly, err = t.Keys(); err != nil {
			return fmt.Errorf("trust %d: %w", t.N, err)
		}
	}
	b := &belief{trust: t, name: c.at.name, lost: !shown}
	b.others = slices.DeleteFunc(c.opened, func(o otherTrust) bool { return o.name == b.name })
	for _, f := range c.unopened {
		if f.n > t.N {
			b.unopened = append(b.unopened, f.name)
		}
	}
	if b.lost {
		v.notice(b.name, fmt.Errorf("%w: this trust was seen, and %s does not show it", ErrRollback, v.store.Location()),
			"nothing while this device has its own copy; its next run puts it back")
	}
	v.belief.Store(b)
	dev := v.device()
	if dev == nil || dev.TrustN == t.N && dev.TrustSum == c.at.sum {
		return nil
	}
	hash, err := hashRecipients(t.Recipients)
	if err != nil {
		return fmt.Errorf("trust %d: %w", t.N, err)
	}
	return v.updateDevice(func(d *state.Device) error {
		d.TrustN, d.TrustSum, d.Recipients, d.RecipientsHash = t.N, c.at.sum, t.Recipients, hash
		return nil
	})
}

// updateDevice changes what is on the disk of this device's keys, and reads it
// again.
func (v *Vault) updateDevice(fn func(*state.Device) error) error {
	dev, err := v.dir.UpdateDevice(fn)
	if err == nil {
		v.dev.Store(dev)
	}
	return err
}

// putTrustBack stores the trust in force again where the remote lost it: it
// bears the root's signature, and without it no one can tell which devices are
// the vault's.
func (v *Vault) putTrustBack(ctx context.Context, warn func(error)) error {
	b := v.belief.Load()
	if !b.lost {
		return nil
	}
	obj, err := v.fetchCached(ctx, b.name, maxTrust)
	if err != nil {
		return err
	}
	warn(fmt.Errorf("%w: %s is gone from %s; it is stored again", ErrRollback, b.name, v.store.Location()))
	if err := v.store.Put(ctx, remote.NewObject(b.name, obj)); err != nil {
		return fmt.Errorf("store %s again: %w", b.name, err)
	}
	return nil
}

// hashRecipients is the hash by which series are told apart.
func hashRecipients(lines []string) (string, error) {
	r, err := seal.ParseRecipients(lines)
	if err != nil {
		return "", err
	}
	sum := r.Hash()
	return hex.EncodeToString(sum[:]), nil
}
