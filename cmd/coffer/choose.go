package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/config"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
)

// chosen is the vault that a command line means.
type chosen struct {
	vault config.Vault
	dir   *state.Dir // this device's local state of it; nil if there is none
	dev   *state.Device
}

// found tells whether any vault was chosen.
func (ch chosen) found() bool { return ch.vault.Remote != (config.Remote{}) }

// explain adds to an error of opening a vault that was there before that the
// place is probably the wrong one now.
func (ch chosen) explain(err error, k *kit.Kit) error {
	switch {
	case !errors.Is(err, vault.ErrNoVault) && !errors.Is(err, remote.ErrNoBucket):
		return err
	case ch.dir == nil && k != nil && k.Remote != "" && k.Remote != ch.vault.Remote.String():
		return hinted(err, "look at --remote once more; the kit says that its vault is at "+k.Remote)
	case ch.dir == nil && k != nil:
		return hinted(err, "is the right disk mounted, and are these the credentials of the right account?\nif the vault was moved, say where it is now:  --remote REMOTE")
	case ch.dir != nil:
		return hinted(err, "is the right disk mounted, or was the bucket emptied?\nif the vault is lost for good, remove "+ch.dir.Path()+" and make a new one")
	}
	return err
}

// choose finds the vault that is meant: the one at --remote, the one of
// --vault, the one of the kit, the config's default, or the only one this
// device knows. named is a vault of the config that the work at hand asks for.
func (d *door) choose(c *config.Config, named string, k *kit.Kit) (chosen, error) {
	known, err := knownVaults()
	if err != nil {
		return chosen{}, err
	}
	switch {
	case d.remote != "":
		return d.chooseAt(c, known, k)
	case d.vault != "":
		return chooseNamed(c, known, d.vault, k)
	case k != nil && k.Vault != "":
		return d.chooseByKit(c, known, k)
	case named == "" && c.DefaultVault == "" && len(c.Vaults) > 1:
		var all []chosen
		for _, v := range c.Vaults {
			all = append(all, chosen{vault: v})
		}
		return chosen{}, severalVaults(all, ", or set default-vault in the config")
	case named != "" || len(c.Vaults) > 0:
		return chooseNamed(c, known, named, k)
	case len(known) == 1:
		return known[0], nil
	case len(known) > 1:
		return chosen{}, severalVaults(known, "")
	}
	return chosen{}, nil
}

// chooseAt finds the vault at --remote, and refuses a --vault that is elsewhere.
func (d *door) chooseAt(c *config.Config, known []chosen, k *kit.Kit) (chosen, error) {
	r, err := parseRemote(d.remote)
	if err != nil {
		return chosen{}, err
	}
	if d.vault != "" {
		named, err := chooseNamed(c, known, d.vault, k)
		if err != nil {
			return chosen{}, err
		}
		if r != named.vault.Remote {
			return chosen{}, usagef("leave one of them out", "vault %q is at %s, not at %s", d.vault, named.vault.Remote, r)
		}
	}
	return match(known, vaultAt(c, r), k), nil
}

// chooseNamed finds a vault by its name in the config or by its ID.
func chooseNamed(c *config.Config, known []chosen, name string, k *kit.Kit) (chosen, error) {
	v, err := c.Vault(name)
	if err == nil {
		return match(known, v, k), nil
	}
	var hits []chosen
	for _, ch := range known {
		if len(name) >= 4 && strings.HasPrefix(ch.dev.Vault, strings.ToLower(name)) {
			hits = append(hits, ch)
		}
	}
	if len(hits) == 1 {
		return hits[0], nil
	}
	hint := "coffer config show  lists the vaults of the config"
	if len(known) > 0 {
		hint += "; those that this machine knows:\n" + list(known)
	}
	return chosen{}, usagef(hint, "%w", err)
}

// chooseByKit finds the vault that a kit is of.
func (d *door) chooseByKit(c *config.Config, known []chosen, k *kit.Kit) (chosen, error) {
	for _, ch := range known {
		if ch.dev.Vault == string(k.Vault) {
			return match(known, vaultAt(c, ch.vault.Remote), k), nil
		}
	}
	if k.Remote == "" {
		return chosen{}, nil
	}
	r, err := config.ParseRemote(k.Remote)
	if err != nil {
		return chosen{}, fmt.Errorf("the kit's remote %q: %w", k.Remote, err)
	}
	if len(known) > 0 {
		d.note("the kit is of another vault than this machine's: of %s at %s", k.Vault[:8], k.Remote)
	}
	return match(known, vaultAt(c, r), k), nil
}

// vaultAt is the config's vault at a remote, or one with the defaults.
func vaultAt(c *config.Config, r config.Remote) config.Vault {
	for _, v := range c.Vaults {
		if v.Remote == r {
			return v
		}
	}
	return config.NewVault("", r)
}

// match finds what this device knows of a vault. With a kit of another vault,
// what it knew at the same place does not count.
func match(known []chosen, v config.Vault, k *kit.Kit) chosen {
	for _, ch := range known {
		if ch.vault.Remote == v.Remote && (k == nil || k.Vault == "" || ch.dev.Vault == string(k.Vault)) {
			ch.vault = v
			return ch
		}
	}
	return chosen{vault: v}
}

// severalVaults is the error of a command that takes one vault, and was told
// none.
func severalVaults(all []chosen, or string) error {
	hint := "add one of these" + or + ":"
	for _, ch := range all {
		hint += "\n--vault " + ch.name() + "  " + ch.vault.Remote.String()
	}
	return usagef(hint, "this machine knows several vaults, and nothing says which is meant")
}

func list(known []chosen) string {
	var lines []string
	for _, ch := range known {
		lines = append(lines, ch.dev.Vault[:8]+"  "+ch.vault.Remote.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
