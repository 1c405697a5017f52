package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/files"
	"coffer/vault/state"
)

func (d *door) configBeginCommand() *cobra.Command {
	return &cobra.Command{
		Use: "begin", Short: "Write a config file of what this machine has backed up so far",
		Long: `Write a config file of what this machine has backed up so far: a project for each
set of folders, with the history that it has, and the vaults they went to. Each
project is then backed up every hour once the daemon runs. A file that is there
already is never touched.`,
		Args: exactly(0, "coffer config begin"),
		RunE: func(*cobra.Command, []string) error {
			path, err := d.configPath()
			if err != nil {
				return err
			}
			if isThere(path) {
				return usagef("coffer config check  looks for mistakes in it", "%s is there already", path)
			}
			return d.beginConfig(path)
		},
	}
}

// A beginning is a config made of what this machine remembers.
type beginning struct {
	config  *config.Config
	history map[string]memory // by project
	missing []string          // what is not in it, and why
}

// A memory is the newest snapshot of a project that is in a catalog.
type memory struct {
	vault chosen
	snap  state.Snapshot
	order int // in the catalog, for snapshots of one second
}

// beginConfig writes the file and says what is in it.
func (d *door) beginConfig(path string) error {
	b, err := d.begin(path)
	if err != nil {
		return err
	}
	text := b.config.Begin(beginComment)
	if _, err := config.Parse([]byte(text), path); err != nil {
		return fmt.Errorf("begin a config: what was backed up cannot be said in one: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	if err := files.WriteAtomic(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	// A project that was known by its folders is known by its name from now on,
	// and goes on with the history that it has.
	for name, m := range b.history {
		if err := m.vault.dir.BindProject(name, m.snap.Project); err != nil {
			return fmt.Errorf("give the project %s its history: %w", name, err)
		}
	}
	d.tellBegun(path, b)
	return nil
}

const beginComment = `Coffer's config file, begun from what this machine had backed up. Each project
is backed up every hour while the daemon runs; other times can be said here:

    [schedule]
    backup = "30 9-18 * * 1-5"

"coffer config example" shows everything that can be said, "coffer config check"
looks for mistakes. Patterns that were given as --exclude are not in here.`

func (d *door) tellBegun(path string, b *beginning) {
	if d.json {
		d.emit("config", map[string]any{"file": path, "vaults": len(b.config.Vaults), "projects": len(b.config.Projects), "begun": true, "missing": b.missing})
		return
	}
	fmt.Fprintf(d.out, "wrote %s from what this machine has backed up so far:\n", safeName(path))
	for _, p := range b.config.Projects {
		v, _ := b.config.Vault(p.Vault)
		fmt.Fprintf(d.out, "  project %s: %s, every hour, to %s\n", p.Name, safeName(strings.Join(p.Paths, ", ")), safeName(v.Remote.String()))
	}
	for _, m := range b.missing {
		fmt.Fprintf(d.out, "  not in it: %s\n", safeName(m))
	}
}

// begin makes a config of what this machine remembers, the newest first: a
// folder can be in one project only.
func (d *door) begin(path string) (*beginning, error) {
	all, err := memories()
	if err != nil {
		return nil, err
	}
	b := &beginning{config: config.Default(), history: map[string]memory{}}
	taken := map[string]bool{} // folders
	for _, m := range all {
		b.add(m, taken)
	}
	if len(b.config.Projects) == 0 {
		return nil, usagef("coffer backup now FOLDER", "nothing was backed up from this machine yet%s", because(b.missing))
	}
	for i := range b.config.Vaults {
		suitEnvironment(&b.config.Vaults[i], path)
	}
	return b, nil
}

func because(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	return " that a config could name:\n" + strings.Join(missing, "\n")
}

// memories lists the newest snapshot of each project in each vault that this
// machine knows, the newest first.
func memories() ([]memory, error) {
	known, err := knownVaults()
	if err != nil {
		return nil, err
	}
	var all []memory
	order := 0
	for _, ch := range known {
		newest := map[string]memory{}
		for s, err := range ch.dir.Snapshots() {
			if err != nil {
				return nil, err
			}
			newest[s.Project] = memory{ch, s, order}
			order++
		}
		all = slices.AppendSeq(all, maps.Values(newest))
	}
	slices.SortFunc(all, func(a, b memory) int {
		return cmp.Or(cmp.Compare(b.snap.Time, a.snap.Time), cmp.Compare(b.order, a.order))
	})
	return all, nil
}

// add takes a memory into the config, but for what is gone, or is in it.
func (b *beginning) add(m memory, taken map[string]bool) {
	text := fmt.Sprintf("%s, backed up %s to %s", catalogText(m.snap), timeText(time.Unix(m.snap.Time, 0)), m.vault.vault.Remote)
	var paths []string
	for _, root := range m.snap.Roots {
		_, err := os.Lstat(string(root))
		if err == nil && !taken[string(root)] && sayable(string(root)) {
			paths = append(paths, string(root))
		}
	}
	if len(paths) == 0 {
		b.missing = append(b.missing, text+": its folders are gone, or in another project")
		return
	}
	for _, p := range paths {
		taken[p] = true
	}
	words := string(m.snap.Label)
	if filepath.IsAbs(words) {
		words = filepath.Base(paths[0])
	}
	name := config.NameFor(words, func(n string) bool { return b.history[n].vault.dir != nil })
	p := config.NewProject(name, paths...)
	p.Vault = b.vault(m.vault.vault.Remote)
	b.config.Projects = append(b.config.Projects, p)
	b.history[name] = m
}

// vault finds the vault at a remote, or names it.
func (b *beginning) vault(r config.Remote) string {
	words := r.Bucket
	if r.Dir != "" {
		words = filepath.Base(r.Dir)
	}
	if root, err := dataRoot(); err == nil && r.Dir == filepath.Join(root, "vault") {
		words = "local" // the one that the first backup made
	}
	for _, v := range b.config.Vaults {
		if v.Remote == r {
			return v.Name
		}
	}
	name := config.NameFor(words, func(n string) bool { _, err := b.config.Vault(n); return err == nil })
	b.config.Vaults = append(b.config.Vaults, config.NewVault(name, r))
	return name
}

// sayable reports whether a config can name a path.
func sayable(path string) bool {
	return safeName(path) == path || !strings.ContainsFunc(path, unicode.IsControl) && strings.ToValidUTF8(path, "") == path
}

// suitEnvironment fills in what a shell said by its environment, which nothing
// that runs in the background sees. Keys are no part of a config: those that
// are in the environment only get a file, beside the config.
func suitEnvironment(v *config.Vault, path string) {
	if v.Remote.Dir != "" {
		return
	}
	v.Region = cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	v.Profile = os.Getenv("AWS_PROFILE")
	if ca := os.Getenv("COFFER_CA_FILE"); ca != "" && strings.HasPrefix(v.Remote.Endpoint, "https:") {
		if abs, err := filepath.Abs(ca); err == nil {
			v.CAFile = abs
		}
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") != "" {
		v.Profile = ""
		v.CredentialsFile = filepath.Join(filepath.Dir(path), "credentials")
	}
}

// refuseKeyless fails if a vault's keys are known to this shell only, or its
// file of keys is not there.
func refuseKeyless(c *config.Config) error {
	for _, v := range c.Vaults {
		file := v.CredentialsFile
		if v.Remote.Dir != "" || file != "" && isThere(file) {
			continue
		}
		shell := os.Getenv("AWS_ACCESS_KEY_ID") != ""
		switch {
		case file == "" && shell && !isThere(usualCredentials()):
			return usagef(`name a file in [vault.`+v.Name+`] of the config:  credentials-file = "~/.config/coffer/credentials"`+"\n"+keysInto("~/.config/coffer/credentials"),
				"the S3 keys of vault %q are in this shell only, where the daemon cannot see them", v.Name)
		case file != "" && shell:
			return usagef(keysInto(shellWord(file)), "the daemon will look for the S3 keys of vault %q in %s, which is not there", v.Name, file)
		case file != "":
			return usagef("it holds the access key's ID and the secret on two lines", "the S3 keys of vault %q are to be in %s, which is not there", v.Name, file)
		}
	}
	return nil
}

// keysInto is the command that puts the shell's keys into a file.
func keysInto(file string) string {
	return "put the keys there, and try again:\n" +
		`(umask 077; printf '%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" > ` + file + ")"
}

// usualCredentials is where the tools of AWS keep keys.
func usualCredentials() string {
	if file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
		return file
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".aws", "credentials")
}
