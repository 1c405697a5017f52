package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/remote"
)

// create makes a store in a new folder.
func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "some", "remote"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, name, data string) {
	t.Helper()
	if err := s.Put(t.Context(), remote.NewObject(name, []byte(data))); err != nil {
		t.Fatal(err)
	}
}

// tree returns all files and folders below the root, with their modes.
func tree(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(s.root, path)
		out = append(out, fmt.Sprintf("%s %s", info.Mode(), rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func names(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, info.Name)
	}
	return out
}

// The umask changes nothing, whether it is lax or would leave us with files we
// could not read. (It belongs to the process: this test must not run beside
// others, and does not.)
func TestModes(t *testing.T) {
	for _, mask := range []int{0, 0o777} {
		base := t.TempDir()
		old := syscall.Umask(mask)
		s, err := Create(filepath.Join(base, "remote"))
		if err == nil {
			err = s.Put(t.Context(), remote.NewObject("a/b/c", nil))
		}
		var st remote.Staged
		if err == nil {
			st, err = s.Stage(t.Context(), remote.NewObject("d/e", nil), time.Minute)
		}
		if err == nil {
			err = st.Publish(t.Context())
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %o: %v", mask, err)
		}
		want := []string{"drwx------ .", "drwx------ a", "drwx------ a/b", "-rw------- a/b/c", "drwx------ d", "-rw------- d/e"}
		if got := tree(t, s); !slices.Equal(got, want) {
			t.Errorf("umask %o: %q, want %q", mask, got, want)
		}
	}
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, s); !slices.Equal(got, []string{"drwxr-xr-x ."}) {
		t.Errorf("%q", got)
	}
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "x")); err == nil {
		t.Error("made a folder below a file")
	}
	if _, err := Open(file); !errors.Is(err, remote.ErrNoBucket) {
		t.Errorf("open of a file: %v, want ErrNoBucket", err)
	}
}

// A root that is missing, or goes missing, is no empty remote.
func TestMissingRoot(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "gone")); !errors.Is(err, remote.ErrNoBucket) {
		t.Errorf("open: %v, want ErrNoBucket", err)
	}
	s := newStore(t)
	put(t, s, "a", "x")
	if err := os.RemoveAll(s.root); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, get := s.Get(ctx, nil, "a", 0, -1)
	_, stage := s.Stage(ctx, remote.NewObject("b", nil), time.Minute)
	_, now := s.Now(ctx)
	_, sweep := s.Sweep(ctx)
	var list error
	for _, list = range s.List(ctx, "", "") {
	}
	for act, err := range map[string]error{
		"put": s.Put(ctx, remote.NewObject("b", nil)), "get": get, "list": list, "delete": s.Delete(ctx, "a"),
		"stage": stage, "now": now, "sweep": sweep,
	} {
		if !errors.Is(err, remote.ErrNoBucket) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), s.root) {
			t.Errorf("%s: %v, want ErrNoBucket that names the folder", act, err)
		}
	}
	if _, err := os.Stat(s.root); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the root was made anew")
	}
}

// What is not an object of ours is not listed, not read, and nothing is written
// through it.
func TestForeignFiles(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	put(t, s, "packs/real", "x")
	in := func(name string) string { return filepath.Join(s.root, name) }
	for _, err := range []error{
		os.Symlink(filepath.Join(outside, "secret"), in("link")),
		os.Symlink(outside, in("linked")),
		os.Symlink("packs", in("inner")),
		os.Symlink("packs/real", in("innerfile")),
		syscall.Mkfifo(in("pipe"), 0o600),
		os.WriteFile(in("Upper"), nil, 0o600),
		os.WriteFile(in(".hidden"), nil, 0o600),
		os.MkdirAll(in(".folder/x"), 0o700),
		os.MkdirAll(in("lost+found"), 0o700),
		os.WriteFile(in("packs/.tmp-123"), nil, 0o600),
		os.WriteFile(in("packs/.pending-123"), nil, 0o600),
		os.MkdirAll(in("empty"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, s); !slices.Equal(got, []string{"packs/real"}) {
		t.Errorf("list: %q", got)
	}
	for _, name := range []string{"link", "linked/secret", "pipe", "innerfile", "empty"} {
		if got, err := s.Get(t.Context(), nil, name, 0, -1); err == nil {
			t.Errorf("get %s: %q", name, got)
		}
	}
	for _, name := range []string{"linked/new", "link", "pipe", "empty"} {
		if err := s.Put(t.Context(), remote.NewObject(name, []byte("x"))); err == nil {
			t.Errorf("put %s succeeded", name)
		}
		if err := s.Delete(t.Context(), name); err != nil && !errors.Is(err, fs.ErrInvalid) && name != "linked/new" {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if _, err := os.Stat(in("empty")); err != nil {
		t.Error("delete took a folder")
	}
	got, err := os.ReadDir(outside)
	if err != nil || len(got) != 1 {
		t.Errorf("outside: %v, %v", got, err)
	}
}

// A failed write leaves nothing behind.
func TestFailedPutLeavesNothing(t *testing.T) {
	s := newStore(t)
	put(t, s, "a/b", "x")
	before := tree(t, s)
	put := func(name string) error { return s.Put(t.Context(), remote.NewObject(name, []byte("y"))) }
	if err := put("a/b/c"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put below a file: %v, want fs.ErrExist", err)
	}
	if err := put("a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put over a folder: %v, want fs.ErrExist", err)
	}
	if err := put("a/b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put of other bytes: %v, want fs.ErrExist", err)
	}
	if after := tree(t, s); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
}

func TestKinds(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOSPC: remote.ErrFull, syscall.EDQUOT: remote.ErrFull, syscall.EROFS: fs.ErrPermission,
		syscall.EACCES: fs.ErrPermission, syscall.EPERM: fs.ErrPermission,
	} {
		err := newStore(t).in("put", "a", func(*os.Root) error { return &fs.PathError{Op: "write", Path: "a", Err: errno} })
		if !errors.Is(err, want) || !errors.Is(err, errno) || !remote.Final(err) {
			t.Errorf("%v: %v, want %v", errno, err, want)
		}
	}
	err := newStore(t).in("put", "a", func(*os.Root) error { return syscall.EIO })
	if remote.Final(err) {
		t.Errorf("EIO is final: %v", err)
	}
}

// A folder that may not be read is an error, and no short listing. Root may
// read everything, so the test becomes somebody else.
func TestUnreadable(t *testing.T) {
	if root := os.Getenv("COFFER_TEST_UNREADABLE"); root != "" {
		unreadable(t, root)
		return
	}
	base := t.TempDir()
	root := filepath.Join(base, "remote")
	s, err := Create(root)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/1", "x")
	put(t, s, "b/1", "x")
	put(t, s, "c/1", "x")
	program := filepath.Join(base, "test")
	if err := exec.Command("cp", os.Args[0], program).Run(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestUnreadable$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "COFFER_TEST_UNREADABLE="+root)
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		give(t, filepath.Dir(base), base, program)
		for _, path := range []string{root, "a", "a/1", "b", "b/1", "c", "c/1"} {
			if path != root {
				path = filepath.Join(root, path)
			}
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnreadable") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// give lets everyone through to the paths.
func give(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func unreadable(t *testing.T, root string) {
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "b"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(root, "b"), 0o700)
	var got []string
	var failed error
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			failed = err
			break
		}
		got = append(got, info.Name)
	}
	if !errors.Is(failed, fs.ErrPermission) || !slices.Equal(got, []string{"a/1"}) {
		t.Errorf("list: %q, %v, want fs.ErrPermission after a/1", got, failed)
	}
	if _, err := s.Get(t.Context(), nil, "b/1", 0, -1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("get: %v, want fs.ErrPermission", err)
	}
	if err := s.Put(t.Context(), remote.NewObject("b/2", nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("put: %v, want fs.ErrPermission", err)
	}
	if err := os.Chmod(root, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(root, 0o700)
	// A remote for reading only has a clock all the same.
	if now, err := s.Now(t.Context()); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("now: %s, %v", now, err)
	}
}
