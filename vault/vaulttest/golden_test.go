package vaulttest_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"coffer/chunk"
	"coffer/chunk/seal/sealtest"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/ledger"
	"coffer/vault/prune"
	"coffer/vault/restore"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// The golden vaults are what this format version looks like, made once and kept
// forever: whatever is changed, what people have stored must come back. Each
// has a folder under testdata/golden with the remote, the kit, and for each
// snapshot what must come back.
//
//	go test ./vault/vaulttest -run TestMakeGolden -golden NAME
//
// makes one more, NAME being classic or hybrid and whatever follows (as
// "hybrid-v2"). One that is there is never made anew.
var makeGolden = flag.String("golden", "", "make a golden vault of this name")

const goldenFolder = "testdata/golden"

// A golden vault is restored by the stock tools and by Coffer, and both give
// what was backed up when it was made.
func TestGolden(t *testing.T) {
	all, err := os.ReadDir(goldenFolder)
	must(t, err)
	if len(all) < 2 {
		t.Fatalf("%d golden vaults, want a classic and a hybrid one at least", len(all))
	}
	snapshots := 0
	defer func() {
		t.Logf("tried: %d golden vaults, %d snapshots restored with the stock tools and by Coffer", len(all), snapshots)
	}()
	for _, g := range all {
		t.Run(g.Name(), func(t *testing.T) {
			s := openGolden(t, filepath.Join(goldenFolder, g.Name()))
			expected := readExpected(t, filepath.Join(goldenFolder, g.Name(), "expected.txt"))
			if len(expected) < 5 {
				t.Errorf("%d snapshots, want 5 at least", len(expected))
			}
			snapshots += len(expected)
			for _, e := range expected {
				t.Run(e.what, func(t *testing.T) { s.t = t; e.check(t, s) })
			}
			s.t = t
			s.expect(0, []string{"(forgotten)", "Anna's laptop", "Second machine", "Tree", "Büro"}, "-l")
			s.verifyGolden(t)
		})
	}
}

// An expectation is what a snapshot must give.
type expectation struct {
	what, id string
	lines    []string
}

func (e expectation) check(t *testing.T, s *stock) {
	stockTarget, ownTarget := s.target(), s.target()
	status, words, stockLines := 0, "Every object had the bytes that its name says", e.lines
	if _, err := exec.LookPath("setfattr"); err != nil && strings.Contains(strings.Join(e.lines, "\n"), " user.") {
		status, words, stockLines = 3, "install setfattr", withoutAttributes(e.lines)
	}
	s.expect(status, []string{words}, "-s", e.id, "-t", stockTarget)
	v := s.kitAlone(t)
	snap, err := v.Find(t.Context(), e.id, vault.Filter{})
	must(t, err)
	src, err := v.Source(t.Context(), snap)
	must(t, err)
	res, err := restore.Run(t.Context(), src, restore.Options{Target: ownTarget, Verify: true})
	if err != nil || len(res.Losses) > 0 || res.Files == 0 {
		t.Errorf("restore: %v, %+v", err, res)
	}
	e.compare(t, "restore.sh", stockLines, stockTarget)
	e.compare(t, "Coffer", e.lines, ownTarget)
}

func (e expectation) compare(t *testing.T, how string, want []string, target string) {
	t.Helper()
	got := describe(t, target)
	if strings.HasSuffix(got[0], ` "."`) && !strings.HasSuffix(want[0], ` "."`) {
		got = got[1:] // the folder that several roots are put into is nobody's
	}
	for _, d := range differences(want, got) {
		t.Errorf("%s: %s", how, d)
	}
}

// openGolden copies a golden vault to where it may be written.
func openGolden(t *testing.T, from string) *stock {
	t.Helper()
	home := t.TempDir()
	must(t, os.CopyFS(home, os.DirFS(from)))
	s := &stock{t: t, home: home, remote: filepath.Join(home, "remote"), path: filepath.Join(home, "kit.txt"), tools: filepath.Dir(sealtest.Age(t))}
	s.copyScript()
	var err error
	s.store, err = dir.Open(s.remote)
	must(t, err)
	text, err := os.ReadFile(s.path)
	must(t, err)
	k, err := kit.Parse(bytes.NewReader(text))
	must(t, err)
	s.kit = &k
	return s
}

// kitAlone opens the vault as a new machine does.
func (s *stock) kitAlone(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), s.store, vault.OpenOptions{Kit: s.kit})
	must(t, err)
	return v
}

// verifyGolden proves every signature, chain, object and chunk.
func (s *stock) verifyGolden(t *testing.T) {
	t.Helper()
	res, err := verify.Run(t.Context(), s.kitAlone(t), verify.Options{Deep: true})
	must(t, err)
	if len(res.Problems) > 0 || len(res.Replaced) != 1 || !res.Replaced[0].Proven || res.Snapshots < 4 {
		t.Errorf("verify: %+v", res)
	}
}

// readExpected reads an expected.txt: a line "snapshot ID WHAT", then a line
// for each entry, and so on.
func readExpected(t *testing.T, path string) (out []expectation) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "snapshot "); ok {
			id, what, _ := strings.Cut(head, " ")
			out = append(out, expectation{what: what, id: id})
			continue
		}
		out[len(out)-1].lines = append(out[len(out)-1].lines, line)
	}
	return out
}

// differences returns what only one of two sorted lists has. Where this process
// cannot give files away, the owners are whose they are.
func differences(want, got []string) (out []string) {
	if os.Geteuid() != 0 {
		want, got = withoutOwners(want), withoutOwners(got)
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			out = append(out, "lacks "+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			out = append(out, "has   "+line)
		}
	}
	return out
}

// withoutAttributes is what the script gives where setfattr is missing.
func withoutAttributes(lines []string) (out []string) {
	for _, line := range lines {
		out = append(out, attribute.ReplaceAllString(line, ""))
	}
	return out
}

var attribute = regexp.MustCompile(` user\.\w+=[0-9a-f]*`)

func withoutOwners(lines []string) (out []string) {
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 4)
		out = append(out, fields[0]+" "+fields[1]+" "+fields[3])
	}
	return out
}

// describe tells of each entry of a tree, a line each: type, mode, owner, time,
// size, whether it has holes, content, attributes, the first of its other names,
// and its path.
func describe(t *testing.T, root string) (lines []string) {
	t.Helper()
	first := map[uint64]string{}
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		fi, err := os.Lstat(path)
		must(t, err)
		st := fi.Sys().(*syscall.Stat_t)
		name, err := filepath.Rel(root, path)
		must(t, err)
		line := fmt.Sprintf("%s %04o %d:%d %d.%09d", typeLetter(fi), uint32(st.Mode)&0o7777, st.Uid, st.Gid, fi.ModTime().Unix(), fi.ModTime().Nanosecond())
		line += describeContent(t, path, fi) + describeAttributes(t, path)
		if other, ok := first[st.Ino]; ok && !fi.IsDir() {
			line += fmt.Sprintf(" = %q", other)
		} else {
			first[st.Ino] = name
		}
		lines = append(lines, fmt.Sprintf("%s %q", line, name))
		return nil
	}))
	return lines
}

func typeLetter(fi fs.FileInfo) string {
	switch fi.Mode().Type() {
	case 0:
		return "f"
	case fs.ModeDir:
		return "d"
	case fs.ModeSymlink:
		return "l"
	case fs.ModeNamedPipe:
		return "p"
	}
	return "?"
}

func describeContent(t *testing.T, path string, fi fs.FileInfo) string {
	switch fi.Mode().Type() {
	case 0:
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		h := sha256.New()
		_, err = io.Copy(h, f)
		must(t, err)
		holes := ""
		if fi.Sys().(*syscall.Stat_t).Blocks*512 < fi.Size()/2 {
			holes = " holes"
		}
		return fmt.Sprintf(" %d%s %x", fi.Size(), holes, h.Sum(nil)[:8])
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		must(t, err)
		return fmt.Sprintf(" -> %q", target)
	}
	return ""
}

func describeAttributes(t *testing.T, path string) (text string) {
	names, err := xattr.LList(path)
	must(t, err)
	slices.Sort(names)
	for _, n := range names {
		value, err := xattr.LGet(path, n)
		must(t, err)
		text += fmt.Sprintf(" %s=%x", n, value)
	}
	return text
}

// TestMakeGolden makes a golden vault when asked to, and else holds that making
// one still works: what it makes must pass what the kept ones do.
func TestMakeGolden(t *testing.T) {
	name := *makeGolden
	g := &golden{stock: newStock(t, name == "" || strings.HasPrefix(name, "classic")), src: filepath.Join(t.TempDir(), "tree")}
	g.make()
	if name == "" {
		for _, e := range g.expected[len(g.expected)-1:] {
			e.check(t, g.stock)
		}
		g.verifyGolden(t)
		return
	}
	to := filepath.Join(goldenFolder, name)
	must(t, os.MkdirAll(goldenFolder, 0o755))
	must(t, os.Mkdir(to, 0o755)) // one that is there stays
	must(t, os.CopyFS(filepath.Join(to, "remote"), os.DirFS(g.remote)))
	text, err := os.ReadFile(g.path)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to, "kit.txt"), bytes.ReplaceAll(text, []byte(g.remote), []byte("/mnt/golden")), 0o644))
	var b strings.Builder
	for _, e := range g.expected {
		fmt.Fprintf(&b, "snapshot %s %s\n%s\n", e.id, e.what, strings.Join(e.lines, "\n"))
	}
	must(t, os.WriteFile(filepath.Join(to, "expected.txt"), []byte(b.String()), 0o644))
}

// A golden vault in the making.
type golden struct {
	*stock
	src      string
	expected []expectation
}

// snapshot backs the tree up and notes what must come back.
func (g *golden) snapshot(what string) {
	g.t.Helper()
	g.expected = append(g.expected, expectation{what, g.backup(firstProject, "Tree", g.src), describe(g.t, g.src)})
}

// make has a vault live: snapshots, a lost pack and the move that heals it, a
// change of the trust, a forget, a second device.
func (g *golden) make() {
	g.plant()
	g.snapshot("first")
	lost, _ := g.dataPack()
	g.change()
	g.snapshot("second")
	must(g.t, os.WriteFile(filepath.Join(g.src, "sub/added"), noise(3000, 9), 0o640))
	g.settle()
	g.snapshot("third, which is forgotten")
	g.heal(lost)
	g.forget()
	g.secondDevice()
	g.condemn()
}

// condemn lets a prune publish what it would delete, as if all that is stored
// were older than it is.
func (g *golden) condemn() {
	g.t.Helper()
	old := time.Now().Add(-20 * day)
	for path := range names(g.t, g.remote) {
		must(g.t, os.Chtimes(path, old, old))
	}
	p, err := prune.Make(g.t.Context(), g.open(), prune.Options{})
	must(g.t, err)
	res, err := p.Run(g.t.Context())
	must(g.t, err)
	if len(p.Stops) > 0 || res.Condemned[prune.Packs].Count == 0 {
		g.t.Fatalf("prune: %+v, %+v", p.Stops, res)
	}
	g.objects("condemned/*/*")
}

// heal loses a pack and lets the next run store again what was in it.
func (g *golden) heal(lost ledger.Pack) {
	g.t.Helper()
	must(g.t, os.Remove(filepath.Join(g.remote, lost.Name())))
	res, err := verify.Run(g.t.Context(), g.open(), verify.Options{Record: true})
	must(g.t, err)
	if len(res.Problems) != 1 {
		g.t.Fatalf("verify: %+v", res)
	}
	g.snapshot("fourth, after a move")
	g.objects("moves/*/*")
}

func (g *golden) forget() {
	g.t.Helper()
	v := g.open()
	must(g.t, v.SetFloor(g.t.Context(), g.kit, trust.Floor{KeepLast: 1}))
	snap, err := v.Find(g.t.Context(), g.expected[2].id, vault.Filter{})
	must(g.t, err)
	done, err := v.Forget(g.t.Context(), []*vault.Snapshot{snap}, nil)
	must(g.t, err)
	if done.Snapshots != 1 {
		g.t.Fatalf("forgot %+v", done)
	}
}

// secondDevice lets another machine in, which saves two folders and a file.
func (g *golden) secondDevice() {
	g.t.Helper()
	room := &vaulttest.Room{Store: g.store, Kit: g.kit}
	second, _ := room.Enrol(g.t, vault.EnrolOptions{Label: "Second machine"})
	src := g.t.TempDir()
	for name, text := range map[string]string{"one/same/f": "1", "two/same/g": "2", "alone": "3"} {
		write(g.t, filepath.Join(src, name), text)
	}
	id := backupTo(g.t, second.Vault, secondProject, "Büro", filepath.Join(src, "one/same"), filepath.Join(src, "two/same"), filepath.Join(src, "alone"))
	to := filepath.Join(g.t.TempDir(), "to")
	for from, name := range map[string]string{"one/same": "same", "two/same": "same-2", "alone": "alone"} {
		must(g.t, os.MkdirAll(to, 0o755))
		must(g.t, os.Rename(filepath.Join(src, from), filepath.Join(to, name)))
	}
	lines := describe(g.t, to)
	g.expected = append(g.expected, expectation{"of the second device", id, lines[1:]})
}

// plant makes the tree: small, with one of everything that needs no root.
func (g *golden) plant() {
	t, at := g.t, func(name string) string { return filepath.Join(g.src, name) }
	for i, n := range []int{0, 1, 4096, 9000} {
		write(t, at(fmt.Sprintf("sizes/%d", n)), string(noise(n, byte(i))))
	}
	write(t, at("sizes/text"), strings.Repeat("a line that is there again and again\n", 1<<15))
	for i := range 20 {
		write(t, at(fmt.Sprintf("many/%d/%d", i%5, i)), fmt.Sprint("file ", i))
	}
	for i, n := range []string{" ", "-n", "new\nline", `back\slash`, "pipe|pipe", "$(touch x)", "quote'\"", "é", "日本語", "\xff\xfe", "\x01\x1b[31m"} {
		write(t, at("names/"+n), fmt.Sprint(i))
		write(t, at("folders/"+n+"/f"), fmt.Sprint(i))
	}
	write(t, at("names/"+strings.Repeat("n", 255)), "long")
	write(t, at("sub/"+strings.Repeat("d/", 20)+"deep"), "deep")
	must(t, os.MkdirAll(at("empty"), 0o755))
	g.plantLinks(at)
	g.plantSparse(at)
	g.plantList(at("sizes/list"))
	for _, x := range [][2]string{{"user.plain", "value"}, {"user.empty", ""}, {"user.bytes", "\x00\xff\n\"\\="}} {
		must(t, xattr.LSet(at("sizes/1"), x[0], []byte(x[1])))
		must(t, xattr.LSet(at("empty"), x[0], []byte(x[1])))
	}
	for name, mode := range map[string]os.FileMode{"names/é": 0o400, "names/-n": 0o751, "many/1": 0o700, "many/2": 0o555, "many/3": os.ModeSticky | 0o777} {
		must(t, os.Chmod(at(name), mode))
	}
	must(t, os.Lchown(at("sizes/4096"), 12345, 54321))
	g.settle()
}

func (g *golden) plantLinks(at func(string) string) {
	t := g.t
	write(t, at("links/one"), "one file, three names")
	write(t, at("links/b/other"), "x")
	must(t, os.Link(at("links/one"), at("links/two")))
	must(t, os.Link(at("links/one"), at("links/b/three")))
	write(t, at("links/twin"), "one file, three names")
	for name, target := range map[string]string{"relative": "one", "absolute": "/etc/hostname", "dangling": "no\xffwhere\n", "folder": "b", "self": "self"} {
		must(t, os.Symlink(target, at("links/"+name)))
	}
	must(t, syscall.Mkfifo(at("links/fifo"), 0o640))
}

func (g *golden) plantSparse(at func(string) string) {
	for name, parts := range map[string][]int64{"all": {5 << 20}, "middle": {0, 2 << 20, 2<<20 + 70000, 8<<20 + 1}} {
		write(g.t, at("sparse/"+name), "")
		f, err := os.OpenFile(at("sparse/"+name), os.O_RDWR, 0)
		must(g.t, err)
		for i, off := range parts[:len(parts)-1] {
			_, err := f.WriteAt(noise(9000, byte(i)), off)
			must(g.t, err)
		}
		must(g.t, f.Truncate(parts[len(parts)-1]))
		must(g.t, f.Close())
	}
}

// plantList makes a file whose many refs are in list chunks, and that takes no
// room: its chunks are equal, and end where some bytes tell this vault's
// chunker to.
func (g *golden) plantList(path string) {
	s := chunk.NewSplitter(g.open().Polynomial())
	buf := make([]byte, chunk.MaxSize)
	s.Reset(bytes.NewReader(noise(32<<20, 77)))
	piece, err := s.Next(buf)
	must(g.t, err)
	end := bytes.Clone(piece[len(piece)-64:])
	one := append(bytes.Repeat([]byte("a"), chunk.MinSize), end...)
	write(g.t, path, strings.Repeat(string(one), 70))
	f, err := os.Open(path)
	must(g.t, err)
	defer f.Close()
	s.Reset(f)
	for range 70 {
		if piece, err := s.Next(buf); err != nil || len(piece) != len(one) {
			g.t.Fatalf("a chunk of %d bytes, want %d: %v", len(piece), len(one), err)
		}
	}
}

// change makes the next snapshot another one.
func (g *golden) change() {
	write(g.t, filepath.Join(g.src, "names/é"), "changed")
	must(g.t, os.Remove(filepath.Join(g.src, "links/two")))
	must(g.t, os.Rename(filepath.Join(g.src, "many/4"), filepath.Join(g.src, "moved")))
	g.settle()
}

// settle gives what has none a time of its own, so that nothing is too young
// to be trusted.
func (g *golden) settle() {
	i := int64(0)
	var dirs []string
	set := func(path string) {
		i++
		ts := []unix.Timespec{{Sec: 1}, {Sec: 1_000_000_000 + i*1000, Nsec: i}}
		must(g.t, unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW))
	}
	must(g.t, filepath.WalkDir(g.src, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		} else if err == nil {
			set(path)
		}
		return err
	}))
	slices.Reverse(dirs)
	for _, d := range dirs {
		set(d)
	}
	time.Sleep(50 * time.Millisecond)
}
