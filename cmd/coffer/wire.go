package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/config"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/remote/s3"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
)

// loadConfig reads the config file, or gives the defaults where there is none
// and none was named.
func (d *door) loadConfig() (*config.Config, error) {
	path := d.config
	if path == "" {
		var err error
		if path, err = config.DefaultPath(); err != nil {
			return nil, err
		}
	}
	c, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) && d.config == "" && os.Getenv("COFFER_CONFIG") == "" {
		return config.Default(), nil
	}
	return c, err
}

// chosen is the vault that a command line means.
type chosen struct {
	vault config.Vault
	dir   *state.Dir // this device's local state of it; nil if there is none
	dev   *state.Device
}

// choose finds the vault that is meant: the one at --remote, the one of the
// config's --vault or default, or the only one this device knows.
func (d *door) choose(c *config.Config) (chosen, error) {
	known, err := knownVaults()
	if err != nil {
		return chosen{}, err
	}
	switch {
	case d.remote != "":
		r, err := parseRemote(d.remote)
		if err != nil {
			return chosen{}, usageError{err, "write it as s3:https://host/bucket/prefix, s3://bucket/prefix, or a folder"}
		}
		return match(known, vaultAt(c, r)), nil
	case d.vault != "" || len(c.Vaults) > 0:
		v, err := c.Vault(d.vault)
		if err != nil {
			return chosen{}, usageError{err, "coffer config show  lists the vaults"}
		}
		return match(known, v), nil
	case len(known) == 1:
		return known[0], nil
	case len(known) > 1:
		return chosen{}, usageError{errors.New("this machine knows several vaults"), "name one with --remote:\n" + listRemotes(known)}
	}
	return chosen{}, nil
}

// vaultAt is the config's vault at a remote, or one with the defaults.
func vaultAt(c *config.Config, r config.Remote) config.Vault {
	for _, v := range c.Vaults {
		if v.Remote == r {
			return v
		}
	}
	return config.NewVault("", r)
}

func match(known []chosen, v config.Vault) chosen {
	for _, k := range known {
		if k.vault.Remote == v.Remote {
			k.vault = v
			return k
		}
	}
	return chosen{vault: v}
}

func listRemotes(known []chosen) string {
	var names []string
	for _, k := range known {
		names = append(names, k.vault.Remote.String())
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// parseRemote reads a remote as a flag gives it: a folder may be relative.
func parseRemote(s string) (config.Remote, error) {
	if !strings.HasPrefix(s, "s3:") && !strings.Contains(s, "://") {
		abs, err := filepath.Abs(s)
		if err != nil {
			return config.Remote{}, err
		}
		s = abs
	}
	return config.ParseRemote(s)
}

// knownVaults lists the vaults that this device has local state of.
func knownVaults() ([]chosen, error) {
	root, err := stateRoot()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read local state: %w", err)
	}
	var out []chosen
	for _, e := range entries {
		k, ok, err := openKnown(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, k)
		}
	}
	return out, nil
}

// openKnown opens one folder of local state. A folder without keys is what an
// interrupted init or a deleted state leaves: not a vault.
func openKnown(path string) (chosen, bool, error) {
	dir, err := state.Open(path)
	if err != nil {
		return chosen{}, false, fmt.Errorf("open local state %s: %w", path, err)
	}
	dev, err := dir.Device()
	if errors.Is(err, fs.ErrNotExist) {
		return chosen{}, false, nil
	}
	if errors.Is(err, state.ErrDamaged) {
		if dev, err = dir.RecoverDevice(); err != nil {
			return chosen{}, false, hinted{fmt.Errorf("this device's keys in %s: %w", path, err), "take the device's place again with the recovery kit:  coffer enrol --kit FILE REMOTE --replace DEVICE"}
		}
	}
	if err != nil {
		return chosen{}, false, err
	}
	r, err := config.ParseRemote(dev.Remote)
	if err != nil {
		return chosen{}, false, fmt.Errorf("local state %s: %w", path, err)
	}
	return chosen{vault: config.NewVault("", r), dir: dir, dev: dev}, true, nil
}

// openStore opens the remote of a vault, with retries and limits.
func (d *door) openStore(ctx context.Context, v config.Vault, patience time.Duration) (remote.Store, error) {
	store, err := openBare(ctx, v)
	if err != nil {
		return nil, err
	}
	o := remote.RetryOptions{Total: patience, OnRetry: d.sayRetry}
	if patience == 0 {
		o.Attempts = 1
	}
	return remote.Limit(remote.Retry(store, o), int64(v.UploadLimit), int64(v.DownloadLimit)), nil
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
	})
}

// sayRetry tells on the error stream that the remote is being waited for.
func (d *door) sayRetry(e remote.RetryEvent) {
	if d.quiet || d.json || e.Tries > 3 && e.Tries%10 != 0 {
		return
	}
	d.line(fmt.Sprintf("waiting for the remote (%s): %v", e.Op, bare(e.Err)))
}

// bare is the innermost part of an error from the network.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
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
		return 0, usageError{fmt.Errorf("COFFER_RETRY_FOR=%q: want a duration such as 30s or 5m", s), ""}
	}
	return t, nil
}

// lending says whether a command needs the vault's identity.
type lending int

const (
	keyless lending = iota // never, and it is not looked for
	lent                   // it is needed
	ifGiven                // used if a flag or the environment names it, or the kit is still here
)

// open opens the vault that the command line means.
func (d *door) open(ctx context.Context, l lending) (*vault.Vault, error) {
	c, err := d.loadConfig()
	if err != nil {
		return nil, err
	}
	ch, k, err := d.chooseWithKit(c, l)
	if err != nil {
		return nil, err
	}
	if ch.dir == nil && ch.vault.Remote == (config.Remote{}) {
		return nil, hinted{fmt.Errorf("%w: this machine knows none", vault.ErrNoVault), "make the first backup:  coffer backup now FOLDER\nor restore with the kit:  coffer restore --kit FILE latest --target DIR"}
	}
	wait, err := patience(shortPatience)
	if err != nil {
		return nil, err
	}
	store, err := d.openStore(ctx, ch.vault, wait)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", ch.vault.Remote, err)
	}
	if ch.dir == nil && k == nil {
		return nil, hinted{fmt.Errorf("%w: this machine is not enrolled in the vault at %s", vault.ErrNoIdentity, ch.vault.Remote), "lend it the recovery kit:  --kit FILE"}
	}
	return vault.Open(ctx, store, vault.OpenOptions{State: ch.dir, Kit: k})
}

// chooseWithKit finds the vault, and the kit if it is wanted. On a machine
// that knows no vault the kit says where it is.
func (d *door) chooseWithKit(c *config.Config, l lending) (chosen, *kit.Kit, error) {
	k, err := d.givenKit()
	if err != nil {
		return chosen{}, nil, err
	}
	if k != nil && k.Remote != "" && d.remote == "" && d.vault == "" {
		d.remote = k.Remote
	}
	ch, err := d.choose(c)
	if err != nil {
		return chosen{}, nil, err
	}
	if k != nil && ch.dev != nil && k.Vault != "" && ch.dev.Vault != string(k.Vault) {
		ch.dir, ch.dev = nil, nil // this machine knows another vault that was at the same place
	}
	if k == nil && l != keyless && ch.dev != nil {
		k, err = d.localKit(ch)
	}
	if k == nil && l == lent && err == nil {
		return ch, nil, vault.ErrNoIdentity
	}
	if l == keyless {
		k = nil
	}
	return ch, k, err
}
