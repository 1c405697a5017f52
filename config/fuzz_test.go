package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzParse holds what the package promises about any text: no panic, and
// either checked values that Show renders faithfully, or mistakes that lie
// within the file.
func FuzzParse(f *testing.F) {
	f.Setenv("HOME", "/home/ada")
	data, err := os.ReadFile(filepath.Join("testdata", "mistakes.txt"))
	if err != nil {
		f.Fatal(err)
	}
	_, parts := sections(data)
	for i := 0; i < len(parts); i += 2 {
		f.Add(parts[i].text)
	}
	f.Add(full)
	f.Add(uncomment(Example()))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), "fuzzed")
		if err != nil {
			checkError(t, text, err)
			return
		}
		checkValues(t, c)
		checkNotify(t, c)
		if diff := reparse(t, c); diff != "" {
			t.Errorf("Show means something else (-was +is)\n%s", diff)
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Problems) == 0 {
		t.Fatalf("error is a %T: %v", err, err)
	}
	last := 0
	for _, p := range e.Problems {
		if p.Line < max(1, last) || p.Line > 1+strings.Count(text, "\n") || p.Column < 1 {
			t.Errorf("%d:%d after line %d is out of place: %s", p.Line, p.Column, last, p.Message)
		}
		last = p.Line
		if strings.ContainsFunc(p.Excerpt, func(r rune) bool { return r != '\n' && printable(r) != r }) {
			t.Errorf("unprintable: %q", p.Excerpt)
		}
		if lines := strings.Split(p.Excerpt, "\n"); p.Excerpt != "" && (len(lines) != 2 || !strings.HasSuffix(lines[1], "^")) {
			t.Errorf("excerpt is %q", p.Excerpt)
		}
	}
}

func checkValues(t *testing.T, c *Config) {
	t.Helper()
	for _, p := range c.Projects {
		if v, err := c.Vault(p.Vault); err != nil || v.Name != p.Vault || len(p.Paths) == 0 || p.IgnoreFiles == nil {
			t.Errorf("project %+v, vault %v", p, err)
		}
		if p.Keep.IsZero() && p.Schedule.Forget != "" {
			t.Errorf("project %+v forgets without a policy", p)
		}
		for _, h := range []Hook{p.RunBefore, p.RunAfter, p.RunFailed, p.RunFinally} {
			if h.Command != "" && h.Timeout <= 0 {
				t.Errorf("hook %+v", h)
			}
		}
		for _, path := range p.Paths {
			if !filepath.IsAbs(path) || filepath.Clean(path) != path {
				t.Errorf("path %q", path)
			}
		}
	}
	for _, v := range c.Vaults {
		if again, err := ParseRemote(v.Remote.String()); err != nil || again != v.Remote {
			t.Errorf("remote %+v is %q, which gives %+v, %v", v.Remote, v.Remote, again, err)
		}
		if v.VerifyWithin == (Span{}) || (v.ObjectLock == Span{}) != (v.ObjectLockMode == "") {
			t.Errorf("vault %+v", v)
		}
		if v.Connections < 1 || v.Connections > MaxConnections {
			t.Errorf("%d connections", v.Connections)
		}
	}
}

func checkNotify(t *testing.T, c *Config) {
	t.Helper()
	for _, n := range c.Notify {
		targets := 0
		for _, set := range []bool{n.URL != "", n.URLFile != "", n.Ping != "", n.PingFile != "", n.Desktop} {
			if set {
				targets++
			}
		}
		if targets != 1 || n.IsPing() != (n.Events == nil) {
			t.Errorf("notify %+v", n)
		}
		for _, name := range n.Projects {
			if _, err := c.Project(name); err != nil {
				t.Errorf("notify %+v: %v", n, err)
			}
		}
	}
}

// FuzzUnits holds that every unit's text form means the same value.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"5MiB", "1.5GB", "40Mbit/s", "unlimited", "2y5m7d3h", "30d", "s3:https://h/bucket/p", "s3://bucket", "/mnt",
		"90s", "1h30m", "6.00 USD", "skip-below 30%", "08:00-18:00 2MiB/s", "22:00-06:00 unlimited"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		same(t, s, ParseSize)
		same(t, s, ParseRate)
		same(t, s, ParseSpan)
		same(t, s, ParseRemote)
		same(t, s, ParsePrice)
		same(t, s, parseOnBattery)
		same(t, s, func(s string) (RateTime, error) { return parseRateTime(s, nil) })
		same(t, s, func(s string) (shownDuration, error) { d, err := ParseDuration(s); return shownDuration(d), err })
	})
}

// shownDuration is a duration as the file has it.
type shownDuration time.Duration

func (d shownDuration) String() string { return FormatDuration(time.Duration(d)) }

func same[T interface {
	comparable
	String() string
}](t *testing.T, s string, parse func(string) (T, error)) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		return
	}
	if again, err := parse(v.String()); err != nil || again != v {
		t.Errorf("%q gives %+v, shown as %q, which gives %+v, %v", s, v, v.String(), again, err)
	}
}
