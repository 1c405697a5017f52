package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// pin is a trust that was seen and believed before.
type pin struct {
	n   uint64
	sum string // hex SHA-256 of the object; "" if unknown
}

// refreshTrust finds the newest trust that the root key signed. It never goes
// back: a remote that shows less than this device or the kit has seen is
// refused with ErrRollback.
func (v *Vault) refreshTrust(ctx context.Context, k *kit.Kit) error {
	p := v.pinned(k)
	found, err := v.listTrusts(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return v.noTrust(ctx, p)
	}
	var prev *trust.Trust
	var prevSum string
	opened := 0
	for _, f := range found {
		if f.n < p.n {
			continue
		}
		t, err := v.openTrust(ctx, f)
		if isDamage(err) || errors.Is(err, seal.ErrNoIdentity) {
			v.notice(f.name, err, "nothing if another trust of this number is good")
			continue
		}
		if err != nil {
			return err
		}
		opened++
		if prev == nil && !p.admits(f) {
			v.notice(f.name, errors.New("not the trust this device has seen under this number"), "nothing: it is left out")
			continue
		}
		if prev != nil {
			if err := trust.Follows(t, prev, prevSum); err != nil {
				v.notice(f.name, err, "nothing: it is left out")
				continue
			}
		}
		prev, prevSum = t, f.sum
		v.trustName = f.name
	}
	if prev == nil {
		return v.noneBelieved(p, opened)
	}
	return v.adoptTrust(prev, prevSum)
}

// pinned returns the newest of what the state and the kit have seen.
func (v *Vault) pinned(k *kit.Kit) pin {
	var p pin
	if v.dev != nil {
		p = pin{v.dev.TrustN, v.dev.TrustSum}
	}
	if k != nil && k.TrustN > p.n {
		p = pin{k.TrustN, k.TrustSum}
	}
	return p
}

// admits tells whether f may be the first link: what was pinned, or anything
// where nothing was.
func (p pin) admits(f foundTrust) bool {
	return p.n == 0 || p.sum == "" || f.n == p.n && f.sum == p.sum
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

// openTrust fetches and verifies one trust with the keys at hand.
func (v *Vault) openTrust(ctx context.Context, f foundTrust) (*trust.Trust, error) {
	b, err := v.fetch(ctx, f.name, maxTrust)
	if err != nil {
		return nil, err
	}
	if sum := remote.NewObject(f.name, b).Sum; hex.EncodeToString(sum[:]) != f.sum {
		return nil, damaged("%s: its bytes do not match its name", f.name)
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
	if v.dev == nil {
		return v.ids, nil
	}
	own, err := seal.ParseIdentity(v.dev.AgeIdentity)
	if err != nil {
		return seal.Identities{}, fmt.Errorf("read device keys: %w", err)
	}
	return seal.NewIdentities(append(v.ids.Native(), own)...), nil
}

// noTrust tells an empty remote from one that lost its vault.
func (v *Vault) noTrust(ctx context.Context, p pin) error {
	if p.n == 0 {
		return fmt.Errorf("%w: %s", ErrNoVault, v.store.Location())
	}
	for _, err := range v.store.List(ctx, "", "") {
		if err != nil {
			return fmt.Errorf("find the vault: %w", err)
		}
		return fmt.Errorf("%w: trust %d was seen, and %s shows none", ErrRollback, p.n, v.store.Location())
	}
	return fmt.Errorf("%w: %s is empty, but this vault was there", ErrNoVault, v.store.Location())
}

// noneBelieved explains why not one of the listed trusts could be used.
func (v *Vault) noneBelieved(p pin, opened int) error {
	if opened == 0 && v.dev == nil {
		for _, q := range v.Problems() {
			if errors.Is(q.Err, seal.ErrNoIdentity) {
				return fmt.Errorf("%w: the kit is of another vault than the one at %s", ErrNoIdentity, v.store.Location())
			}
		}
	}
	if opened == 0 && p.n == 0 {
		for _, q := range v.Problems() {
			if errors.Is(q.Err, trust.ErrSignature) {
				return fmt.Errorf("%w: the identity given is one of a further recipient of the vault at %s, and not its kit; without the kit's root key nothing there can be believed", ErrNoIdentity, v.store.Location())
			}
		}
		return damaged("no trust on %s could be opened: %v", v.store.Location(), v.Problems())
	}
	return fmt.Errorf("%w: trust %d was seen, and %s does not show it", ErrRollback, p.n, v.store.Location())
}

// adoptTrust makes t the trust in force and pins it.
func (v *Vault) adoptTrust(t *trust.Trust, sum string) error {
	var err error
	if v.dataKey, v.segKey, v.poly, err = t.Keys(); err != nil {
		return fmt.Errorf("trust %d: %w", t.N, err)
	}
	v.trust = t
	if v.dev == nil || v.dev.TrustN == t.N && v.dev.TrustSum == sum {
		return nil
	}
	hash, err := hashRecipients(t.Recipients)
	if err != nil {
		return fmt.Errorf("trust %d: %w", t.N, err)
	}
	v.dev, err = v.dir.UpdateDevice(func(d *state.Device) error {
		d.TrustN, d.TrustSum, d.Recipients, d.RecipientsHash = t.N, sum, t.Recipients, hash
		return nil
	})
	return err
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
