package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"coffer/config"
	"coffer/vault"
)

// A machine may back up to several vaults. Where nothing says which is meant,
// what only tells things tells of all of them, and a folder goes where it went
// before. Everything else asks.

// undecided are the vaults that this machine has backed up to, if there are
// several and neither the command line nor the config chooses one.
func (d *door) undecided() ([]chosen, error) {
	if d.remote != "" || d.vault != "" || d.kit != "" || d.identity != "" {
		return nil, nil
	}
	c, err := d.loadConfig()
	if err != nil || c.DefaultVault != "" {
		return nil, err
	}
	known, err := knownVaults()
	if err != nil || len(known) < 2 {
		return nil, err
	}
	for i := range known {
		known[i].vault = vaultAt(c, known[i].vault.Remote)
	}
	return known, nil
}

// name is what --vault takes for the vault.
func (ch chosen) name() string {
	if ch.vault.Name != "" || ch.dev == nil {
		return ch.vault.Name
	}
	return ch.dev.Vault[:8]
}

// eachVault does what tells of a vault for the one that is meant or, where
// nothing says which, for one after the other. One that cannot be looked at, or
// is not well, does not keep the others from being told of.
func (d *door) eachVault(ctx context.Context, do func() error) error {
	all, err := d.undecided()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return do()
	}
	defer func() { d.vault = "" }()
	ill, worst := 0, exitOK
	for i, ch := range all {
		if d.vault = ch.name(); i > 0 && !d.json {
			fmt.Fprintln(d.out)
		}
		err := do()
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err == nil {
			continue
		}
		ill++
		if code := d.tellVaultFailed(ctx, ch, err); worst == exitOK || code == exitDamage {
			worst = code
		}
	}
	if ill == 0 {
		return nil
	}
	return outcome{worst, fmt.Sprintf("%d of %s not as they should be, as told above", ill, plural(int64(len(all)), "vault"))}
}

// tellVaultFailed tells at once that one vault of several failed, and why.
func (d *door) tellVaultFailed(ctx context.Context, ch chosen, err error) int {
	code, text, hint := explainAny(ctx, err)
	if d.json {
		d.emit("error", map[string]any{"event": "failed", "vault": ch.dev.Vault, "remote": ch.vault.Remote.String(), "code": code, "error": text, "hint": hint})
		return code
	}
	d.note("vault %s at %s: %s", ch.dev.Vault[:8], safeName(ch.vault.Remote.String()), plainText(text))
	if hint != "" {
		d.note("  %s", strings.ReplaceAll(hint, "\n", "\n  "))
	}
	return code
}

// chooseFor is choose for a backup of a project: where nothing says which of
// several vaults is meant, it is the only one that the project was backed up to.
// What the config says of the project holds, wherever it went before.
func (d *door) chooseFor(c *config.Config, p config.Project) (chosen, error) {
	if p.Vault != "" {
		return d.choose(c, p.Vault, nil)
	}
	all, err := d.undecided()
	if err != nil {
		return chosen{}, err
	}
	var held []chosen
	for _, ch := range all {
		if knowsProject(ch, p) {
			held = append(held, ch)
		}
	}
	if len(held) == 1 {
		return held[0], nil
	}
	return d.choose(c, "", nil)
}

// knowsProject tells whether this machine has backed a project up to a vault.
func knowsProject(ch chosen, p config.Project) bool {
	known, err := ch.dir.Projects()
	if err != nil {
		return false
	}
	for _, k := range known {
		if string(k.Key) == vault.ProjectKey(p.Name, p.Paths) {
			return true
		}
	}
	return false
}

// restoreLine is the command that restores a snapshot of this vault, whole: with
// the kit where it is no longer here, and else with the vault's name where a
// command without would mean another one.
func (d *door) restoreLine(v *vault.Vault, snapshot string) string {
	line := "coffer restore " + snapshot + " --target DIR"
	if v.State() == nil {
		return line
	}
	dev, err := v.State().Device()
	if err == nil && !isThere(string(dev.KitPath)) && !keyHere(v) {
		return line + " --kit FILE"
	}
	return d.lineFor(v, line)
}

// lineFor is a command for this vault, with its name where a command without
// would mean another one.
func (d *door) lineFor(v *vault.Vault, line string) string {
	if v.State() == nil {
		return line
	}
	plain := &door{config: d.config, remote: os.Getenv("COFFER_REMOTE")}
	c, err := plain.loadConfig()
	if err != nil {
		return line
	}
	ch, err := plain.choose(c, "", nil)
	if err == nil && ch.dev != nil && ch.dev.Vault == string(v.ID()) {
		return line
	}
	for _, of := range c.Vaults {
		if of.Remote.String() == v.Location() {
			return line + " --vault " + of.Name
		}
	}
	return line + " --vault " + string(v.ID()[:8])
}

// keyHere tells whether this machine opens the vault by something else than the
// kit's file: a command, a file that the environment names, a wrapped copy.
func keyHere(v *vault.Vault) bool {
	return os.Getenv("COFFER_IDENTITY_FILE") != "" || os.Getenv("COFFER_IDENTITY_COMMAND") != "" ||
		isThere(wrappedPath(chosen{dir: v.State()}))
}
