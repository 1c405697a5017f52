package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"coffer/vault/kit"
)

func (d *door) kitCommand() *cobra.Command {
	c := group("kit", "Show, confirm or rewrite the recovery kit", `The recovery kit is one text file that restores everything. Without a command this
says where it is.`)
	c.RunE = func(cmd *cobra.Command, args []string) error { return d.kitShow() }
	var to string
	show := &cobra.Command{
		Use: "show", Short: "Say where the kit is, or write it anew with --output", Args: exactly(0, "coffer kit show [--output FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != "" {
				return d.kitWrite(cmd.Context(), to)
			}
			return d.kitShow()
		},
	}
	show.Flags().StringVarP(&to, "output", "o", "", "write the kit, up to date, to this `file`; - prints it, with the secret")
	confirm := &cobra.Command{
		Use: "confirm [COPY]", Short: "Try a copy of the kit, and remove the one on this machine",
		Long: `Try a copy of the recovery kit that you have put elsewhere: it must open the
vault as it is now. Then the kit on this machine is removed, and from then on this
machine holds no key that opens its backups. COPY is a file, or - for the standard
input; without it you are asked to paste the secret, as from a password manager.`,
		Args: between(0, 1, "coffer kit confirm [COPY]"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitConfirm(cmd.Context(), args) },
	}
	wrap := &cobra.Command{
		Use: "wrap", Short: "Keep a copy of the identity on this machine, under a passphrase",
		Long: `Keep a copy of the vault's identity on this machine, encrypted with a passphrase,
for who prefers to restore without fetching the kit. Whoever takes this machine can
then try passphrases.`,
		Args: exactly(0, "coffer kit wrap"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.kitWrap() },
	}
	c.AddCommand(show, confirm, wrap)
	return c
}

// kitShow says where the kit is. It needs no remote.
func (d *door) kitShow() error {
	ch, err := d.enrolled(nil)
	if err != nil {
		return err
	}
	path := string(ch.dev.KitPath)
	here := path != "" && isThere(path)
	wrapped := isThere(wrappedPath(ch))
	if d.json {
		m := map[string]any{"vault": ch.dev.Vault, "remote": ch.dev.Remote, "here": here, "wrapped": wrapped}
		if here {
			m["path"] = path
		}
		if !ch.dev.KitConfirmed.IsZero() {
			m["confirmed"] = ch.dev.KitConfirmed.UTC()
		}
		d.emit("kit", m)
		return nil
	}
	fmt.Fprintf(d.out, "vault %s at %s\n", ch.dev.Vault[:8], safeName(ch.dev.Remote))
	switch {
	case here:
		fmt.Fprintf(d.out, "  the kit is on this machine: %s\n  put a copy elsewhere, then:  coffer kit confirm COPY\n", safeName(path))
	case !ch.dev.KitConfirmed.IsZero():
		fmt.Fprintf(d.out, "  no kit is on this machine; a copy of it was tried %s (%s)\n", timeText(ch.dev.KitConfirmed), ageText(ch.dev.KitConfirmed))
	default:
		fmt.Fprintln(d.out, "  no kit is on this machine; to try a copy of it:  coffer kit confirm COPY")
	}
	if wrapped {
		fmt.Fprintf(d.out, "  a copy of the identity is on this machine, under a passphrase: %s\n", safeName(wrappedPath(ch)))
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// enrolled finds the vault that is meant among those this machine is enrolled
// in: the one of the kit, if one is given.
func (d *door) enrolled(k *kit.Kit) (chosen, error) {
	c, err := d.loadConfig()
	if err != nil {
		return chosen{}, err
	}
	ch, err := d.choose(c, "", k)
	if err == nil && ch.dev == nil {
		err = noVaultKnown()
	}
	return ch, err
}
