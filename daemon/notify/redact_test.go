package notify

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Wherever a secret stands in an address, and however a library or a server
// writes it again, it is not in what we tell.
func TestRedactAnything(t *testing.T) {
	secret := rapid.StringMatching(`[A-Za-z0-9]{6,20}([:/.@%&+ -][A-Za-z0-9]{6,20}){0,2}`)
	rapid.Check(t, func(rt *rapid.T) {
		user, password, host := secret.Draw(rt, "user"), secret.Draw(rt, "password"), rapid.StringMatching(`[a-z0-9]{6,20}`).Draw(rt, "host")
		path, value, fragment := secret.Draw(rt, "path"), secret.Draw(rt, "value"), secret.Draw(rt, "fragment")
		u := url.URL{Scheme: "generic", User: url.UserPassword(user, password), Host: host + ":1234", Path: "/" + path, RawQuery: "key=" + url.QueryEscape(value), Fragment: fragment}
		all := []string{user, password, host, path, value, fragment}
		said := rapid.SampledFrom([]func(string) string{
			func(s string) string { return s }, url.QueryEscape, url.PathEscape,
			func(s string) string { return strings.ReplaceAll(s, ":", "/") }, func(s string) string { return strings.Join(words.FindAllString(s, -1), "-") },
		})
		text := "post " + u.String() + " as " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + ": no"
		for _, s := range all {
			text += " " + said.Draw(rt, "said")(s)
		}
		got := redact(text, u.String())
		for _, s := range all {
			for _, word := range words.FindAllString(s, -1) {
				if strings.Contains(got, word) {
					rt.Fatalf("%q of %q is in %q", word, u.String(), got)
				}
			}
		}
		if !strings.HasPrefix(got, "post ") || strings.Contains(got, base64.StdEncoding.EncodeToString([]byte(user+":"+password))) {
			rt.Fatalf("said is %q", got)
		}
	})
}
