package main

import (
	"os"
	"os/user"
	"slices"
	"time"

	"coffer/chunk/pack"
	"coffer/config"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
)

// backupOptions translates config and flags.
func (d *door) backupOptions(c *config.Config, f backupFlags, p config.Project, v *vault.Vault) (backup.Options, error) {
	level, adapt, err := compression(c, f, onBattery)
	if err != nil {
		return backup.Options{}, err
	}
	key := vault.ProjectKey(p.Name, p.Paths)
	id, err := v.State().Project(key)
	if err != nil {
		return backup.Options{}, err
	}
	host, _ := os.Hostname()
	return backup.Options{
		Project: trust.ProjectID(id), Key: key, Label: p.Name, Roots: p.Paths, Host: host, User: userName(),
		Tags: append(slices.Clone(p.Tags), f.Tags...), Level: level, Adapt: adapt, Version: versionText(),
		Walk: walkOptions(f, p), DedupMemory: days(c.DedupMemory, time.Now()), Progress: new(backup.Progress),
	}, nil
}

// days is a span in whole days, at least one.
func days(s config.Span, now time.Time) int {
	return max(1, int((now.Sub(s.Before(now))+12*time.Hour)/(24*time.Hour)))
}

func walkOptions(f backupFlags, p config.Project) files.Options {
	return files.Options{
		Exclude: append(slices.Clone(p.Exclude), f.Exclude...), IgnoreFiles: p.IgnoreFiles,
		CacheDirs: p.CacheDirs || f.CacheDirs, OneFileSystem: p.OneFileSystem || f.OneFileSystem,
	}
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// compression is the level, and whether it may change with the uploads. On
// battery it stays light, unless the config or a flag names a level.
func compression(c *config.Config, f backupFlags, onBattery func() bool) (level pack.Level, adapt bool, err error) {
	s := string(c.Compression)
	if f.Compression != "" {
		s = f.Compression
	}
	switch config.Compression(s) {
	case config.CompressAdaptive, "":
		if onBattery() {
			return pack.Fastest, false, nil
		}
		return pack.Default, true, nil
	case config.CompressFastest:
		return pack.Fastest, false, nil
	case config.CompressDefault:
		return pack.Default, false, nil
	case config.CompressBetter:
		return pack.Better, false, nil
	}
	return 0, false, usagef("it is one of adaptive, fastest, default, better", "--compression %q is not known", s)
}

// onBattery tells whether work is to be kept light. A machine that cannot say
// has no battery.
func onBattery() bool {
	inUse, _, err := machine().Power()
	return err == nil && inUse
}
