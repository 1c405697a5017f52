package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The same number and seed make the same files, all of them distinct, in
// folders of folders; and a hundredth of them changes.
func TestEntries(t *testing.T) {
	root := t.TempDir()
	first := map[string]string{}
	contents, folders := map[string]bool{}, map[string]bool{}
	deepest := 0
	err := eachEntry(root, 3000, 1, func(path string, data []byte) error {
		if len(data) != 40 || contents[string(data)] || first[path] != "" {
			t.Errorf("%s: %q", path, data)
		}
		first[path], contents[string(data)] = string(data), true
		folders[filepath.Dir(path)] = true
		deepest = max(deepest, strings.Count(path[len(root):], "/"))
		return nil
	})
	if err != nil || len(first) != 3000 || len(folders) < 20 || deepest < 3 {
		t.Errorf("%d files in %d folders, %d deep, %v", len(first), len(folders), deepest, err)
	}
	n := 0
	err = eachEntry(root, 3000, 1, func(path string, data []byte) error {
		n++
		if first[path] != string(data) {
			t.Errorf("%s was %q, now %q", path, first[path], data)
		}
		return nil
	})
	if err != nil || n != 3000 {
		t.Error(n, err)
	}
	if err := changeEntries(root, 3000, 1); err != nil {
		t.Fatal(err)
	}
	changed := 0
	if err := eachFile(root, func(string, int64) error { changed++; return nil }); err != nil {
		t.Fatal(err)
	}
	if changed < 10 || changed > 60 {
		t.Errorf("%d of 3000 files changed", changed)
	}
}

// All phases, on two small trees: this is what keeps the commands true.
func TestBenchEntries(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "coffer"), "../coffer").CombinedOutput(); err != nil {
		t.Fatalf("build coffer: %v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+"/usr/bin"+string(filepath.ListSeparator)+"/bin")
	var out, log bytes.Buffer
	args := []string{"-scratch", t.TempDir(), "-home", t.TempDir(), "-entries", "500,1000", "-markdown", "-keep"}
	if err := run(t.Context(), args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for _, want := range []string{"| 500 | first backup |", "| 1000 | no change |", "| 1000 | 1 % changed |", "| 1000 | list all |", "| 1000 | restore a folder |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
