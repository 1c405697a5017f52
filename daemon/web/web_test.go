package web

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coffer/daemon/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 5, 1, 3, 0, 0, 0, time.FixedZone("CEST", 2*60*60))

func run(r report.Result, why, hint string) *report.Run {
	return &report.Run{Result: r, Why: why, Hint: hint}
}

// status has a job in every state.
func status() report.Status {
	good := now.Add(-90 * time.Minute).UTC()
	stored := run(report.OK, "", "")
	stored.Stored = &report.Stored{Files: 1200, Bytes: 5_300_000_000}
	return report.Status{
		Version: "1.2.3", Now: now, Since: now.Add(-100 * time.Hour), PausedUntil: now.Add(time.Hour), ConfigError: "line 3: it is none",
		Jobs: []report.JobStatus{
			{Job: "a/backup", Verb: "backup", Project: "a", Vault: "home", Schedule: "0 3 * * *", LastGood: good, Next: now.Add(24 * time.Hour), Last: stored},
			{Job: "b/backup", Verb: "backup", Project: "b", Vault: "home", First: now.Add(-99 * time.Hour), MaxAge: time.Hour, Last: run(report.Failed, "put pack: connection refused", "is the server up?")},
			{Job: "c/backup", Verb: "backup", Project: "c", Vault: "home", LastGood: good, Last: run(report.Failed, "disk full", ""), Trying: &report.Trying{}},
			{Job: "d/backup", Verb: "backup", Project: "d", Vault: "home", LastGood: good, Last: run(report.Partial, "2 files could not be read", "coffer logs")},
			{Job: "e/backup", Verb: "backup", Project: "e", Vault: "home", LastGood: good, Last: run(report.Skipped, "on battery", "")},
			{Job: "f/backup", Verb: "backup", Project: "f", Vault: "home", LastGood: good, Last: run(report.OK, "", ""), Waiting: "the remote does not answer"},
			{Job: "g/backup", Verb: "backup", Project: "g", Vault: "home", Last: run(report.Failed, "old", "old"), Running: &report.Running{Stage: "backing up", Progress: "12 of 40 MB"}},
			{Job: "home/verify", Verb: "verify", Vault: "home", First: now},
		},
	}
}

func get(t *testing.T, h http.Handler, method, path, host string) (int, http.Header, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, rec.Header(), string(body)
}

func TestPage(t *testing.T) {
	h := Handler(Options{Status: status, Notices: func() []string { return []string{"Confirm the kit:  coffer kit confirm"} }})
	code, header, got := get(t, h, "GET", "/", "localhost:9798")
	if code != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("answer %d, %v", code, header)
	}
	golden := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run with -update if this is meant (-want +got)\n%s", diff)
	}
	for _, class := range []string{"ok", "stale", "failed", "partial", "skipped", "waiting", "running", "new"} {
		if !strings.Contains(got, `<tr class="`+class+`">`) {
			t.Errorf("no job is %s", class)
		}
	}
}

// Names and reasons come from files and servers, and stay text.
func TestForeignText(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	h := Handler(Options{
		Status: func() report.Status {
			return report.Status{Version: evil, Now: now, ConfigError: evil, Jobs: []report.JobStatus{
				{Project: evil, Verb: evil, Vault: evil, Schedule: evil, Last: run(report.Failed, evil, evil)},
			}}
		},
		Notices: func() []string { return []string{evil} },
	})
	_, _, got := get(t, h, "GET", "/", "localhost")
	if strings.Contains(got, "<script") || strings.Count(got, "&lt;script&gt;") != 9 {
		t.Errorf("%d times as text in\n%s", strings.Count(got, "&lt;script&gt;"), got)
	}
}

// The page holds to its own policy: no scripts, no styles or links inside.
func TestPageNeedsNothing(t *testing.T) {
	_, header, got := get(t, Handler(Options{Status: status}), "GET", "/", "localhost")
	for _, refused := range []string{"<script", "<style", " style=", "onclick", "//"} {
		if strings.Contains(got, refused) {
			t.Errorf("the page has %q", refused)
		}
	}
	if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; ") {
		t.Errorf("policy %q", csp)
	}
}

func TestJSON(t *testing.T) {
	h := Handler(Options{Status: status, Notices: func() []string { return []string{"confirm the kit"} }})
	code, header, body := get(t, h, "GET", "/status.json", "127.0.0.1:9798")
	var got struct {
		report.Status
		Notices []string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d, %v, %v", code, header, err)
	}
	want, err := json.Marshal(status())
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got.Status)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(again)); diff != "" || len(got.Notices) != 1 {
		t.Errorf("%v %s", got.Notices, diff)
	}
}

func TestRoutes(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "coffer_paused 0\n") })
	h := Handler(Options{Status: status, Metrics: metrics})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"GET", "/style.css", 200}, {"GET", "/status.json", 200}, {"GET", "/metrics", 200}, {"HEAD", "/metrics", 200},
		{"POST", "/", 405}, {"PUT", "/status.json", 405}, {"DELETE", "/metrics", 405}, {"OPTIONS", "/", 405}, {"TRACE", "/", 405},
		{"GET", "/x", 404}, {"GET", "/page.html", 404}, {"GET", "/status.json/x", 404},
	} {
		code, header, body := get(t, h, c.method, c.path, "localhost")
		if code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, code, c.want)
		}
		for name, value := range headers {
			if header.Get(name) != value {
				t.Errorf("%s %s: no %s", c.method, c.path, name)
			}
		}
		if c.path == "/metrics" && c.method == "GET" && body != "coffer_paused 0\n" {
			t.Errorf("metrics are %q", body)
		}
	}
	if code, _, _ := get(t, Handler(Options{Status: status}), "GET", "/metrics", "localhost"); code != 404 {
		t.Errorf("metrics that nobody asked for: %d", code)
	}
}

// A foreign name for this machine is a web site's trick.
func TestForeignHost(t *testing.T) {
	ours, all := Handler(Options{Status: status}), Handler(Options{Status: status, AnyName: true})
	for host, want := range map[string]int{
		"localhost": 200, "localhost:9798": 200, "LOCALHOST.:9798": 200, "coffer.localhost:9798": 200, "127.0.0.1": 200, "127.0.0.1:9798": 200, "127.9.9.9:1": 200,
		"[::1]": 200, "[::1]:9798": 200, "[::ffff:127.0.0.1]:80": 200,
		"": 421, "evil.example": 421, "evil.example:9798": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "evillocalhost": 421,
		"192.168.1.5:9798": 421, "0.0.0.0:9798": 421, "[::]:9798": 421, "127.0.0.1:9798:1": 421,
	} {
		for _, path := range []string{"/", "/status.json", "/style.css"} {
			code, _, body := get(t, ours, "GET", path, host)
			if code != want || want == 421 && strings.Contains(body, "backup") {
				t.Errorf("%q%s: %d, want %d", host, path, code, want)
			}
		}
		if code, _, _ := get(t, all, "GET", "/", host); code != 200 {
			t.Errorf("%q on an open address: %d", host, code)
		}
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		if l, err := Listen(t.Context(), address, false); !errors.Is(err, ErrNotLoopback) {
			if err == nil {
				l.Close()
			}
			t.Errorf("%s: %v", address, err)
		}
	}
	l, err := Listen(t.Context(), ":0", true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Listen(t.Context(), "127.0.0.1:nonsense", false); err == nil || !strings.HasPrefix(err.Error(), "open web address 127.0.0.1:nonsense: ") {
		t.Error(err)
	}
}

// A real browser's way: over a socket, until the daemon ends.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, Handler(Options{Status: status})) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "connection refused") {
		t.Errorf("%d, %v", resp.StatusCode, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + l.Addr().String() + "/"); err == nil {
		t.Error("it still answers")
	}
}

func TestServeOnBrokenListener(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, Handler(Options{Status: status})); err == nil || !strings.HasPrefix(err.Error(), "serve web page: ") {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 5_300_000_000: "5.3 GB", 1 << 62: "4.6 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "now", -time.Second: "now", time.Minute: "in 1 min", -119 * time.Minute: "119 min ago", -47 * time.Hour: "47 h ago", 300 * time.Hour: "in 12 days"} {
		if got := at(now.Add(d), now).Distance; got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if m := at(time.Time{}, now); m != (moment{Text: "never"}) {
		t.Errorf("never is %+v", m)
	}
}
