package config

import (
	"fmt"
	"strings"
)

// Begin renders the vaults and projects of c as a file to start from: under a
// comment of one or more lines, each with what differs from the defaults only.
func (c *Config) Begin(comment string) string {
	var w tomlWriter
	for line := range strings.Lines(comment) {
		w.WriteString(strings.TrimRight("# "+line, " \n") + "\n")
	}
	for i := range c.Vaults {
		v := c.Vaults[i]
		usual := NewVault("", v.Remote)
		usual.Remote = Remote{}
		w.header("vault." + v.Name)
		w.changed("", vaultFields(&v), vaultFields(&usual))
	}
	for i := range c.Projects {
		p := c.Projects[i]
		usual := NewProject("")
		w.header("project." + p.Name)
		w.changed("", projectFields(&p), projectFields(&usual))
	}
	return w.String()
}

// changed writes the fields that show something else than the usual ones.
func (w *tomlWriter) changed(prefix string, fields, usual []field) {
	for i, f := range fields {
		if f.kind == aTable {
			w.changed(prefix+f.key+".", f.fields, usual[i].fields)
			continue
		}
		if s := f.show(); s != "" && s != usual[i].show() {
			fmt.Fprintf(w, "%s%s = %s\n", prefix, f.key, s)
		}
	}
}

// NameFor makes of any words a name that a vault or a project can have and that
// is not taken yet.
func NameFor(words string, taken func(name string) bool) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || validName.MatchString(string(r))) {
			return r
		}
		return '-'
	}, words)
	name = strings.Trim(name, "-_")
	name = strings.TrimRight(name[:min(len(name), 58)], "-_") // a number of four digits has room
	if name == "" {
		name = "unnamed"
	}
	for n, first := 2, name; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}
