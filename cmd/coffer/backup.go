package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/chunk/pack"
	"coffer/config"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
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
	var f backupFlags
	backup := &cobra.Command{
		Use:   "backup",
		Short: "Back up projects",
		RunE: func(cmd *cobra.Command, args []string) error {
			return usageError{errors.New("say when: coffer backup now"), "coffer backup now FOLDER"}
		},
	}
	now := &cobra.Command{
		Use:   "now [FOLDER|PROJECT ...]",
		Short: "Take a snapshot now",
		Long: `Take a snapshot of the folders or of the config's projects named; of all
projects if none is named. On a machine without a vault it makes one in your data
folder, writes the recovery kit, and says what to do with it.`,
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
	fl.StringVar(&f.compression, "compression", "", "fastest, default or better")
	backup.AddCommand(now)
	return backup
}

// backupNow runs one backup of each project that is meant.
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
	var code codeError
	for _, p := range projects {
		if p.Vault != "" && d.vault == "" && d.remote == "" {
			d.vault = p.Vault
			defer func() { d.vault = "" }()
		}
		err := d.backupProject(ctx, c, f, p)
		if errors.As(err, &code) && ctx.Err() == nil {
			continue // partial: the other projects are backed up all the same
		}
		if err != nil {
			return err
		}
		if d.vault == p.Vault {
			d.vault = ""
		}
	}
	if code.code != 0 {
		return code
	}
	return nil
}

// projects finds what the arguments name: projects of the config, or folders,
// which together are a project of their own.
func (d *door) projects(c *config.Config, args []string) ([]config.Project, error) {
	if len(args) == 0 {
		if len(c.Projects) == 0 {
			return nil, usageError{errors.New("say what to back up: there is no project in the config"), "coffer backup now FOLDER"}
		}
		return c.Projects, nil
	}
	var out []config.Project
	var paths []string
	for _, a := range args {
		if p, err := c.Project(a); err == nil && !strings.ContainsRune(a, filepath.Separator) {
			out = append(out, p)
			continue
		}
		abs, err := filepath.Abs(a)
		if err != nil {
			return nil, err
		}
		if _, err := os.Lstat(abs); err != nil {
			return nil, hinted{fmt.Errorf("back up %q: %w", a, err), "name a folder or file that is there, or a project of the config"}
		}
		paths = append(paths, abs)
	}
	if len(paths) > 0 {
		slices.Sort(paths)
		paths = slices.Compact(paths)
		p := config.NewProject(paths[0], paths...)
		out = append(out, p)
	}
	return out, nil
}

// backupProject backs one project up and tells the result. A codeError says
// that it is partial.
func (d *door) backupProject(ctx context.Context, c *config.Config, f backupFlags, p config.Project) error {
	ch, err := d.choose(c)
	if err != nil {
		return err
	}
	if f.dryRun {
		return d.dryRun(ctx, f, p, ch)
	}
	v, born, err := d.openOrMake(ctx, c, ch)
	if err != nil {
		return err
	}
	o, err := d.backupOptions(c, f, p, v)
	if err != nil {
		return err
	}
	res, err := d.runBackup(ctx, v, o)
	if err != nil {
		return d.backupFailed(err, res, born)
	}
	return d.tellBackup(ctx, v, o, res, born)
}

// backupOptions translates config and flags.
func (d *door) backupOptions(c *config.Config, f backupFlags, p config.Project, v *vault.Vault) (backup.Options, error) {
	level, err := compression(c, f)
	if err != nil {
		return backup.Options{}, err
	}
	key := vault.ProjectKey(p.Name, p.Paths)
	id, err := v.State().Project(key)
	if err != nil {
		return backup.Options{}, err
	}
	host, _ := os.Hostname()
	o := backup.Options{
		Project: trust.ProjectID(id), Key: key, Label: p.Name, Roots: p.Paths, Host: host, User: userName(),
		Tags: append(slices.Clone(p.Tags), f.tags...), Level: level, Version: versionText(),
		Walk: walkOptions(f, p), Never: ownPlaces(v), Progress: new(backup.Progress),
	}
	if cv, err := c.Vault(d.vault); err == nil {
		o.Uploads = cv.Connections
	}
	return o, nil
}

func walkOptions(f backupFlags, p config.Project) files.Options {
	return files.Options{
		Exclude: append(slices.Clone(p.Exclude), f.exclude...), IgnoreFiles: p.IgnoreFiles,
		CacheDirs: p.CacheDirs || f.cacheDirs, OneFileSystem: p.OneFileSystem || f.oneFileSystem,
	}
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func compression(c *config.Config, f backupFlags) (pack.Level, error) {
	s := string(c.Compression)
	if f.compression != "" {
		s = f.compression
	}
	switch config.Compression(s) {
	case config.CompressFastest:
		return pack.Fastest, nil
	case config.CompressDefault, "":
		return pack.Default, nil
	case config.CompressBetter:
		return pack.Better, nil
	}
	return 0, usageError{fmt.Errorf("--compression %q", s), "it is one of fastest, default, better"}
}

// runBackup runs it and shows how far it is.
func (d *door) runBackup(ctx context.Context, v *vault.Vault, o backup.Options) (backup.Result, error) {
	began := time.Now()
	total := lastBytes(v, string(o.Project))
	m := d.showProgress(func() sample { return backupSample(o.Progress, total, time.Since(began)) })
	defer m.finish()
	o.OnEvent = d.backupEvent
	return backup.Run(ctx, v, o)
}

// lastBytes is how much the project held last time: what a guess of the time
// left goes by.
func lastBytes(v *vault.Vault, project string) (n int64) {
	for s, err := range v.State().Snapshots() {
		if err == nil && s.Project == project {
			n = s.Bytes
		}
	}
	return n
}

func backupSample(p *backup.Progress, total int64, t time.Duration) sample {
	files, bytes, read := p.Files.Load(), p.Bytes.Load(), p.Read.Load()
	var uploaded int64
	if s := p.Stats.Load(); s != nil {
		uploaded = s.Uploaded.Load()
	}
	s := sample{json: map[string]any{
		"files_done": files, "bytes_done": bytes, "bytes_read": read, "bytes_uploaded": uploaded,
		"seconds_elapsed": int64(t.Seconds()),
	}}
	if total > 0 {
		s.json["total_bytes"] = total
	}
	if c := p.Current.Load(); c != nil {
		s.current = *c
		s.json["current_file"] = *c
	}
	s.text = joined(plural(files, "file"), bytesText(bytes), rate(read, t), bytesText(uploaded)+" stored", left(bytes, total, t))
	return s
}

// backupEvent tells at once what a user should know.
func (d *door) backupEvent(e backup.Event) {
	if d.json {
		d.emitBackupEvent(e)
		return
	}
	switch e.Kind {
	case backup.Unread:
		d.line(fmt.Sprintf("not saved: %s: %v", safeName(e.Path), bareFile(e.Err)))
	case backup.Changed:
		d.line("changed while it was read: " + safeName(e.Path))
	case backup.Warning:
		d.line("warning: " + e.Err.Error())
	case backup.Restart:
		d.line("starting again: " + e.Err.Error())
	case backup.Excluded, backup.LeftOut:
		if d.verbose {
			d.line(fmt.Sprintf("left out: %s (%s)", safeName(e.Path), safeName(e.Why)))
		}
	}
}

func (d *door) emitBackupEvent(e backup.Event) {
	fields := map[string]any{"event": string(e.Kind)}
	if e.Path != "" {
		fields["path"] = e.Path
	}
	if e.Err != nil {
		fields["error"] = e.Err.Error()
	}
	if e.Why != "" {
		fields["reason"] = e.Why
	}
	if (e.Kind == backup.Excluded || e.Kind == backup.LeftOut) && !d.verbose {
		return
	}
	d.emit("error", fields)
}

// bareFile is an error of a file without its path, which stands beside it.
func bareFile(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
