package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/vault"
)

func (d *door) undeleteCommand() *cobra.Command {
	const usage = "coffer undelete SNAPSHOT..."
	return &cobra.Command{
		Use: "undelete SNAPSHOT...", Short: "Bring forgotten snapshots back, within a week",
		Long: `Bring back snapshots that were forgotten, by this device or another. It can be done
for a week after they were forgotten, by the remote's clock.
coffer snapshots --forgotten  lists them with the time that is left.`,
		Args: atLeastOne(usage),
		RunE: func(cmd *cobra.Command, args []string) error { return d.undelete(cmd.Context(), args) },
	}
}

func (d *door) undelete(ctx context.Context, args []string) error {
	v, err := d.open(ctx, keyless)
	if err != nil {
		return err
	}
	snaps, err := findAll(ctx, v, args)
	if err != nil {
		return err
	}
	n, err := v.Undelete(ctx, snaps, func(err error) { d.note("warning: %s", plainText(err.Error())) })
	if err != nil {
		return err
	}
	if d.json {
		d.emit("summary", map[string]any{"undeleted": n})
		return nil
	}
	if n == 0 {
		fmt.Fprintln(d.out, "none of them was forgotten")
		return nil
	}
	fmt.Fprintf(d.out, "%s brought back\n", plural(n, "snapshot"))
	return nil
}

// findAll finds the snapshots that the command line names.
func findAll(ctx context.Context, v *vault.Vault, args []string) ([]*vault.Snapshot, error) {
	var snaps []*vault.Snapshot
	for _, a := range args {
		s, err := v.Find(ctx, a, vault.Filter{})
		if err != nil {
			return nil, err
		}
		snaps = append(snaps, s)
	}
	return snaps, nil
}
