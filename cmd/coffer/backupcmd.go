package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/daemon/report"
	"coffer/remote"
	"coffer/vault/state"
)

// backupFlags are those of coffer backup now.
type backupFlags struct {
	To            string   `json:"to,omitempty"`
	Exclude       []string `json:"exclude,omitempty"`
	Tags          []string `json:"tags,omitempty"`
	DryRun        bool     `json:"dry_run,omitempty"`
	OneFileSystem bool     `json:"one_file_system,omitempty"`
	CacheDirs     bool     `json:"cache_dirs,omitempty"`
	Compression   string   `json:"compression,omitempty"`
	Here          bool     `json:"-"`
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

If a daemon is running that knows the projects, it makes the run, and this command
shows it; ending the command ends the run. Folders, and whatever is backed up to
another place than the config says, are always backed up here.

What an interrupted backup stored is used by the next one.`,
		Example: `  coffer backup now ~/projects
  coffer backup now ~/projects --to s3:https://minio.example:9000/backups/laptop
  coffer backup now website --tag before-launch`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.backupNow(cmd.Context(), f, args) },
	}
	fl := now.Flags()
	fl.StringVar(&f.To, "to", "", "`remote` to back up to; a vault is made there if there is none")
	fl.StringArrayVarP(&f.Exclude, "exclude", "e", nil, "leave out what matches this gitignore `pattern` (repeatable)")
	fl.StringArrayVar(&f.Tags, "tag", nil, "keep a `tag` with the snapshot (repeatable)")
	fl.BoolVarP(&f.DryRun, "dry-run", "n", false, "look what would be stored, and store nothing")
	fl.BoolVarP(&f.OneFileSystem, "one-file-system", "x", false, "stay on the file system of each folder")
	fl.BoolVar(&f.CacheDirs, "cache-dirs", false, "also keep folders marked as caches by CACHEDIR.TAG")
	fl.StringVar(&f.Compression, "compression", "", "`how` hard to compress: adaptive (to the uploads), fastest, default or better")
	fl.BoolVar(&f.Here, "here", false, "do it in this process, even if a daemon is running")
	offer(now, "compression", "adaptive", "fastest", "default", "better")
	return now
}

// backupNow runs one backup of each project that is meant: in the daemon if one
// is running that knows them, else here.
func (d *door) backupNow(ctx context.Context, f backupFlags, args []string) error {
	if f.To != "" {
		d.remote = f.To
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	projects, err := d.projects(c, args)
	if err != nil {
		return err
	}
	if exit, done, err := d.handOver(ctx, c, f, projects); done || err != nil {
		return handled(exit, err)
	}
	return d.backupAll(ctx, c, f, projects)
}

// backupAll backs the projects up in this process. One that fails does not keep
// the others from being backed up.
func (d *door) backupAll(ctx context.Context, c *config.Config, f backupFlags, projects []config.Project) error {
	var worst error
	failed := 0
	for i, p := range projects {
		err := d.backupOne(ctx, c, f, p)
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

// backupOne backs one project up, with its hooks.
func (d *door) backupOne(ctx context.Context, c *config.Config, f backupFlags, p config.Project) error {
	do := func(ctx context.Context, r *report.Run) error { return d.backupProject(ctx, c, f, p, r) }
	if f.DryRun {
		return do(ctx, new(report.Run))
	}
	return d.around(ctx, p, do)
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
