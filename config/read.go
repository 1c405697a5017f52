package config

import (
	"fmt"
	"slices"
	"strings"
)

// A reader fills a Config from a tree. It remembers where each value stands,
// for the checks across tables that come after.
type reader struct {
	*report
	checks Checks
	where  map[string]span // by "vault.home.remote", "project.site.paths[0]"; a table by "vault.home"
}

// config reads the whole tree.
func (r *reader) config(root *table) *Config {
	c := Default()
	named := namedFields(c)
	// What is said for all is read before those who may say something else,
	// wherever it stands in the file.
	slices.SortStableFunc(root.entries, func(a, b *entry) int { return compare(find(named, a.key) >= 0, find(named, b.key) >= 0) })
	r.fields(root, "", slices.Concat(fileFields(c), named))
	return c
}

// compare orders false before true.
func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// namedFields are the tables that hold tables with names.
func namedFields(c *Config) []field {
	v, p, n := NewVault("", Remote{}), NewProject(""), Notify{Events: Events()}
	return []field{
		named("vault", "Each [vault.NAME] is one set of keys on one remote.", vaultFields(&v), func(r *reader, name, place string, t *table) {
			v := NewVault(name, Remote{})
			c.lendVault(&v)
			r.fields(t, place, vaultFields(&v))
			r.finishVault(place, &v)
			c.Vaults = append(c.Vaults, v)
		}),
		named("project", "Each [project.NAME] is a set of folders under one policy.", projectFields(&p), func(r *reader, name, place string, t *table) {
			p := NewProject(name)
			c.lendProject(&p)
			r.fields(t, place, projectFields(&p))
			p.finish()
			c.Projects = append(c.Projects, p)
		}),
		named("notify", "Each [notify.NAME] is somebody to tell, by one of url, url-file, ping, ping-file and desktop.", notifyFields(&n),
			func(r *reader, name, place string, t *table) {
				n := Notify{Name: name}
				r.fields(t, place, notifyFields(&n))
				r.finishNotify(place, &n)
				c.Notify = append(c.Notify, n)
			}),
	}
}

// named is a field that holds tables with names.
func named(key, doc string, fields []field, read func(r *reader, name, place string, t *table)) field {
	return field{key: key, kind: aTable, doc: doc, fields: fields, named: true, take: func(r *reader, _ string, e *entry) {
		r.named(e, func(name, place string, t *table) { read(r, name, place, t) })
	}}
}

// finishVault fills in the defaults that hang on other values.
func (r *reader) finishVault(place string, v *Vault) {
	if _, set := r.where[place+".path-style"]; !set {
		v.PathStyle = v.Remote.wantsPathStyle()
	}
	if _, set := r.where[place+".object-lock-mode"]; !set && v.ObjectLock != (Span{}) {
		v.ObjectLockMode = LockGovernance
	}
}

// finish fills in the defaults that hang on other values.
func (p *Project) finish() {
	for _, h := range []*Hook{&p.RunBefore, &p.RunAfter, &p.RunFailed, &p.RunFinally} {
		if h.Command != "" && h.Timeout == 0 {
			h.Timeout = p.HookTimeout
		}
	}
}

// finishNotify fills in the defaults that hang on other values.
func (r *reader) finishNotify(place string, n *Notify) {
	if _, set := r.where[place+".events"]; !set && !n.IsPing() {
		n.Events = Events()
	}
}

// named reads each table of e, which is [vault] or [project].
func (r *reader) named(e *entry, read func(name, place string, t *table)) {
	if e.kind != aTable {
		r.problem(e.at, fmt.Sprintf("write [%s.NAME]", e.key), "%q is a group of tables, not %s", e.key, e.kind)
		return
	}
	for _, sub := range e.table.entries {
		if sub.kind != aTable {
			r.problem(sub.at, fmt.Sprintf("put it below [%s.NAME]", e.key), "%.40q stands outside of a %s", sub.key, e.key)
			continue
		}
		if _, err := parseName(sub.key); err != nil {
			r.fault(sub.at, e.key, err)
		}
		place := e.key + "." + sub.key
		r.where[place] = sub.table.at
		read(sub.key, place, sub.table)
	}
}

// fields hands each entry of t to the field of its key.
func (r *reader) fields(t *table, place string, fields []field) {
	for _, e := range t.entries {
		i := find(fields, e.key)
		if i < 0 {
			r.unknown(place, e, fields)
			continue
		}
		r.where[join(place, e.key)] = e.value.at
		fields[i].take(r, place, e)
	}
}

// find returns the index of the field of that key, or -1.
func find(fields []field, key string) int {
	return slices.IndexFunc(fields, func(f field) bool { return f.key == key })
}

// join makes the key of reader.where.
func join(place, key string) string {
	if place == "" {
		return key
	}
	return place + "." + key
}

// item makes the key of reader.where of a list's item.
func item(place, key string, i int) string { return fmt.Sprintf("%s.%s[%d]", place, key, i) }

// unknown reports a key that the table at place does not have.
func (r *reader) unknown(place string, e *entry, fields []field) {
	if len(r.problems) == maxProblems {
		r.more++ // spares looking for a hint that nobody reads
		return
	}
	table := "at the top of the file"
	if place != "" {
		table = "in [" + clip(place, 60, false) + "]"
	}
	hint := didYouMean(e.key, keysIn(fields))
	switch home := homeOf(e, place); {
	case home != "":
		hint = "it belongs " + home
	case hint == "" && e.kind == aTable && strings.Count(place, ".") == 1:
		hint = "a name holds no dots"
	case hint == "" && secretName.MatchString(e.key) && strings.HasPrefix(place, "notify."):
		hint = "no secret belongs in this file: use url-file or ping-file"
	case hint == "" && secretName.MatchString(e.key):
		hint = "no secret belongs in this file: use credentials-file, profile or the environment"
	case hint == "":
		hint = "coffer config example shows every key"
	}
	what := "key"
	if e.kind == aTable {
		what = "table"
	}
	r.problem(e.at, hint, "unknown %s %.40q %s", what, e.key, table)
}

// keysIn lists keys as a user may write them in this table, those of tables
// within it with a dot.
func keysIn(fields []field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
		for _, sub := range f.fields {
			if !f.named {
				keys = append(keys, f.key+"."+sub.key)
			}
		}
	}
	return keys
}
