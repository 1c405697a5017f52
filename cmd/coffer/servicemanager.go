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
	"runtime"
	"strings"
	"time"

	"coffer/deploy"
)

// A serviceManager starts the daemon with the machine or with a login. Its
// errors wrap errNoManager where there is nobody to ask.
type serviceManager interface {
	name() string
	file() string // that tells it of the daemon
	text(deploy.Service) (string, error)
	start(ctx context.Context) error // what the file says now, from now on
	stop(ctx context.Context) error  // now and from now on
	state(ctx context.Context) (serviceState, error)
	byHand() string // the commands that do what start does
	look() string   // the command that tells how the daemon fares
}

// A serviceState is what a manager knows of the daemon, in its own words.
type serviceState struct {
	Enabled bool   // it starts by itself
	Active  bool   // it runs
	Words   string // "active (running)"
	Status  string // what the daemon said last of itself, or ""
	PID     string // "" if it does not run
}

var errNoManager = errors.New("it cannot be asked here")

// manage runs a command of a service manager and returns what it printed. To
// start a daemon it waits until that is ready.
func manage(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	said := strings.TrimSpace(complaint.String())
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: there is no %s", errNoManager, command[0])
	case err != nil && said != "":
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, said)
	case err != nil:
		return out.String(), fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return out.String(), nil
}

// systemd is the one of a user, or with account set the system's.
type systemd struct {
	folder  string // of unit files
	account string // for whom the system's runs the daemon
}

func (s systemd) name() string { return "systemd" }
func (s systemd) file() string { return filepath.Join(s.folder, s.unit()) }

func (s systemd) unit() string {
	if s.account != "" {
		return deploy.SystemUnitName(s.account)
	}
	return deploy.UnitName
}

func (s systemd) text(v deploy.Service) (string, error) {
	if s.account != "" {
		v.User = s.account
		return deploy.SystemUnit(v)
	}
	return deploy.UserUnit(v)
}

// control is a command line of systemctl.
func (s systemd) control(words ...string) []string {
	if s.account != "" {
		return append([]string{"systemctl"}, words...)
	}
	return append([]string{"systemctl", "--user"}, words...)
}

// reload makes systemd read its files anew, and shows whether it can be asked.
func (s systemd) reload(ctx context.Context) error {
	_, err := manage(ctx, s.control("daemon-reload")...)
	if err != nil && !errors.Is(err, errNoManager) {
		return fmt.Errorf("%w: %w", errNoManager, err)
	}
	return err
}

func (s systemd) start(ctx context.Context) error {
	if err := s.reload(ctx); err != nil {
		return err
	}
	if _, err := manage(ctx, s.control("enable", s.unit())...); err != nil {
		return err
	}
	_, err := manage(ctx, s.control("restart", s.unit())...) // of what runs already, too
	return err
}

func (s systemd) stop(ctx context.Context) error {
	err := s.reload(ctx)
	if err == nil {
		_, err = manage(ctx, s.control("disable", "--now", s.unit())...)
	}
	// What enabling left, where there was nobody to undo it.
	for _, target := range []string{"default.target.wants", "multi-user.target.wants"} {
		link := filepath.Join(s.folder, target, s.unit())
		if info, e := os.Lstat(link); e == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = errors.Join(err, os.Remove(link))
		}
	}
	return err
}

func (s systemd) state(ctx context.Context) (serviceState, error) {
	out, err := manage(ctx, s.control("show", s.unit(), "--property=ActiveState,SubState,UnitFileState,StatusText,MainPID")...)
	if err != nil && !errors.Is(err, errNoManager) {
		err = fmt.Errorf("%w: %w", errNoManager, err)
	}
	if err != nil {
		return serviceState{}, err
	}
	said := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[key] = value
	}
	st := serviceState{
		Enabled: said["UnitFileState"] == "enabled", Active: said["ActiveState"] == "active",
		Words: fmt.Sprintf("%s (%s)", said["ActiveState"], said["SubState"]), Status: said["StatusText"],
	}
	if pid := said["MainPID"]; pid != "0" {
		st.PID = pid
	}
	return st, nil
}

func (s systemd) byHand() string {
	sudo := ""
	if s.account != "" {
		sudo = "sudo "
	}
	return sudo + strings.Join(s.control("daemon-reload"), " ") + " && " + sudo + strings.Join(s.control("enable", "--now", s.unit()), " ")
}

func (s systemd) look() string { return strings.Join(s.control("status", s.unit()), " ") }

// launchd is the one of macOS, for a user that is logged in.
type launchd struct {
	folder string // of agent files
	uid    int
}

func (l launchd) name() string                          { return "launchd" }
func (l launchd) file() string                          { return filepath.Join(l.folder, deploy.AgentLabel+".plist") }
func (l launchd) text(v deploy.Service) (string, error) { return deploy.Agent(v) }
func (l launchd) domain() string                        { return fmt.Sprintf("gui/%d", l.uid) }
func (l launchd) target() string                        { return l.domain() + "/" + deploy.AgentLabel }

// start loads the file. What is loaded already must be unloaded first.
func (l launchd) start(ctx context.Context) error {
	if _, err := manage(ctx, "launchctl", "enable", l.target()); errors.Is(err, errNoManager) {
		return err
	}
	if err := l.unload(ctx); err != nil {
		return err
	}
	_, err := manage(ctx, "launchctl", "bootstrap", l.domain(), l.file())
	return err
}

func (l launchd) stop(ctx context.Context) error { return l.unload(ctx) }

// unload ends the agent if it is loaded. launchctl comes back before that is
// done, and refuses to load the file anew until it is.
func (l launchd) unload(ctx context.Context) error {
	if _, err := manage(ctx, "launchctl", "bootout", l.target()); errors.Is(err, errNoManager) {
		return err
	}
	for range 100 {
		if _, err := manage(ctx, "launchctl", "print", l.target()); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not end", l.target())
}

func (l launchd) state(ctx context.Context) (serviceState, error) {
	out, err := manage(ctx, "launchctl", "print", l.target())
	if errors.Is(err, errNoManager) {
		return serviceState{}, err
	}
	if err != nil {
		return serviceState{Words: "not loaded"}, nil
	}
	st := serviceState{Enabled: true}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case key == "state" && st.Words == "":
			st.Words, st.Active = value, value == "running"
		case key == "pid" && st.PID == "":
			st.PID = value
		}
	}
	return st, nil
}

func (l launchd) byHand() string {
	return "launchctl bootstrap " + l.domain() + " " + shellWord(l.file())
}
func (l launchd) look() string { return "launchctl print " + l.target() }

// ownManager is the service manager of the user who calls.
func ownManager() (serviceManager, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("find the home folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return launchd{filepath.Join(home, "Library", "LaunchAgents"), os.Getuid()}, nil
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	return systemd{folder: filepath.Join(config, "systemd", "user")}, nil
}

// systemManager is the system's, which runs the daemon as account.
func systemManager(account string) serviceManager {
	return systemd{folder: "/etc/systemd/system", account: account}
}
