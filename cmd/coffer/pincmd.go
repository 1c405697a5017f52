package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/vault"
)

func (d *door) pinCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pin SNAPSHOT...", Short: "Keep snapshots whatever a policy says",
		Long: `Pin snapshots: this machine forgets none of them, by a policy or by name, until
coffer unpin. A pin is noted on this machine only; another device that may forget, or
who uses the kit elsewhere, does not know of it. What is to stay everywhere is better
tagged when it is made (coffer backup now --tag), and the tag kept by keep.tags.`,
		Args: atLeastOne("coffer pin SNAPSHOT..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.changePins(cmd.Context(), args, "pinned", (*vault.Vault).Pin)
		},
	}
}

func (d *door) unpinCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unpin SNAPSHOT...", Short: "Take a pin off again",
		Args: atLeastOne("coffer unpin SNAPSHOT..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.changePins(cmd.Context(), args, "unpinned", (*vault.Vault).Unpin)
		},
	}
}

func (d *door) changePins(ctx context.Context, args []string, what string, change func(*vault.Vault, *vault.Snapshot) (bool, error)) error {
	v, err := d.open(ctx, keyless)
	if err != nil {
		return err
	}
	snaps, err := findAll(ctx, v, args)
	if err != nil {
		return err
	}
	for _, s := range snaps {
		if s.Forgotten && what == "pinned" {
			return hinted(fmt.Errorf("snapshot %s is forgotten", s.Short()), "bring it back first:  coffer undelete "+s.Short())
		}
		changed, err := change(v, s)
		if err != nil {
			return err
		}
		switch {
		case d.json:
			d.emit("pin", map[string]any{"id": s.ID(), "pinned": what == "pinned", "changed": changed})
		case changed:
			fmt.Fprintf(d.out, "%s %s\n", what, s.Short())
		default:
			fmt.Fprintf(d.out, "%s was %s already\n", s.Short(), what)
		}
	}
	return nil
}
