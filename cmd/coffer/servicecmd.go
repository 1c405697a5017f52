package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/deploy"
	"coffer/files"
)

// serviceFlags say whose service is meant.
type serviceFlags struct {
	system bool
	user   string
	print  bool
}

func (d *door) serviceCommand() *cobra.Command {
	var f serviceFlags
	c := group("service", "Have the machine run the daemon", `Have the machine run the daemon: systemd on Linux, launchd on macOS. Without
--system it is a service of your own, which needs no rights but yours.`)
	install := &cobra.Command{
		Use: "install", Short: "Install the service, or bring it up to date, and start it", Args: exactly(0, "coffer service install"),
		Long: `Install the service, or bring it up to date, and start it. Without a config file it
first writes one of what this machine has backed up so far (coffer config begin).

With --system it is a service of the system that works for one user, also while
nobody is logged in, and that can read every file. So can then, by way of the
config and its hooks, that user: it is for who administers the machine.`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.serviceInstall(cmd.Context(), f) },
	}
	install.Flags().BoolVar(&f.print, "print", false, "print the file that would be installed, and install nothing")
	uninstall := &cobra.Command{
		Use: "uninstall", Short: "Stop the service and remove it", Args: exactly(0, "coffer service uninstall"),
		Long: `Stop the service and remove its file. Vaults, local state, recovery kits, config and
log stay.`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.serviceUninstall(cmd.Context(), f) },
	}
	status := &cobra.Command{
		Use: "status", Short: "Say whether the service is there and runs", Args: exactly(0, "coffer service status"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.serviceStatus(cmd.Context(), f) },
	}
	for _, sub := range []*cobra.Command{install, uninstall, status} {
		sub.Flags().BoolVar(&f.system, "system", false, "the service of the system, not your own")
		sub.Flags().StringVar(&f.user, "user", "", "with --system, the `name` of the user it works for (default: who called sudo)")
		c.AddCommand(sub)
	}
	return c
}

// A home is whose config and local state the daemon uses.
type home struct {
	account string // of a system service, else ""
	config  string // the config file
	named   bool   // it is not where it is looked for by itself
	state   string // of all vaults
	data    string
}

// serviceFor finds the manager and the home that the flags mean.
func (d *door) serviceFor(f serviceFlags) (serviceManager, home, error) {
	if !f.system {
		if f.user != "" {
			return nil, home{}, usagef("add --system, or leave it out", "--user is of a service of the system")
		}
		return d.ownService()
	}
	if runtime.GOOS == "darwin" {
		return nil, home{}, usagef("coffer service install", "macOS lets no service of the system read a user's folders; install it as your own")
	}
	account := f.user
	if account == "" {
		account = os.Getenv("SUDO_USER")
	}
	if account == "" {
		return nil, home{}, usagef("coffer service install --system --user NAME", "say for which user the service of the system works")
	}
	u, err := user.Lookup(account)
	if err != nil || !filepath.IsAbs(u.HomeDir) {
		return nil, home{}, usagef("", "there is no user %q with a home folder here", account)
	}
	h := home{account: u.Username, config: d.config, named: d.config != ""}
	if h.config == "" {
		h.config = filepath.Join(u.HomeDir, ".config", "coffer", "config.toml")
	}
	h.state, h.data = filepath.Join(u.HomeDir, ".local", "state", "coffer"), filepath.Join(u.HomeDir, ".local", "share", "coffer")
	return systemManager(u.Username), h, nil
}

// ownService is that of who calls.
func (d *door) ownService() (serviceManager, home, error) {
	if os.Geteuid() == 0 && os.Getenv("SUDO_USER") != "" {
		return nil, home{}, usagef("without sudo:  coffer service install\nfor the whole machine:  sudo coffer service install --system", "with sudo this would be a service of root")
	}
	m, err := ownManager()
	if err != nil {
		return nil, home{}, err
	}
	path, err1 := d.configPath()
	states, err2 := stateRoot()
	data, err3 := dataRoot()
	h := home{config: path, named: d.config != "" || os.Getenv("COFFER_CONFIG") != "", state: states, data: data}
	return m, h, errors.Join(err1, err2, err3)
}

func (d *door) serviceInstall(ctx context.Context, f serviceFlags) error {
	m, h, err := d.serviceFor(f)
	if err != nil {
		return err
	}
	program, err := ownProgram()
	if err != nil {
		return err
	}
	if f.print {
		c, err := config.Load(h.config)
		if err != nil {
			c = config.Default() // there is no need of one yet
		}
		text, err := fileOf(m, h, program, c)
		if err == nil {
			fmt.Fprint(d.out, text)
		}
		return err
	}
	if err := refusePassing(program); err != nil {
		return err
	}
	c, err := d.configFor(h)
	if err != nil {
		return err
	}
	text, err := fileOf(m, h, program, c)
	if err != nil {
		return err
	}
	if err := writeService(m.file(), text); err != nil {
		return err
	}
	return d.tellInstall(ctx, m, m.start(ctx))
}

// configFor is the config that the daemon will use: one is begun if there is
// none, and one that would not work is refused.
func (d *door) configFor(h home) (*config.Config, error) {
	c, err := config.Load(h.config)
	if errors.Is(err, fs.ErrNotExist) && h.account != "" {
		return nil, hinted(err, "as "+h.account+":  coffer config begin")
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.beginConfig(h.config); err != nil {
			return nil, err
		}
		c, err = config.Load(h.config)
	}
	if err != nil {
		return nil, err
	}
	if len(c.Projects) == 0 {
		return nil, usagef("add a [project.NAME] to "+h.config, "the config names no project, so the daemon would have nothing to do")
	}
	if h.account != "" && !isThere(h.state) {
		return nil, usagef("as "+h.account+":  coffer backup now", "there is no %s: %s has backed nothing up yet", h.state, h.account)
	}
	if h.account != "" {
		return c, nil // root must not open another's state
	}
	if err := refuseStrange(c); err != nil {
		return nil, err
	}
	return c, refuseKeyless(c)
}

// refuseStrange fails if a project's vault was never used from here: to make a
// vault means to be handed its recovery kit, and nobody sees what a daemon says.
func refuseStrange(c *config.Config) error {
	known, err := knownVaults()
	if err != nil {
		return err
	}
	for _, p := range c.Projects {
		v, err := c.Vault(p.Vault)
		if err != nil {
			return err
		}
		if match(known, v, nil).dir == nil {
			return usagef("coffer backup now "+p.Name, "vault %q at %s was never used from this machine", v.Name, v.Remote)
		}
	}
	return nil
}

// ownProgram is the path of this program. Where it was called by a name that a
// package manager keeps, that is better than what the name points to, which
// goes with the next update.
func ownProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return self, nil
	}
	if called, err = filepath.Abs(called); err != nil {
		return self, nil
	}
	one, err1 := os.Stat(self)
	two, err2 := os.Stat(called)
	if err1 == nil && err2 == nil && os.SameFile(one, two) {
		return called, nil
	}
	return self, nil
}

// refusePassing refuses a program that will not be there tomorrow.
func refusePassing(program string) error {
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		temp = os.TempDir()
	}
	for _, dir := range []string{os.TempDir(), temp} {
		if rel, err := filepath.Rel(dir, program); err == nil && filepath.IsLocal(rel) || strings.Contains(program, "/go-build") {
			return usagef("put it where it can stay:  sudo install "+shellWord(program)+" /usr/local/bin/coffer\nthen:  coffer service install",
				"this program is in a temporary folder: %s", program)
		}
	}
	return nil
}

// fileOf is what the manager is told.
func fileOf(m serviceManager, h home, program string, c *config.Config) (string, error) {
	s := deploy.Service{Program: program, Writable: []string{h.state}}
	if h.named {
		path, err := filepath.Abs(h.config)
		if err != nil {
			return "", err
		}
		s.Config = path
	}
	if h.account == "" {
		s.Env = passedOn()
	}
	for _, v := range c.Vaults {
		if v.Remote.Dir != "" {
			s.Writable = append(s.Writable, v.Remote.Dir)
		}
	}
	if len(c.Vaults) == 0 {
		s.Writable = append(s.Writable, filepath.Join(h.data, "vault"))
	}
	if c.Daemon.MetricsFile != "" {
		s.Writable = append(s.Writable, filepath.Dir(c.Daemon.MetricsFile))
	}
	if userHome, err := os.UserHomeDir(); err == nil {
		s.Errors = filepath.Join(userHome, "Library", "Logs", "coffer.log")
	}
	return m.text(s)
}

// passedOn are the settings of this shell that the daemon needs to find the
// same things. Secrets are none of them.
func passedOn() []string {
	var out []string
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "COFFER_CA_FILE", "COFFER_SOCKET", "SSL_CERT_FILE",
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"} {
		value := os.Getenv(name)
		if value == "" || strings.Contains(value, "@") && strings.Contains(strings.ToLower(name), "proxy") { // it may hold a password
			continue
		}
		if strings.HasSuffix(name, "_FILE") {
			if abs, err := filepath.Abs(value); err == nil {
				value = abs
			}
		}
		out = append(out, name+"="+value)
	}
	return out
}

// serviceMark is in each file that Coffer installs, and in none that it must
// not touch.
const serviceMark = `"coffer service install`

// ours reads an installed file, and refuses one that somebody else wrote.
func ours(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil && !bytes.Contains(b, []byte(serviceMark)) {
		return nil, usagef("move it away first", "%s is not of Coffer's making", path)
	}
	return b, err
}

func writeService(path, text string) error {
	if _, err := ours(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("install the service: %w", err)
	}
	if err := files.WriteAtomic(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("install the service: %w", err)
	}
	return nil
}

func (d *door) serviceUninstall(ctx context.Context, f serviceFlags) error {
	m, h, err := d.serviceFor(f)
	if err != nil {
		return err
	}
	_, err = ours(m.file())
	if errors.Is(err, fs.ErrNotExist) {
		return d.tellUninstall(m, h, false, nil)
	}
	if err != nil {
		return err
	}
	stopped := m.stop(ctx)
	if stopped != nil && !errors.Is(stopped, errNoManager) {
		return fmt.Errorf("stop the service: %w", stopped)
	}
	if err := os.Remove(m.file()); err != nil {
		return fmt.Errorf("remove the service: %w", err)
	}
	if s, ok := m.(systemd); ok && stopped == nil {
		_ = s.reload(ctx) // it was asked a moment ago; it forgets the file later else
	}
	return d.tellUninstall(m, h, true, stopped)
}

// serviceStatus tells what is installed, and what the manager says of it. The
// exit code is 0 if the daemon runs.
func (d *door) serviceStatus(ctx context.Context, f serviceFlags) error {
	m, h, err := d.serviceFor(f)
	if err != nil {
		return err
	}
	there, err := ours(m.file())
	if errors.Is(err, fs.ErrNotExist) {
		return d.tellNoService(m)
	}
	if err != nil {
		return err
	}
	st, asked := m.state(ctx)
	err = d.tellService(m, st, asked, d.isCurrent(m, h, there))
	d.tellAnswer(ctx, h)
	return err
}

// isCurrent reports whether an installed file is the one that would be
// installed now. Where that cannot be said, it is.
func (d *door) isCurrent(m serviceManager, h home, there []byte) bool {
	program, err := ownProgram()
	if err != nil {
		return true
	}
	c, err := config.Load(h.config)
	if err != nil {
		return true
	}
	text, err := fileOf(m, h, program, c)
	return err != nil || text == string(there)
}

// dropIns are the folders of changes that an administrator made to a unit, and
// that stay.
func dropIns(m serviceManager) []string {
	found, err := filepath.Glob(m.file() + ".d")
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(found, func(p string) bool { return !isThere(p) })
}
