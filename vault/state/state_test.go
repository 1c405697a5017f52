package state

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"coffer/chunk"
	"coffer/files"
)

// memory is where Linux keeps files in memory.
const memory = "/dev/shm"

// tempDir returns a folder in memory, if there is room: the tests sync
// thousands of files, and on a busy disk that is most of their time. What only
// a disk shows is tested, and measured, in t.TempDir.
func tempDir(t testing.TB) string {
	t.Helper()
	const room = 48 << 20 // three times what they need
	var s syscall.Statfs_t
	if _, bench := t.(*testing.B); bench || syscall.Statfs(memory, &s) != nil || int64(s.Bavail)*int64(s.Bsize) < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "coffer-state-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newDir(t testing.TB) *Dir {
	t.Helper()
	return newDirIn(t, tempDir(t))
}

func newDirIn(t testing.TB, parent string) *Dir {
	t.Helper()
	d, err := Create(filepath.Join(parent, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testDevice() *Device {
	return &Device{
		Version: 1,
		Vault:   strings.Repeat("0123", 8), Device: "00112233445566aa", Label: "desk & <chair>", Remote: "/mnt/shelf",
		Root: "ssh-ed25519 AAAAC3Nz", SignSeed: strings.Repeat("5e", 32), AgeIdentity: "AGE-SECRET-KEY-1SECRET",
		DataKey: chunk.ID{1}.String(), SegmentKey: chunk.ID{2}.String(), Polynomial: "3da3358b4dc173",
		Recipients: []string{"age1pq1example"}, RecipientsHash: strings.Repeat("ab", 32),
		TrustN: 3, TrustSum: strings.Repeat("cd", 32),
		Series: []SeriesState{
			{Series: "aaaaaaaaaaaaaaaa", Kind: "d", RecipientsHash: strings.Repeat("ab", 32)},
			{Series: "bbbbbbbbbbbbbbbb", Kind: "s", RecipientsHash: strings.Repeat("ab", 32)},
		},
		KitPath: "/home/\xff/kit.txt",
	}
}

// newDevice returns a state folder with a device.
func newDevice(t testing.TB) *Dir {
	t.Helper()
	return newDeviceIn(t, tempDir(t))
}

func newDeviceIn(t testing.TB, parent string) *Dir {
	t.Helper()
	d := newDirIn(t, parent)
	if err := d.CreateDevice(testDevice()); err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyDir returns the state as a process would find it that starts now, after
// the present one was killed.
func copyDir(t testing.TB, d *Dir) *Dir {
	t.Helper()
	to := filepath.Join(tempDir(t), "copy")
	if err := os.CopyFS(to, os.DirFS(d.path)); err != nil {
		t.Fatal(err)
	}
	c, err := Open(to)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// damages yields copies of b with a bit flipped, and cut short: at every place
// in a small file, at that many in a large one.
func damages(b []byte, places int) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		step := max(1, len(b)/places)
		for i := 0; i < len(b); i += step {
			c := slices.Clone(b)
			c[i] ^= 1 << (i / step % 8)
			if !yield(i, c) || !yield(i, b[:i]) {
				return
			}
		}
	}
}

// fill uses every part of the state once.
func fill(t testing.TB, d *Dir) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(d.CreateDevice(testDevice()))
	run, err := d.LockRun(t.Context(), "test")
	check(err)
	defer run.Unlock()
	n := d.Numbers(chunk.Series{0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa})
	_, err = n.Next()
	check(err)
	check(n.Close())
	id, err := d.Project("docs")
	check(err)
	check(d.WriteSmall("seen.json", testSmall{Names: []string{"c1"}}))
	check(d.AddSnapshot(Snapshot{Commit: "c1", Project: id, Key: "docs"}))
	packs, err := d.Packs(chunk.Series{1})
	check(err)
	check(packs.Set(3, Pack{Size: 9}))
	check(packs.Close())
	x, err := d.OpenIndex(1)
	check(err)
	check(x.Add(chunk.Series{1}, 3, []chunk.Ref{{ID: chunk.ID{7}, Series: chunk.Series{1}, Number: 3, Len: 1}}))
	_, err = x.Compact(t.Context(), CompactOptions{})
	check(err)
	check(x.Close())
	for range 2 { // one finished, one interrupted
		base, w, err := d.BeginManifest(id, "/home/docs")
		check(err)
		check(w.Add(&Record{Path: []byte("a"), Stat: files.Stat{Type: files.Regular}, Line: []byte("{}")}))
		check(base.Close())
		check(w.Commit())
	}
	_, w, err := d.BeginManifest(id, "/home/docs")
	check(err)
	check(w.Add(&Record{Path: []byte("b"), Stat: files.Stat{Type: files.Regular}, Line: []byte("{}")}))
	check(w.Close())
}

// Whatever the umask, and whatever was there before, nobody else may look in.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		dir := filepath.Join(t.TempDir(), "state")
		old := syscall.Umask(umask)
		d, err := Create(dir)
		if err == nil {
			fill(t, d)
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			want := fs.FileMode(0o600)
			if e.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("umask %03o: %s has mode %03o", umask, path, info.Mode().Perm())
			}
			name, _, _ := strings.Cut(e.Name(), "-")
			seen[name] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"device.json", "device.json.old", "projects.json", "seen.json", "catalog.jsonl",
			"sorted", "tail", "manifest", "checkpoint", "run.lock", "write.lock", "0100000000000000"} {
			if !seen[name] {
				t.Errorf("umask %03o: no file %s among %v", umask, name, slices.Sorted(maps.Keys(seen)))
			}
		}
	}
}

func TestOpenClosesFolder(t *testing.T) {
	d := newDevice(t)
	if err := os.Chmod(d.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(d.path); info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %03o", info.Mode().Perm())
	}
}

// A folder that is named by mistake, such as a home, must stay as it is.
func TestOpenLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder that is not there: %v", err)
	}
	write(t, filepath.Join(dir, "letter.txt"), []byte("x"))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (*Dir, error){"Open": Open, "Create": Create} {
		for _, path := range []string{dir, filepath.Join(dir, "letter.txt")} {
			if _, err := open(path); err == nil {
				t.Errorf("%s took %s", name, path)
			}
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o755 {
		t.Errorf("mode is %03o", info.Mode().Perm())
	}
}
