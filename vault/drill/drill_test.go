package drill_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
	"coffer/vault/drill"
	"coffer/vault/ledger"
	"coffer/vault/vaulttest"
)

const files = 40

// filled makes a vault with one snapshot of two roots: a folder with many
// files, some of names that patterns could misread, and a file.
func filled(t *testing.T) (room *vaulttest.Room, dir string) {
	t.Helper()
	room, dir = vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "many", "oldest"), "from long ago")
	old := time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "many", "oldest"), old, old); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "many", "largest"), strings.Repeat("much of it ", 90_000))
	write(t, filepath.Join(dir, "many", "[a]", "*?! #\\"), "a name with signs")
	write(t, filepath.Join(dir, "many", "empty"), "")
	for i := range files - 5 {
		write(t, filepath.Join(dir, "many", fmt.Sprint("sub", i%5), fmt.Sprint("file", i)), fmt.Sprint("text of ", i))
	}
	write(t, filepath.Join(dir, "alone"), "a root that is a file")
	time.Sleep(100 * time.Millisecond)
	o := backup.Options{Project: "00112233445566aa", Label: "p", Roots: []string{filepath.Join(dir, "many"), filepath.Join(dir, "alone")}, Workers: 1}
	if _, err := backup.Run(t.Context(), room.Vault, o); err != nil {
		t.Fatal(err)
	}
	return room, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lent opens the vault as its device, with the kit.
func lent(t *testing.T, room *vaulttest.Room) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), room.Store, vault.OpenOptions{State: room.Dir(t), Kit: room.Kit})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func run(t *testing.T, v *vault.Vault, o drill.Options) drill.Report {
	t.Helper()
	var err error
	if o.Snapshot, err = v.Find(t.Context(), "latest", vault.Filter{}); err != nil {
		t.Fatal(err)
	}
	rep, err := drill.Run(t.Context(), v, o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestAll(t *testing.T) {
	room, dir := filled(t)
	write(t, filepath.Join(dir, "many", "sub1", "file1"), "changed since")
	if err := os.Remove(filepath.Join(dir, "many", "sub2", "file2")); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "out")
	rep := run(t, lent(t, room), drill.Options{All: true, Target: target})
	if rep.Result != commit.OK || rep.Level != drill.Restored || rep.Files != files || rep.Verified != files || rep.Snapshot.Files != files {
		t.Errorf("%+v", rep)
	}
	if s := rep.Source; s.Same != files-2 || s.Changed != 1 || s.Gone != 1 || s.Different != 0 {
		t.Errorf("source: %+v", s)
	}
	if rep.FirstByte <= 0 || rep.Rate <= 0 || rep.Packs < 1 || rep.PackBytes < 1000 {
		t.Errorf("measured: %+v", rep)
	}
	if b, err := os.ReadFile(filepath.Join(target, "1", "[a]", "*?! #\\")); string(b) != "a name with signs" {
		t.Errorf("%q, %v", b, err)
	}
}

// By chance some are drawn, the oldest and the largest always, and each is
// found again whatever its name.
func TestDrawn(t *testing.T) {
	room, _ := filled(t)
	target := filepath.Join(t.TempDir(), "out")
	rep := run(t, lent(t, room), drill.Options{Files: 3, Target: target})
	if rep.Result != commit.OK || rep.Files < 3 || rep.Files > 5 || rep.Verified != rep.Files || rep.Source.Same != rep.Files {
		t.Errorf("%+v", rep)
	}
	for _, name := range []string{"oldest", "largest"} {
		if _, err := os.Stat(filepath.Join(target, "1", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := drill.Run(t.Context(), lent(t, room), drill.Options{Snapshot: latest(t, room), Target: target}); !errors.Is(err, os.ErrExist) {
		t.Errorf("into a folder that holds something: %v", err)
	}
	// What is larger than there is room for is not drawn.
	rep = run(t, lent(t, room), drill.Options{Files: 1000, MaxBytes: 1000})
	if rep.Result != commit.OK || rep.Bytes > 1000 || rep.Files != files-1 {
		t.Errorf("%+v", rep)
	}
}

func latest(t *testing.T, room *vaulttest.Room) *vault.Snapshot {
	t.Helper()
	s, err := room.Lent(t).Find(t.Context(), "latest", vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The scratch folder goes, whatever modes were restored in it.
func TestScratchGoes(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "in", "locked", "file"), "text")
	if err := os.Chmod(filepath.Join(dir, "in", "locked"), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "in", "locked"), 0o700) })
	if _, err := backup.Run(t.Context(), room.Vault, backup.Options{Project: "00112233445566aa", Label: "p", Roots: []string{filepath.Join(dir, "in")}}); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if rep := run(t, lent(t, room), drill.Options{All: true}); rep.Files != 1 {
		t.Errorf("%+v", rep)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The file on the disk rots, and its size and time stay as they were.
func TestSourceDiffers(t *testing.T) {
	room, dir := filled(t)
	path := filepath.Join(dir, "many", "sub3", "file3")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "tExt of 3")
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	var told []string
	rep := run(t, lent(t, room), drill.Options{All: true, OnProblem: func(path string, err error) { told = append(told, path) }})
	if rep.Result != commit.Incomplete || rep.Source.Different != 1 || len(told) != 1 || told[0] != path {
		t.Errorf("told %v: %+v", told, rep)
	}
}

// A pack is gone: it is not proven, the files are named, and the rest is
// restored all the same.
func TestDamage(t *testing.T) {
	for _, kind := range []chunk.Kind{chunk.Data, chunk.Segment} {
		room, _ := filled(t)
		remove(t, room, packOf(t, room, kind))
		var told []string
		rep := run(t, lent(t, room), drill.Options{All: true, OnProblem: func(path string, err error) { told = append(told, path) }})
		if rep.Result != commit.Damaged || rep.Missing == 0 || len(told) == 0 || strings.HasPrefix(rep.Says, "proven") {
			t.Errorf("%c: told %d: %+v", kind, len(told), rep)
		}
		c := newest(t, room, commit.Drill)
		if c == nil || c.Detail.Result != commit.Damaged {
			t.Errorf("%c: committed %+v", kind, c)
		}
		if s := drill.Last(room.Dir(t)); s.Last == nil || s.Proven != nil {
			t.Errorf("%c: remembered %+v", kind, s)
		}
	}
}

func packOf(t *testing.T, room *vaulttest.Room, kind chunk.Kind) string {
	t.Helper()
	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range room.Store.List(t.Context(), "packs/", "") {
		if err != nil {
			t.Fatal(err)
		}
		p, err := ledger.ParsePackName(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range dev.Series {
			if s.ID() == p.Series && s.Kind == string(kind) {
				return info.Name
			}
		}
	}
	t.Fatalf("no pack of kind %c", kind)
	return ""
}

func remove(t *testing.T, room *vaulttest.Room, name string) {
	t.Helper()
	if err := room.Store.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// Without the identity a drill sees less, says so, and is no proof.
func TestWithoutIdentity(t *testing.T) {
	room, _ := filled(t)
	rep := run(t, room.Reopen(t), drill.Options{})
	if rep.Level != drill.Objects || rep.Result != commit.OK || rep.Packs < 2 || rep.Files != 0 || !strings.HasPrefix(rep.Says, "less than a proof") {
		t.Errorf("%+v", rep)
	}
	if s := drill.Last(room.Dir(t)); s.Last == nil || s.Proven != nil {
		t.Errorf("remembered %+v", s)
	}
	name := packOf(t, room, chunk.Data)
	b, err := room.Store.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	remove(t, room, name)
	if err := room.Store.Put(t.Context(), remote.NewObject(name, b)); err != nil {
		t.Fatal(err)
	}
	if rep := run(t, room.Reopen(t), drill.Options{}); rep.Result != commit.Damaged || rep.Bad != 1 {
		t.Errorf("%+v", rep)
	}
}

// The report that is kept is signed by the device, as stock ssh-keygen can
// tell, names no file, and is remembered and committed.
func TestReportIsSigned(t *testing.T) {
	room, _ := filled(t)
	rep := run(t, lent(t, room), drill.Options{All: true})
	verify := func(text string) error {
		cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", rep.Device, "-n", "coffer-drill", "-s", filepath.Base(rep.Path)+".sig")
		cmd.Dir = filepath.Dir(rep.Path)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	b, err := os.ReadFile(rep.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(string(b)); err != nil {
		t.Error(err)
	}
	if verify(strings.Replace(string(b), "proven", "Proven", 1)) == nil {
		t.Error("ssh-keygen takes an altered report")
	}
	text, err := os.ReadFile(strings.TrimSuffix(rep.Path, ".json") + ".txt")
	if err != nil || !strings.Contains(string(text), "Result: ok") {
		t.Errorf("%s, %v", text, err)
	}
	for _, name := range []string{"oldest", "file3", "sub1"} {
		if strings.Contains(string(b)+string(text), name) {
			t.Errorf("the report names %s", name)
		}
	}
	s := drill.Last(room.Dir(t))
	if s.Proven == nil || s.Proven.Files != files || string(s.Proven.Report) != rep.Path {
		t.Errorf("remembered %+v", s.Proven)
	}
	c := newest(t, room, commit.Drill)
	if c == nil || c.Detail.Result != commit.OK || c.Detail.Snapshot != rep.Commit || c.Detail.Objects != uint64(rep.Packs) {
		t.Errorf("committed %+v", c)
	}
	// By the kit alone nothing is signed, kept or committed.
	if rep := run(t, room.Lent(t), drill.Options{}); rep.Path != "" || rep.Result != commit.OK || rep.Source.Same != 0 {
		t.Errorf("%+v", rep)
	}
}

// newest returns the newest commit of a kind, or nil.
func newest(t *testing.T, room *vaulttest.Room, kind commit.Kind) *commit.Commit {
	t.Helper()
	c, err := room.Lent(t).Newest(t.Context(), func(*commit.Commit) bool { return true }, kind)
	if err != nil {
		t.Fatal(err)
	}
	return c[0]
}

// Whatever stands in the file that remembers drills, what is taken from it is
// what would be written there.
func FuzzSummary(f *testing.F) {
	room := vaulttest.New(f)
	dir := room.Dir(f)
	path := filepath.Join(dir.Path(), "drill.json")
	f.Add([]byte(`{"last":{"at":"2026-01-02T03:04:05Z","snapshot":"ab","taken":"2026-01-02T03:04:05Z","files":1,"bytes":2,"level":"restored","result":"ok","report":"/r"}}`))
	f.Add([]byte(`{"proven":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) < 2 {
			return
		}
		sealed := fmt.Appendf(nil, "%s,\"sum\":\"%x\"}\n", line[:len(line)-1], sha256.Sum256(line))
		if err := os.WriteFile(path, sealed, 0o600); err != nil {
			t.Fatal(err)
		}
		s := drill.Last(dir)
		if s.Last == nil && s.Proven == nil {
			return
		}
		if err := dir.WriteSmall("drill.json", s); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, sealed) {
			t.Errorf("%q was read, and is written %q (%v)", sealed, again, err)
		}
	})
}
