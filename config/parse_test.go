package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// full sets every key.
const full = "\uFEFF" + `# A comment.
default-vault = "home"
compression = "better"
dedup-memory = "1y2m"
timezone = "Europe/Paris"

[vault.home]
remote = "s3:https://S3.example.com:9000/backups/a/b/"
region = "eu-central-1"
ca-file = "~/ca.pem"
credentials-file = "/etc/coffer/credentials"
profile = "backup"
path-style = false
upload-limit = "5MiB/s"
download-limit = "40Mbit/s"
connections = 8
classic = true
maintain-profile = "maintain"
object-lock = "1m"
object-lock-mode = "compliance"
upload-times = ["08:00-18:00 2MiB/s", "22:00-6:00 unlimited"]
download-times = ["00:00-24:00 1Gbit/s"]
verify-within = "90d"
price-per-tb = "6.5 USD"

[vault.home.schedule]
verify = "TZ=America/New_York 5 4 * * sun"
drill = "off"
prune = "@weekly"

[vault]
usb.schedule.drill = "@monthly"
usb.remote = '/mnt//usb/'

[project.site]
paths = [
  "~/site", # the first
  "/srv/www",
]
tags = ["client", "größe"]
exclude = ["*.tmp", "!keep.tmp", "a\\b \"c\""]
ignore-files = []
one-file-system = true
cache-dirs = true
schedule = {backup = "*/20 9-17 * * 1-5"}
keep.weekly = 0
keep.within = "2m"
keep.tags = ["delivered"]
run-before = "pg_dump \"shop\" > /tmp/shop.sql"
run-after = {command = "true"}
run-failed = {timeout = "90s", command = "false"}
hook-timeout = "1h30m"
jitter = "0s"
max-age = "3d"
on-battery = "run"
metered = "run"
network = "run"

[project]
notes = {paths = ["~"], vault = "usb", run-finally = "true", schedule.forget = "off"}

# What is said for all may stand behind those that it is said for.
[schedule]
backup = "@every 90m"
forget = "off"
verify = "@weekly"
drill = "0 12 1 * *"
prune = "off"

[keep]
last = 3
hourly = 24
daily = 7
weekly = 4
monthly = 12
yearly = 9999
within = "30d"
tags = []

[daemon]
retry-for = "0s"
web-address = "0.0.0.0:80"
web-allow-remote = true
metrics-file = "~/coffer.prom"
log-level = "debug"
jitter = "10m"
max-age = "26h"
on-battery = "skip-below 30%"
metered = "skip"
network = "wait"

[notify.phone]
url = "ntfy://ntfy.example.com/backups"
events = ["stale", "damage"]
projects = ["site"]

[notify]
mail.url-file = "~/mail"
check.ping = "https://pings.example.com/4c1f/"
check2.ping-file = "/etc/coffer/ping"
desk.desktop = true
`

// fullValues are those of full, with /home/ada as the home folder.
func fullValues() *Config {
	keep := Keep{Last: 3, Hourly: 24, Daily: 7, Weekly: 4, Monthly: 12, Yearly: 9999, Within: Span{Days: 30}, Tags: []string{}}
	conditions := Conditions{Jitter: 10 * time.Minute, MaxAge: 26 * time.Hour, OnBattery: 30, Metered: MeteredSkip, Network: NetworkWait}
	return &Config{
		DefaultVault: "home",
		Compression:  CompressBetter,
		DedupMemory:  Span{Years: 1, Months: 2},
		Timezone:     "Europe/Paris",
		Schedule:     Schedules{Backup: "@every 90m", Verify: "@weekly", Drill: "0 12 1 * *"},
		Keep:         keep,
		Daemon: Daemon{
			WebAddress: "0.0.0.0:80", WebAllowRemote: true, MetricsFile: "/home/ada/coffer.prom", LogLevel: LogDebug, Conditions: conditions,
		},
		Vaults: []Vault{{
			Name:            "home",
			Remote:          Remote{Endpoint: "https://s3.example.com:9000", Bucket: "backups", Prefix: "a/b"},
			Region:          "eu-central-1",
			CAFile:          "/home/ada/ca.pem",
			CredentialsFile: "/etc/coffer/credentials",
			Profile:         "backup",
			MaintainProfile: "maintain",
			ObjectLock:      Span{Months: 1},
			ObjectLockMode:  LockCompliance,
			UploadLimit:     5 << 20,
			DownloadLimit:   5e6,
			UploadTimes:     []RateTime{{8 * 60, 18 * 60, 2 << 20}, {22 * 60, 6 * 60, 0}},
			DownloadTimes:   []RateTime{{0, 24 * 60, 125e6}},
			Connections:     8,
			Classic:         true,
			Schedule:        Schedules{Verify: "TZ=America/New_York 5 4 * * sun", Prune: "@weekly"},
			VerifyWithin:    Span{Days: 90},
			Price:           Price{6500000, "USD"},
		}, {
			Name: "usb", Remote: Remote{Dir: "/mnt/usb"}, Connections: 2, VerifyWithin: Span{Days: 30},
			Schedule: Schedules{Verify: "@weekly", Drill: "@monthly"},
		}},
		Projects: []Project{{
			Name:          "site",
			Paths:         []string{"/home/ada/site", "/srv/www"},
			Vault:         "home",
			Tags:          []string{"client", "größe"},
			Exclude:       []string{"*.tmp", "!keep.tmp", `a\b "c"`},
			IgnoreFiles:   []string{},
			OneFileSystem: true,
			CacheDirs:     true,
			Schedule:      Schedules{Backup: "*/20 9-17 * * 1-5"},
			Conditions:    Conditions{MaxAge: 72 * time.Hour, Metered: MeteredRun, Network: NetworkRun},
			Keep: Keep{Last: 3, Hourly: 24, Daily: 7, Monthly: 12, Yearly: 9999, Within: Span{Months: 2},
				Tags: []string{"delivered"}},
			RunBefore:   Hook{`pg_dump "shop" > /tmp/shop.sql`, 90 * time.Minute},
			RunAfter:    Hook{"true", 90 * time.Minute},
			RunFailed:   Hook{"false", 90 * time.Second},
			HookTimeout: 90 * time.Minute,
		}, {
			Name: "notes", Paths: []string{"/home/ada"}, Vault: "usb", IgnoreFiles: []string{".cofferignore"},
			Schedule: Schedules{Backup: "@every 90m"}, Conditions: conditions, Keep: keep,
			RunFinally: Hook{"true", 10 * time.Minute}, HookTimeout: 10 * time.Minute,
		}},
		Notify: []Notify{
			{Name: "phone", URL: "ntfy://ntfy.example.com/backups", Events: []Event{EventStale, EventDamage}, Projects: []string{"site"}},
			{Name: "mail", URLFile: "/home/ada/mail", Events: Events()},
			{Name: "check", Ping: "https://pings.example.com/4c1f"},
			{Name: "check2", PingFile: "/etc/coffer/ping"},
			{Name: "desk", Desktop: true, Events: Events()},
		},
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for name, text := range map[string]string{"as it is": full, "with CRLF": strings.ReplaceAll(full, "\n", "\r\n")} {
		got, err := Parse([]byte(text), "coffer.toml")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(fullValues(), got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	got, err := Parse([]byte("vault.aws.remote = 's3://backups'\nproject.a.paths = ['/a']"), "coffer.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.DefaultVault = "aws"
	want.Vaults = []Vault{NewVault("aws", Remote{Bucket: "backups"})}
	want.Projects = []Project{NewProject("a", "/a")}
	want.Projects[0].Vault = "aws"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for text, want := range map[string]bool{"s3://backups": false, "s3://my.backups": true, "s3:https://h/backups": true, "/mnt/a": false} {
		r, err := ParseRemote(text)
		c, parseErr := Parse([]byte("vault.a.remote = '"+text+"'"), "coffer.toml")
		if err := errors.Join(err, parseErr); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(NewVault("a", r), c.Vaults[0]) || c.Vaults[0].PathStyle != want {
			t.Errorf("%s: path style %v, want %v", text, c.Vaults[0].PathStyle, want)
		}
	}
	if c, err := Parse(nil, "coffer.toml"); err != nil || !cmp.Equal(c, Default()) {
		t.Errorf("an empty file gives %+v, %v", c, err)
	}
}

func TestParseCountsWhatItDoesNotKeep(t *testing.T) {
	_, err := Parse([]byte(strings.Repeat("[[x]]\n", maxProblems+7)), "coffer.toml")
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Problems) != maxProblems || e.More != 7 || !strings.HasSuffix(e.Error(), "\n\nand 7 more") {
		t.Errorf("got %v", err)
	}
}

func TestParseRefusesLargeFiles(t *testing.T) {
	_, err := Parse([]byte(strings.Repeat("#\n", maxSize/2)), "coffer.toml")
	if err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
	_, err = Parse([]byte(strings.Repeat("#\n", maxSize/2)+"#"), "coffer.toml")
	if err == nil || !strings.Contains(err.Error(), "larger than 1MiB") {
		t.Errorf("a byte more: %v", err)
	}
}

// TestParseIsNotSlow guards against work that grows with the square of the
// number of keys; that would take hours here.
func TestParseIsNotSlow(t *testing.T) {
	begin := time.Now()
	var b strings.Builder
	for i := 0; b.Len() < maxSize-20; i++ {
		b.WriteString("k" + strings.Repeat("x", i%5) + time.Duration(i).String() + "=0\n")
	}
	if _, err := Parse([]byte(strings.ReplaceAll(b.String(), "µ", "u")), "coffer.toml"); err == nil {
		t.Error("accepted")
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestHomeMissing(t *testing.T) {
	t.Setenv("HOME", "")
	_, err := ParsePath("~/work")
	if err == nil || err.Error() != `"~/work" needs a home folder, and HOME is not set; write the folder out` {
		t.Errorf("got %v", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("vault.a.remote = '/mnt/a'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Vaults[0].Remote.Dir != "/mnt/a" {
		t.Errorf("a good file: %+v, %v", c, err)
	}
	if err := os.WriteFile(path, []byte("x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":1: ") {
		t.Errorf("a bad file: %v", err)
	}
	if _, err := Load(filepath.Dir(path)); err == nil {
		t.Error("a folder: accepted")
	}
}

func TestDefaultPath(t *testing.T) {
	for _, c := range []struct{ coffer, xdg, home, want string }{
		{"/etc/c.toml", "/x", "/home/ada", "/etc/c.toml"},
		{"", "/x", "/home/ada", "/x/coffer/config.toml"},
		{"", "relative", "/home/ada", "/home/ada/.config/coffer/config.toml"},
		{"", "", "/home/ada", "/home/ada/.config/coffer/config.toml"},
		{"", "", "", ""},
	} {
		t.Setenv("COFFER_CONFIG", c.coffer)
		t.Setenv("XDG_CONFIG_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		got, err := DefaultPath()
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

func TestLookups(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c := fullValues()
	for _, name := range []string{"", "home"} {
		if v, err := c.Vault(name); err != nil || v.Name != "home" {
			t.Errorf("vault %q: %+v, %v", name, v, err)
		}
	}
	if p, err := c.Project("site"); err != nil || p.Name != "site" {
		t.Errorf("project: %+v, %v", p, err)
	}
	_, vault := c.Vault("usp")
	_, project := c.Project("stie")
	c.DefaultVault = ""
	_, many := c.Vault("")
	_, none := Default().Vault("")
	for got, want := range map[error]string{
		vault:   `no vault is named "usp"; did you mean "usb"?`,
		project: `no project is named "stie"; did you mean "site"?`,
		many:    `there is more than one vault; name one of "home" or "usb", or set default-vault`,
		none:    `no vault is defined; add a [vault.NAME] with a remote`,
	} {
		if got == nil || got.Error() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}
