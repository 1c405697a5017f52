package deploy

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// someone is a service whose names are as awkward as a unit file can take.
func someone(t *testing.T) Service {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	awkward := filepath.Join(t.TempDir(), "my 100% coffer")
	if err := os.Link(program, awkward); err != nil {
		if err := os.Symlink(program, awkward); err != nil {
			t.Fatal(err)
		}
	}
	return Service{
		Program: awkward, Config: "/home/ann/my config/50%.toml",
		Env:  []string{"XDG_STATE_HOME=/home/ann/my state", "XDG_CONFIG_HOME=/home/ann/%h"},
		User: "games", Writable: []string{"/home/ann/my state/coffer", "/mnt/disk"},
		Errors: "/Users/ann/Library/Logs/coffer.log",
	}
}

// analyze runs systemd-analyze on a unit file.
func analyze(t *testing.T, name, text string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-analyze", append(args, path)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("this test needs systemd-analyze, of the package systemd")
	}
	return string(out), err
}

// complaints are the lines that systemd-analyze wrote about one file; what else
// this machine has is not ours.
func complaints(out, name string) string {
	var about []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, name) {
			about = append(about, line)
		}
	}
	return strings.Join(about, "")
}

// values returns what a unit file says of a setting.
func values(text, key string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, key+"="); ok {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}

func TestUnits(t *testing.T) {
	s := someone(t)
	user, err := UserUnit(s)
	if err != nil {
		t.Fatal(err)
	}
	system, err := SystemUnit(s)
	if err != nil {
		t.Fatal(err)
	}
	program := `"` + strings.ReplaceAll(s.Program, "%", "%%") + `"`
	for _, c := range []struct {
		name, text string
		args       []string
	}{
		{"coffer.service", user, []string{"verify", "--user"}},
		{"coffer@games.service", system, []string{"verify"}},
	} {
		if out, err := analyze(t, c.name, c.text, c.args...); err != nil || complaints(out, c.name) != "" {
			t.Errorf("systemd-analyze on %s: %v\n%s", c.name, err, out)
		}
		for key, want := range map[string][]string{
			"ExecStart":   {program + ` daemon run --config "/home/ann/my config/50%%.toml"`},
			"ExecReload":  {program + ` daemon reload --config "/home/ann/my config/50%%.toml"`},
			"Environment": {`"XDG_STATE_HOME=/home/ann/my state"`, `XDG_CONFIG_HOME=/home/ann/%%h`},
			"Type":        {"notify"}, "Restart": {"on-failure"}, "RestartPreventExitStatus": {"64"},
			"KillMode": {"mixed"}, "TimeoutStopSec": {"15"}, "WatchdogSec": {"3min"}, "LogRateLimitIntervalSec": {"0"},
		} {
			if got := values(c.text, key); !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", c.name, key, got, want)
			}
		}
	}
	if got := values(system, "User"); !slices.Equal(got, []string{"games"}) {
		t.Errorf("User is %q", got)
	}
	if got := values(system, "ReadWritePaths"); !slices.Equal(got, []string{`"-/home/ann/my state/coffer" -/mnt/disk`}) {
		t.Errorf("ReadWritePaths is %q", got)
	}
}

// TestUserUnitHasNoNamespace holds the user unit to what a user's manager can
// do without turning the owners of files into nobody.
func TestUserUnitHasNoNamespace(t *testing.T) {
	for line := range strings.Lines(userUnit) {
		if regexp.MustCompile(`^(Protect|Private|ReadWrite|ReadOnly|Inaccessible|Ambient|Capability|User=|LoadCredential)`).MatchString(line) {
			t.Errorf("the user unit says %s", line)
		}
	}
}

// TestAnalyzeComplains shows that the tests above can fail.
func TestAnalyzeComplains(t *testing.T) {
	s := someone(t)
	s.Program = "/nowhere/coffer"
	user, err := UserUnit(s)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := analyze(t, "coffer.service", user, "verify", "--user"); err == nil || complaints(out, "coffer.service") == "" {
		t.Errorf("a program that is not there is fine:\n%s", out)
	}
}

// TestSystemUnitExposure wants the system unit to be as closed as a backup of
// foreign files over the network allows.
func TestSystemUnitExposure(t *testing.T) {
	system, err := SystemUnit(someone(t))
	if err != nil {
		t.Fatal(err)
	}
	out, err := analyze(t, "coffer@games.service", system, "security", "--offline=true", "--no-pager")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no verdict in\n%s", out)
	}
	if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > 2.0 {
		t.Errorf("exposure %s, want at most 2.0\n%s", found[1], out)
	}
}

// TestShippedFiles holds the files as they lie here to the same rules, so that
// a package can install them untouched.
func TestShippedFiles(t *testing.T) {
	s := Service{Program: "/usr/local/bin/coffer", User: "ann",
		Writable: []string{"/home/ann/.local/state/coffer", "/home/ann/.local/share/coffer/vault"}, Errors: agentErrors}
	user, err1 := UserUnit(s)
	system, err2 := SystemUnit(s)
	agentText, err3 := Agent(s)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(userUnit, user); d != "" {
		t.Errorf("the user unit, filled in with what it says:\n%s", d)
	}
	filled := strings.NewReplacer("User=%i", "User=ann", "/%i/", "/ann/").Replace(systemUnit)
	if d := cmp.Diff(filled, system); d != "" {
		t.Errorf("the system unit, filled in with what it says:\n%s", d)
	}
	if d := cmp.Diff(agent, agentText); d != "" {
		t.Errorf("the agent, filled in with what it says:\n%s", d)
	}
}

func TestUnitsRefuse(t *testing.T) {
	for _, bad := range []string{"/home/a\nUser=root", `/home/"ann"`, "/home/$HOME", `/home/ann\x20`, "/home/\xff", ""} {
		s := someone(t)
		s.Program = bad
		if text, err := UserUnit(s); err == nil {
			t.Errorf("the program %q gives\n%s", bad, text)
		}
		s = someone(t)
		s.Writable = []string{bad}
		if _, err := SystemUnit(s); err == nil && bad != "" {
			t.Errorf("the folder %q is taken", bad)
		}
	}
	for _, bad := range []string{"", "ann\nUser=root", "ann bob", "%i", "a/b", "änn"} {
		s := someone(t)
		s.User = bad
		if _, err := SystemUnit(s); err == nil {
			t.Errorf("the user %q is taken", bad)
		}
	}
}

func TestAgent(t *testing.T) {
	s := someone(t)
	s.Program = `/Users/ann & bob/<bin>/"coffer"`
	text, err := Agent(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsePlist(text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Label":             "coffer.daemon",
		"ProgramArguments":  []any{s.Program, "daemon", "run", "--config", s.Config},
		"RunAtLoad":         true,
		"KeepAlive":         map[string]any{"SuccessfulExit": false},
		"ThrottleInterval":  60,
		"ExitTimeOut":       15,
		"ProcessType":       "Background",
		"LowPriorityIO":     true,
		"Nice":              10,
		"Umask":             0o77,
		"StandardOutPath":   "/dev/null",
		"StandardErrorPath": s.Errors,
		"EnvironmentVariables": map[string]any{
			"COFFER_LAUNCHD": "1", "XDG_STATE_HOME": "/home/ann/my state", "XDG_CONFIG_HOME": "/home/ann/%h"},
		"LowPriorityBackgroundIO": true,
	}
	if d := cmp.Diff(any(want), got); d != "" {
		t.Errorf("the agent (-want +got):\n%s", d)
	}
	s.Program = "/Users/ann\x01/coffer"
	if _, err := Agent(s); err == nil {
		t.Error("a control character is taken, which no XML can hold")
	}
}

// parsePlist reads a property list into maps, slices and plain values, and
// refuses what Apple's own would.
func parsePlist(text string) (any, error) {
	dec := xml.NewDecoder(bufio.NewReader(strings.NewReader(text)))
	dec.Strict = true
	root, err := nextElement(dec)
	if err != nil || root.Name.Local != "plist" {
		return nil, errors.Join(errors.New("no plist"), err)
	}
	first, err := nextElement(dec)
	if err != nil {
		return nil, err
	}
	v, err := plistValue(dec, first)
	if err != nil {
		return nil, err
	}
	if more, err := nextElement(dec); err != io.EOF {
		return nil, errors.Join(errors.New("more than one value: "+more.Name.Local), err)
	}
	if _, err := nextElement(dec); err != io.EOF {
		return nil, errors.Join(errors.New("something after the plist"), err)
	}
	return v, nil
}

// nextElement returns the next element within the one that is open, or io.EOF.
func nextElement(dec *xml.Decoder) (xml.StartElement, error) {
	for {
		tok, err := dec.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			return tok, nil
		case xml.EndElement:
			return xml.StartElement{}, io.EOF
		case xml.CharData:
			if s := strings.TrimSpace(string(tok)); s != "" {
				return xml.StartElement{}, errors.New("text between elements: " + s)
			}
		}
	}
}

func plistValue(dec *xml.Decoder, at xml.StartElement) (any, error) {
	switch at.Name.Local {
	case "dict":
		return plistDict(dec)
	case "array":
		out := []any{}
		for {
			e, err := nextElement(dec)
			if err == io.EOF {
				return out, nil
			}
			if err != nil {
				return nil, err
			}
			v, err := plistValue(dec, e)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	case "true", "false":
		return at.Name.Local == "true", dec.Skip()
	}
	var s string
	if err := dec.DecodeElement(&s, &at); err != nil {
		return nil, err
	}
	switch at.Name.Local {
	case "string":
		return s, nil
	case "integer":
		return strconv.Atoi(s)
	}
	return nil, errors.New("no element of a plist: " + at.Name.Local)
}

func plistDict(dec *xml.Decoder) (any, error) {
	out := map[string]any{}
	for {
		e, err := nextElement(dec)
		if err == io.EOF {
			return out, nil
		}
		var key string
		if err == nil && e.Name.Local != "key" {
			err = errors.New("no key but " + e.Name.Local)
		}
		if err == nil {
			err = dec.DecodeElement(&key, &e)
		}
		if _, twice := out[key]; err == nil && twice {
			err = errors.New("two of " + key)
		}
		if err == nil {
			e, err = nextElement(dec)
		}
		if err != nil {
			return nil, err
		}
		if out[key], err = plistValue(dec, e); err != nil {
			return nil, err
		}
	}
}
