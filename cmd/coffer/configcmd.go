package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/daemon/schedule"
)

func (d *door) configCommand() *cobra.Command {
	c := group("config", "Check, show or begin the config file", `The config file names vaults and projects. Nothing needs one: folders and remotes
can be given on the command line too.`)
	c.AddCommand(
		&cobra.Command{Use: "check [FILE]", Short: "Check the config file and list every mistake", Args: between(0, 1, "coffer config check [FILE]"), RunE: d.configCheck},
		&cobra.Command{Use: "show", Short: "Print the config in effect, with defaults", Args: exactly(0, "coffer config show"), RunE: d.configShow},
		d.configBeginCommand(),
		&cobra.Command{Use: "example", Short: "Print a commented config file to start from", Args: exactly(0, "coffer config example"),
			RunE: func(cmd *cobra.Command, args []string) error {
				fmt.Fprint(d.out, config.Example())
				return nil
			}},
		&cobra.Command{Use: "schema", Short: "Print a JSON Schema of the config file, for editors", Args: exactly(0, "coffer config schema"),
			RunE: func(cmd *cobra.Command, args []string) error {
				fmt.Fprint(d.out, config.Schema())
				return nil
			}},
	)
	return c
}

// configChecks has schedules of the config checked by the room that keeps the
// time.
func configChecks() config.Checks {
	return config.Checks{Cron: func(spec string) error {
		err := schedule.Check(spec)
		if e, ok := errors.AsType[*schedule.SpecError](err); ok {
			return config.Mistake(e.Problem, e.Hint)
		}
		return err
	}}
}

func (d *door) configCheck(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		d.config = args[0]
	}
	path, err := d.configPath()
	if err != nil {
		return err
	}
	c, err := configChecks().Load(path)
	var mistakes *config.Error
	if errors.As(err, &mistakes) && d.json {
		for _, p := range mistakes.Problems {
			d.emit("error", map[string]any{"event": "mistake", "file": mistakes.Name, "line": p.Line, "column": p.Column, "error": p.Message, "hint": p.Hint})
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return hinted(err, fmt.Sprintf("to begin one of what was backed up so far:  coffer config begin\nor of an example:  mkdir -p %s && coffer config example > %s", filepath.Dir(path), path))
	}
	if err != nil {
		return err
	}
	if d.json {
		d.emit("config", map[string]any{"file": path, "vaults": len(c.Vaults), "projects": len(c.Projects)})
		return nil
	}
	fmt.Fprintf(d.out, "%s is good: %s, %s\n", safeName(path), plural(len(c.Vaults), "vault"), plural(len(c.Projects), "project"))
	return nil
}

func (d *door) configShow(cmd *cobra.Command, args []string) error {
	path, err := d.configPath()
	if err != nil {
		return err
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	if d.json {
		d.emit("config", map[string]any{"file": path, "vaults": vaultsJSON(c), "projects": projectsJSON(c)})
		return nil
	}
	if !isThere(path) {
		fmt.Fprintf(d.out, "# there is no %s; these are the defaults\n", safeName(path))
	}
	fmt.Fprint(d.out, c.Show())
	return nil
}

func vaultsJSON(c *config.Config) []map[string]any {
	out := []map[string]any{}
	for _, v := range c.Vaults {
		out = append(out, map[string]any{"name": v.Name, "remote": v.Remote.String(), "default": v.Name == c.DefaultVault})
	}
	return out
}

func projectsJSON(c *config.Config) []map[string]any {
	out := []map[string]any{}
	for _, p := range c.Projects {
		out = append(out, map[string]any{"name": p.Name, "paths": p.Paths, "vault": p.Vault, "tags": append([]string{}, p.Tags...)})
	}
	return out
}
