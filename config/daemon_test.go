package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseOnBattery(t *testing.T) {
	for text, want := range map[string]OnBattery{"run": 0, "skip": 101, "skip-below 30%": 30, "skip-below 1%": 1, "skip-below 100%": 100} {
		got, err := parseOnBattery(text)
		if got != want || err != nil || got.String() != text {
			t.Errorf("%q gives %d, %v, shown as %q; want %d", text, got, err, got, want)
		}
	}
	for _, c := range []struct {
		on     OnBattery
		charge int
		skips  bool
	}{{BatteryRun, 0, false}, {BatterySkip, 100, true}, {30, 29, true}, {30, 30, false}, {100, 100, false}} {
		if got := c.on.Skips(c.charge); got != c.skips {
			t.Errorf("%v at %d%%: %v", c.on, c.charge, got)
		}
	}
}

// TestCronIsAsked holds what the check of schedules is given: every schedule
// of the file as it stands there, and never one that is off.
func TestCronIsAsked(t *testing.T) {
	var asked []string
	k := Checks{Cron: func(spec string) error {
		asked = append(asked, spec)
		if strings.Contains(spec, "31 2") {
			return errors.New("it never fires")
		}
		return nil
	}}
	const text = `
vault.v = {remote = "/v", schedule = {verify = "TZ=Europe/Paris 0 3 * * *", prune = "off"}}
project.p = {paths = ["/p"], schedule = {backup = "0 0 31 2 *"}}
schedule = {drill = "@every 48h", forget = "TZ=Europe/Paris"}
`
	_, err := k.Parse([]byte(text), "coffer.toml")
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Problems) != 2 || !strings.Contains(e.Problems[0].Message, "it never fires") {
		t.Errorf("got %v", err)
	}
	slices.Sort(asked)
	if diff := cmp.Diff([]string{"0 0 31 2 *", "@every 48h", "TZ=Europe/Paris", "TZ=Europe/Paris 0 3 * * *"}, asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
}

// TestWhatIsSaidForAllIsLent holds that a project takes over only what it does
// not say itself, and that nothing it says changes another.
func TestWhatIsSaidForAllIsLent(t *testing.T) {
	const text = `
vault.v.remote = "/v"
project.a = {paths = ["/a"], keep = {daily = 1, tags = ["x"]}, jitter = "1m", schedule = {backup = "off"}}
project.b = {paths = ["/b"]}
project.c = {paths = ["/c"], keep = {daily = 0, weekly = 0}}
keep = {daily = 7, weekly = 4, tags = ["y"]}
daemon = {jitter = "10m", metered = "skip"}
schedule = {forget = "@weekly", verify = "@monthly"}
`
	c, err := Parse([]byte(text), "coffer.toml")
	if err != nil {
		t.Fatal(err)
	}
	a, b, none := c.Projects[0], c.Projects[1], c.Projects[2]
	for _, row := range []struct {
		what      string
		got, want any
	}{
		{"a: keep", a.Keep, Keep{Daily: 1, Weekly: 4, Tags: []string{"x"}}},
		{"b: keep", b.Keep, Keep{Daily: 7, Weekly: 4, Tags: []string{"y"}}},
		{"all: keep", c.Keep, b.Keep},
		{"a: schedule", a.Schedule, Schedules{Forget: "@weekly"}},
		{"b: schedule", b.Schedule, Schedules{Backup: "@hourly", Forget: "@weekly"}},
		{"c keeps everything, so: schedule", none.Schedule, Schedules{Backup: "@hourly"}},
		{"a: conditions", a.Conditions, Conditions{Jitter: time.Minute, Metered: MeteredSkip, Network: NetworkWait}},
		{"b: conditions", b.Conditions, c.Daemon.Conditions},
		{"v: schedule", c.Vaults[0].Schedule, Schedules{Verify: "@monthly"}},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", row.what, diff)
		}
	}
}

func TestKeepIsZero(t *testing.T) {
	for _, c := range []struct {
		keep Keep
		want bool
	}{
		{Keep{}, true}, {Keep{Tags: []string{"a"}}, true}, {Keep{Last: 1}, false}, {Keep{Hourly: 1}, false}, {Keep{Daily: 1}, false},
		{Keep{Weekly: 1}, false}, {Keep{Monthly: 1}, false}, {Keep{Yearly: 1}, false}, {Keep{Within: Span{Days: 1}}, false},
	} {
		if got := c.keep.IsZero(); got != c.want {
			t.Errorf("%+v: %v", c.keep, got)
		}
	}
}

// TestRateTimes compares with a count of every minute of the day.
func TestRateTimes(t *testing.T) {
	times := []string{"08:00-18:00 2MiB/s", "22:00-06:00 unlimited", "6:00-06:01 1KiB/s", "18:00-20:00 1GB/s"}
	v := Vault{DownloadLimit: 77}
	for _, text := range times {
		got, err := parseRateTime(text, v.DownloadTimes)
		if err != nil {
			t.Fatal(err)
		}
		v.DownloadTimes = append(v.DownloadTimes, got)
	}
	for minute := range minutesOfDay {
		want := Rate(77)
		switch {
		case minute >= 8*60 && minute < 18*60:
			want = 2 << 20
		case minute >= 22*60 || minute < 6*60:
			want = 0
		case minute == 6*60:
			want = 1 << 10
		case minute >= 18*60 && minute < 20*60:
			want = 1e9
		}
		if got := v.DownloadAt(minute); got != want || v.UploadAt(minute) != 0 {
			t.Errorf("%02d:%02d: %v, want %v", minute/60, minute%60, got, want)
		}
	}
	for _, text := range []string{"00:00-24:00 1MiB/s", "21:59-22:01 1MiB/s", "07:00-08:01 1MiB/s", "12:00-13:00 1MiB/s", "20:00-06:00 1MiB/s", "06:00-05:59 1MiB/s"} {
		if got, err := parseRateTime(text, v.DownloadTimes); err == nil {
			t.Errorf("%q overlaps and is accepted as %v", text, got)
		}
	}
	for _, text := range []string{"06:01-08:00 1MiB/s", "20:00-22:00 1MiB/s"} {
		if _, err := parseRateTime(text, v.DownloadTimes); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseListen(t *testing.T) {
	for text, loopback := range map[string]bool{
		"127.0.0.1:9798": true, "127.1.2.3:0": true, "localhost:80": true, "[::1]:9798": true, "0.0.0.0:9798": false, "[::]:80": false,
		"192.168.1.2:9798": false, "localhost.example.com:80": false, "[::ffff:127.0.0.1]:80": true,
	} {
		got, err := parseListen(text)
		if got != text || err != nil || isLoopback(got) != loopback {
			t.Errorf("%q gives %q, %v; want loopback %v", text, got, err, loopback)
		}
	}
	for _, text := range []string{"", ":", ":80", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:080", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
		"[::1]", "[::1]80", "http://127.0.0.1:80", "127.0.0.1:80/metrics", "/run/coffer.sock", "127.0.0.1 :80"} {
		if got, err := parseListen(text); err == nil {
			t.Errorf("%q is accepted as %q", text, got)
		}
	}
}

// TestSecretAddressesAreRefused holds that no address that may hold a secret
// is accepted, and that none is repeated.
func TestSecretAddressesAreRefused(t *testing.T) {
	for _, text := range []string{
		"slack://hook:hunter2@webhook", "discord://hunter2@id", "telegram://hunter2@telegram?chats=1", "gotify://h.example/hunter2", "pushover://x:hunter2@y",
		"ntfy://ada:hunter2@ntfy.example.com/t", "ntfy://:hunter2@ntfy.example.com/t", "smtp://ada:hunter2@h.example:587/?from=a@b.example&to=c@d.example",
		"smtp://ada:hun/ter2@h.example", "smtp://ada:hun?hunter2@h.example", "generic://h.example/x?@authorization=hunter2", "generic+https://h.example/x?token=hunter2",
		"ntfy://ntfy.example.com/t?password=hunter2", "mqtt://a:hunter2@h.example/t", "https://hooks.example.com/hunter2", "hunter2", "NTFY://hunter2",
	} {
		got, err := parseServiceURL(text)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%q gives %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"ntfy://ntfy.example.com/backups", "ntfy://localhost:8080/backups?scheme=http", "smtp://localhost:25/?from=a@b.example&to=c@d.example",
		"generic://localhost:8080/hook?template=json", "generic+https://h.example/hook", "mqtt://localhost:1883/coffer", "logger://",
	} {
		if got, err := parseServiceURL(text); got != text || err != nil {
			t.Errorf("%q gives %q, %v", text, got, err)
		}
	}
}

func TestRedactHidesServiceAddresses(t *testing.T) {
	for line, want := range map[string]string{
		`url = "slack://T0KEN"`:                        `url = "slack://***`,
		`a = "https://h.example/x", b = "gotify://T0"`: `a = "https://h.example/x", b = "gotify://***`,
		`remote = "s3:https://h.example/bucket"`:       `remote = "s3:https://h.example/bucket"`,
		`remote = "s3://bucket/a"`:                     `remote = "s3://bucket/a"`,
		`url = "ntfy://"`:                              `url = "ntfy://***`,
		`url = ntfy://`:                                `url = ntfy://`,
	} {
		if got, _, _ := redact(line, 0, len(line)); got != want {
			t.Errorf("%s is shown as %s, want %s", line, got, want)
		}
	}
}
