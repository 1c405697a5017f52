package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"coffer/config"
)

func (d *door) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check, show or begin the config file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() }}
	c.AddCommand(
		&cobra.Command{Use: "check [FILE]", Short: "Check the config file and list every mistake", Args: cobra.MaximumNArgs(1), RunE: d.configCheck},
		&cobra.Command{Use: "show", Short: "Print the config in effect, with defaults", Args: cobra.NoArgs, RunE: d.configShow},
		&cobra.Command{Use: "example", Short: "Print a commented config file to start from", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, args []string) error {
				fmt.Fprint(d.out, config.Example())
				return nil
			}},
	)
	return c
}

func (d *door) configCheck(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		d.config = args[0]
	}
	path, err := d.configPath()
	if err != nil {
		return err
	}
	c, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hinted{fmt.Errorf("check config: %w", err), "coffer config example > " + path}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s is good: %s, %s\n", safeName(path), plural(int64(len(c.Vaults)), "vault"), plural(int64(len(c.Projects)), "project"))
	return nil
}

func (d *door) configShow(cmd *cobra.Command, args []string) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	fmt.Fprint(d.out, c.Show())
	return nil
}

func (d *door) configPath() (string, error) {
	if d.config != "" {
		return d.config, nil
	}
	return config.DefaultPath()
}
