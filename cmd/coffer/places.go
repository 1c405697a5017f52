package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"coffer/config"
)

// dataRoot is where the embedded vault and the kit lie, and stateRoot where
// each vault's local state does: by the XDG rules where they are set, else
// where the system keeps such things.
func dataRoot() (string, error)  { return place("XDG_DATA_HOME", ".local/share", "") }
func stateRoot() (string, error) { return place("XDG_STATE_HOME", ".local/state", "state") }

func place(env, usual, mac string) (string, error) {
	if base := os.Getenv(env); filepath.IsAbs(base) {
		return filepath.Join(base, "coffer"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "coffer", mac), nil
	}
	return filepath.Join(home, usual, "coffer"), nil
}

// ownPlaces are the folders of Coffer itself, which no snapshot needs: local
// state, which changes while it is read; the kit, which a further recipient
// must not find in a snapshot; and the vault if it is a folder.
func ownPlaces(at config.Remote) []string {
	var out []string
	for _, place := range []func() (string, error){stateRoot, dataRoot} {
		if p, err := place(); err == nil {
			out = append(out, p)
		}
	}
	if at.Dir != "" {
		out = append(out, at.Dir)
	}
	return out
}
