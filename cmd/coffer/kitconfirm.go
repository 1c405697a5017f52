package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// kitConfirm proves that a copy opens the vault, and takes the local kit away.
func (d *door) kitConfirm(ctx context.Context, args []string) error {
	k, err := d.readCopy(args)
	if err != nil {
		return err
	}
	ch, err := d.enrolled(ofState(k))
	if err != nil {
		return err
	}
	local := string(ch.dev.KitPath)
	if len(args) == 1 && sameFile(args[0], local) {
		return usagef("put it elsewhere first, and name the copy", "%s is the kit on this machine itself", args[0])
	}
	if err := d.tryKit(ctx, ch, k); err != nil {
		return err
	}
	removed, err := removeKit(local)
	if err != nil {
		return fmt.Errorf("the copy is good, but the kit on this machine could not be removed: %w", err)
	}
	_, err = ch.dir.UpdateDevice(func(dev *state.Device) error {
		dev.KitPath, dev.KitConfirmed = "", time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	d.tellConfirmed(ch, args, removed)
	return nil
}

// ofState is a kit without what it says of a vault, so that it is tried on the
// vault this machine knows; unless the machine knows the kit's too.
func ofState(k *kit.Kit) *kit.Kit {
	known, err := knownVaults()
	if err != nil {
		return nil
	}
	for _, ch := range known {
		if ch.dev.Vault == string(k.Vault) {
			return k
		}
	}
	return nil
}

// removeKit removes the local kit, and tells whether there was one. The state is
// told afterwards that there is none, so the kit must not come back.
func removeKit(path string) (bool, error) {
	if path == "" {
		return false, nil
	}
	err := files.RemoveForGood(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (d *door) tellConfirmed(ch chosen, args []string, removed bool) {
	near := len(args) == 1 && sameDisk(args[0], ch.dir.Path())
	if d.json {
		d.emit("kit_confirmed", map[string]any{"vault": ch.dev.Vault, "removed": removed, "copy_on_this_disk": near})
		return
	}
	gone := "no kit was left on this machine"
	if removed {
		gone = "the kit was removed from this machine"
	}
	fmt.Fprintf(d.out, "the copy opens vault %s; %s\n", ch.dev.Vault[:8], gone)
	switch {
	case isThere(wrappedPath(ch)):
		fmt.Fprintf(d.out, "  a copy of the identity stays, under a passphrase: %s\n", safeName(wrappedPath(ch)))
	case near:
		fmt.Fprintf(d.out, "  but the copy is on this machine's own disk: take it away from there, and this machine\n  can back up and verify, and not read what it stored\n")
	default:
		fmt.Fprintln(d.out, "  from now on this machine can back up and verify, and not read what it stored")
	}
}

// isRoot tells whether a kit is that of the vault itself. The identity of a
// further recipient opens the vault too, but enrols nobody.
func isRoot(ch chosen, k *kit.Kit) bool { return trust.PublicText(k.Root) == ch.dev.Root }

// tryKit opens the vault by the kit, and the newest snapshot if there is one.
func (d *door) tryKit(ctx context.Context, ch chosen, k *kit.Kit) error {
	const hint = "try another copy; coffer kit  says which vault it must be of"
	if !isRoot(ch, k) {
		return badKit(fmt.Errorf("the copy is not the kit of vault %s, so nothing was removed", ch.dev.Vault[:8]), hint)
	}
	v, err := d.openChosen(ctx, ch, k, shortPatience)
	if err != nil {
		return fmt.Errorf("the copy could not be tried, so nothing was removed: %w", err)
	}
	snap, err := v.Find(ctx, "latest", vault.Filter{})
	if nf := (*vault.NotFoundError)(nil); errors.As(err, &nf) {
		return nil
	}
	if err == nil {
		_, err = v.Source(ctx, snap)
	}
	if err != nil {
		return fmt.Errorf("the copy does not open the newest snapshot, so nothing was removed: %w", err)
	}
	return nil
}
