package config

import (
	"fmt"
	"strings"
)

// Show renders the values in effect, defaults included, as a config file with
// the same meaning. What is left to the environment is left out.
func (c *Config) Show() string {
	var w tomlWriter
	w.keys("", fileFields(c))
	for i := range c.Vaults {
		w.header("vault." + c.Vaults[i].Name)
		w.keys("", vaultFields(&c.Vaults[i]))
	}
	for i := range c.Projects {
		w.header("project." + c.Projects[i].Name)
		w.keys("", projectFields(&c.Projects[i]))
	}
	for i := range c.Notify {
		w.header("notify." + c.Notify[i].Name)
		w.keys("", notifyFields(&c.Notify[i]))
	}
	return w.String()
}

// A tomlWriter writes the little TOML that a config needs.
type tomlWriter struct {
	strings.Builder
	named bool // within a table that has a name, where further tables become dotted keys
}

func (w *tomlWriter) header(name string) {
	w.named = true
	w.open(name)
}

func (w *tomlWriter) open(name string) { fmt.Fprintf(w, "\n[%s]\n", name) }

// keys writes fields that have something to show.
func (w *tomlWriter) keys(prefix string, fields []field) {
	for _, f := range fields {
		switch {
		case f.kind != aTable:
			if s := f.show(); s != "" {
				fmt.Fprintf(w, "%s%s = %s\n", prefix, f.key, s)
			}
		case w.named:
			w.keys(f.key+".", f.fields)
		default:
			w.open(f.key)
			w.keys("", f.fields)
		}
	}
}

// quoteAll makes a TOML list of strings.
func quoteAll[T any](items []T) string {
	all := make([]string, len(items))
	for i, v := range items {
		all[i] = quote(fmt.Sprint(v))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// quote makes a TOML string. Control characters, which would need escapes that
// Go spells differently, never get past Parse.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
