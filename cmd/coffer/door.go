package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"
)

// door is what every verb has: the streams, and the flags all verbs share.
type door struct {
	in       io.Reader
	out, err io.Writer

	config   string
	vault    string
	remote   string
	kit      string
	identity string
	json     bool
	quiet    bool
	verbose  bool

	mu    sync.Mutex
	meter *meter // guarded by mu
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	d := &door{in: in, out: out, err: errOut}
	root := d.command()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	return d.leave(ctx, err)
}

func (d *door) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "coffer",
		Short: "Back up project folders; the machine cannot read its own past backups",
		Long: `Coffer backs up project folders to S3-compatible storage or to a folder.
What it stores can be read with the recovery kit only: the machine that makes
the backups holds no key that opens them.

Start with:  coffer backup now ~/projects
` + exitCodes,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0]), "coffer --help lists the commands"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{err, cmd.CommandPath() + " --help lists the flags"}
	})
	f := root.PersistentFlags()
	f.StringVar(&d.config, "config", "", "config `file` (default $COFFER_CONFIG or ~/.config/coffer/config.toml)")
	f.StringVar(&d.vault, "vault", "", "`name` of a vault in the config")
	f.StringVarP(&d.remote, "remote", "r", os.Getenv("COFFER_REMOTE"), "`remote` the vault rests on: s3:https://host/bucket/prefix, s3://bucket/prefix, or a folder")
	f.StringVar(&d.kit, "kit", "", "recovery kit `file`, to read what is in the vault")
	f.StringVar(&d.identity, "identity", "", "age identity `file`, the same as --kit")
	f.BoolVar(&d.json, "json", false, "print one JSON object a line")
	f.BoolVarP(&d.quiet, "quiet", "q", false, "no progress, and only the result")
	f.BoolVarP(&d.verbose, "verbose", "v", false, "name each file that is left out")
	root.AddCommand(
		d.backupCommand(), d.initCommand(), d.enrolCommand(), d.snapshotsCommand(), d.lsCommand(), d.catCommand(),
		d.restoreCommand(), d.verifyCommand(), d.kitCommand(), d.statusCommand(), d.configCommand(), d.versionCommand(),
	)
	root.CompletionOptions.HiddenDefaultCmd = false
	return root
}
