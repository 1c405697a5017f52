package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/trust"
)

// RecordCheck commits how a check of the vault ended, as one object, so that
// every device and the kit's holder can see when that was. It needs the role
// write and the local lock: state.ErrLocked while a backup is at work.
func (v *Vault) RecordCheck(ctx context.Context, d commit.Detail, warn func(error)) error {
	return v.record(ctx, "verify", commit.Check, d, warn)
}

// RecordDrill commits how a drill ended. d must name its snapshot.
func (v *Vault) RecordDrill(ctx context.Context, d commit.Detail, warn func(error)) error {
	return v.record(ctx, "drill", commit.Drill, d, warn)
}

func (v *Vault) record(ctx context.Context, command string, kind commit.Kind, d commit.Detail, warn func(error)) (err error) {
	r, err := v.beginClerk(ctx, command, trust.Write, warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = r.publish(ctx, draft{kind: kind, detail: &d, used: new(ledger.Set)})
	return err
}

// Newest returns the newest commit of each kind that a device in the trust
// signed and for which want is true; none is nil. It fetches commits of those
// kinds from the newest on.
func (v *Vault) Newest(ctx context.Context, want func(*commit.Commit) bool, kinds ...commit.Kind) ([]*commit.Commit, error) {
	newest := make([]*commit.Commit, len(kinds))
	for _, dev := range v.Trust().Devices {
		recs, err := v.history(ctx, &dev)
		if err != nil {
			return nil, err
		}
		for i, kind := range kinds {
			if newest[i], err = v.newestOf(ctx, recs, kind, newest[i], want); err != nil {
				return nil, err
			}
		}
	}
	return newest, nil
}

// newestOf returns the newest commit of a kind among recs that is newer than
// best, or best.
func (v *Vault) newestOf(ctx context.Context, recs []record, kind commit.Kind, best *commit.Commit, want func(*commit.Commit) bool) (*commit.Commit, error) {
	for i := len(recs) - 1; i >= 0; i-- {
		r := &recs[i]
		if r.name.Kind != kind || best != nil && !newer(r.name, best.Name()) {
			continue
		}
		if err := v.load(ctx, r); err != nil {
			if isDamage(err) {
				continue // history has told
			}
			return nil, err
		}
		if want(r.c) {
			return r.c, nil
		}
	}
	return best, nil
}

// SignDrill signs the report of a drill with this device's key. signer is the
// line of ssh-keygen's allowed_signers file that the signature verifies with.
func (v *Vault) SignDrill(report []byte) (sig []byte, signer string, err error) {
	if v.device() == nil {
		return nil, "", fmt.Errorf("%w: it has no keys of its own here", ErrRevoked)
	}
	key := v.device().SignKey()
	signer = trust.AllowedSigners(string(v.Device()), []string{trust.NamespaceDrill}, key.Public().(ed25519.PublicKey))
	return trust.Sign(key, trust.NamespaceDrill, report), signer, nil
}
