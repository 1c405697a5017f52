package main

import (
	"errors"
	"fmt"

	"coffer/chunk/seal"
	"coffer/files"
)

// minPassphrase is the least number of bytes of a passphrase.
const minPassphrase = 8

// kitWrap keeps the identity under a passphrase, for who prefers convenience
// on a disk that is encrypted anyway.
func (d *door) kitWrap() error {
	if !d.canAsk() {
		return errors.New("kit wrap asks for a passphrase, and there is no terminal to ask on")
	}
	ch, k, err := d.find(needed)
	if err != nil {
		return err
	}
	if ch.dir == nil {
		return noVaultKnown()
	}
	pass, err := d.newPassphrase()
	if err != nil {
		return err
	}
	b, err := seal.WrapPassphrase([]byte(k.Identity.String()+"\n"), pass)
	if err != nil {
		return err
	}
	if err := files.WriteAtomic(wrappedPath(ch), b, 0o600); err != nil {
		return fmt.Errorf("write the wrapped identity: %w", err)
	}
	if d.json {
		d.emit("kit", map[string]any{"vault": ch.dev.Vault, "wrapped": true, "path": wrappedPath(ch)})
		return nil
	}
	fmt.Fprintf(d.out, "the identity is now on this machine, under the passphrase: %s\n  to be rid of it, delete that file\n", safeName(wrappedPath(ch)))
	return nil
}

func (d *door) newPassphrase() (string, error) {
	first, err := d.askSecret("passphrase: ")
	if err != nil {
		return "", err
	}
	if len(first) < minPassphrase {
		return "", usagef("nothing was written", "the passphrase is shorter than %d characters", minPassphrase)
	}
	again, err := d.askSecret("once more: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", usagef("nothing was written", "the passphrases differ")
	}
	return first, nil
}
