package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func finish(t testing.TB, w *Writer, path string, st Stat, d Detail) Losses {
	t.Helper()
	f, err := w.Create(path, 0)
	must(t, err)
	st.Type = Regular
	losses, err := f.Finish(st, d)
	must(t, err)
	return losses
}

func kindsOf(losses Losses) (out []string) {
	for _, l := range losses {
		out = append(out, l.Kind)
	}
	slices.Sort(out)
	return out
}

// lateTime is a time that most file systems on disks cannot keep, and those in
// memory can.
const lateTime = 1 << 40

func keepsLateTimes(t *testing.T, dir string) bool {
	t.Helper()
	path := filepath.Join(dir, "late")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{{}, {Sec: lateTime}}, 0))
	fi, err := os.Stat(path)
	must(t, err)
	return fi.ModTime().Unix() == lateTime
}

// What cannot be restored is told, by kind, and the rest is restored.
func TestLosses(t *testing.T) {
	dir := t.TempDir()
	root := os.Geteuid() == 0
	me, mine := uint32(os.Geteuid()), uint32(os.Getegid())
	caps := Xattr{capability, []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")}
	plain := []string(nil)
	pick := func(ifRoot, ifNot []string) []string {
		if root {
			return ifRoot
		}
		return ifNot
	}
	late := []string{"times"}
	if keepsLateTimes(t, dir) {
		late = plain
	}
	for name, c := range map[string]struct {
		o      WriterOptions
		st     Stat
		d      Detail
		losses []string
	}{
		"plain":              {WriterOptions{}, Stat{Mode: 0o640, Mtime: Time{5, 6}}, Detail{}, plain},
		"own":                {WriterOptions{Owner: true}, Stat{Mode: 0o640, UID: me, GID: mine}, Detail{}, plain},
		"others":             {WriterOptions{Owner: true}, Stat{Mode: 0o640, UID: 77, GID: mine}, Detail{}, pick(plain, []string{"owner"})},
		"setuid":             {WriterOptions{}, Stat{Mode: 0o4755, UID: me, GID: mine}, Detail{}, []string{"setuid"}},
		"setuid asked for":   {WriterOptions{SetID: true}, Stat{Mode: 0o4755, UID: me, GID: mine}, Detail{}, plain},
		"setuid of another":  {WriterOptions{SetID: true}, Stat{Mode: 0o4755, UID: 77, GID: mine}, Detail{}, []string{"setuid"}},
		"setuid with owner":  {WriterOptions{SetID: true, Owner: true}, Stat{Mode: 0o6755, UID: 77, GID: mine}, Detail{}, pick(plain, []string{"owner", "setuid"})},
		"sticky":             {WriterOptions{}, Stat{Mode: 0o1644}, Detail{}, plain},
		"unknown user":       {WriterOptions{Owner: true, ByName: true}, Stat{Mode: 0o600, UID: me, GID: mine}, Detail{User: "no such user here"}, []string{"owner"}},
		"acl":                {WriterOptions{}, Stat{Mode: 0o640}, Detail{Xattrs: []Xattr{{"system.posix_acl_access", acl}}}, plain},
		"broken acl":         {WriterOptions{}, Stat{Mode: 0o640}, Detail{Xattrs: []Xattr{{"system.posix_acl_access", []byte("no")}}}, []string{"acl"}},
		"attributes":         {WriterOptions{}, Stat{Mode: 0o400}, Detail{Xattrs: []Xattr{{"user.a", nil}, {"user.b", []byte("b")}}}, plain},
		"unknown namespace":  {WriterOptions{}, Stat{Mode: 0o600}, Detail{Xattrs: []Xattr{{"nonsense", nil}, {"user.b", []byte("b")}}}, []string{"xattr nonsense"}},
		"hostile attributes": {WriterOptions{}, Stat{Mode: 0o600}, Detail{Xattrs: []Xattr{{"", nil}, {"user.a\x00b", nil}}}, []string{"xattr ", "xattr user.a\x00b"}},
		"security":           {WriterOptions{}, Stat{Mode: 0o600, UID: me, GID: mine}, Detail{Xattrs: []Xattr{{"security.x", []byte("x")}}}, pick(plain, []string{"xattr security.x"})},
		"capability":         {WriterOptions{}, Stat{Mode: 0o600, UID: me, GID: mine}, Detail{Xattrs: []Xattr{caps}}, []string{"xattr security.capability"}},
		"capability asked":   {WriterOptions{SetID: true}, Stat{Mode: 0o600, UID: me, GID: mine}, Detail{Xattrs: []Xattr{caps}}, pick(plain, []string{"xattr security.capability"})},
		"time out of range":  {WriterOptions{}, Stat{Mode: 0o600, Mtime: Time{lateTime, 0}}, Detail{}, late},
	} {
		w := newWriter(t, dir, c.o)
		c.st.Type = Regular
		got := finish(t, w, name, c.st, c.d)
		if !slices.Equal(kindsOf(got), c.losses) {
			t.Errorf("%s: %v, want %q", name, got, c.losses)
		}
		st, err := w.Lstat(name)
		must(t, err)
		want := c.st.Mode
		if slices.Contains(c.losses, "setuid") {
			want &^= setIDBits
		}
		if st.Mode != want || !slices.Contains(c.losses, "times") && st.Mtime != c.st.Mtime {
			t.Errorf("%s: %+v", name, st)
		}
		for _, x := range c.d.Xattrs {
			b, err := growing(1<<16, func(b []byte) (int, error) { return unix.Lgetxattr(filepath.Join(dir, name), x.Name, b) })
			if lost := slices.Contains(c.losses, xattrKind(x.Name)); lost == (err == nil) || !lost && string(b) != string(x.Value) {
				t.Errorf("%s: %s is %q, %v", name, x.Name, b, err)
			}
		}
	}
	if err := finish(t, newWriter(t, dir, WriterOptions{}), "s", Stat{Mode: 0o4755}, Detail{})[0].Err; !errors.Is(err, ErrNotAsked) {
		t.Error(err)
	}
}

// What lies in the target already must not leave its rights on what comes back.
func TestForeignAttributesGo(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, unix.Setxattr(filepath.Join(dir, "d"), "system.posix_acl_default", acl, 0))
	must(t, unix.Setxattr(filepath.Join(dir, "d"), "user.old", []byte("x"), 0))
	w := newWriter(t, dir, WriterOptions{})
	must(t, w.Mkdir("d"))
	must(t, w.Mkdir("d/e"))
	must(t, put(w, "d/f", "x")) // inherits the list
	for _, p := range []string{"d/e", "d"} {
		if losses, err := w.FinishDir(p, Stat{Type: Dir, Mode: 0o750, Mtime: Time{1, 1}}, Detail{Xattrs: []Xattr{{"user.new", []byte("y")}}}); err != nil || losses != nil {
			t.Error(losses, err)
		}
	}
	tree := openTree(t, dir)
	for _, p := range []string{"d", "d/e", "d/f"} {
		d, errs := tree.Detail(p, find(t, walkTree(t, tree, Options{}), p).stat)
		want := "[user.new]"
		if p == "d/f" {
			want = "[]"
		}
		var names []string
		for _, x := range d.Xattrs {
			if x.Name != "security.selinux" {
				names = append(names, x.Name)
			}
		}
		if errs != nil || fmt.Sprint(names) != want {
			t.Errorf("%s: %q %v", p, names, errs)
		}
	}
	if st, _ := w.Lstat("d/f"); st.Mode != 0o644 {
		t.Errorf("d/f: %o", st.Mode)
	}
}

// Owners by name find the number that the name has here.
func TestOwnerByName(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, WriterOptions{Owner: true, ByName: true})
	var names nameCache
	user, err := names.user(uint32(os.Geteuid()))
	must(t, err)
	group, err := names.group(uint32(os.Getegid()))
	must(t, err)
	if user == "" || group == "" {
		t.Fatalf("the user of the tests has no name: %q %q", user, group)
	}
	if losses := finish(t, w, "f", Stat{Mode: 0o600, UID: 70000, GID: 70000}, Detail{User: user, Group: group}); losses != nil {
		t.Error(losses)
	}
	if st, _ := w.Lstat("f"); st.UID != uint32(os.Geteuid()) || st.GID != uint32(os.Getegid()) {
		t.Errorf("%+v", st)
	}
}

func TestDevicesOnlyWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	st := Stat{Type: Char, Mode: 0o666, Rdev: 1<<32 | 3, Mtime: Time{3, 4}}
	losses, err := newWriter(t, dir, WriterOptions{}).Device("null", st, Detail{})
	if err != nil || len(losses) != 1 || losses[0].Kind != "device" || !errors.Is(losses[0].Err, ErrNotAsked) {
		t.Error(losses, err)
	}
	losses, err = newWriter(t, dir, WriterOptions{Devices: true}).Device("null", st, Detail{})
	must(t, err)
	if os.Geteuid() != 0 {
		if len(losses) != 1 || losses[0].Kind != "device" {
			t.Error(losses)
		}
	} else if got := find(t, walkAll(t, dir, Options{}), "null").stat; losses != nil || got.Rdev != st.Rdev || got.Type != Char || got.Mode != 0o666 || got.Mtime != st.Mtime {
		t.Errorf("%v %+v", losses, got)
	}
	if _, err := newWriter(t, dir, WriterOptions{Devices: true}).Device("x", Stat{Type: Regular}, Detail{}); err == nil {
		t.Error("a regular file as a device")
	}
	for _, n := range listDir(t, dir) {
		if strings.HasPrefix(n, tempPrefix) {
			t.Errorf("%s is left", n)
		}
	}
}
