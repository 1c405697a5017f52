package metrics

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var update = flag.Bool("update", false, "write the golden files anew")

var start = time.Date(2026, 5, 1, 3, 0, 0, 0, time.UTC)

// full has a value for everything, and a job that never ran.
func full() Snapshot {
	return Snapshot{
		Version: "1.2.3", Start: start,
		Jobs: []Job{
			{Project: "website", Vault: "home", Kind: "backup", FirstSeen: start.Add(-time.Hour), LastSuccess: start, LastRun: start.Add(90 * time.Second), Duration: 61500 * time.Millisecond,
				Result: "partial", Next: start.Add(24 * time.Hour), MaxAge: 36 * time.Hour, Running: true, Ended: map[string]int{"ok": 4, "partial": 1},
				Newest: &Content{Files: 1200, Bytes: 5 << 30, Stored: 0, Unread: 2}},
			{Vault: "home", Kind: "verify"},
		},
		Vaults: []Vault{
			{Name: "home", Bytes: 7 << 30, Snapshots: 41, LastVerified: start.Add(-time.Hour), KitConfirmed: true},
			{Name: "attic", Bytes: -1, Snapshots: -1, Damaged: true},
		},
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("answer %d, %s", rec.Code, rec.Header().Get("Content-Type"))
	}
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What dashboards are built on does not change unseen.
func TestGolden(t *testing.T) {
	got := scrape(t, New(full))
	golden := filepath.Join("testdata", "metrics.txt")
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
}

// Names and help follow the conventions, as far as a program can tell.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(New(full).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	text := scrape(t, New(full))
	for _, line := range strings.Split(text, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "coffer_") {
			t.Errorf("not ours: %s", line)
		}
	}
}

// The snapshot of the test has a value for every metric there is, so that the
// linter and the golden file have seen them all.
func TestNothingIsLeftOut(t *testing.T) {
	n, err := testutil.GatherAndCount(New(full).registry)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	source, err := os.ReadFile("collector.go")
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, New(full))
	names := regexp.MustCompile(`(?:desc|job|vault)\("([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 20 {
		t.Fatalf("found %d names", len(names))
	}
	for _, name := range names {
		if !strings.Contains(text, "\ncoffer_"+name[1]) {
			t.Errorf("coffer_%s has no value", name[1])
		}
	}
}

// A daemon that knows nothing yet says so by saying little, never by zeros
// that look like 1970.
func TestNothingKnown(t *testing.T) {
	got := scrape(t, New(func() Snapshot { return Snapshot{Jobs: []Job{{Project: "p", Vault: "v", Kind: "backup"}}} }))
	if strings.Contains(got, "timestamp") || strings.Contains(got, "result{") || strings.Contains(got, "max_age") || strings.Contains(got, "duration") {
		t.Error(got)
	}
	if !strings.Contains(got, `coffer_job_runs_total{kind="backup",project="p",result="failed",vault="v"} 0`) {
		t.Errorf("a counter does not begin with zero: %s", got)
	}
}

// Names that others chose stay values.
func TestForeignNames(t *testing.T) {
	got := scrape(t, New(func() Snapshot {
		return Snapshot{Version: "\xff", Vaults: []Vault{{Name: "a\"} 1\ncoffer_evil 1\\"}}}
	}))
	if strings.Contains(got, "\ncoffer_evil") || !strings.Contains(got, `vault="a\"} 1\ncoffer_evil 1\\"`) || !strings.Contains(got, "version=\"\uFFFD\"") {
		t.Error(got)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "coffer.prom")
	m := New(full)
	for range 2 { // new, and over an old one
		if err := m.WriteFile(name); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scrape(t, m), string(data)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := m.WriteFile(filepath.Join(dir, "none", "coffer.prom")); err == nil || !strings.HasPrefix(err.Error(), "write metrics: ") {
		t.Errorf("no folder: %v", err)
	}
}

// A reader never sees half a file.
func TestWriteFileIsWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "coffer.prom")
	m := New(full)
	if err := m.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	want := scrape(t, m)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := m.WriteFile(name); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 200 {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
			break
		}
	}
	close(stop)
	wg.Wait()
}
