package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/vault"
)

func (d *door) initCommand() *cobra.Command {
	var classic, policy, maintain bool
	var recipients []string
	const usage = "coffer init REMOTE"
	c := &cobra.Command{
		Use:   "init [REMOTE]",
		Short: "Make a vault on a remote, and its recovery kit",
		Long: `Make a vault on a remote: a bucket that exists, or a folder. REMOTE may be left out
where the config says it: then it is that of --vault, or of the default vault. The
recovery kit is written to your data folder.

With --print-policy it makes nothing, and prints the access policy for the credentials
that a machine backs up with: they can list, read and write, and cannot delete.`,
		Example: `  coffer init s3:https://minio.example:9000/backups/laptop
  coffer init /mnt/usb/coffer
  coffer init --vault home
  coffer init --print-policy s3:https://minio.example:9000/backups/laptop > policy.json`,
		Args: between(0, 1, usage),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "" {
				return usagef("usage:  "+usage, "the remote is empty")
			}
			if len(args) == 1 {
				d.remote = args[0]
			}
			if policy {
				return d.printPolicy(maintain)
			}
			if maintain {
				return usagef("coffer init --print-policy --maintain REMOTE", "--maintain says which policy --print-policy prints")
			}
			return d.initVault(cmd.Context(), classic, recipients)
		},
	}
	c.Flags().BoolVar(&classic, "classic", false, "X25519 keys instead of post-quantum ones (needed for SSH recipients)")
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "further age `recipient` who can read everything (repeatable)")
	c.Flags().BoolVar(&policy, "print-policy", false, "print an access policy (IAM, MinIO) for the bucket as JSON, and make nothing")
	c.Flags().BoolVar(&maintain, "maintain", false, "with --print-policy: the policy for prunes, which may delete")
	return c
}

func (d *door) initVault(ctx context.Context, classic bool, recipients []string) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	where := usagef("usage:  coffer init REMOTE", "say where to make the vault")
	if d.remote == "" && len(c.Vaults) == 0 {
		return where
	}
	ch, err := d.choose(c, "", nil)
	if err != nil {
		return err
	}
	if !ch.found() {
		return where
	}
	if ch.dir != nil {
		return hinted(fmt.Errorf("%w: this machine backs up to %s", vault.ErrVaultExists, ch.vault.Remote),
			"back up to it:  coffer backup now FOLDER --to "+shellWord(ch.vault.Remote.String())+"\nif that vault is lost for good, remove "+ch.dir.Path()+" first")
	}
	ch.vault.Classic = ch.vault.Classic || classic
	v, b, err := d.makeVault(ctx, ch, recipients)
	if err != nil {
		return err
	}
	if !d.json {
		fmt.Fprintf(d.out, "made vault %s at %s\n  back up to it:  coffer backup now FOLDER --to %s\n", v.ID()[:8], safeName(v.Location()), shellWord(safeName(ch.vault.Remote.String())))
	}
	d.tellBirth(b)
	return nil
}
