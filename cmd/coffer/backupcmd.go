package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/remote"
	"coffer/vault/state"
)

// backupFlags are those of coffer backup now.
type backupFlags struct {
	to            string
	exclude, tags []string
	dryRun        bool
	oneFileSystem bool
	cacheDirs     bool
	compression   string
}

func (d *door) backupCommand() *cobra.Command {
	backup := &cobra.Command{
		Use: "backup", Short: "Back up projects", Args: noSuch,
		RunE: func(cmd *cobra.Command, args []string) error {
			return usagef("coffer backup now FOLDER", "say when:  coffer backup now")
		},
	}
	backup.AddCommand(d.backupNowCommand())
	return backup
}

func (d *door) backupNowCommand() *cobra.Command {
	var f backupFlags
	now := &cobra.Command{
		Use:   "now [FOLDER|PROJECT ...]",
		Short: "Take a snapshot now",
		Long: `Take a snapshot of the folders or of the config's projects named; of all
projects if none is named. On a machine without a vault it makes one in your data
folder, writes the recovery kit, and says what to do with it.

What an interrupted backup stored is used by the next one.`,
		Example: `  coffer backup now ~/projects
  coffer backup now ~/projects --to s3:https://minio.example:9000/backups/laptop
  coffer backup now website --tag before-launch`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.backupNow(cmd.Context(), f, args) },
	}
	fl := now.Flags()
	fl.StringVar(&f.to, "to", "", "`remote` to back up to; a vault is made there if there is none")
	fl.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches this gitignore `pattern` (repeatable)")
	fl.StringArrayVar(&f.tags, "tag", nil, "keep a `tag` with the snapshot (repeatable)")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "look what would be stored, and store nothing")
	fl.BoolVarP(&f.oneFileSystem, "one-file-system", "x", false, "stay on the file system of each folder")
	fl.BoolVar(&f.cacheDirs, "cache-dirs", false, "also keep folders marked as caches by CACHEDIR.TAG")
	fl.StringVar(&f.compression, "compression", "", "`how` hard to compress: fastest, default or better")
	offer(now, "compression", "fastest", "default", "better")
	return now
}

// backupNow runs one backup of each project that is meant. One that fails does
// not keep the others from being backed up.
func (d *door) backupNow(ctx context.Context, f backupFlags, args []string) error {
	if f.to != "" {
		d.remote = f.to
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	projects, err := d.projects(c, args)
	if err != nil {
		return err
	}
	var worst error
	failed := 0
	for i, p := range projects {
		err := d.backupProject(ctx, c, f, p)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || len(projects) == 1 {
			return err
		}
		var o outcome
		if done := errors.As(err, &o); !done || worst == nil {
			worst = err
		}
		failed++
		d.tellFailed(ctx, p, err)
		if hopeless(err) {
			failed += len(projects) - i - 1
			break
		}
	}
	if worst == nil {
		return nil
	}
	code, _, _ := explainAny(ctx, worst)
	return outcome{code, fmt.Sprintf("%d of %s not backed up as they should be", failed, plural(len(projects), "project"))}
}

// hopeless tells whether no other project will fare better now.
func hopeless(err error) bool {
	return errors.Is(err, remote.ErrUnreachable) || errors.Is(err, state.ErrLocked) || errors.Is(err, remote.ErrFull)
}

// tellFailed tells at once that a project of several failed, and why.
func (d *door) tellFailed(ctx context.Context, p config.Project, err error) {
	code, text, hint := explainAny(ctx, err)
	if d.json {
		d.emit("error", map[string]any{"event": "failed", "project": p.Name, "code": code, "error": text, "hint": hint})
		return
	}
	d.note("%s: %s", safeName(p.Name), plainText(text))
	if hint != "" {
		d.note("  %s", hint)
	}
}

// explainAny is explain for an error that may be an outcome.
func explainAny(ctx context.Context, err error) (code int, text, hint string) {
	var o outcome
	if errors.As(err, &o) {
		return o.code, o.text, ""
	}
	return explain(ctx, err)
}
