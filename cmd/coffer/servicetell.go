package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"coffer/daemon/host"
)

// tellInstall says what was installed, whether it runs, and what is left to do.
func (d *door) tellInstall(ctx context.Context, m serviceManager, started error) error {
	st, asked := serviceState{}, errNoManager
	if started == nil {
		st, asked = m.state(ctx)
	}
	d.tellJSON(m, "install", st, started)
	d.say("wrote %s\n", safeName(m.file()))
	switch {
	case errors.Is(started, errNoManager):
		return told{fmt.Errorf("the service is installed but not started: %s: %w", m.name(), started), exitFailed,
			"where it can be asked, in a session of the user, run:\n" + m.byHand()}
	case started != nil:
		return told{fmt.Errorf("the service is installed but did not start: %w", started), exitFailed, "coffer logs  and  " + m.look() + "  tell why"}
	}
	if asked == nil {
		d.say("the daemon runs: %s\n", safeName(st.Words))
	} else {
		d.say("the daemon runs\n")
	}
	d.hintLinger(ctx, m)
	d.hintAccess()
	return nil
}

// tellAnswer says whether a daemon of one's own answers, however it was started.
func (d *door) tellAnswer(ctx context.Context, h home) {
	if h.account != "" {
		return // another user's socket is not for us
	}
	client, err := d.dialDaemon(ctx)
	if err != nil {
		d.say("  it does not answer commands: %v\n", err)
		return
	}
	client.Close()
	d.say("  it answers commands\n")
}

// hintLinger says what makes a service of a user go on without the user.
func (d *door) hintLinger(ctx context.Context, m serviceManager) {
	s, ok := m.(systemd)
	if !ok || s.account != "" {
		return
	}
	name := userName()
	if out, err := manage(ctx, "loginctl", "show-user", name, "--property=Linger"); err == nil && strings.TrimSpace(out) == "Linger=yes" {
		return
	}
	d.say("  it runs while you are logged in; to have it run always:  loginctl enable-linger %s\n", shellWord(name))
}

// hintAccess says what macOS wants before a daemon may read a user's folders.
// Whether it is needed shows only in the daemon itself.
func (d *door) hintAccess() {
	if runtime.GOOS != "darwin" {
		return
	}
	if program, err := ownProgram(); err == nil {
		d.say("\n"+host.FullDiskAccess+"\n", safeName(program))
	}
}

// say prints words for people.
func (d *door) say(format string, args ...any) {
	if !d.json {
		fmt.Fprintf(d.out, format, args...)
	}
}

// tellJSON tells a program all at once.
func (d *door) tellJSON(m serviceManager, did string, st serviceState, trouble error) {
	if !d.json {
		return
	}
	fields := map[string]any{"action": did, "manager": m.name(), "file": m.file(), "enabled": st.Enabled, "active": st.Active, "state": st.Words, "status": st.Status}
	if trouble != nil {
		fields["trouble"] = trouble.Error()
	}
	d.emit("service", fields)
}

func (d *door) tellUninstall(m serviceManager, h home, was bool, stopped error) error {
	d.tellJSON(m, "uninstall", serviceState{}, stopped)
	if !was {
		d.say("there is no service: no %s\n", safeName(m.file()))
		return nil
	}
	d.say("removed %s\n", safeName(m.file()))
	if stopped != nil {
		d.say("  a daemon that runs was not stopped: %s: %s\n", m.name(), safeText(stopped.Error()))
	}
	for _, p := range dropIns(m) {
		d.say("  your own changes to it are still in %s\n", safeName(p))
	}
	d.say("kept: vaults, recovery kits, the config %s, and local state in %s\n", safeName(h.config), safeName(h.state))
	return nil
}

func (d *door) tellNoService(m serviceManager) error {
	d.tellJSON(m, "status", serviceState{Words: "not installed"}, nil)
	d.say("not installed: no %s\n", safeName(m.file()))
	return outcome{exitFailed, "there is no service;  coffer service install  makes one"}
}

func (d *door) tellService(m serviceManager, st serviceState, asked error, current bool) error {
	d.tellJSON(m, "status", st, asked)
	d.say("installed: %s\n", safeName(m.file()))
	if !current {
		d.say("  it is not what this program would install;  coffer service install  brings it up to date\n")
	}
	if asked != nil {
		return told{fmt.Errorf("%s: %w", m.name(), asked), exitFailed, "where it can be asked, in a session of the user, run:\n" + m.look()}
	}
	enabled := "starts by itself"
	if !st.Enabled {
		enabled = "does not start by itself"
	}
	d.say("  %s, %s\n", safeName(st.Words), enabled)
	if st.PID != "" {
		d.say("  process %s\n", safeName(st.PID))
	}
	if st.Status != "" {
		d.say("  %s\n", safeName(st.Status))
	}
	if !st.Active {
		return outcome{exitFailed, "the daemon does not run;  coffer logs  and  " + m.look() + "  tell why"}
	}
	return nil
}
