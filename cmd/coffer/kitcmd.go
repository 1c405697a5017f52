package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coffer/chunk/seal"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
)

func (d *door) kitCommand() *cobra.Command {
	c := &cobra.Command{Use: "kit", Short: "Show, confirm or rewrite the recovery kit", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitShow(cmd.Context(), "") }}
	var to string
	show := &cobra.Command{Use: "show", Short: "Say where the kit is, or with --output write it anew", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitShow(cmd.Context(), to) }}
	show.Flags().StringVarP(&to, "output", "o", "", "write the kit, up to date, to this `file`; - prints it, with the secret")
	confirm := &cobra.Command{
		Use: "confirm COPY", Short: "Try a copy of the kit, and remove the one on this machine",
		Long: `Try a copy of the recovery kit that you have put elsewhere: it must open the
vault as it is now. Then the kit on this machine is removed, and from then on this
machine holds no key that opens its backups. COPY is a file, or - to paste the copy.`,
		Args: exactly(1, "coffer kit confirm COPY"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitConfirm(cmd.Context(), args[0]) },
	}
	wrap := &cobra.Command{
		Use: "wrap", Short: "Keep a copy of the identity on this machine, under a passphrase", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitWrap(cmd.Context()) },
	}
	c.AddCommand(show, confirm, wrap)
	return c
}

func (d *door) kitShow(ctx context.Context, to string) error {
	if to != "" {
		return d.kitWrite(ctx, to)
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	ch, err := d.choose(c)
	if err != nil {
		return err
	}
	if ch.dev == nil {
		return fmt.Errorf("%w: this machine knows none", vault.ErrNoVault)
	}
	path := string(ch.dev.KitPath)
	_, err = os.Stat(path)
	here := path != "" && err == nil
	if d.json {
		d.emit("kit", map[string]any{"vault": ch.dev.Vault, "remote": ch.dev.Remote, "path": path, "here": here, "confirmed": ch.dev.KitConfirmed})
		return nil
	}
	fmt.Fprintf(d.out, "vault %s at %s\n", ch.dev.Vault[:8], safeName(ch.dev.Remote))
	switch {
	case here:
		fmt.Fprintf(d.out, "the kit is on this machine: %s\n  put a copy elsewhere, then:  coffer kit confirm COPY\n", safeName(path))
	case ch.dev.KitConfirmed != "":
		fmt.Fprintf(d.out, "a copy of the kit was confirmed at %s; none is on this machine\n", ch.dev.KitConfirmed)
	default:
		fmt.Fprintln(d.out, "no kit is on this machine, and no copy was confirmed yet:  coffer kit confirm COPY")
	}
	return nil
}

// kitWrite writes the kit with the newest trust.
func (d *door) kitWrite(ctx context.Context, to string) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	_, old, err := d.chooseWithKit(c, lent)
	if err != nil {
		return err
	}
	v, err := d.open(ctx, lent)
	if err != nil {
		return err
	}
	k, err := v.KitFor(old.Identity, v.Location())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := kit.Write(&b, *k); err != nil {
		return err
	}
	if to == "-" {
		_, err := d.out.Write(b.Bytes())
		return err
	}
	if err := files.WriteAtomic(to, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write kit: %w", err)
	}
	fmt.Fprintf(d.out, "wrote the kit to %s\n", safeName(to))
	return nil
}

// kitConfirm proves that a copy opens the vault, and takes the local kit away.
func (d *door) kitConfirm(ctx context.Context, copyPath string) error {
	k, err := d.readCopy(copyPath)
	if err != nil {
		return err
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	ch, err := d.choose(c)
	if err != nil {
		return err
	}
	if ch.dev == nil {
		return fmt.Errorf("%w: this machine knows none", vault.ErrNoVault)
	}
	local := string(ch.dev.KitPath)
	if sameFile(copyPath, local) {
		return usageError{fmt.Errorf("%s is the kit on this machine itself", copyPath), "copy it to another place first, and name the copy"}
	}
	if err := d.tryKit(ctx, ch, k); err != nil {
		return err
	}
	if local != "" {
		if err := os.Remove(local); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the copy is good, but the kit on this machine could not be removed: %w", err)
		}
	}
	_, err = ch.dir.UpdateDevice(func(dev *state.Device) error {
		dev.KitPath, dev.KitConfirmed = "", time.Now().UTC().Format(time.RFC3339)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "the copy opens vault %s; the kit was removed from this machine\n  from now on this machine can back up and verify, and cannot read what it stored\n", ch.dev.Vault[:8])
	return nil
}

func (d *door) readCopy(path string) (*kit.Kit, error) {
	if path != "-" {
		return readKit(path)
	}
	k, err := kit.Parse(d.in)
	if err != nil {
		return nil, fmt.Errorf("read the copy: %w: %w", seal.ErrNoIdentity, err)
	}
	return &k, nil
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// tryKit opens the vault by the kit alone, and the newest snapshot if there is one.
func (d *door) tryKit(ctx context.Context, ch chosen, k *kit.Kit) error {
	wait, err := patience(shortPatience)
	if err != nil {
		return err
	}
	store, err := d.openStore(ctx, ch.vault, wait)
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, store, vault.OpenOptions{State: ch.dir, Kit: k})
	if err != nil {
		return fmt.Errorf("the copy does not open the vault, so nothing was removed: %w", err)
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

// kitWrap keeps the identity under a passphrase, for who prefers convenience
// on a disk that is encrypted anyway.
func (d *door) kitWrap(ctx context.Context) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	ch, k, err := d.chooseWithKit(c, lent)
	if err != nil {
		return err
	}
	if ch.dir == nil {
		return fmt.Errorf("%w: this machine knows none", vault.ErrNoVault)
	}
	first, err := d.askSecret("passphrase: ")
	if err != nil {
		return err
	}
	again, err := d.askSecret("once more: ")
	if err != nil {
		return err
	}
	if first != again || len(first) < 8 {
		return usageError{errors.New("the passphrases differ, or are shorter than 8 characters"), "nothing was written"}
	}
	var text bytes.Buffer
	if err := kit.Write(&text, *k); err != nil {
		return err
	}
	b, err := seal.WrapPassphrase(text.Bytes(), first)
	if err != nil {
		return err
	}
	path := wrappedPath(filepath.Clean(ch.dir.Path()))
	if err := files.WriteAtomic(path, b, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "wrapped the identity in %s\n", safeName(path))
	return nil
}
