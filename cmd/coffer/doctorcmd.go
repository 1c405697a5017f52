package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"coffer/remote"
)

func (d *door) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Try what the remote really enforces, and look at this machine",
		Long: `Try, with the credentials that this machine backs up with, what must be refused to
them: to delete, to overwrite, to change the bucket's settings. Find out what the
remote enforces: versions, locks, expiry, checksums, consistency. Look at the config,
the local state and the tools here. Real objects are never touched: it writes a few
of some bytes below canary/, and removes them again if it may.

Each line is ok; weak: it works, and could be safer; or bad: something that a vault
rests on does not hold. Exits with 0 if nothing is bad, else with 1.`,
		Example: `  coffer doctor
  coffer doctor --remote s3:https://minio.example:9000/backups/laptop --json`,
		Args: exactly(0, "coffer doctor"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.doctor(cmd.Context()) },
	}
}

// doctor looks at this machine first, which takes no time and needs no network.
func (d *door) doctor(ctx context.Context) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	k, err := d.kitOfFlags()
	if err != nil {
		return err
	}
	ch, err := d.choose(c, "", k)
	if err != nil {
		return err
	}
	t := &diagnosis{d: d}
	t.tellPart("this machine", d.examine(ctx, ch))
	if !ch.found() {
		t.end()
		return noVaultKnown()
	}
	store, err := d.connect(ctx, ch, shortPatience)
	if err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	found, err := remote.Probe(ctx, store, remote.ProbeOptions{Home: home})
	if err != nil {
		return ch.explain(err, k)
	}
	t.tellPart("the remote "+safeName(store.Location()), found)
	t.end()
	if n := t.counts[remote.Bad]; n > 0 {
		return outcome{exitFailed, fmt.Sprintf("%s found that a vault cannot rest on", plural(n, "thing"))}
	}
	return nil
}
