package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/vault"
	"coffer/vault/kit"
)

// lending says what a command needs the vault's identity for.
type lending int

const (
	keyless lending = iota // for nothing; but where this machine is not enrolled, a kit stands in for its keys
	useful                 // it does more with it: a kit that is at hand is used
	needed                 // it cannot do without
)

// open opens the vault that the command line means.
func (d *door) open(ctx context.Context, l lending) (*vault.Vault, error) {
	ch, k, err := d.find(l)
	if err != nil {
		return nil, err
	}
	return d.openChosen(ctx, ch, k, shortPatience)
}

func (d *door) openChosen(ctx context.Context, ch chosen, k *kit.Kit, usual time.Duration) (*vault.Vault, error) {
	store, err := d.connect(ctx, ch, usual)
	if err != nil {
		return nil, ch.explain(err, k)
	}
	v, err := vault.Open(ctx, store, vault.OpenOptions{State: ch.dir, Kit: k})
	switch {
	case k != nil && errors.Is(err, vault.ErrNoIdentity):
		return nil, hinted(err, "lend the kit of that vault:  --kit FILE")
	case err != nil:
		return nil, ch.explain(err, k)
	}
	return v, nil
}

// find finds the vault, and the kit if it is wanted. On a machine that knows
// no vault the kit says where it is.
func (d *door) find(l lending) (chosen, *kit.Kit, error) {
	c, err := d.loadConfig()
	if err != nil {
		return chosen{}, nil, err
	}
	k, err := d.kitOfFlags()
	if err != nil {
		return chosen{}, nil, err
	}
	ch, err := d.choose(c, "", k)
	if err != nil {
		return chosen{}, nil, err
	}
	if k == nil && (l != keyless || ch.dir == nil) {
		if k, err = d.kitAtHand(ch, l == needed || ch.dir == nil); err != nil {
			return chosen{}, nil, err
		}
		if k != nil && ch.dir == nil {
			if ch, err = d.choose(c, "", k); err != nil {
				return chosen{}, nil, err
			}
		}
	}
	return ch, k, lacking(ch, k, l)
}

// lacking tells what is lacking to open the vault.
func lacking(ch chosen, k *kit.Kit, l lending) error {
	switch {
	case !ch.found() && k != nil:
		return placeUnknown()
	case !ch.found():
		return noVaultKnown()
	case ch.dir == nil && k == nil:
		return hinted(fmt.Errorf("%w: this machine is not enrolled in the vault at %s", vault.ErrNoIdentity, ch.vault.Remote),
			"lend it the recovery kit:  --kit FILE")
	case k == nil && l == needed:
		return vault.ErrNoIdentity
	}
	return nil
}

// placeUnknown is of a kit that was cut off or typed from paper without what
// stands below its secret.
func placeUnknown() error {
	return told{errors.New("the kit opens a vault, but does not say where that is: it has no line that begins with # remote:"), exitNoVault,
		"name the place:  --remote s3:https://HOST/BUCKET/PREFIX  or  --remote FOLDER"}
}

func noVaultKnown() error {
	if k, path := kitLeftHere(); k != nil {
		return told{fmt.Errorf("this machine had a vault at %s, and its local state is gone", k.Remote), exitNoVault,
			"restore from it:  coffer restore --kit " + shellWord(path) + " latest --target DIR\nor take its place in the vault again:  coffer enrol --kit " + shellWord(path) + " --replace list"}
	}
	return told{errors.New("this machine knows no vault"), exitNoVault,
		"make the first backup:  coffer backup now FOLDER\nor restore with the kit:  coffer restore --kit FILE latest --target DIR"}
}
