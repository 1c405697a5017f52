package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"coffer/chunk/seal"
	"coffer/vault/kit"
)

// The identity is looked for in this order: --kit or --identity,
// $COFFER_IDENTITY_FILE, $COFFER_IDENTITY_COMMAND, the local kit, and the
// wrapped copy, which asks for its passphrase.

// givenKit reads the kit that the command line or the environment names; nil
// if they name none.
func (d *door) givenKit() (*kit.Kit, error) {
	path := d.kit
	if path == "" {
		path = d.identity
	}
	if path == "" {
		path = os.Getenv("COFFER_IDENTITY_FILE")
	}
	if path != "" {
		return readKit(path)
	}
	if command := os.Getenv("COFFER_IDENTITY_COMMAND"); command != "" {
		return kitFromCommand(command)
	}
	return nil, nil
}

func readKit(path string) (*kit.Kit, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hinted{fmt.Errorf("read recovery kit: %w", err), "name the file that coffer wrote when the vault was made, coffer-kit-....txt"}
	}
	defer f.Close()
	k, err := kit.Parse(f)
	if err != nil {
		return nil, hinted{fmt.Errorf("read recovery kit %s: %w: %w", path, seal.ErrNoIdentity, err), "a kit has one line that begins with AGE-SECRET-KEY-; copy it whole"}
	}
	return &k, nil
}

// kitFromCommand runs a command, such as a password manager's, that prints the
// kit or the identity alone.
func kitFromCommand(command string) (*kit.Kit, error) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run COFFER_IDENTITY_COMMAND: %w", err)
	}
	k, err := kit.Parse(bytes.NewReader(out))
	if err != nil {
		return nil, fmt.Errorf("COFFER_IDENTITY_COMMAND printed no identity: %w: %w", seal.ErrNoIdentity, err)
	}
	return &k, nil
}

// localKit is the kit that is still on this machine, or the wrapped copy.
func (d *door) localKit(ch chosen) (*kit.Kit, error) {
	if path := string(ch.dev.KitPath); path != "" {
		k, err := readKit(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	b, err := os.ReadFile(wrappedPath(ch.dir.Path()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the wrapped identity: %w", err)
	}
	return d.unwrap(b)
}

// wrappedPath is where a passphrase-wrapped copy of the identity lies, if the
// user asked for one.
func wrappedPath(stateDir string) string { return filepath.Join(stateDir, "identity.age") }

func (d *door) unwrap(b []byte) (*kit.Kit, error) {
	pass, err := d.askSecret("passphrase of the vault's identity: ")
	if err != nil {
		return nil, err
	}
	plain, err := seal.UnwrapPassphrase(b, pass)
	if err != nil {
		return nil, fmt.Errorf("open the wrapped identity: %w", err)
	}
	k, err := kit.Parse(bytes.NewReader(plain))
	if err != nil {
		return nil, fmt.Errorf("open the wrapped identity: %w", err)
	}
	return &k, nil
}

// askSecret asks on the terminal, without showing what is typed.
func (d *door) askSecret(prompt string) (string, error) {
	f, ok := d.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", hinted{fmt.Errorf("%w: the wrapped copy needs its passphrase, and there is no terminal to ask on", seal.ErrNoIdentity), noIdentityHint}
	}
	fmt.Fprint(d.err, prompt)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(d.err)
	return string(b), err
}
