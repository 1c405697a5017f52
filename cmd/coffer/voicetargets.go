package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"coffer/config"
	"coffer/daemon/host"
	"coffer/daemon/notify"
)

// setTargets takes over whom the config names.
func (v *voice) setTargets(c *config.Config) {
	var targets []notify.Target
	var pingers []projectPinger
	for _, n := range c.Notify {
		if n.IsPing() {
			p, err := pingerOf(n)
			if err != nil {
				v.log.Error("nobody is pinged", "notify", n.Name, "why", err)
				continue
			}
			pingers = append(pingers, projectPinger{n.Name, n.Projects, p})
			continue
		}
		t, err := targetOf(n)
		if err != nil {
			v.log.Error("nobody is told", "notify", n.Name, "why", err)
			continue
		}
		targets = append(targets, t)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.targets, v.pingers = targets, pingers
	v.remotes = map[string]config.Remote{}
	for _, vault := range c.Vaults {
		v.remotes[vault.Name] = vault.Remote
	}
	v.woke = wallNow() // what the config names anew has its catch-up first
	for _, l := range v.mind.Outbox.Keep(named(c)) {
		v.log.Warn("a message is not sent any more: the config does not name whom it is for", "notify", l.Target, "subject", l.Message.Subject)
	}
}

// named are all whom the config names, also those who cannot be told just now:
// what waits for them stays.
func named(c *config.Config) []notify.Target {
	var out []notify.Target
	for _, n := range c.Notify {
		out = append(out, notify.Target{Name: n.Name})
	}
	return out
}

// targetOf makes a target of what the config says.
func targetOf(n config.Notify) (notify.Target, error) {
	t := notify.Target{Name: n.Name, Projects: n.Projects}
	for _, e := range n.Events {
		t.Events = append(t.Events, notify.Event(e))
	}
	if n.Desktop {
		t.Desktop = func(ctx context.Context, m notify.Toast) error {
			return host.ShowToast(ctx, host.Toast{Title: m.Title, Text: m.Text, Urgent: m.Urgent})
		}
		return t, nil
	}
	url, err := secretOf(n.URL, n.URLFile)
	if err != nil {
		return t, err
	}
	t.URL = url
	return t, notify.CheckURL(url)
}

func pingerOf(n config.Notify) (*notify.Pinger, error) {
	address, err := secretOf(n.Ping, n.PingFile)
	if err != nil {
		return nil, err
	}
	return notify.NewPinger(address, notify.PingOptions{})
}

// maxSecret bounds a file that holds an address, in bytes.
const maxSecret = 64 << 10

// secretOf is an address that stands in the config or in a file of its own,
// which nobody else may read.
func secretOf(plain, file string) (string, error) {
	if file == "" {
		return plain, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others; close it:  chmod 600 %s", file, file)
	}
	if info.Size() > maxSecret {
		return "", fmt.Errorf("%s is too large to hold an address", file)
	}
	b, err := os.ReadFile(file)
	text := strings.TrimSpace(string(b))
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", file)
	}
	return text, err
}
