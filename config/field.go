package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A field is a key of a table: how its value is taken over, and what one looks
// like in a hint.
type field struct {
	key     string
	example string // as TOML
	take    func(r *reader, place string, e *entry)
}

// fileFields are the keys at the top of the file.
func fileFields(c *Config) []field {
	return []field{
		text("default-vault", `"home"`, &c.DefaultVault, parseName),
		text("compression", `"default"`, &c.Compression, parseCompression),
		text("dedup-memory", `"30d"`, &c.DedupMemory, parseMemory),
	}
}

// vaultFields are the keys of a [vault.NAME].
func vaultFields(v *Vault) []field {
	return []field{
		text("remote", `"s3:https://host/bucket/prefix"`, &v.Remote, ParseRemote),
		text("region", `"eu-central-1"`, &v.Region, parseWord),
		text("ca-file", `"/etc/ssl/my-ca.pem"`, &v.CAFile, ParsePath),
		text("credentials-file", `"~/.config/coffer/credentials"`, &v.CredentialsFile, ParsePath),
		text("profile", `"backup"`, &v.Profile, parseWord),
		toggle("path-style", &v.PathStyle),
		text("upload-limit", `"5MiB/s"`, &v.UploadLimit, ParseRate),
		text("download-limit", `"5MiB/s"`, &v.DownloadLimit, ParseRate),
		number("connections", &v.Connections, 1, MaxConnections),
		toggle("classic", &v.Classic),
	}
}

// projectFields are the keys of a [project.NAME].
func projectFields(p *Project) []field {
	return []field{
		filled(list("paths", `["~/work/site"]`, &p.Paths, unique(ParsePath))),
		text("vault", `"home"`, &p.Vault, parseName),
		list("tags", `["client"]`, &p.Tags, unique(parseTag)),
		list("exclude", `["*.tmp", "/build"]`, &p.Exclude, parsePattern),
		list("ignore-files", `[".gitignore"]`, &p.IgnoreFiles, unique(parseFileName)),
		toggle("one-file-system", &p.OneFileSystem),
		toggle("cache-dirs", &p.CacheDirs),
	}
}

// wants reports a value of the wrong kind.
func (r *reader) wants(f *field, want kind, e *entry) {
	r.problem(e.value.at, fmt.Sprintf("write %s = %s", f.key, f.example), "%s wants %s, not %s", f.key, want, e.kind)
}

// text is a field that is written as a string.
func text[T any](key, example string, dst *T, parse func(string) (T, error)) field {
	f := field{key: key, example: example}
	f.take = func(r *reader, _ string, e *entry) {
		if e.kind != aString {
			r.wants(&f, aString, e)
			return
		}
		r.parse(e.value, key, func(s string) (err error) {
			*dst, err = parse(s)
			return err
		})
	}
	return f
}

// parse hands a string on, unless it is one that no key can use. what is what
// a message calls it.
func (r *reader) parse(v value, what string, use func(string) error) {
	switch {
	case v.text == "":
		r.problem(v.at, "leave it out instead", "%s is empty", what)
	case strings.ContainsFunc(v.text, unicode.IsControl):
		r.problem(v.at, "", "%s holds a control character", what)
	default:
		if err := use(v.text); err != nil {
			r.fault(v.at, what, err)
		}
	}
}

// toggle is a field that is true or false.
func toggle(key string, dst *bool) field {
	f := field{key: key, example: "true"}
	f.take = func(r *reader, _ string, e *entry) {
		if e.kind != aFlag {
			r.wants(&f, aFlag, e)
			return
		}
		*dst = e.flag
	}
	return f
}

// number is a field that is a whole number from low to high.
func number(key string, dst *int, low, high int64) field {
	f := field{key: key, example: "4"}
	f.take = func(r *reader, _ string, e *entry) {
		switch {
		case e.kind != aNumber:
			r.wants(&f, aNumber, e)
		case !e.whole || e.num < low || e.num > high:
			r.problem(e.value.at, "", "%s wants a whole number from %d to %d", key, low, high)
		default:
			*dst = int(e.num)
		}
	}
	return f
}

// list is a field that is a list of strings. parse is given what the list
// holds so far.
func list(key, example string, dst *[]string, parse func(s string, before []string) (string, error)) field {
	f := field{key: key, example: example}
	f.take = func(r *reader, place string, e *entry) {
		if e.kind != aList {
			r.wants(&f, "a list of strings", e)
			return
		}
		*dst = []string{} // not nil: an empty list is not the same as none
		for _, v := range e.list {
			if v.kind != aString {
				r.problem(v.at, fmt.Sprintf("write %s = %s", key, example), "%s wants strings in its list, not %s", key, v.kind)
				continue
			}
			r.parse(v, "an item of "+key, func(s string) error {
				got, err := parse(s, *dst)
				if err != nil {
					return err
				}
				r.where[item(place, key, len(*dst))] = v.at
				*dst = append(*dst, got)
				return nil
			})
		}
	}
	return f
}

// filled is a list that must hold something.
func filled(f field) field {
	take := f.take
	f.take = func(r *reader, place string, e *entry) {
		if e.kind == aList && len(e.list) == 0 {
			r.problem(e.value.at, fmt.Sprintf("write %s = %s", f.key, f.example), "%s is empty", f.key)
			return
		}
		take(r, place, e)
	}
	return f
}

// unique refuses what the list holds already.
func unique(parse func(string) (string, error)) func(string, []string) (string, error) {
	return func(s string, before []string) (string, error) {
		got, err := parse(s)
		if err == nil && slices.Contains(before, got) {
			return "", wrong("", "%.80q stands twice in the list", s)
		}
		return got, err
	}
}
