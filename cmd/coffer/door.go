package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// door is what every verb has: the streams, and the flags all verbs share.
type door struct {
	in       io.Reader
	out, err io.Writer

	args     []string // the command line
	config   string
	vault    string
	remote   string
	kit      string
	identity string
	json     bool
	quiet    bool
	verbose  bool
	onBehalf *behalf        // nil in a command that does its own work
	zone     *time.Location // of the config's clock; nil is the machine's

	printing sync.Mutex // held for each JSON line
	mu       sync.Mutex
	meter    *meter // guarded by mu
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	checked := &checkedWriter{w: out}
	d := &door{in: in, out: checked, err: errOut}
	err := d.execute(ctx, args)
	d.json = d.json || slices.Contains(args, "--json") // which a flag before it that is none keeps from being read
	if err == nil {
		err = checked.failed()
	}
	return d.leave(ctx, err)
}

// execute runs a command line on the streams of the door.
func (d *door) execute(ctx context.Context, args []string) error {
	d.args = args
	root := d.command()
	root.SetArgs(args)
	root.SetIn(d.in)
	root.SetOut(d.out)
	root.SetErr(d.err)
	return root.ExecuteContext(ctx)
}

// A checkedWriter remembers the first error, so that a list on a full disk does
// not pass for a short one.
type checkedWriter struct {
	w   io.Writer
	mu  sync.Mutex
	err error // guarded by mu
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	return n, err
}

func (c *checkedWriter) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("print the result: %w", c.err)
}

func (d *door) command() *cobra.Command {
	root := group("coffer", "Back up project folders; the machine cannot read its own past backups", `Coffer backs up project folders to S3-compatible storage or to a folder.
What it stores can be read with the recovery kit only: the machine that makes
the backups holds no key that opens them.

Start with:  coffer backup now ~/projects`)
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(badFlag)
	d.globalFlags(root)
	d.versionFlag(root)
	d.explainHelp(root)
	root.AddCommand(
		d.backupCommand(), d.initCommand(), d.enrolCommand(), d.snapshotsCommand(), d.lsCommand(), d.catCommand(),
		d.restoreCommand(), d.verifyCommand(), d.kitCommand(), d.statusCommand(), d.configCommand(), d.daemonCommand(), d.notifyCommand(), d.versionCommand(),
		d.serviceCommand(), d.logsCommand(), d.pruneCommand(),
		d.forgetCommand(), d.undeleteCommand(), d.pinCommand(), d.unpinCommand(),
		d.deviceCommand(), d.recipientCommand(),
		d.drillCommand(), d.repairCommand(),
		d.completionCommand(),
		d.doctorCommand(),
	)
	return root
}

func (d *door) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&d.config, "config", "", "config `file` (default $COFFER_CONFIG or ~/.config/coffer/config.toml)")
	f.StringVar(&d.vault, "vault", "", "`name` of a vault in the config, or the beginning of a vault's ID")
	f.StringVarP(&d.remote, "remote", "r", "", "`remote` the vault rests on: s3:https://host/bucket/prefix, s3://bucket/prefix,\nor a folder (default $COFFER_REMOTE)")
	f.StringVar(&d.kit, "kit", "", "recovery kit `file`, to read what is in the vault")
	f.StringVar(&d.identity, "identity", "", "age identity `file`, the same as --kit")
	f.BoolVar(&d.json, "json", false, "print one JSON object a line")
	f.BoolVarP(&d.quiet, "quiet", "q", false, "no progress and no reminders, only the result")
	f.BoolVarP(&d.verbose, "verbose", "v", false, "name each file that is left out, or restored")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if d.remote == "" && d.vault == "" {
			d.remote = os.Getenv("COFFER_REMOTE")
		}
		return refuseEmpty(cmd.Flags())
	}
}

// refuseEmpty refuses a flag whose value is empty, as "$UNSET" is: what holds
// without the flag is not what was meant.
func refuseEmpty(f *pflag.FlagSet) (err error) {
	f.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && err == nil {
			err = usagef("is a variable empty?", "--%s is empty", f.Name)
		}
	})
	return err
}
