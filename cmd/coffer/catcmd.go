package main

import (
	"errors"

	"github.com/spf13/cobra"

	"coffer/vault/restore"
)

func (d *door) catCommand() *cobra.Command {
	const usage = "coffer cat SNAPSHOT:PATH"
	return &cobra.Command{
		Use: "cat SNAPSHOT:PATH", Aliases: []string{"dump"}, Short: "Print a file of a snapshot (needs the kit)",
		Long: `Print a file of a snapshot on the standard output. Each part is verified before
it is printed: after an error, what was printed is the true beginning of the file.`,
		Example:           `  coffer cat latest:website/index.html`,
		Args:              oneOf(usage),
		ValidArgsFunction: offerSnapshots,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, path := splitSpec(args[0]); path == "" {
				return usagef("usage:  "+usage, "%q names no file", args[0])
			}
			o, err := d.source(cmd.Context(), args[0], usage)
			if err != nil {
				return err
			}
			err = restore.Cat(cmd.Context(), o.src, o.path, d.out)
			if errors.Is(err, restore.ErrFolder) {
				of := shellLine(args)
				return hinted(err, "coffer ls "+of+"  lists it,  coffer restore "+of+" --target DIR  restores it")
			}
			return pathError(err)
		},
	}
}
