package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWriteAtomic(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "f")
	defer umask(0o077)()
	for _, c := range []struct {
		data string
		perm os.FileMode
	}{{"first", 0o600}, {"", 0o644}, {strings.Repeat("third", 1<<20), 0o400}, {"over a read-only file", 0o666}} {
		must(t, WriteAtomic(at, []byte(c.data), c.perm))
		b, err := os.ReadFile(at)
		must(t, err)
		fi, err := os.Lstat(at)
		must(t, err)
		if string(b) != c.data || fi.Mode() != c.perm {
			t.Errorf("%d bytes, %v; want %d, %v", len(b), fi.Mode(), len(c.data), c.perm)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "other"), []byte("other"), 0o600))
	must(t, os.Symlink("other", filepath.Join(dir, "link")))
	must(t, WriteAtomic(filepath.Join(dir, "link"), []byte("x"), 0o600))
	if b, _ := os.ReadFile(filepath.Join(dir, "other")); string(b) != "other" {
		t.Error("written through a symlink")
	}
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	for _, bad := range []string{"d", "missing/f"} {
		if err := WriteAtomic(filepath.Join(dir, bad), nil, 0o600); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if got := listDir(t, dir); !slices.Equal(got, []string{"d", "f", "link", "other"}) {
		t.Errorf("left behind: %q", got)
	}
	t.Chdir(dir)
	must(t, WriteAtomic("relative", []byte("x"), 0o600))
}
