package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program runs itself for what is to be measured as a child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == inner {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// All phases, with Coffer alone: this is what keeps the commands it gives to
// Coffer true.
func TestBenchRunsCoffer(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "coffer"), "../coffer").CombinedOutput(); err != nil {
		t.Fatalf("build coffer: %v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	var out, log bytes.Buffer
	args := []string{"-scratch", t.TempDir(), "-tools", "coffer", "-scale", "0.002", "-rounds", "2", "-json"}
	if err := run(t.Context(), args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	var got table
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Files < 250 || got.Bytes < 3e6 {
		t.Errorf("%d files of %d bytes", got.Files, got.Bytes)
	}
	seen := map[string]sample{}
	for _, r := range got.Rows {
		if len(r.All) != 2 || r.Median.Wall <= 0 || r.Median.Memory <= 1 {
			t.Errorf("%s of %s: %+v", r.Phase, r.Name, r)
		}
		if r.Limit && r.WallRatio <= 0 {
			t.Errorf("%s of %s has no ratio", r.Phase, r.Name)
		}
		if !r.Limit {
			seen[r.Phase] = r.Median
		}
	}
	for _, ph := range phases() {
		if _, ok := seen[ph.name]; !ok {
			t.Errorf("no %s", ph.name)
		}
	}
	first, changed, none := seen["first backup"].Stored, seen["1 % changed"].Stored, seen["no change"].Stored
	if first < 1 || none > 0.1 || changed <= none || changed > first/2 {
		t.Errorf("stored %v MB first, %v unchanged, %v changed", first, none, changed)
	}
	var text, md bytes.Buffer
	if err := got.writeText(&text); err != nil {
		t.Fatal(err)
	}
	if err := got.writeMarkdown(&md); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(md.String(), "| coffer |"); n != len(phases()) || strings.Count(text.String(), "coffer ") < n {
		t.Errorf("%s\n%s", &text, &md)
	}
}

// The same seed makes the same files, another one others.
func TestFilesDependOnTheSeedAlone(t *testing.T) {
	dirs := map[string]string{}
	for name, seed := range map[string]uint64{"a": 1, "b": 1, "c": 2} {
		dirs[name] = filepath.Join(t.TempDir(), name)
		if err := makeCorpus(dirs[name], partNames(), seed, 0.001); err != nil {
			t.Fatal(err)
		}
		if err := changeSome(dirs[name], seed); err != nil {
			t.Fatal(err)
		}
	}
	same := func(a, b string) (n int, all bool) {
		all = true
		err := eachFile(dirs[a], func(path string, _ int64) error {
			rel, _ := filepath.Rel(dirs[a], path)
			x, _ := os.ReadFile(path)
			y, err := os.ReadFile(filepath.Join(dirs[b], rel))
			all = all && err == nil && bytes.Equal(x, y)
			n++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, all
	}
	if n, all := same("a", "b"); !all || n < 140 {
		t.Errorf("%d files, the same: %v", n, all)
	}
	if _, all := same("a", "c"); all {
		t.Error("another seed made the same files")
	}
}

// A restore that is not the same must not get into a table.
func TestCompareNotices(t *testing.T) {
	for what, spoil := range map[string]func(dir string) error{
		"a byte":       func(d string) error { return os.WriteFile(d+"/s/f", []byte("contenT"), 0o644) },
		"a length":     func(d string) error { return os.WriteFile(d+"/s/f", []byte("conten"), 0o644) },
		"a mode":       func(d string) error { return os.Chmod(d+"/s/f", 0o600) },
		"one missing":  func(d string) error { return os.Remove(d + "/s/f") },
		"one too many": func(d string) error { return os.WriteFile(d+"/s/g", nil, 0o644) },
		"a kind":       func(d string) error { os.Remove(d + "/s/f"); return os.Mkdir(d+"/s/f", 0o755) },
	} {
		a, b := t.TempDir(), t.TempDir()
		for _, d := range []string{a, b} {
			if err := write(d+"/s/f", []byte("content")); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(a + "/s/f")
		if err != nil {
			t.Fatal(err)
		}
		level := func() { os.Chtimes(b+"/s/f", info.ModTime(), info.ModTime()) }
		level()
		if err := compare(a, b); err != nil {
			t.Errorf("the same: %v", err)
		}
		if err := spoil(b); err != nil {
			t.Fatal(err)
		}
		level()
		if compare(a, b) == nil {
			t.Errorf("%s: not noticed", what)
		}
	}
}

// The proxy hands on what a program signed, and counts.
func TestProxyCounts(t *testing.T) {
	var host, got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPut {
			host, got = r.Host, string(b)
		}
	}))
	defer srv.Close()
	p, err := newProxy(srv.URL+"/bucket", 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	body := strings.Repeat("x", 10000)
	for i, method := range []string{"GET", "PUT", "HEAD"} {
		req, err := http.NewRequest(method, "http://"+p.addr+"/bucket/"+strconv.Itoa(i), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if host != p.addr || got != body || p.all.Load() != 3 || p.puts.Load() != 1 || p.up.Load() != int64(len(body)) {
		t.Errorf("host %q, %d bytes, %d requests, %d PUTs, %d up", host, len(got), p.all.Load(), p.puts.Load(), p.up.Load())
	}
	if _, err := newProxy("http://host", 0); err == nil {
		t.Error("no bucket, and no error")
	}
}
