package config

import (
	"fmt"
	"slices"
)

// A reader fills a Config from a tree. It remembers where each value stands,
// for the checks across tables that come after.
type reader struct {
	*report
	where map[string]span // by "vault.home.remote", "project.site.paths[0]"; a table by "vault.home"
}

// config reads the whole tree.
func (r *reader) config(root *table) *Config {
	c := Default()
	tables := []field{
		{"vault", "", func(r *reader, _ string, e *entry) {
			r.named(e, func(name, place string, t *table) {
				v := NewVault(name, Remote{})
				r.fields(t, place, vaultFields(&v))
				if _, set := r.where[place+".path-style"]; !set {
					v.PathStyle = v.Remote.wantsPathStyle()
				}
				c.Vaults = append(c.Vaults, v)
			})
		}},
		{"project", "", func(r *reader, _ string, e *entry) {
			r.named(e, func(name, place string, t *table) {
				p := NewProject(name)
				r.fields(t, place, projectFields(&p))
				c.Projects = append(c.Projects, p)
			})
		}},
	}
	r.fields(root, "", slices.Concat(fileFields(c), tables))
	return c
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
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key })
		if i < 0 {
			r.unknown(place, e, fields)
			continue
		}
		r.where[join(place, e.key)] = e.value.at
		fields[i].take(r, place, e)
	}
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
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	table := "at the top of the file"
	if place != "" {
		table = "in [" + clip(place, 60, false) + "]"
	}
	hint := didYouMean(e.key, known)
	switch home := homeOf(e.key); {
	case home != "":
		hint = "it belongs " + home
	case e.kind == aTable && place != "":
		hint = "a name holds no dots"
	case hint == "" && secretName.MatchString(e.key):
		hint = "no secret belongs in this file: use credentials-file, profile or the environment"
	}
	what := "key"
	if e.kind == aTable {
		what = "table"
	}
	r.problem(e.at, hint, "unknown %s %.40q %s", what, e.key, table)
}

// homeOf says where a key that is known elsewhere belongs.
func homeOf(key string) string {
	has := func(fields []field) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.key == key })
	}
	switch {
	case has(fileFields(new(Config))):
		return "at the top of the file, before the first [table]"
	case has(vaultFields(new(Vault))):
		return "in a [vault.NAME]"
	case has(projectFields(new(Project))):
		return "in a [project.NAME]"
	}
	return ""
}
