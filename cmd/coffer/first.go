package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"coffer/config"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/kit"
)

// birth is what making a vault left for its owner to see to.
type birth struct {
	kitPath string
	remote  config.Remote
}

// openOrMake opens the vault to back up to. On a machine that knows none it
// makes one: at the remote that was named, or in the user's data folder.
func (d *door) openOrMake(ctx context.Context, c *config.Config, ch chosen) (*vault.Vault, *birth, error) {
	wait, err := patience(longPatience)
	if err != nil {
		return nil, nil, err
	}
	if ch.dir == nil && ch.vault.Remote == (config.Remote{}) {
		root, err := dataRoot()
		if err != nil {
			return nil, nil, err
		}
		ch.vault = config.NewVault("", config.Remote{Dir: filepath.Join(root, "vault")})
	}
	if ch.dir == nil {
		return d.makeVault(ctx, ch.vault, nil, wait)
	}
	store, err := d.openStore(ctx, ch.vault, wait)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", ch.vault.Remote, err)
	}
	v, err := vault.Open(ctx, store, vault.OpenOptions{State: ch.dir})
	return v, nil, err
}

// makeVault makes a vault and its kit.
func (d *door) makeVault(ctx context.Context, cv config.Vault, recipients []string, wait time.Duration) (*vault.Vault, *birth, error) {
	if cv.Remote.Dir != "" {
		if _, err := dir.Create(cv.Remote.Dir); err != nil {
			return nil, nil, fmt.Errorf("make folder for the vault: %w", err)
		}
	}
	store, err := d.openStore(ctx, cv, min(wait, shortPatience))
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", cv.Remote, err)
	}
	states, err1 := stateRoot()
	data, err2 := dataRoot()
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname()
	v, _, path, err := vault.Init(ctx, store, vault.InitOptions{
		Classic: cv.Classic, Recipients: recipients, Label: host, StateRoot: states, KitDir: data, Remote: cv.Remote.String(),
	})
	if err != nil {
		return nil, nil, err
	}
	// The vault just made is used as any later run uses it: without the kit.
	v, err = vault.Open(ctx, store, vault.OpenOptions{State: v.State()})
	return v, &birth{path, cv.Remote}, err
}

// tellBirth says what a new vault's owner must do, once.
func (d *door) tellBirth(b *birth) {
	fmt.Fprintf(d.out, `
Your recovery kit:  %s
  It is the only key: with it you can restore everything, without it nobody can.
  Put a copy elsewhere (password manager, USB stick, paper), then run
      coffer kit confirm COPY
  which tries the copy and removes the kit from this machine.
`, safeName(b.kitPath))
	if b.remote.Dir != "" {
		fmt.Fprintf(d.out, `
The vault is a folder on this machine: %s
  If it is on the same disk, it does not survive that disk. Back up elsewhere too:
      coffer backup now FOLDER --to s3:https://HOST/BUCKET/PREFIX
`, safeName(b.remote.Dir))
	}
}

var (
	_ remote.Store
	_ kit.Kit
)
