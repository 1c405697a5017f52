package config

import (
	"errors"
	"fmt"
	"strings"
)

// check looks at what only several values together can get wrong, and fills in
// the vault of each project that names none.
func (r *reader) check(c *Config) {
	for i := range c.Vaults {
		r.checkVault(&c.Vaults[i])
	}
	r.checkSameRemote(c.Vaults)
	r.checkDefault(c)
	for i := range c.Projects {
		r.checkProject(c, &c.Projects[i])
	}
	r.checkSamePath(c.Projects)
	r.checkDaemon(&c.Daemon)
	for i := range c.Notify {
		r.checkNotify(c, &c.Notify[i])
	}
}

// checkDaemon keeps the web page to this machine.
func (r *reader) checkDaemon(d *Daemon) {
	if d.WebAddress != "" && !isLoopback(d.WebAddress) && !d.WebAllowRemote {
		r.problem(r.where["daemon.web-address"], `write "127.0.0.1:9798", or also web-allow-remote = true`,
			"web-address: others can reach %.80q", d.WebAddress)
	}
}

// checkNotify looks for one target, and for projects that exist.
func (r *reader) checkNotify(c *Config, n *Notify) {
	place := "notify." + n.Name
	var targets []string
	for _, key := range []string{"url", "url-file", "ping", "ping-file", "desktop"} {
		if _, set := r.where[place+"."+key]; set && (key != "desktop" || n.Desktop) {
			targets = append(targets, key)
		}
	}
	switch {
	case len(targets) == 0:
		r.problem(r.where[place], "set one of url, url-file, ping, ping-file or desktop = true", "notify %q does not say whom to tell", n.Name)
	case len(targets) > 1:
		r.problem(r.where[place+"."+targets[1]], "give each a [notify.NAME] of its own", "notify %q has %s already", n.Name, targets[0])
	}
	if at, set := r.where[place+".events"]; set && n.IsPing() {
		r.problem(at, "leave it out", "events means nothing to a ping, which is told of every run")
	}
	for i, name := range n.Projects {
		if _, err := c.Project(name); err != nil {
			r.fault(r.where[item(place, "projects", i)], "projects", namingSome(err, c.projectNames()))
		}
	}
}

// checkVault looks for a remote, and for keys that its kind of remote ignores.
func (r *reader) checkVault(v *Vault) {
	place := "vault." + v.Name
	if _, set := r.where[place+".remote"]; !set {
		r.problem(r.where[place], remoteForms, "vault %q has no remote", v.Name)
		return
	}
	if v.Remote.Dir != "" {
		for _, key := range []string{"region", "ca-file", "credentials-file", "profile", "maintain-profile", "path-style", "object-lock", "object-lock-mode"} {
			if at, set := r.where[place+"."+key]; set {
				r.problem(at, "it is for S3", "%s means nothing to a folder", key)
			}
		}
	}
	if at, set := r.where[place+".object-lock-mode"]; set && v.ObjectLock == (Span{}) && v.Remote.Dir == "" {
		r.problem(at, `write object-lock = "30d" as well`, "object-lock-mode means nothing without object-lock")
	}
	if at, set := r.where[place+".ca-file"]; set && strings.HasPrefix(v.Remote.Endpoint, "http:") {
		r.problem(at, "write https: in the remote", "ca-file means nothing without TLS")
	}
	if at, set := r.where[place+".path-style"]; set && !v.PathStyle && strings.Contains(v.Remote.Bucket, ".") {
		r.problem(at, "no certificate fits bucket.host then", "a bucket with a dot in its name needs path-style = true")
	}
}

// checkSameRemote refuses two names for one vault, which would be two sets of
// keys and two histories in one place.
func (r *reader) checkSameRemote(vaults []Vault) {
	first := map[Remote]string{}
	for _, v := range vaults {
		if v.Remote == (Remote{}) {
			continue
		}
		if other, taken := first[v.Remote]; taken {
			r.problem(r.where["vault."+v.Name+".remote"], "give each vault a prefix of its own",
				"vault %q has this remote already", other)
			continue
		}
		first[v.Remote] = v.Name
	}
}

// checkDefault resolves default-vault. A single vault is the default by itself.
func (r *reader) checkDefault(c *Config) {
	at, set := r.where["default-vault"]
	switch {
	case !set && len(c.Vaults) == 1:
		c.DefaultVault = c.Vaults[0].Name
	case c.DefaultVault != "":
		if _, err := c.Vault(c.DefaultVault); err != nil {
			r.fault(at, "default-vault", namingSome(err, c.vaultNames()))
		}
	}
}

// checkProject resolves the project's vault and looks at its paths.
func (r *reader) checkProject(c *Config, p *Project) {
	place := "project." + p.Name
	if _, set := r.where[place+".paths"]; !set {
		r.problem(r.where[place], `write paths = ["~/work/site"]`, "project %q has no paths", p.Name)
	}
	r.resolveVault(c, p)
	v, err := c.Vault(p.Vault)
	for i, path := range p.Paths {
		at := r.where[item(place, "paths", i)]
		if err == nil && v.Remote.Dir != "" && within(path, v.Remote.Dir) {
			r.problem(at, "a vault cannot hold itself", "paths: %.80q lies in the folder of vault %q", path, v.Name)
		}
	}
	r.checkExcludes(p)
	r.checkForget(p)
}

// checkForget finds a schedule for forgetting without a policy that lets
// anything go, and drops the one that is said for all.
func (r *reader) checkForget(p *Project) {
	if !p.Keep.IsZero() {
		return
	}
	if at, set := r.where["project."+p.Name+".schedule.forget"]; set && p.Schedule.Forget != "" {
		r.problem(at, `write how much, as in keep.daily = 14, or schedule.forget = "off"`, "schedule.forget means nothing to a project that keeps everything")
	}
	p.Schedule.Forget = ""
}

// resolveVault fills in the default vault, or reports why it cannot.
func (r *reader) resolveVault(c *Config, p *Project) {
	place := "project." + p.Name
	at, named := r.where[place+".vault"]
	_, defaultNamed := r.where["default-vault"]
	_, err := c.Vault(p.Vault)
	switch {
	case err == nil && p.Vault == "":
		p.Vault = c.DefaultVault
	case err == nil:
	case named && p.Vault != "":
		r.fault(at, "vault", namingSome(err, c.vaultNames()))
	case !named && !defaultNamed: // else the value named is at fault, and was reported
		r.fault(r.where[place], fmt.Sprintf("project %q names no vault", p.Name), err)
	}
}

// namingSome adds to an error about a name that nothing is near which names
// there are.
func namingSome(err error, known []string) error {
	m, ok := errors.AsType[*mistake](err)
	switch {
	case !ok || m.hint != "":
		return err
	case len(known) == 0:
		return wrong("there are none", "%s", m.what)
	}
	return wrong("write "+quoted(known[:min(len(known), 8)]), "%s", m.what)
}

// checkExcludes finds patterns written as absolute paths. They would be taken
// as relative to the project's path and never match.
func (r *reader) checkExcludes(p *Project) {
	for i, pattern := range p.Exclude {
		body := strings.TrimPrefix(pattern, "!")
		for _, path := range p.Paths {
			if path == "/" || !within(body, path) {
				continue
			}
			hint := fmt.Sprintf("write %q", strings.TrimPrefix(body, path))
			if body == path {
				hint = "to leave all of it out, take the path out"
			}
			r.problem(r.where[item("project."+p.Name, "exclude", i)], hint,
				"exclude: %.80q never matches, because patterns are relative to the project's paths", pattern)
			break
		}
	}
}

// checkSamePath refuses a path of two projects: each would store it, and
// neither would be the one to restore from.
func (r *reader) checkSamePath(projects []Project) {
	first := map[string]string{}
	for _, p := range projects {
		for i, path := range p.Paths {
			if other, taken := first[path]; taken && other != p.Name {
				r.problem(r.where[item("project."+p.Name, "paths", i)], "leave it out of one of them",
					"paths: %.80q is in project %q already", path, other)
				continue
			}
			first[path] = p.Name
		}
	}
}

// within reports whether path is dir or lies below it; both are clean.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
