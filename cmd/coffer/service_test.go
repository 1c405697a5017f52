package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coffer/config"
	"coffer/deploy"
)

// standIn puts a program on the path that writes down how it is called, then
// runs a script. It returns what was called so far, and forgets it.
func standIn(t *testing.T, name, script string) (calls func() []string) {
	t.Helper()
	bin := t.TempDir()
	log := filepath.Join(bin, "calls")
	text := "#!/bin/sh\necho \"$@\" >>'" + log + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return func() []string {
		b, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
	}
}

func TestSystemdOfTheSystem(t *testing.T) {
	calls := standIn(t, "systemctl", `if [ "$1" = show ]; then
	echo ActiveState=inactive; echo SubState=dead; echo UnitFileState=disabled; echo MainPID=0; echo StatusText=
fi`)
	s := systemd{folder: t.TempDir(), account: "games"}
	if want := filepath.Join(s.folder, "coffer@games.service"); s.file() != want {
		t.Errorf("the file is %s", s.file())
	}
	text, err := s.text(deploy.Service{Program: "/usr/bin/coffer", Writable: []string{"/var/games/state"}})
	if err != nil || !strings.Contains(text, "\nUser=games\n") || !strings.Contains(text, "\nReadWritePaths=-/var/games/state\n") {
		t.Errorf("the text is\n%s\n%v", text, err)
	}
	if err := s.start(t.Context()); err != nil {
		t.Error(err)
	}
	st, err := s.state(t.Context())
	if want := (serviceState{Words: "inactive (dead)"}); err != nil || st != want {
		t.Errorf("state %+v, %v", st, err)
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{"daemon-reload", "enable coffer@games.service", "restart coffer@games.service",
		"show coffer@games.service --property=ActiveState,SubState,UnitFileState,StatusText,MainPID",
		"daemon-reload", "disable --now coffer@games.service"}
	if d := cmp.Diff(want, calls()); d != "" {
		t.Errorf("systemctl was called (-want +got):\n%s", d)
	}
	if by := s.byHand(); by != "sudo systemctl daemon-reload && sudo systemctl enable --now coffer@games.service" {
		t.Errorf("by hand: %s", by)
	}
}

// TestLaunchd has a launchctl that takes a moment to unload an agent, as the
// real one does.
func TestLaunchd(t *testing.T) {
	loaded := filepath.Join(t.TempDir(), "loaded")
	calls := standIn(t, "launchctl", `case $1 in
bootstrap) [ ! -e '`+loaded+`' ] || { echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; }; echo 1 >'`+loaded+`' ;;
bootout) [ -e '`+loaded+`' ] || exit 3; echo bye >'`+loaded+`' ;;
print)
	[ -e '`+loaded+`' ] || { echo 'Could not find service' >&2; exit 113; }
	if grep -q bye '`+loaded+`'; then rm '`+loaded+`'; fi
	printf 'gui/501/coffer.daemon = {\n\tactive count = 1\n\tstate = running\n\n\tpid = 4711\n\tspawn = {\n\t\tstate = other\n\t}\n}\n' ;;
esac`)
	l := launchd{folder: "/Users/ann/Library/LaunchAgents", uid: 501}
	if st, err := l.state(t.Context()); err != nil || st != (serviceState{Words: "not loaded"}) {
		t.Errorf("before: %+v, %v", st, err)
	}
	for range 2 {
		calls()
		if err := l.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"enable gui/501/coffer.daemon", "bootout gui/501/coffer.daemon", "print gui/501/coffer.daemon", "print gui/501/coffer.daemon",
		"bootstrap gui/501 /Users/ann/Library/LaunchAgents/coffer.daemon.plist"}
	if d := cmp.Diff(want, calls()); d != "" {
		t.Errorf("launchctl was called (-want +got):\n%s", d)
	}
	st, err := l.state(t.Context())
	if want := (serviceState{Enabled: true, Active: true, Words: "running", PID: "4711"}); err != nil || st != want {
		t.Errorf("state %+v, %v", st, err)
	}
	if err := l.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if isThere(loaded) {
		t.Error("it is loaded still")
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, m := range []serviceManager{systemd{folder: t.TempDir()}, launchd{folder: t.TempDir()}} {
		_, err := m.state(t.Context())
		for _, err := range []error{err, m.start(t.Context()), m.stop(t.Context())} {
			if !errors.Is(err, errNoManager) {
				t.Errorf("%s: %v", m.name(), err)
			}
		}
	}
}

func TestRefuseKeyless(t *testing.T) {
	home := t.TempDir()
	keys := filepath.Join(home, "keys")
	if err := os.WriteFile(keys, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, shell, file, usual, want string
	}{
		{"nothing is known", "", "", "", ""}, // a machine's role may do it
		{"in this shell only", "AK", "", "", "in this shell only"},
		{"in this shell and in the usual file", "AK", "", keys, ""},
		{"in a file", "AK", keys, "", ""},
		{"in a file that is not there", "", home + "/none", "", "which is not there"},
		{"in a file that is not there but could be", "AK", home + "/no ne", "", "will look for the S3 keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("HOME", home)
			t.Setenv("AWS_ACCESS_KEY_ID", c.shell)
			t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", c.usual)
			v := config.NewVault("cloud", config.Remote{Bucket: "bucket"})
			v.CredentialsFile = c.file
			err := refuseKeyless(&config.Config{Vaults: []config.Vault{v, config.NewVault("disk", config.Remote{Dir: "/mnt"})}})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			var hint told
			if errors.As(err, &hint) && (strings.Contains(hint.hint, "hush") || hint.code != exitUsage) {
				t.Errorf("hint %q, code %d", hint.hint, hint.code)
			}
		})
	}
}

func TestSuitEnvironment(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
	t.Setenv("AWS_PROFILE", "backup")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("COFFER_CA_FILE", "/etc/ca.pem")
	v := config.NewVault("cloud", config.Remote{Endpoint: "https://s3.example.com", Bucket: "bucket"})
	suitEnvironment(&v, "/home/ann/.config/coffer/config.toml")
	if v.Region != "eu-west-1" || v.Profile != "backup" || v.CAFile != "/etc/ca.pem" || v.CredentialsFile != "" {
		t.Errorf("by a profile: %+v", v)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AK")
	suitEnvironment(&v, "/home/ann/.config/coffer/config.toml")
	if v.Profile != "" || v.CredentialsFile != "/home/ann/.config/coffer/credentials" {
		t.Errorf("by keys in the shell: %+v", v)
	}
	disk := config.NewVault("disk", config.Remote{Dir: "/mnt"})
	suitEnvironment(&disk, "/c")
	if disk.Region+disk.CredentialsFile+disk.CAFile != "" {
		t.Errorf("a folder got %+v", disk)
	}
}

// TestPassedOn holds that no secret gets into a file that all can read.
func TestPassedOn(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_SESSION_TOKEN": "TOKEN",
		"HTTPS_PROXY": "http://ann:SECRET@proxy:3128", "NO_PROXY": "localhost", "AWS_PROFILE": "backup", "XDG_STATE_HOME": "/s"} {
		t.Setenv(name, value)
	}
	got := passedOn()
	for _, want := range []string{"AWS_PROFILE=backup", "NO_PROXY=localhost", "XDG_STATE_HOME=/s"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not passed on", want)
		}
	}
	for _, s := range got {
		if strings.Contains(s, "SECRET") || strings.Contains(s, "TOKEN") || strings.Contains(s, "AK") {
			t.Errorf("%s is passed on", s)
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"": "''", "/a/b-c.toml": "/a/b-c.toml", "it's": `'it'\''s'`, "a b": "'a b'", "$x": "'$x'", "~/a": "~/a"} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}

// TestSystemServiceWantsAHome holds that a service of the system is not made for
// a user whose vaults it could neither find nor make.
func TestSystemServiceWantsAHome(t *testing.T) {
	dir := t.TempDir()
	h := home{account: "games", config: filepath.Join(dir, "config.toml"), state: filepath.Join(dir, "state")}
	d := &door{}
	if _, err := d.configFor(h); !errors.Is(err, os.ErrNotExist) || isThere(h.config) {
		t.Errorf("without a config: %v", err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const vault, project = "[vault.disk]\nremote = \"/mnt/disk\"\n", "[project.site]\npaths = [\"/srv/site\"]\n"
	write(vault)
	if _, err := d.configFor(h); err == nil || !strings.Contains(err.Error(), "no project") {
		t.Errorf("without a project: %v", err)
	}
	write(vault + project)
	if _, err := d.configFor(h); err == nil || !strings.Contains(err.Error(), "backed nothing up yet") {
		t.Errorf("without local state: %v", err)
	}
	if err := os.Mkdir(h.state, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := d.configFor(h)
	if err != nil {
		t.Fatal(err)
	}
	c.Daemon.MetricsFile = "/var/metrics/coffer.prom"
	text, err := fileOf(systemd{account: "games"}, h, "/usr/bin/coffer", c)
	if want := "\nReadWritePaths=-" + h.state + " -/mnt/disk -/var/metrics\n"; err != nil || !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s\n%v", want, text, err)
	}
}
