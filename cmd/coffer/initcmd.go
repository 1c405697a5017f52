package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/config"
)

func (d *door) initCommand() *cobra.Command {
	var classic bool
	var recipients []string
	c := &cobra.Command{
		Use:   "init REMOTE",
		Short: "Make a vault on a remote, and its recovery kit",
		Example: `  coffer init s3:https://minio.example:9000/backups/laptop
  coffer init /mnt/usb/coffer`,
		Args: exactly(1, "coffer init REMOTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.initVault(cmd.Context(), args[0], classic, recipients)
		},
	}
	c.Flags().BoolVar(&classic, "classic", false, "X25519 keys instead of post-quantum ones (needed for SSH recipients)")
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "further age `recipient` who can read everything (repeatable)")
	return c
}

// exactly is cobra.ExactArgs with our words and exit code.
func exactly(n int, usage string) cobra.PositionalArgs {
	return between(n, n, usage)
}

func between(low, high int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return usageError{fmt.Errorf("%s: %d arguments", cmd.CommandPath(), len(args)), "usage:  " + usage}
		}
		return nil
	}
}

func (d *door) initVault(ctx context.Context, where string, classic bool, recipients []string) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	d.remote = where
	for _, v := range c.Vaults {
		if v.Name == where {
			d.remote = v.Remote.String()
		}
	}
	ch, err := d.choose(c)
	if err != nil {
		return err
	}
	if ch.dir != nil {
		return hinted{fmt.Errorf("this machine has a vault at %s already", ch.vault.Remote), "back up to it:  coffer backup now FOLDER"}
	}
	ch.vault.Classic = ch.vault.Classic || classic
	wait, err := patience(shortPatience)
	if err != nil {
		return err
	}
	v, b, err := d.makeVault(ctx, ch.vault, recipients, wait)
	if err != nil {
		return err
	}
	if d.json {
		d.emit("init", map[string]any{"vault": string(v.ID()), "remote": v.Location(), "kit": b.kitPath, "device": string(v.Device())})
		return nil
	}
	fmt.Fprintf(d.out, "made vault %s at %s\n", v.ID()[:8], safeName(v.Location()))
	d.tellBirth(b)
	return nil
}

var _ config.Vault
