package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file server holds a lease on a file: the open waits, as any open does.
func TestOpenWaitsForALease(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "f")
	must(t, os.WriteFile(at, []byte("content"), 0o644))
	holder, err := os.OpenFile(at, os.O_RDWR, 0)
	must(t, err)
	defer holder.Close()
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatalf("take a lease: %v", err)
	}
	given := make(chan error)
	go func() {
		time.Sleep(100 * time.Millisecond)
		_, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		given <- err
	}()
	f, err := openTree(t, dir).Open("f", Stat{})
	must(t, <-given)
	must(t, err)
	f.Close()
}

// Reading for a backup leaves the access time alone.
func TestAccessTimeStays(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "f")
	must(t, os.WriteFile(at, []byte("content"), 0o644))
	old := time.Now().Add(-100 * time.Hour)
	must(t, os.Chtimes(at, old, time.Now()))
	tree := openTree(t, dir)
	f, err := tree.Open("f", find(t, walkTree(t, tree, Options{}), "f").stat)
	must(t, err)
	defer f.Close()
	_, err = f.Read(make([]byte, 10))
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Stat(at, &st))
	if st.Atim.Sec != old.Unix() {
		t.Error("the access time moved")
	}
}

// acl is a system.posix_acl_access value: u::rw- user:1000:r-- g::r-- m::r-- o::---
var acl = []byte("\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")

func TestDetailOfEverything(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(at("f"), nil, 0o600))
	must(t, os.Mkdir(at("d"), 0o700))
	target := strings.Repeat("long/", 300) + "\xff\n"
	must(t, os.Symlink(target, at("l")))
	must(t, unix.Mkfifo(at("p"), 0o600))
	must(t, makeSocket(t, at("s")))
	must(t, unix.Setxattr(at("f"), "user.b", []byte("\x00binary"), 0))
	must(t, unix.Setxattr(at("f"), "user.a", nil, 0))
	must(t, unix.Setxattr(at("f"), "user.large", []byte(strings.Repeat("v", 3000)), 0))
	must(t, unix.Setxattr(at("f"), "system.posix_acl_access", acl, 0))
	must(t, unix.Setxattr(at("d"), "user.of folder", []byte("x"), 0))
	root := os.Geteuid() == 0
	if root {
		must(t, unix.Lsetxattr(at("l"), "trusted.link", []byte("y"), 0))
		must(t, unix.Lsetxattr(at("p"), "trusted.fifo", []byte("z"), 0))
		must(t, unix.Lchown(at("p"), 4242424, 4242424))
	}
	tree := openTree(t, dir)
	got := map[string]Detail{}
	within(t, 10*time.Second, func() {
		for e, err := range tree.Walk(t.Context(), Options{}, nil) {
			must(t, err)
			d, errs := tree.Detail(string(e.Path), e.Stat)
			if errs != nil {
				t.Errorf("%s: %v", e.Path, errs)
			}
			d.Xattrs = slices.DeleteFunc(d.Xattrs, func(x Xattr) bool { return x.Name == "security.selinux" })
			got[string(e.Path)] = d
		}
	})
	names := func(d Detail) (out []string) {
		for _, x := range d.Xattrs {
			out = append(out, x.Name)
		}
		return out
	}
	if n := names(got["f"]); !slices.Equal(n, []string{"system.posix_acl_access", "user.a", "user.b", "user.large"}) {
		t.Errorf("attributes of f: %q", n)
	} else if x := got["f"].Xattrs; string(x[0].Value) != string(acl) || len(x[1].Value) != 0 || string(x[2].Value) != "\x00binary" || len(x[3].Value) != 3000 {
		t.Errorf("values of f: %q", x)
	}
	if n := names(got["d"]); !slices.Equal(n, []string{"user.of folder"}) {
		t.Errorf("attributes of d: %q", n)
	}
	if got["l"].Target != target {
		t.Errorf("target %q", got["l"].Target)
	}
	if root {
		if n := names(got["l"]); !slices.Equal(n, []string{"trusted.link"}) {
			t.Errorf("attributes of l: %q", n)
		}
		if n := names(got["p"]); !slices.Equal(n, []string{"trusted.fifo"}) {
			t.Errorf("attributes of p: %q", n)
		}
		if d := got["p"]; d.User != "" || d.Group != "" {
			t.Errorf("user without a name: %+v", d)
		}
		if d := got["f"]; d.User != "root" || d.Group == "" {
			t.Errorf("owner of f: %q %q", d.User, d.Group)
		}
	}
	f, err := tree.Open("f", find(t, walkTree(t, tree, Options{}), "f").stat)
	must(t, err)
	defer f.Close()
	st, err := FStat(f)
	must(t, err)
	d, errs := tree.FDetail(f, st)
	if errs != nil || len(d.Xattrs) < 4 || d.User != got["f"].User {
		t.Errorf("FDetail: %+v %v", d, errs)
	}
}

// One attribute that cannot be read must not cost the others, nor the entry.
func TestUnreadableAttribute(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	at := filepath.Join(dir, "f")
	must(t, os.WriteFile(at, nil, 0o600))
	must(t, unix.Setxattr(at, "user.x", []byte("x"), 0))
	must(t, unix.Setxattr(at, "system.posix_acl_access", acl, 0))
	if os.Geteuid() == 0 {
		must(t, os.Chown(at, 1, 1))
	} else {
		must(t, os.Chmod(at, 0))
	}
	tree := openTree(t, dir)
	st := find(t, walkTree(t, tree, Options{}), "f").stat
	asUser(t, func() {
		d, errs := tree.Detail("f", st)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), "user.x") {
			t.Errorf("errors %v", errs)
		}
		if len(d.Xattrs) != 1 || d.Xattrs[0].Name != "system.posix_acl_access" {
			t.Errorf("attributes %q", d.Xattrs)
		}
	})
}
