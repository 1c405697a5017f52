package treecmp

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// build makes the same tree each time, with fixed times.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.MkdirAll(at("d/e"), 0o755))
	must(t, os.WriteFile(at("f"), []byte("content"), 0o644))
	must(t, os.WriteFile(at("d/g"), make([]byte, 600_000), 0o644))
	must(t, os.WriteFile(at("odd\n\xff"), nil, 0o644))
	must(t, os.Symlink("f", at("l")))
	must(t, os.Link(at("f"), at("d/hard")))
	must(t, os.WriteFile(at("same"), []byte("content"), 0o644))
	must(t, syscall.Mkfifo(at("p"), 0o644))
	if os.Geteuid() == 0 {
		must(t, syscall.Mknod(at("null"), syscall.S_IFCHR|0o600, 1<<8|3))
	}
	must(t, xattr.Set(at("f"), "user.x", []byte("value")))
	must(t, xattr.Set(at("d"), "user.folder", []byte("value")))
	sparse, err := os.Create(at("sparse"))
	must(t, err)
	_, err = sparse.WriteAt([]byte("end"), 8<<20)
	must(t, err)
	must(t, sparse.Close())
	settle(t, dir)
	return dir
}

var then = time.Unix(1_000_000_000, 123456789)

func settle(t *testing.T, dir string) {
	t.Helper()
	for _, p := range []string{"d/e", "d/g", "d/hard", "d", "f", "same", "odd\n\xff", "sparse", ""} {
		must(t, os.Chtimes(filepath.Join(dir, p), then, then))
	}
	for _, p := range []string{"l", "p", "null"} {
		setLinkTime(t, filepath.Join(dir, p))
	}
}

func TestEqualTrees(t *testing.T) {
	a, b := build(t), build(t)
	for _, d := range Compare(a, b, Options{}) {
		t.Error(d)
	}
	link := filepath.Join(t.TempDir(), "l")
	must(t, os.Symlink(a, link))
	if d := Compare(link, b, Options{}); len(d) > 0 {
		t.Errorf("a root given as a symlink: %v", d)
	}
	if d := Compare(filepath.Join(a, "f"), filepath.Join(b, "same"), Options{}); len(d) != 1 || d[0].Kind != "xattr user.x" {
		t.Errorf("two files: %v", d)
	}
}

// A change of one tree that must be seen as a difference of that kind.
type change struct {
	kind, path string
	do         func(dir string) error
}

// A judge that cannot see a difference is worse than none: one change each.
func TestEachKindIsSeen(t *testing.T) {
	changes := map[string]change{
		"missing":         {"only in a", "f", func(d string) error { return os.Remove(d + "/f") }},
		"extra":           {"only in b", "d/new", func(d string) error { return os.WriteFile(d+"/d/new", nil, 0o644) }},
		"extra folder":    {"only in b", "new", func(d string) error { return os.Mkdir(d+"/new", 0o755) }},
		"name":            {"only in b", "odd\n\xfe", func(d string) error { return os.Rename(d+"/odd\n\xff", d+"/odd\n\xfe") }},
		"content":         {"content", "d/g", func(d string) error { return overwrite(d+"/d/g", 599_999) }},
		"size":            {"size", "f", func(d string) error { return os.Truncate(d+"/f", 6) }},
		"mode":            {"mode", "f", func(d string) error { return os.Chmod(d+"/f", 0o640) }},
		"setgid":          {"mode", "d", func(d string) error { return os.Chmod(d+"/d", 0o755|os.ModeSetgid) }},
		"sticky":          {"mode", "d/e", func(d string) error { return os.Chmod(d+"/d/e", 0o755|os.ModeSticky) }},
		"mode of root":    {"mode", "", func(d string) error { return os.Chmod(d, 0o700) }},
		"mode of FIFO":    {"mode", "p", func(d string) error { return os.Chmod(d+"/p", 0o600) }},
		"nanosecond":      {"mtime", "f", func(d string) error { return os.Chtimes(d+"/f", then, then.Add(1)) }},
		"time of folder":  {"mtime", "d/e", func(d string) error { return os.Chtimes(d+"/d/e", then, then.Add(time.Hour)) }},
		"target":          {"target", "l", func(d string) error { return relink(d+"/l", "same") }},
		"type":            {"type", "p", func(d string) error { return os.Rename(d+"/same", d+"/p") }},
		"folder for file": {"type", "same", func(d string) error { os.Remove(d + "/same"); return os.Mkdir(d+"/same", 0o755) }},
		"xattr value":     {"xattr user.x", "f", func(d string) error { return xattr.Set(d+"/f", "user.x", []byte("other")) }},
		"xattr gone":      {"xattr user.folder", "d", func(d string) error { return xattr.Remove(d+"/d", "user.folder") }},
		"xattr more":      {"xattr user.y", "f", func(d string) error { return xattr.Set(d+"/f", "user.y", nil) }},
		"link broken": {"hard link", "f", func(d string) error {
			os.Remove(d + "/d/hard")
			return copyFile(d+"/f", d+"/d/hard")
		}},
		"link made": {"hard link", "same", func(d string) error { os.Remove(d + "/same"); return os.Link(d+"/f", d+"/same") }},
		"holes":     {"holes", "sparse", func(d string) error { return fill(d + "/sparse") }},
	}
	maps.Copy(changes, systemChanges())
	a := build(t)
	for name, c := range changes {
		b := build(t)
		if err := c.do(b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.kind != "mtime" {
			settleQuietly(b)
		}
		diffs := Compare(a, b, Options{})
		found := false
		for _, d := range diffs {
			found = found || d.Kind == c.kind && d.Path == c.path
		}
		if !found {
			t.Errorf("%s: not seen; got %v", name, diffs)
		}
		ignore := Options{Ignore: func(d Difference) bool { return d.Kind == c.kind && d.Path == c.path }}
		if rest := Compare(a, b, ignore); len(rest) >= len(diffs) {
			t.Errorf("%s: Ignore had no say", name)
		}
		if one := Compare(a, b, Options{Limit: 1}); len(one) != 1 {
			t.Errorf("%s: Limit: %v", name, one)
		}
	}
	if d := Compare(a, a+"-missing", Options{}); len(d) != 1 || d[0].Kind != "error" {
		t.Errorf("missing root: %v", d)
	}
	if d := Compare(a, filepath.Join(a, "f"), Options{}); len(d) == 0 || d[0].Kind != "type" {
		t.Errorf("folder and file: %v", d)
	}
}

// systemChanges are those that only root, or only this system, can make.
func systemChanges() map[string]change {
	more := map[string]change{}
	if os.Geteuid() == 0 {
		more["owner"] = change{"owner", "f", func(d string) error { return os.Chown(d+"/f", 7, -1) }}
		more["group of link"] = change{"owner", "l", func(d string) error { return os.Lchown(d+"/l", -1, 8) }}
		more["device"] = change{"device", "null", func(d string) error {
			os.Remove(d + "/null")
			return syscall.Mknod(d+"/null", syscall.S_IFCHR|0o600, 1<<8|5)
		}}
		if runtime.GOOS == "linux" {
			more["xattr of link"] = change{"xattr trusted.l", "l", func(d string) error { return xattr.LSet(d+"/l", "trusted.l", []byte("x")) }}
			more["capability"] = change{"xattr security.capability", "f", func(d string) error {
				return xattr.Set(d+"/f", "security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
			}}
		}
	}
	if runtime.GOOS == "linux" {
		acl := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff"
		more["acl"] = change{"xattr system.posix_acl_access", "f", func(d string) error {
			return xattr.Set(d+"/f", "system.posix_acl_access", []byte(acl))
		}}
	}
	return more
}

// settleQuietly sets the times of what is left.
func settleQuietly(dir string) {
	for _, p := range []string{"d/e", "d/g", "d/hard", "d", "f", "same", "odd\n\xff", "odd\n\xfe", "sparse", ""} {
		_ = os.Chtimes(filepath.Join(dir, p), then, then)
	}
}

func overwrite(name string, at int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("x"), at)
	return err
}

func relink(name, target string) error {
	if err := os.Remove(name); err != nil {
		return err
	}
	return os.Symlink(target, name)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func fill(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

// Paths longer than any system call takes.
func TestDeepTrees(t *testing.T) {
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		root, err := os.OpenRoot(dir)
		must(t, err)
		for range 40 {
			name := strings.Repeat("n", 200)
			must(t, root.Mkdir(name, 0o755))
			next, err := root.OpenRoot(name)
			must(t, err)
			root.Close()
			root = next
		}
		must(t, root.WriteFile("f", []byte{byte(i)}, 0o644))
		root.Close()
	}
	diffs := Compare(dirs[0], dirs[1], Options{Ignore: func(d Difference) bool { return d.Kind == "mtime" }})
	if len(diffs) != 1 || diffs[0].Kind != "content" || len(diffs[0].Path) != 40*201+1 {
		t.Errorf("%d differences", len(diffs))
	}
}
