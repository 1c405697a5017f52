package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"coffer/chunk/seal"
	"coffer/config"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/kit"
)

// birth is what making a vault left for its owner to see to.
type birth struct {
	kitPath string
	vault   string
	device  string
	remote  config.Remote
}

// openOrMake opens the vault to back up to. On a machine that knows none it
// makes one: at the remote that was named, or in the user's data folder.
func (d *door) openOrMake(ctx context.Context, ch chosen) (*vault.Vault, *birth, error) {
	if ch.dir != nil {
		v, err := d.openChosen(ctx, ch, nil, longPatience)
		return v, nil, err
	}
	if !ch.found() {
		root, err := dataRoot()
		if err != nil {
			return nil, nil, err
		}
		if err := refuseSecond(); err != nil {
			return nil, nil, err
		}
		ch.vault = config.NewVault("", config.Remote{Dir: filepath.Join(root, "vault")})
	}
	return d.makeVault(ctx, ch, nil)
}

// refuseSecond fails if this machine once had a vault and lost its state: a
// second vault, made in silence, would take all that comes from now on, and
// nobody would look for the first one.
func refuseSecond() error {
	k, path := kitLeftHere()
	if k == nil {
		return nil
	}
	return hinted(fmt.Errorf("this machine had a vault at %s, and its local state is gone", k.Remote),
		"take its place in the vault again:  coffer enrol --kit "+shellWord(path)+" --replace list\nor make a new vault elsewhere:  coffer backup now FOLDER --to REMOTE")
}

// kitLeftHere finds the kit of a vault that was made on this machine, where no
// local state says that it was.
func kitLeftHere() (*kit.Kit, string) {
	root, err := dataRoot()
	if err != nil {
		return nil, ""
	}
	kits, err := filepath.Glob(filepath.Join(root, "coffer-kit-*.txt"))
	if err != nil || len(kits) == 0 {
		return nil, ""
	}
	k, err := readKit(kits[0])
	if err != nil || k.Remote == "" {
		return nil, ""
	}
	return k, kits[0]
}

// makeVault makes a vault and its kit.
func (d *door) makeVault(ctx context.Context, ch chosen, recipients []string) (*vault.Vault, *birth, error) {
	if err := checkRecipients(recipients, ch.vault.Classic); err != nil {
		return nil, nil, err
	}
	if at := ch.vault.Remote.Dir; at != "" {
		if _, err := dir.Create(at); err != nil {
			return nil, nil, fmt.Errorf("make a folder for the vault: %w", err)
		}
	}
	store, err := d.connect(ctx, ch, shortPatience)
	if err != nil {
		return nil, nil, err
	}
	states, err1 := stateRoot()
	data, err2 := dataRoot()
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname()
	v, _, path, err := vault.Init(ctx, store, vault.InitOptions{
		Classic: ch.vault.Classic, Recipients: recipients, Label: host, StateRoot: states, KitDir: data, Remote: ch.vault.Remote.String(),
	})
	if err != nil {
		return nil, nil, err
	}
	b := &birth{path, string(v.ID()), string(v.Device()), ch.vault.Remote}
	// The vault just made is used as any later run uses it: without the kit.
	v, err = vault.Open(ctx, store, vault.OpenOptions{State: v.State()})
	return v, b, err
}

// checkRecipients names the one of --recipient that is wrong.
func checkRecipients(lines []string, classic bool) error {
	for _, line := range lines {
		r, err := seal.ParseRecipients([]string{line})
		switch {
		case err != nil:
			return usagef("it is the public half of a key: age1..., or with --classic also ssh-ed25519 or ssh-rsa", "--recipient %.60q: %s", line, strings.TrimPrefix(err.Error(), "recipient 1: "))
		case r.PostQuantum() == classic && classic:
			return usagef("leave --classic out, or give a key that begins with age1 and not with age1pq1", "--recipient %.20q is post-quantum, and a classic vault takes none", line)
		case r.PostQuantum() == classic:
			return usagef("coffer init --classic  makes a vault of classic keys; or make a post-quantum one:  age-keygen -pq", "--recipient %.20q is a classic key, and the vault is post-quantum", line)
		}
	}
	return nil
}

// tellBirth says what a new vault's owner must do, once.
func (d *door) tellBirth(b *birth) {
	if d.json {
		d.emit("init", map[string]any{"vault": b.vault, "remote": b.remote.String(), "kit": b.kitPath, "device": b.device})
		return
	}
	w := d.out
	if d.onBehalf != nil && d.onBehalf.stream == nil {
		w = d.err // of a scheduled run, a log keeps only what this stream says
	}
	fmt.Fprintf(w, `
Your recovery kit:  %s
  It is the only key: with it you can restore everything, without it nobody can.
  Put a copy elsewhere (password manager, USB stick, paper), then run
      coffer kit confirm COPY
  which tries the copy and removes the kit from this machine.
`, safeName(b.kitPath))
	if b.remote.Dir != "" {
		fmt.Fprintf(w, `
The vault is a folder on this machine:  %s
  If it is on the same disk as your work, it does not survive that disk. Back up
  elsewhere too:
      coffer backup now FOLDER --to s3:https://HOST/BUCKET/PREFIX
`, safeName(b.remote.Dir))
	}
}
