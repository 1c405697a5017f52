package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"coffer/config"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/remote/s3"
)

// loadConfig reads the config file, or gives the defaults where there is none
// and none was named.
func (d *door) loadConfig() (*config.Config, error) {
	path, err := d.configPath()
	if err != nil {
		return nil, err
	}
	c, err := configChecks().Load(path)
	if errors.Is(err, fs.ErrNotExist) && d.config == "" && os.Getenv("COFFER_CONFIG") == "" {
		return config.Default(), nil
	}
	if err == nil {
		d.zone = zoneOf(c)
	}
	return c, err
}

func (d *door) configPath() (string, error) {
	if d.config != "" {
		return d.config, nil
	}
	return config.DefaultPath()
}

// openStore opens the remote of a vault, with retries and limits.
func (d *door) openStore(ctx context.Context, v config.Vault, patience time.Duration) (remote.Store, error) {
	store, err := openBare(ctx, v)
	if err != nil {
		return nil, err
	}
	o := remote.RetryOptions{Total: patience, OnRetry: d.tellRetry}
	if patience == 0 {
		o.Attempts = 1
	}
	return d.limited(ctx, remote.Retry(store, o), v), nil
}

func openBare(ctx context.Context, v config.Vault) (remote.Store, error) {
	if v.Remote.Dir != "" {
		return dir.Open(v.Remote.Dir)
	}
	loc, err := s3.ParseLocation(v.Remote.String())
	if err != nil {
		return nil, err
	}
	return s3.Open(ctx, s3.Options{
		Location: loc, Region: v.Region, Profile: v.Profile, CredentialsFile: v.CredentialsFile,
		CAFile: cmp.Or(v.CAFile, os.Getenv("COFFER_CA_FILE")), HostStyle: v.Remote.Endpoint != "" && !v.PathStyle,
		Lock: lockOf(v, time.Now()),
	})
}

// lockOf is the lock that a vault's config wants on what is uploaded; a month
// is as long as from now.
func lockOf(v config.Vault, now time.Time) s3.Lock {
	return s3.Lock{For: now.Sub(v.ObjectLock.Before(now)), Compliance: v.ObjectLockMode == config.LockCompliance}
}

// tellRetry tells on the error stream that the remote is being waited for: at
// first, and then now and again.
func (d *door) tellRetry(e remote.RetryEvent) {
	if d.quiet || e.Tries > 1 && e.Tries%5 != 0 {
		return
	}
	d.note("waiting for the remote: %s (next try in %s)", plainText(e.Err.Error()), durationText(e.Wait))
}

// Patience with a remote that does not answer.
const (
	shortPatience = 30 * time.Second
	longPatience  = 15 * time.Minute
)

// patience is how long a command waits for the remote; $COFFER_RETRY_FOR
// overrides it, and 0 means one try.
func patience(usual time.Duration) (time.Duration, error) {
	s := os.Getenv("COFFER_RETRY_FOR")
	if s == "" {
		return usual, nil
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 {
		return 0, usagef("it is a length of time such as 30s or 5m, or 0 for a single try", "COFFER_RETRY_FOR=%q is not understood", s)
	}
	return t, nil
}

// connect opens the remote of the vault that was chosen.
func (d *door) connect(ctx context.Context, ch chosen, usual time.Duration) (remote.Store, error) {
	wait, err := patience(usual)
	if err != nil {
		return nil, err
	}
	store, err := d.openStore(ctx, ch.vault, wait)
	if err != nil {
		return nil, ch.explain(err, nil)
	}
	return store, nil
}
