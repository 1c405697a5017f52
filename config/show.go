package config

import (
	"fmt"
	"strings"
)

// Show renders the values in effect, defaults included, as a config file with
// the same meaning. What is left to the environment is left out.
func (c *Config) Show() string {
	var w tomlWriter
	if c.DefaultVault != "" {
		w.text("default-vault", c.DefaultVault)
	}
	w.text("compression", string(c.Compression))
	w.text("dedup-memory", c.DedupMemory.String())
	for _, v := range c.Vaults {
		w.vault(v)
	}
	for _, p := range c.Projects {
		w.project(p)
	}
	return w.String()
}

func (w *tomlWriter) vault(v Vault) {
	w.header("vault", v.Name)
	w.text("remote", v.Remote.String())
	w.set("region", v.Region)
	w.set("ca-file", v.CAFile)
	w.set("credentials-file", v.CredentialsFile)
	w.set("profile", v.Profile)
	if v.Remote.Dir == "" {
		w.plain("path-style", v.PathStyle)
	}
	w.text("upload-limit", v.UploadLimit.String())
	w.text("download-limit", v.DownloadLimit.String())
	w.plain("connections", v.Connections)
	w.plain("classic", v.Classic)
}

func (w *tomlWriter) project(p Project) {
	w.header("project", p.Name)
	w.list("paths", p.Paths)
	w.set("vault", p.Vault)
	w.list("tags", p.Tags)
	w.list("exclude", p.Exclude)
	w.list("ignore-files", p.IgnoreFiles)
	w.plain("one-file-system", p.OneFileSystem)
	w.plain("cache-dirs", p.CacheDirs)
}

// A tomlWriter writes the little TOML that a config needs.
type tomlWriter struct{ strings.Builder }

func (w *tomlWriter) header(group, name string) { fmt.Fprintf(w, "\n[%s.%s]\n", group, name) }

func (w *tomlWriter) plain(key string, v any) { fmt.Fprintf(w, "%s = %v\n", key, v) }

func (w *tomlWriter) text(key, s string) { w.plain(key, quote(s)) }

// set writes a string that has no default.
func (w *tomlWriter) set(key, s string) {
	if s != "" {
		w.text(key, s)
	}
}

func (w *tomlWriter) list(key string, items []string) {
	all := make([]string, len(items))
	for i, s := range items {
		all[i] = quote(s)
	}
	w.plain(key, "["+strings.Join(all, ", ")+"]")
}

// quote makes a TOML string. Control characters, which would need escapes that
// Go spells differently, never get past Parse.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
