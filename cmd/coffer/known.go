package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coffer/config"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// parseRemote reads a remote as a flag gives it: a folder may be relative. But
// what begins like sftp:host or minio:9000 is how other programs name a place
// elsewhere: as a folder made here in silence it would pass for one.
func parseRemote(s string) (config.Remote, error) {
	first, _, _ := strings.Cut(s, "/")
	switch {
	case s == "", strings.HasPrefix(s, "s3:"), strings.Contains(s, "://"), strings.HasPrefix(s, "~/"):
	case strings.Contains(first, ":") && !isThere(first):
		if _, err := config.ParseRemote(s); err != nil {
			return config.Remote{}, usagef("a folder of that name would be written ./"+safeName(first), "remote: %w", err)
		}
	default:
		abs, err := filepath.Abs(s)
		if err != nil {
			return config.Remote{}, err
		}
		s = abs
	}
	r, err := config.ParseRemote(s)
	if err != nil {
		return r, usagef("", "remote: %w", err) // without s, which may hold a password
	}
	return r, nil
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
		if _, err := trust.ParseVaultID(e.Name()); err != nil || !e.IsDir() {
			continue
		}
		ch, ok, err := openKnown(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, ch)
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
			return chosen{}, false, hinted(fmt.Errorf("this device's keys in %s: %w", path, err),
				"remove that folder, then take the device's place again:  coffer enrol --kit FILE REMOTE --replace list")
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
