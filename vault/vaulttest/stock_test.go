package vaulttest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/chunk/seal/sealtest"
	"coffer/files/treecmp"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
	"coffer/vault/kit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
	"coffer/vault/trust"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"
)

// These tests hold docs/restore.sh, which restores without Coffer, to what
// docs/recovery.md promises of it. They run it with the real tools on vaults
// that Coffer made.

const firstProject, secondProject = trust.ProjectID("00112233445566aa"), trust.ProjectID("00112233445566bb")

// A stock is a vault in a folder, and the stock tools.
type stock struct {
	t      *testing.T
	home   string
	remote string // the folder
	store  *dir.Store
	kit    *kit.Kit
	path   string // of the kit
	state  string
	tools  string // folder with age
	script string
}

func newStock(t *testing.T, classic bool) *stock {
	t.Helper()
	home := t.TempDir()
	s := &stock{t: t, home: home, remote: filepath.Join(home, "remote"), tools: filepath.Dir(sealtest.Age(t))}
	s.copyScript()
	var err error
	s.store, err = dir.Create(s.remote)
	must(t, err)
	var v *vault.Vault
	v, s.kit, s.path, err = vault.Init(t.Context(), s.store, vault.InitOptions{
		Label: "Anna's laptop", StateRoot: filepath.Join(home, "state"), KitDir: home, Remote: s.remote, Classic: classic,
	})
	must(t, err)
	s.state = v.State().Path()
	return s
}

// copyScript reads docs/restore.sh here, so that the test cache knows that the
// result depends on it.
func (s *stock) copyScript() {
	s.t.Helper()
	text, err := os.ReadFile("../../docs/restore.sh")
	must(s.t, err)
	s.script = filepath.Join(s.home, "restore.sh")
	must(s.t, os.WriteFile(s.script, text, 0o700))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens the vault as its device does.
func (s *stock) open() *vault.Vault {
	s.t.Helper()
	d, err := state.Open(s.state)
	must(s.t, err)
	v, err := vault.Open(s.t.Context(), s.store, vault.OpenOptions{State: d})
	must(s.t, err)
	return v
}

// backup takes a snapshot and returns its ID.
func (s *stock) backup(id trust.ProjectID, label string, roots ...string) string {
	s.t.Helper()
	return backupTo(s.t, s.open(), id, label, roots...)
}

func backupTo(t *testing.T, v *vault.Vault, id trust.ProjectID, label string, roots ...string) string {
	t.Helper()
	res, err := backup.Run(t.Context(), v, backup.Options{Project: id, Label: label, Roots: roots, Host: "h"})
	must(t, err)
	return res.Snapshot
}

// run runs the script and returns its exit status and all that it printed.
func (s *stock) run(args ...string) (int, string) {
	s.t.Helper()
	cmd := exec.Command("bash", append([]string{s.script, "-k", s.path, "-v", s.remote, "-w", s.home}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+s.tools+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		s.t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.home, "coffer-restore.*")); len(left) > 0 {
		s.t.Errorf("the script left %q", left)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// expect runs the script, and wants this exit status and these words.
func (s *stock) expect(status int, words []string, args ...string) string {
	s.t.Helper()
	got, out := s.run(args...)
	if got != status {
		s.t.Errorf("restore.sh %q: exit status %d, want %d:\n%s", args, got, status, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("restore.sh %q does not say %q:\n%s", args, w, out)
		}
	}
	return out
}

// target names a folder that does not exist yet.
func (s *stock) target() string { return filepath.Join(s.t.TempDir(), "restored") }

// objects lists the objects whose names match a pattern, as paths.
func (s *stock) objects(pattern string) []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.remote, pattern))
	must(s.t, err)
	if len(paths) == 0 {
		s.t.Fatalf("no object is called %s", pattern)
	}
	return paths
}

// largest returns the largest object that matches.
func (s *stock) largest(pattern string) string {
	s.t.Helper()
	size := func(p string) int64 {
		fi, err := os.Stat(p)
		must(s.t, err)
		return fi.Size()
	}
	return slices.MaxFunc(s.objects(pattern), func(a, b string) int { return int(size(a) - size(b)) })
}

func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	mathrand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// noXattrs tells differences that are no fault of the script on a machine
// without setfattr.
func noXattrs(d treecmp.Difference) bool {
	_, err := exec.LookPath("setfattr")
	return err != nil && strings.HasPrefix(d.Kind, "xattr ")
}

// expectWhole restores to a new folder and compares.
func (s *stock) expectWhole(src string, args ...string) {
	s.t.Helper()
	target := s.target()
	status, words := 0, []string{"Every object had the bytes that its name says"}
	if _, err := exec.LookPath("setfattr"); err != nil && hasXattrs(s.t, src) {
		status, words = 3, []string{"install setfattr"}
	}
	s.expect(status, words, append(args, "-t", target)...)
	for _, d := range treecmp.Compare(src, target, treecmp.Options{Ignore: noXattrs}) {
		s.t.Error(d)
	}
}

// hasXattrs tells whether anything in a tree has an extended attribute.
func hasXattrs(t *testing.T, root string) (found bool) {
	t.Helper()
	must(t, filepath.WalkDir(root, func(p string, _ os.DirEntry, err error) error {
		list, _ := xattr.LList(p)
		found = found || len(list) > 0
		return err
	}))
	return found
}

// A zoo is a tree with one of everything.
type zoo struct {
	t    *testing.T
	root string
}

func (z zoo) at(name string) string { return filepath.Join(z.root, name) }

func makeZoo(t *testing.T) string {
	z := zoo{t, filepath.Join(t.TempDir(), "zoo")}
	z.sizes()
	z.names()
	z.links()
	z.sparse()
	z.attributes()
	z.modes()
	z.times()
	return z.root
}

func (z zoo) sizes() {
	for i, n := range []int{0, 1, 4096, 511 << 10, 512<<10 + 1, 3 << 20} {
		write(z.t, z.at(fmt.Sprintf("sizes/%d", n)), string(noise(n, byte(i))))
	}
	// More than 64 chunks: their refs are in list chunks.
	write(z.t, z.at("sizes/large"), string(noise(60<<20, 99)))
	write(z.t, z.at("sizes/text"), strings.Repeat("a line that is there again and again\n", 1<<17))
	for i := range 300 { // more than one segment, as a rule
		write(z.t, z.at(fmt.Sprintf("many/%d/%d", i%7, i)), fmt.Sprint("file ", i))
	}
}

func (z zoo) names() {
	names := []string{
		" ", "-n", "a b", "tab\there", "new\nline", "ends in newline\n", "*?[a]", `back\slash`, `\x41`, "per%cent", "%s%n",
		"pipe|pipe", "$(touch x)", "`id`", "quote'\"", "é", "日本語", "~", "#", "!", ".hidden", "...", strings.Repeat("n", 255),
	}
	if runtime.GOOS == "linux" {
		names = append(names, "\xff\xfe", "latin\xe9", "bad\xc3(", "\xed\xa0\x80", "mixed\xff|\n\\x41%", "\x01\x7f\xc2\x85")
	}
	for i, n := range names {
		write(z.t, z.at("names/"+n), fmt.Sprint(i))
		write(z.t, z.at("folders/"+n+"/"+n), fmt.Sprint(i))
		must(z.t, os.Symlink(n, z.at(fmt.Sprintf("names/link%d", i))))
	}
	write(z.t, z.at("deep/"+strings.Repeat("d/", 200)+"file"), "deep")
	must(z.t, os.MkdirAll(z.at("empty"), 0o755))
}

func (z zoo) links() {
	write(z.t, z.at("links/one"), "one file, three names")
	write(z.t, z.at("links/b/other"), "x")
	must(z.t, os.Link(z.at("links/one"), z.at("links/two")))
	must(z.t, os.Link(z.at("links/one"), z.at("links/b/three")))
	write(z.t, z.at("links/twin"), "one file, three names")
	for name, target := range map[string]string{
		"relative": "one", "up": "../sizes/1", "absolute": "/etc/hostname", "dangling": "nowhere", "folder": "b", "dash": "-n", "self": "self",
		"long": strings.Repeat("t/", 2000),
	} {
		must(z.t, os.Symlink(target, z.at("links/"+name)))
	}
	must(z.t, os.Link(z.at("links/dangling"), z.at("links/dangling2")))
	must(z.t, syscall.Mkfifo(z.at("links/fifo"), 0o640))
	must(z.t, os.Link(z.at("links/fifo"), z.at("links/fifo2")))
	if err := syscall.Mknod(z.at("links/null"), syscall.S_IFCHR|0o600, 1<<8|3); err != nil {
		z.t.Logf("no device in the zoo: %v", err) // only root can; TestStockNames has one of its own
	}
}

func (z zoo) sparse() {
	for name, parts := range map[string][]int64{ // offsets of data; the last is the size
		"all": {5 << 20}, "front": {3<<20 + 5, 4 << 20}, "back": {0, 9 << 20}, "middle": {0, 2 << 20, 2<<20 + 70000, 8<<20 + 1},
	} {
		write(z.t, z.at("sparse/"+name), "")
		f, err := os.OpenFile(z.at("sparse/"+name), os.O_RDWR, 0)
		must(z.t, err)
		for i, off := range parts[:len(parts)-1] {
			_, err := f.WriteAt(noise(300000, byte(i)), off)
			must(z.t, err)
		}
		must(z.t, f.Truncate(parts[len(parts)-1]))
		must(z.t, f.Close())
	}
	// Holes and lists together: some 80 chunks with holes between.
	write(z.t, z.at("sparse/large"), "")
	f, err := os.OpenFile(z.at("sparse/large"), os.O_RDWR, 0)
	must(z.t, err)
	b := noise(16<<20, 7)
	for i := range int64(5) {
		_, err := f.WriteAt(append(b, byte(i)), i*(20<<20)+12345)
		must(z.t, err)
		rand := noise(1<<20, byte(100+i))
		copy(b[i<<20:], rand)
	}
	must(z.t, f.Truncate(120<<20))
	must(z.t, f.Close())
}

func (z zoo) attributes() {
	for _, name := range []string{"a", "d/b"} {
		write(z.t, z.at("attributes/"+name), "x")
	}
	for _, x := range []struct{ path, name, value string }{
		{"a", "user.plain", "value"}, {"a", "user.empty", ""}, {"a", "user.bytes", "\x00\xff\n\"\\="}, {"a", "user.name = odd\xff", "v"},
		{"d", "user.folder", "of a folder"}, {"d/b", "user.more", strings.Repeat("m", 2000)},
	} {
		if err := xattr.LSet(z.at("attributes/"+x.path), x.name, []byte(x.value)); err != nil {
			z.t.Logf("no attributes in the zoo: %v", err) // the file system has none; TestStockNames has one of its own
			return
		}
	}
	acl, err := base64.StdEncoding.DecodeString("AgAAAAEABgD/////AgAEAAEAAAAEAAQA/////xAABAD/////IAAAAP////8=")
	must(z.t, err)
	if err := xattr.LSet(z.at("attributes/a"), "system.posix_acl_access", acl); err != nil {
		z.t.Logf("no access control list in the zoo: %v", err)
	}
	must(z.t, os.Chmod(z.at("attributes/d/b"), 0o400))
}

func (z zoo) modes() {
	for _, mode := range []os.FileMode{0, 0o400, 0o444, 0o600, 0o755, 0o777, os.ModeSticky | 0o644} {
		if mode&0o400 == 0 && os.Geteuid() != 0 {
			continue // it could not be backed up
		}
		name := fmt.Sprintf("modes/%o", uint32(mode))
		write(z.t, z.at(name), "m")
		must(z.t, os.Chmod(z.at(name), mode))
		write(z.t, z.at(name+".d/f"), "m")
		if mode&0o100 != 0 || os.Geteuid() == 0 {
			must(z.t, os.Chmod(z.at(name+".d"), mode))
		}
	}
	must(z.t, os.Mkdir(z.at("modes/setgid"), 0o755))
	must(z.t, os.Chmod(z.at("modes/setgid"), os.ModeSetgid|0o755))
	if os.Geteuid() != 0 {
		return
	}
	write(z.t, z.at("modes/setuid"), "u")
	must(z.t, os.Lchown(z.at("modes/setuid"), 12345, 54321))
	must(z.t, os.Chmod(z.at("modes/setuid"), os.ModeSetuid|os.ModeSetgid|0o755))
	must(z.t, os.Lchown(z.at("links/relative"), 1000, 1001))
	must(z.t, os.Lchown(z.at("empty"), 4294967294, 0))
}

func (z zoo) times() {
	for name, at := range map[string][2]int64{
		"sizes/0": {0, 0}, "sizes/1": {-1, 999999999}, "sizes/4096": {-1e9, 1}, "sizes/text": {4e9, 123456789}, "links/b/three": {1e9, 1},
		"links/relative": {1e9, 5}, "links/fifo": {999999999, 999999999}, "empty": {1, 0}, "folders": {946684800, 1000},
	} {
		ts := []unix.Timespec{{Sec: 1}, {Sec: at[0], Nsec: at[1]}}
		must(z.t, unix.UtimesNanoAt(unix.AT_FDCWD, z.at(name), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
	_, err := os.Lstat(z.at("links/null"))
	if err == nil {
		must(z.t, os.Chtimes(z.at("links/null"), time.Time{}, time.Unix(5, 0)))
	}
}

// One of everything comes back as it was, from a vault of either kind.
func TestStockRestore(t *testing.T) {
	for name, classic := range map[string]bool{"classic": true, "hybrid": false} {
		t.Run(name, func(t *testing.T) {
			s := newStock(t, classic)
			src := makeZoo(t)
			first := s.backup(firstProject, "zoo", src)
			s.expectWhole(src)
			if !classic {
				return // how it is sealed makes no difference to what follows
			}
			write(t, filepath.Join(src, "names/é"), "changed")
			must(t, os.Remove(filepath.Join(src, "names/...")))
			s.backup(firstProject, "zoo", src)
			s.expectWhole(src)
			target := s.target()
			s.run("-s", first[:8], "-t", target)
			if b, err := os.ReadFile(filepath.Join(target, "names/...")); err != nil || len(b) == 0 {
				t.Errorf("the first snapshot: %q, %v", b, err)
			}
		})
	}
}

// Several folders land beside each other; several projects can be told apart.
func TestStockProjects(t *testing.T) {
	s := newStock(t, true)
	src := t.TempDir()
	for name, text := range map[string]string{"a/x/f": "1", "b/x/f": "2", "b/x/g": "3", "file": "4", "other/f": "5"} {
		write(t, filepath.Join(src, name), text)
	}
	one := s.backup(firstProject, "Website", filepath.Join(src, "a/x"), filepath.Join(src, "b/x"), filepath.Join(src, "file"))
	two := s.backup(secondProject, "Büro | Köln", filepath.Join(src, "other"))
	s.expect(0, []string{one[:16], two[:16], "Website", "Büro | Köln", "Anna's laptop", string(firstProject)}, "-l")

	for _, project := range []string{"Website", string(firstProject)} {
		target := s.target()
		s.expect(0, nil, "-p", project, "-t", target)
		got := map[string]string{}
		for _, p := range []string{"x/f", "x-2/f", "x-2/g", "file"} {
			b, err := os.ReadFile(filepath.Join(target, p))
			must(t, err)
			got[p] = string(b)
		}
		if want := map[string]string{"x/f": "1", "x-2/f": "2", "x-2/g": "3", "file": "4"}; !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	s.expectWhole(filepath.Join(src, "other"), "-p", "Büro | Köln")
	s.expect(1, []string{"no good snapshot of project nobody"}, "-p", "nobody", "-t", s.target())
	s.expect(1, []string{"there is no snapshot"}, "-s", "0000", "-t", s.target())
	s.expect(1, []string{"is not empty"}, "-t", src)
	s.expect(2, []string{"restores a snapshot of a Coffer vault without Coffer"})
}

// What -n names is all that has to be fetched for a restore.
func TestStockNeeds(t *testing.T) {
	s := newStock(t, true)
	src := t.TempDir()
	write(t, filepath.Join(src, "old"), string(noise(1<<20, 1)))
	s.backup(firstProject, "p", src)
	must(t, os.Remove(filepath.Join(src, "old")))
	write(t, filepath.Join(src, "new"), string(noise(1<<20, 2)))
	s.backup(firstProject, "p", src)

	all := s.remote
	part := filepath.Join(s.home, "part")
	copyObject := func(name string) {
		b, err := os.ReadFile(filepath.Join(all, name))
		must(t, err)
		write(t, filepath.Join(part, name), string(b))
	}
	for _, pattern := range []string{"trust/*", "commits/*/*/*", "ledgers/*/*"} {
		for _, path := range s.objects(pattern) {
			name, err := filepath.Rel(all, path)
			must(t, err)
			copyObject(name)
		}
	}
	s.remote = part
	fetched := map[string]bool{}
	for _, name := range strings.Fields(s.expect(0, nil, "-n")) {
		if _, err := os.Stat(filepath.Join(all, name)); err == nil && strings.Contains(name, "/") {
			copyObject(name)
			fetched[filepath.Join(all, name)] = true
		}
	}
	for _, kind := range []string{"packs", "snapshots", "ledgers"} {
		left := 0
		for name := range names(t, filepath.Join(all, kind)) {
			if !fetched[name] {
				left++
			}
		}
		if left == 0 {
			t.Errorf("all %s were fetched, those of the first snapshot too", kind)
		}
	}
	s.expectWhole(src)
}

// names yields the paths of all files in a folder.
func names(t *testing.T, root string) iter.Seq[string] {
	return func(yield func(string) bool) {
		must(t, filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !yield(p) {
				return filepath.SkipAll
			}
			return err
		}))
	}
}

// damaged makes a vault with two snapshots of two files, in packs of their own.
func damaged(t *testing.T) (s *stock, src string, ids [2]string) {
	s = newStock(t, true)
	src = t.TempDir()
	write(t, filepath.Join(src, "small"), "small")
	ids[0] = s.backup(firstProject, "p", src)
	write(t, filepath.Join(src, "large"), string(noise(2<<20, 1)))
	ids[1] = s.backup(firstProject, "p", src)
	return s, src, ids
}

// What is wrong is named, and does not stop the restore of what it does not touch.
func TestStockNotices(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, s *stock)
		status int
		words  []string
		files  string // that come back
	}{
		{"flipped byte in a pack", func(t *testing.T, s *stock) { flip(t, s.largest("packs/*/*/*")) },
			3, []string{"its bytes do not match its name", "not restored: large: some of its content is missing"}, "small"},
		{"missing pack", func(t *testing.T, s *stock) { must(t, os.Remove(s.largest("packs/*/*/*"))) },
			3, []string{"it is missing", "not restored: large"}, "small"},
		{"truncated pack", func(t *testing.T, s *stock) { must(t, os.Truncate(s.largest("packs/*/*/*"), 100)) },
			3, []string{"its bytes do not match its name", "not restored: large"}, "small"},
		{"all packs missing", func(t *testing.T, s *stock) { must(t, os.RemoveAll(filepath.Join(s.remote, "packs"))) },
			3, []string{"a part of the list of files is lost", "only 0 could be found"}, ""},
		{"packs swapped", func(t *testing.T, s *stock) {
			all := s.objects("packs/*/*/*")
			must(t, os.Rename(all[0], all[0]+".x"))
			must(t, os.Rename(all[len(all)-1], all[0]))
			must(t, os.Rename(all[0]+".x", all[len(all)-1]))
		}, 3, []string{"its bytes do not match its name"}, "?"},
		{"flipped byte in the newest commit", func(t *testing.T, s *stock) { flip(t, s.objects("commits/*/*/0000000002-*")[0]) },
			3, []string{"its bytes do not match its name; left out"}, "small"},
		{"forged commit", func(t *testing.T, s *stock) { s.forge(strangerKey(t)) },
			3, []string{"its signature is not that of", "left out"}, "large small"},
		{"commit of another device's key, under its name", func(t *testing.T, s *stock) {
			s.forgeAs("aaaaaaaaaaaaaaaa", strangerKey(t))
		}, 3, []string{"not a commit of a device in the trust"}, "large small"},
		{"commit that its name belies", func(t *testing.T, s *stock) {
			old := s.objects("commits/*/*/0000000001-*")[0]
			b, err := os.ReadFile(old)
			must(t, err)
			base := filepath.Base(old)
			write(t, filepath.Join(filepath.Dir(old), "0000000003-"+base[11:12]+"00ffffffff"+base[22:]), string(b))
		}, 3, []string{"it is not what its name says; left out"}, "large small"},
		{"first commit missing", func(t *testing.T, s *stock) { must(t, os.Remove(s.objects("commits/*/*/0000000001-*")[0])) },
			3, []string{"commits 1 to 1 of device"}, "large small"},
		{"newest commit missing", func(t *testing.T, s *stock) { must(t, os.Remove(s.objects("commits/*/*/0000000002-*")[0])) },
			0, nil, "small"}, // only a witness could tell
		{"flipped byte in the body", func(t *testing.T, s *stock) { flip(t, s.objects("snapshots/*/0000000002-*")[0]) },
			1, []string{"snapshots/", "its bytes do not match its name"}, ""},
		{"missing ledger", func(t *testing.T, s *stock) { must(t, os.Remove(s.objects("ledgers/*/0000000002-*")[0])) },
			1, []string{"ledgers/", "it is missing"}, ""},
		{"flipped byte in the trust", func(t *testing.T, s *stock) { flip(t, s.objects("trust/*")[0]) },
			1, []string{"its bytes do not match its name", "the kit has seen trust 1"}, ""},
		{"no trust", func(t *testing.T, s *stock) { must(t, os.Remove(s.objects("trust/*")[0])) },
			1, []string{"the kit has seen trust 1"}, ""},
		{"trust signed by a stranger", func(t *testing.T, s *stock) {
			next := s.newest(t)
			next.N, next.Prev = 2, strings.Repeat("0", 64)
			name, obj, _, err := trust.Seal(next, strangerKey(t))
			must(t, err)
			must(t, s.store.Put(t.Context(), remote.NewObject(name, obj)))
		}, 3, []string{"its signature is not that of coffer-root; left out"}, "large small"},
		{"strange objects", func(t *testing.T, s *stock) {
			write(t, filepath.Join(s.remote, "trust/note.txt"), "?")
			write(t, filepath.Join(s.remote, "trust/\x1b[31mred"), "?")
			write(t, filepath.Join(s.remote, "commits/x/y/\x1b[31mred"), "?")
		}, 3, []string{"trust/note.txt: not one of Coffer's", "not a commit of a device in the trust"}, "large small"},
		{"kit of another vault", func(t *testing.T, s *stock) { s.path = newStock(t, true).path },
			1, []string{"or the kit is of another vault"}, ""},
		{"kit without its comments", func(t *testing.T, s *stock) {
			s.path = sealtest.File(t, "kit.txt", "\ufeff  "+strings.ToLower(s.kit.Identity.String())+" \r\n")
		}, 1, []string{"run again with -u"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, _ := damaged(t)
			c.spoil(t, s)
			target := s.target()
			out := s.expect(c.status, c.words, "-t", target)
			names, _ := filepath.Glob(filepath.Join(target, "*"))
			for i := range names {
				names[i] = filepath.Base(names[i])
			}
			if got := strings.Join(names, " "); got != c.files && c.files != "?" {
				t.Errorf("restored %q, want %q:\n%s", got, c.files, out)
			}
			if strings.Contains(out, "\x1b") {
				t.Errorf("the script prints a terminal's escape: %q", out)
			}
		})
	}
}

func strangerKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key
}

// newest returns a copy of the trust in force.
func (s *stock) newest(t *testing.T) *trust.Trust {
	c := *s.open().Trust()
	return &c
}

// A kit of which only the secret is left restores with -u.
func TestStockSecretAlone(t *testing.T) {
	s, src, _ := damaged(t)
	s.path = sealtest.File(t, "kit.txt", "\ufeff# typed from paper\r\n  "+strings.ToLower(s.kit.Identity.String())+" \r\n")
	target := s.target()
	s.expect(3, []string{"the list of devices is not verified"}, "-u", "-t", target)
	for _, d := range treecmp.Compare(src, target, treecmp.Options{}) {
		t.Error(d)
	}
}

// The commands of docs/recovery.md that restore a file by hand do so.
func TestStockByHand(t *testing.T) {
	page, err := os.ReadFile("../../docs/recovery.md")
	must(t, err)
	script := "set -eo pipefail\nexport TMPDIR=$HOME\n"
	blocks := 0
	for _, part := range strings.Split(string(page), "<!-- test: by hand -->\n```\n")[1:] {
		block, _, _ := strings.Cut(part, "```\n")
		script += block
		blocks++
	}
	if blocks != 5 {
		t.Fatalf("found %d blocks of commands, want 5", blocks)
	}
	for _, classic := range []bool{true, false} {
		for !byHand(t, classic, script) {
			// The secret hash has cut the list of even two files in two, as it does
			// in one vault of some two hundred: another vault.
		}
	}
}

// byHand restores a file of a new vault by the script. done is false if its
// list is not the single stretch that the script can read.
func byHand(t *testing.T, classic bool, script string) (done bool) {
	t.Helper()
	s := newStock(t, classic)
	src := t.TempDir()
	write(t, filepath.Join(src, "index.html"), string(noise(1<<20, 1)))
	write(t, filepath.Join(src, "other"), "other")
	s.backup(firstProject, "p", src)
	cmd := exec.Command("bash", "-c", script+"cat $W/file >$HOME/restored")
	cmd.Env = append(os.Environ(), "PATH="+s.tools+":"+os.Getenv("PATH"), "HOME="+s.home, "KIT="+s.path, "VAULT="+s.remote, "FILE=index.html")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), `"level": 1`) {
		return false
	}
	if err != nil || strings.Count(string(out), "Good ") != 2 || strings.Contains(string(out), "damaged") {
		t.Errorf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(s.home, "restored")); err != nil || !bytes.Equal(b, noise(1<<20, 1)) {
		t.Errorf("%d bytes, %v\n%s", len(b), err, out)
	}
	return true
}

// head returns the newest commit of the vault's own device.
func (s *stock) head(v *vault.Vault, device trust.DeviceID) *commit.Commit {
	s.t.Helper()
	paths := s.objects("commits/" + string(device) + "/*/*")
	last := paths[len(paths)-1]
	full, err := filepath.Rel(s.remote, last)
	must(s.t, err)
	name, err := commit.ParseName(full)
	must(s.t, err)
	b, err := os.ReadFile(last)
	must(s.t, err)
	d, _ := v.Trust().Device(device)
	pub, err := trust.ParsePublic(d.Sign)
	must(s.t, err)
	c, err := commit.Open(name, b, pub)
	must(s.t, err)
	return c
}

// deviceKey is the signing key of the vault's own device.
func (s *stock) deviceKey() ed25519.PrivateKey {
	s.t.Helper()
	d, err := state.Open(s.state)
	must(s.t, err)
	dev, err := d.Device()
	must(s.t, err)
	seed, err := hex.DecodeString(dev.SignSeed)
	must(s.t, err)
	return ed25519.NewKeyFromSeed(seed)
}

// commit stores a commit that follows the newest one, filled in by fill.
func (s *stock) commit(key ed25519.PrivateKey, fill func(head, next *commit.Commit)) commit.Name {
	s.t.Helper()
	v := s.open()
	head := s.head(v, v.Device())
	next := &commit.Commit{Version: 1, Vault: v.ID(), Device: v.Device(), Trust: v.TrustName(), Time: head.Time.Add(time.Second)}
	fill(head, next)
	must(s.t, next.Follow(head))
	obj, err := next.Sign(key)
	must(s.t, err)
	must(s.t, s.store.Put(s.t.Context(), remote.NewObject(next.Name().String(), obj)))
	return next.Name()
}

// forge stores a snapshot that names the first one's content, signed by key.
func (s *stock) forge(key ed25519.PrivateKey) {
	first := s.objects("commits/*/*/0000000001-*")[0]
	b, err := os.ReadFile(first)
	must(s.t, err)
	old, _, err := commit.Parse(b)
	must(s.t, err)
	s.commit(key, func(_, next *commit.Commit) {
		next.Kind, next.Project, next.Body, next.Ledger = commit.Snapshot, old.Project, old.Body, old.Ledger
	})
}

// forgeAs stores a snapshot of a device that nobody knows.
func (s *stock) forgeAs(device trust.DeviceID, key ed25519.PrivateKey) {
	v := s.open()
	c := *s.head(v, v.Device())
	c.Device, c.Time = device, c.Time.Add(time.Second)
	must(s.t, c.Follow())
	obj, err := c.Sign(key)
	must(s.t, err)
	must(s.t, s.store.Put(s.t.Context(), remote.NewObject(c.Name().String(), obj)))
}

// A forgotten snapshot is not the newest; a withdrawn forget forgets nothing.
func TestStockForgotten(t *testing.T) {
	s, src, ids := damaged(t)
	name := filepath.Base(s.objects("commits/*/*/0000000002-*")[0])
	forget := func(_, next *commit.Commit) { next.Kind, next.Forgets = commit.Forget, []string{name} }
	s.commit(s.deviceKey(), forget)
	target := s.target()
	s.expect(0, []string{"Snapshot " + ids[0]}, "-t", target)
	s.expect(0, []string{"(forgotten)"}, "-l")
	s.expectWhole(src, "-s", ids[1])
	s.commit(s.deviceKey(), func(head, next *commit.Commit) { forget(head, next); next.Withdraw = true })
	s.expectWhole(src)
	again := s.commit(s.deviceKey(), forget)
	s.expect(0, []string{"Snapshot " + ids[0]}, "-t", s.target())
	must(t, os.Remove(filepath.Join(s.remote, filepath.FromSlash(again.String()))))
	witness := filepath.Base(s.objects("commits/*/*/0000000004-*")[0])[23:39]
	s.expectWhole(src, "-e", witness)
	must(t, os.Remove(s.objects("commits/*/*/0000000004-*")[0]))
	s.expect(1, []string{"no good commit here has the witness"}, "-e", witness, "-t", s.target())
}

// Of a revoked device, what came before its end counts and nothing else.
func TestStockRevoked(t *testing.T) {
	s, src, ids := damaged(t)
	old := s.open().Device()
	_, _, err := vault.Enrol(t.Context(), s.store, s.kit, vault.EnrolOptions{
		StateRoot: filepath.Join(s.home, "second"), Label: "second", Remote: s.remote, Replace: old,
	})
	must(t, err)
	s.expectWhole(src) // the kit has seen trust 1 only
	// The thief of the old laptop still has its key, and its clock is ahead.
	late := s.commit(s.deviceKey(), func(head, next *commit.Commit) {
		next.Kind, next.Project, next.Body, next.Ledger = head.Kind, head.Project, head.Body, head.Ledger
		next.Time = next.Time.Add(time.Hour)
	})
	s.expect(3, []string{late.Base() + ": its device was revoked before; left out", "Snapshot " + ids[1]}, "-t", s.target())
	s.expect(1, []string{"its device was revoked before"}, "-s", late.Hash(), "-t", s.target())

	// Nor does a vault shown as it was before the new trust pass with a newer kit.
	v, err := vault.Open(t.Context(), s.store, vault.OpenOptions{Kit: s.kit})
	must(t, err)
	k, err := v.KitFor(s.kit.Identity, s.remote)
	must(t, err)
	var text bytes.Buffer
	must(t, kit.Write(&text, *k))
	s.path = sealtest.File(t, "new-kit.txt", text.String())
	must(t, os.Remove(s.objects("trust/0000000002-*")[0]))
	s.expect(1, []string{"the kit has seen trust 2"}, "-t", s.target())
}

// dataPack returns the pack that holds the content of the file large.
func (s *stock) dataPack() (ledger.Pack, []byte) {
	s.t.Helper()
	path := s.largest("packs/*/*/*")
	name, err := filepath.Rel(s.remote, path)
	must(s.t, err)
	p, err := ledger.ParsePackName(name)
	must(s.t, err)
	b, err := os.ReadFile(path)
	must(s.t, err)
	return p, b
}

// move stores the chunks of a pack again, in a new pack, and says so.
func (s *stock) move(old ledger.Pack, obj []byte) (ledger.Pack, []byte) {
	s.t.Helper()
	v := s.open()
	to, err := seal.ParseRecipients(v.Trust().Recipients)
	must(s.t, err)
	moved := ledger.Pack{Number: 5000}
	rand.Read(moved.Series[:])
	sealed, refs := s.repack(obj, to, moved)
	moved.Sum, moved.Size = sealed.Sum, int64(len(sealed.Object))
	s.put(moved.Name(), sealed.Object)

	l := ledger.Ledger{Vault: v.ID(), Folders: []ledger.Folder{{Series: moved.Series, Folder: ledger.FolderOf(moved.Number), Packs: []ledger.Pack{moved}}}}
	text, err := l.Encode(ledger.NewNonce())
	must(s.t, err)
	m, err := manifest.EncodeMap(refs)
	must(s.t, err)
	blob, _, err := pack.SealBlob(m, to)
	must(s.t, err)
	s.commit(s.deviceKey(), func(_, next *commit.Commit) {
		next.Kind, next.Old, next.Repack = commit.Move, []string{old.Name()}, true
		next.Ledger = s.put(commit.ObjectName(commit.Ledgers, v.Device(), 77, sha256.Sum256(text)), text)
		next.Body = s.put(commit.ObjectName(commit.Moves, v.Device(), 77, sha256.Sum256(blob)), blob)
	})
	return moved, sealed.Object
}

// repack puts the chunks of a pack into a new one, behind one that is not asked for.
func (s *stock) repack(obj []byte, to seal.Recipients, at ledger.Pack) (pack.Sealed, []chunk.Ref) {
	s.t.Helper()
	r, err := pack.Open(obj, seal.NewIdentities(s.kit.Identity))
	must(s.t, err)
	b := pack.NewBuilder(pack.TargetData, pack.Default)
	b.Add(chunk.Data, chunk.ID{1}, []byte("in the way"))
	entries := slices.DeleteFunc(slices.Collect(r.Entries()), func(e pack.Entry) bool { return e.ID == chunk.ID{1} })
	var extents []pack.Extent
	for _, e := range entries {
		extents = append(extents, pack.Extent{Offset: e.Offset, Len: e.Len})
	}
	var refs []chunk.Ref
	must(s.t, r.Read(extents, func(i int, data []byte) error {
		e := entries[i]
		off := b.Add(e.Kind, e.ID, data)
		refs = append(refs, chunk.Ref{ID: e.ID, Series: at.Series, Number: at.Number, Offset: off, Len: e.Len})
		return nil
	}))
	sealed, err := b.Seal(to)
	must(s.t, err)
	return sealed, refs
}

func (s *stock) put(name string, b []byte) string {
	s.t.Helper()
	must(s.t, s.store.Put(s.t.Context(), remote.NewObject(name, b)))
	return name
}

// Where a pack is gone or bad, its chunks are read from where moves say.
func TestStockMoves(t *testing.T) {
	s, src, _ := damaged(t)
	first, obj := s.dataPack()
	second, obj := s.move(first, obj)
	must(t, os.Remove(filepath.Join(s.remote, first.Name())))
	s.expectWhole(src)

	for at := second; len(s.objects("moves/*/*")) < 20; { // and on
		next, again := s.move(at, obj)
		must(t, os.Remove(filepath.Join(s.remote, at.Name())))
		at, obj = next, again
	}
	s.expectWhole(src)

	write(t, filepath.Join(s.remote, first.Name()), "rotten")
	target := s.target()
	s.expect(3, []string{"its bytes do not match its name; its chunks are read from where they were moved to"}, "-t", target)
	for _, d := range treecmp.Compare(src, target, treecmp.Options{}) {
		t.Error(d)
	}
	must(t, os.RemoveAll(filepath.Join(s.remote, "moves")))
	s.expect(3, []string{"not restored: large: some of its content is missing"}, "-t", s.target())
}

// canMakeDevices tells whether this process may: root, but not in every container.
func canMakeDevices(t *testing.T) bool {
	return syscall.Mknod(filepath.Join(t.TempDir(), "null"), syscall.S_IFCHR|0o600, 1<<8|3) == nil
}

// A device that was taken over can sign anything. What it says never leads the
// script out of the target, and what cannot be restored is named.
func TestStockNames(t *testing.T) {
	s, _, _ := damaged(t)
	outside := t.TempDir()
	v := s.open()
	run, err := v.Begin(t.Context(), vault.RunOptions{Project: firstProject})
	must(t, err)
	lane := run.Lane(chunk.Segment)
	value, _, err := lane.Put([]byte(strings.Repeat("large attribute ", 1000)))
	must(t, err)
	lines := []string{
		`{"series":["` + value.Series.String() + `"]}`,
		`{"path":"","type":"d","mode":493}`,
		`{"path":"../up","type":"f","mode":420,"size":0}`,
		`{"path":"/abs","type":"f","mode":420,"size":0}`,
		`{"path":"a//b","type":"f","mode":420,"size":0}`,
		`{"path":"big","type":"f","mode":420,"size":0,"xattrs":[{"name":"user.big","ref":["` + value.ID.String() + `",0,` + fmt.Sprint(value.Number) + `,` + fmt.Sprint(value.Offset) + `,16000]}]}`,
		`{"path":"device","type":"c","mode":384,"rdev":[1,3]}`,
		`{"path":"device0","type":"c","mode":384}`,
		`{"path":"failed","type":"f","mode":420,"size":0,"error":"permission denied"}`,
		`{"path":"link","type":"l","mode":511,"target":"` + outside + `"}`,
		`{"path":"link","type":"d","mode":493}`,
		`{"path":"link/in","type":"f","mode":420,"size":0}`,
		`{"path":"link/more","type":"d","mode":493}`,
		`{"path":"short","type":"f","mode":420,"size":5}`,
		`{"path":"socket","type":"s","mode":493}`,
		`{"path":"twice","type":"f","mode":420,"size":0}`,
		`{"path":"twice","type":"l","mode":511,"target":"x"}`,
		`{"path":"without/its/folder","type":"f","mode":420,"size":0}`,
		`{"path":"zero\u0000byte","type":"f","mode":420,"size":0}`,
	}
	ref, _, err := lane.Put([]byte(strings.Join(lines, "\n") + "\n"))
	must(t, err)
	must(t, lane.Flush())
	used := new(ledger.Set)
	used.Add(ref.Series, ref.Number)
	_, err = run.Commit(t.Context(), vault.NewSnapshot{Used: used, Body: &manifest.Body{
		Project: string(firstProject), Label: "p", Start: time.Now(), End: time.Now(),
		Roots: []manifest.BodyRoot{{Path: "/x", Root: manifest.Root{Count: int64(len(lines) - 1), Ref: ref}}},
	}})
	must(t, err)
	must(t, run.Close())

	target := s.target()
	words := []string{
		"../up: its name could lead elsewhere", "/abs: its name could lead elsewhere", "a//b: its name could lead elsewhere",
		"not saved: failed: permission denied", "link: the folder could not be made", "link/in: its folder is not there",
		"link/more: its folder is not there", "short: some of its content is missing", "socket: it could not be made",
		"twice: something else has its name here", "its name holds a zero byte",
	}
	switch {
	case os.Geteuid() != 0:
		words = append(words, "device: only root can make a device")
	case !canMakeDevices(t):
		words = append(words, "device: it could not be made")
	}
	out := s.expect(3, words, "-t", target)
	if left, _ := filepath.Glob(filepath.Join(outside, "*")); len(left) > 0 {
		t.Errorf("written outside: %q", left)
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(target), "up")); err == nil {
		t.Error("../up was written")
	}
	for name, rdev := range map[string]uint64{"device": 1<<8 | 3, "device0": 0} {
		fi, err := os.Lstat(filepath.Join(target, name))
		if canMakeDevices(t) && (err != nil || fi.Mode().Type() != os.ModeDevice|os.ModeCharDevice || uint64(fi.Sys().(*syscall.Stat_t).Rdev) != rdev) {
			t.Errorf("%s: %v, %v", name, fi, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(target, "without/its/folder")); err != nil {
		t.Errorf("a file whose folder is not in the manifest: %v", err)
	}
	if got, err := xattr.LGet(filepath.Join(target, "big"), "user.big"); err != nil || len(got) != 16000 {
		if !strings.Contains(out, "install setfattr") && !strings.Contains(out, "setfattr: ") {
			t.Errorf("the large attribute has %d bytes, %v, and the script is silent:\n%s", len(got), err, out)
		}
	}
}
