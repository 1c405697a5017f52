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

// kitOfFlags reads the kit that the command line names; nil if it names none.
func (d *door) kitOfFlags() (*kit.Kit, error) {
	switch {
	case d.kit != "" && d.identity != "":
		return nil, usagef("", "--kit and --identity are the same: give one of them")
	case d.kit != "":
		return readKit(d.kit)
	case d.identity != "":
		return readKit(d.identity)
	}
	return nil, nil
}

// kitAtHand finds a kit that the command line does not name. What asks someone
// or runs something it does only if the kit is needed.
func (d *door) kitAtHand(ch chosen, needed bool) (*kit.Kit, error) {
	if path := os.Getenv("COFFER_IDENTITY_FILE"); path != "" {
		k, err := readKit(path)
		if needed || !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	if command := os.Getenv("COFFER_IDENTITY_COMMAND"); command != "" && needed {
		return kitFromCommand(command)
	}
	if ch.dir == nil {
		return nil, nil
	}
	if path := string(ch.dev.KitPath); path != "" {
		k, err := readKit(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	if !needed {
		return nil, nil
	}
	return d.wrappedKit(ch)
}

// badKit makes an error of a kit that cannot be used, for which there is an
// exit code of its own.
func badKit(err error, hint string) error { return told{err, exitNoIdentity, hint} }

const wholeKitHint = "a kit has one line that begins with AGE-SECRET-KEY-; copy it whole"

func readKit(path string) (*kit.Kit, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, badKit(fmt.Errorf("read recovery kit: %w", err), "name the file that coffer wrote when the vault was made, coffer-kit-....txt")
	}
	defer f.Close()
	k, err := kit.Parse(f)
	if err != nil {
		return nil, badKit(fmt.Errorf("%s: %w", path, err), wholeKitHint)
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
		return nil, badKit(fmt.Errorf("run COFFER_IDENTITY_COMMAND: %w", err), "it must print the kit, or its line of the secret alone")
	}
	k, err := kit.Parse(bytes.NewReader(out))
	if err != nil {
		return nil, badKit(fmt.Errorf("what COFFER_IDENTITY_COMMAND printed: %w", err), wholeKitHint)
	}
	return &k, nil
}

// wrappedPath is where a passphrase-wrapped copy of the identity lies, if the
// user asked for one.
func wrappedPath(ch chosen) string { return filepath.Join(ch.dir.Path(), "identity.age") }

// wrappedKit opens the wrapped copy; nil if there is none.
func (d *door) wrappedKit(ch chosen) (*kit.Kit, error) {
	b, err := os.ReadFile(wrappedPath(ch))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the wrapped identity: %w", err)
	}
	if !d.canAsk() {
		return nil, badKit(errors.New("the wrapped identity needs its passphrase, and there is no terminal to ask on"), "lend the recovery kit instead:  --kit FILE")
	}
	pass, err := d.askSecret("passphrase of the vault's identity: ")
	if err != nil {
		return nil, err
	}
	plain, err := seal.UnwrapPassphrase(b, pass)
	if err != nil {
		return nil, badKit(fmt.Errorf("open the wrapped identity: %w", err), "try again, or lend the recovery kit:  --kit FILE")
	}
	k, err := kit.Parse(bytes.NewReader(plain))
	if err != nil {
		return nil, badKit(fmt.Errorf("open the wrapped identity: %w", err), "lend the recovery kit:  --kit FILE")
	}
	return &k, nil
}

// canAsk tells whether someone sits at the other end of the standard input.
func (d *door) canAsk() bool {
	f, ok := d.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// askSecret asks on the terminal, without showing what is typed.
func (d *door) askSecret(prompt string) (string, error) {
	fmt.Fprint(d.err, prompt)
	text, err := answer(d.in, func() (string, error) {
		b, err := term.ReadPassword(int(d.in.(*os.File).Fd()))
		return string(b), err
	})
	fmt.Fprintln(d.err)
	return text, err
}
