package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/restore"
	"coffer/vault/vaulttest"
)

// What others do to the files while they are read: nothing hangs, nothing is
// left out in silence, and what is stored is what was read.

const hostileFiles = 8 // of each kind

// A troubler changes a tree as fast as it can.
type troubler struct {
	dir, outside string
	stop         atomic.Bool
	done         sync.WaitGroup
	changes      atomic.Int64
}

func (h *troubler) path(kind string, i int) string {
	return filepath.Join(h.dir, kind, fmt.Sprintf("%s%d", kind, i))
}

// version is content that shows when it was put together from two.
func version(n int64, size int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%07d ", n%10_000_000)), size/8)
}

func newTroubler(t *testing.T) *troubler {
	h := &troubler{dir: t.TempDir(), outside: t.TempDir()}
	for _, kind := range []string{"still", "grow", "shrink", "replace", "delete"} {
		for i := range hostileFiles {
			write(t, h.path(kind, i), 8, 1)
			must(t, os.WriteFile(h.path(kind, i), version(int64(i), 40_000+i*200_000), 0o644))
		}
	}
	for i := range 3 {
		must(t, os.MkdirAll(h.path("swap", i), 0o755))
		must(t, os.WriteFile(filepath.Join(h.path("swap", i), "f"), []byte("inside"), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(h.outside, "f"), []byte("SECRET from outside"), 0o600))
	return h
}

func (h *troubler) start() {
	for _, act := range []func(n int64){h.grow, h.shrink, h.replace, h.remove, h.swap} {
		h.done.Go(func() {
			for n := int64(0); !h.stop.Load(); n++ {
				act(n)
				h.changes.Add(1)
				time.Sleep(50 * time.Microsecond) // a core is left to the run
			}
		})
	}
}

func (h *troubler) end() {
	h.stop.Store(true)
	h.done.Wait()
}

func (h *troubler) grow(n int64) {
	f, err := os.OpenFile(h.path("grow", int(n%hostileFiles)), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Size() > 4<<20 {
		_ = f.Truncate(0)
	}
	_, _ = f.Write(version(n, 30_000))
}

func (h *troubler) shrink(n int64) {
	path := h.path("shrink", int(n%hostileFiles))
	_ = os.Truncate(path, n%7*100_000)
}

func (h *troubler) replace(n int64) {
	temp := filepath.Join(h.outside, "new")
	if os.WriteFile(temp, version(n, 600_000), 0o644) == nil {
		_ = os.Rename(temp, h.path("replace", int(n%hostileFiles)))
	}
}

func (h *troubler) remove(n int64) {
	path := h.path("delete", int(n%hostileFiles))
	_ = os.Remove(path)
	time.Sleep(200 * time.Microsecond)
	_ = os.WriteFile(path, version(n, 50_000), 0o644)
}

// swap puts a symlink in a folder's place for a moment.
func (h *troubler) swap(n int64) {
	link := filepath.Join(h.outside, "link")
	_ = os.Symlink(h.outside, link)
	at := h.path("swap", int(n%3))
	_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
	time.Sleep(100 * time.Microsecond)
	_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
}

func TestTroubledSource(t *testing.T) {
	room := vaulttest.New(t)
	h := newTroubler(t)
	h.start()
	var changed, unread int64
	for range 10 {
		res := run(t, room.Reopen(t), h.dir)
		changed, unread = changed+res.ChangedCount, unread+res.UnreadCount
		h.check(t, room, &res)
	}
	h.end()
	t.Logf("tried: 10 backups beside %d changes, %d files told as changed, %d as unread", h.changes.Load(), changed, unread)
	if h.changes.Load() < 100 {
		t.Error("hardly anything was changed")
	}
	waitGrain()
	if res := run(t, room.Reopen(t), h.dir); res.Partial || res.ChangedCount > 0 {
		t.Errorf("when all is still: %+v", res)
	}
	if want, got := onDisk(t, h.dir), room.Read(t, "latest"); !maps.Equal(want, got) {
		t.Errorf("%d files came back of %d, or others", len(got), len(want))
	}
}

// check holds a snapshot, made while all went on, against what is promised.
// Reading it proves that as much is stored of each file as its entry says.
func (h *troubler) check(t *testing.T, room *vaulttest.Room, res *backup.Result) {
	t.Helper()
	got := room.Read(t, res.Snapshot)
	told := map[string]bool{}
	for _, m := range res.Unread {
		told[m.Path] = true
	}
	for i := range hostileFiles {
		still := h.path("still", i)
		if got[still] != string(version(int64(i), 40_000+i*200_000)) {
			t.Errorf("%s, which nobody touched, differs", still)
		}
		for _, kind := range []string{"grow", "shrink"} {
			if _, ok := got[h.path(kind, i)]; !ok && !told[h.path(kind, i)] {
				t.Errorf("%s is left out in silence", h.path(kind, i))
			}
		}
		if b, ok := got[h.path("replace", i)]; ok && !told[h.path("replace", i)] && b != strings.Repeat(b[:8], len(b)/8) {
			t.Errorf("%s is put together from two", h.path("replace", i))
		}
	}
	for path, b := range got {
		if strings.Contains(b, "SECRET") {
			t.Errorf("%s was read from outside the root", path)
		}
	}
}

// onDisk reads all regular files of a tree.
func onDisk(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	}))
	return out
}

// An edit that leaves size and time of modification as they were is seen.
func TestSameSizeAndTime(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), 1000, uint64(i))
	}
	waitGrain()
	run(t, room.Vault, dir)
	waitGrain()
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint(i))
		fi, err := os.Stat(path)
		must(t, err)
		write(t, path, 1000, uint64(100+i))
		must(t, os.Chtimes(path, fi.ModTime(), fi.ModTime()))
	}
	if res := run(t, room.Reopen(t), dir); res.ChangedFiles != 20 {
		t.Errorf("%d of 20 edits were seen", res.ChangedFiles)
	}
	if want, got := onDisk(t, dir), room.Read(t, "latest"); !maps.Equal(want, got) {
		t.Error("the snapshot is not what is on the disk")
	}
}

// A file that is edited right after it was read, and before its times can show
// that, is read again by the next run.
func TestEditsWithinTheGrain(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	path := filepath.Join(dir, "f")
	v := room.Vault
	for round := range 30 {
		write(t, path, 5000, uint64(2*round))
		first := run(t, v, dir)
		write(t, path, 5000, uint64(2*round+1))
		second := run(t, v, dir)
		for id, seed := range map[string]int{first.Snapshot: 2 * round, second.Snapshot: 2*round + 1} {
			if got := room.Read(t, id)[path]; got != string(noise(5000, uint64(seed))) {
				t.Fatalf("round %d: a snapshot holds another edit than was on the disk", round)
			}
		}
	}
}

// Newer kernels give each change that could be missed a time of its own, so
// that the test above would pass by itself. What was read within the grain is
// read again, once, and then no more. Rounds in which this machine was too slow
// to be within it prove nothing, and do not count.
func TestReadWithinTheGrainIsReadAgain(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	path := filepath.Join(dir, "f")
	v := room.Vault
	fast := 0
	for round := 0; round < 60 && fast < 5; round++ {
		began := time.Now()
		write(t, path, 5000, uint64(round))
		run(t, v, dir)
		within := time.Since(began) < 45*time.Millisecond
		waitGrain()
		if again := run(t, v, dir); within && again.ReadBytes != 5000 {
			t.Errorf("a file that was read within the grain was not read again: %+v", again)
		}
		if still := run(t, v, dir); still.ReadBytes != 0 {
			t.Errorf("a file that holds still was read again and again: %+v", still)
		}
		if within {
			fast++
		}
	}
	t.Logf("%d rounds were within the grain", fast)
}

// A path may be longer than any that the system takes at once.
func TestPathsBeyondTheLimit(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	name := strings.Repeat("n", 250)
	at, err := os.OpenRoot(dir)
	must(t, err)
	for range 20 { // more than 4,096 bytes
		must(t, at.Mkdir(name, 0o755))
		next, err := at.OpenRoot(name)
		must(t, err)
		must(t, at.Close())
		at = next
	}
	must(t, at.WriteFile("deep", []byte("down here"), 0o644))
	must(t, at.Close())
	waitGrain()
	if res := run(t, room.Vault, dir); res.Partial || res.Files != 1 || res.Dirs != 21 {
		t.Errorf("%+v", res)
	}
	to := filepath.Join(t.TempDir(), "to")
	restoreTo(t, room, to)
	at, err = os.OpenRoot(to)
	must(t, err)
	for range 20 {
		next, err := at.OpenRoot(name)
		must(t, err)
		must(t, at.Close())
		at = next
	}
	if b, err := at.ReadFile("deep"); err != nil || string(b) != "down here" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, at.Close())
}

func restoreTo(t *testing.T, room *vaulttest.Room, to string) restore.Result {
	t.Helper()
	v := room.Lent(t)
	snap, err := v.Find(t.Context(), "latest", vault.Filter{})
	must(t, err)
	src, err := v.Source(t.Context(), snap)
	must(t, err)
	res, err := restore.Run(t.Context(), src, restore.Options{Target: to})
	must(t, err)
	return res
}

// A folder with very many entries is one that no list of names must hold up.
// COFFER_MANY is how many.
func TestVeryManyEntries(t *testing.T) {
	many := 200_000
	if text := os.Getenv("COFFER_MANY"); text != "" {
		var err error
		many, err = strconv.Atoi(text)
		must(t, err)
	}
	room, dir := vaulttest.New(t), vaulttest.Folder(t)
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	for i := range many {
		must(t, unix.Mknodat(int(root.Fd()), fmt.Sprintf("%09d", i*7919%many), unix.S_IFREG|0o644, 0))
	}
	waitGrain()
	if res := run(t, room.Vault, dir); res.Partial || res.Files != int64(many) {
		t.Errorf("%+v", res)
	}
	if res := run(t, room.Reopen(t), dir); !res.Unchanged || res.KeptFiles != int64(many) {
		t.Errorf("again: %+v", res)
	}
	t.Logf("tried: %d entries in one folder", many)
}

// A terabyte of hole is neither read nor stored, and comes back as one.
func TestTerabyteOfHole(t *testing.T) {
	const size = 1 << 40
	room, dir := vaulttest.New(t), t.TempDir()
	path := filepath.Join(dir, "sparse")
	f, err := os.Create(path)
	must(t, err)
	offsets := []int64{0, 700<<30 + 12345, size - 5000}
	for i, off := range offsets {
		_, err := f.WriteAt(noise(5000, uint64(i)), off)
		must(t, err)
	}
	must(t, f.Truncate(size))
	must(t, f.Close())
	waitGrain()
	if res := run(t, room.Vault, dir); res.Partial || res.Bytes != size || res.ReadBytes > 1<<20 {
		t.Errorf("%+v", res)
	}
	to := filepath.Join(t.TempDir(), "to")
	restoreTo(t, room, to)
	f, err = os.Open(filepath.Join(to, "sparse"))
	must(t, err)
	defer f.Close()
	fi, err := f.Stat()
	must(t, err)
	if st := fi.Sys().(*syscall.Stat_t); fi.Size() != size || st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes, %d of them on the disk", fi.Size(), st.Blocks*512)
	}
	for i, off := range offsets {
		b := make([]byte, 5000)
		if _, err := f.ReadAt(b, off); err != nil || !bytes.Equal(b, noise(5000, uint64(i))) {
			t.Errorf("at %d: %v", off, err)
		}
	}
}

// What is no file holds nothing up; what cannot be read is named, and the rest
// is stored.
func TestWhatIsNoFile(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "f"), 100, 1)
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	socket, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	defer socket.Close()
	waitGrain()
	told := map[backup.EventKind][]string{}
	const unreadable = "/proc/self/mem" // a regular file to the system, and reading its first byte is an I/O error
	res, err := backup.Run(t.Context(), room.Vault, backup.Options{
		Project: project, Label: "p", Roots: []string{dir, unreadable},
		OnEvent: func(e backup.Event) { told[e.Kind] = append(told[e.Kind], e.Path) },
	})
	must(t, err)
	if !res.Partial || len(res.Unread) != 1 || res.Unread[0].Path != unreadable || !errors.Is(res.Unread[0].Err, syscall.EIO) {
		t.Errorf("unread: %+v", res.Unread)
	}
	if want := []string{filepath.Join(dir, "s")}; !slices.Equal(told[backup.LeftOut], want) || res.LeftOutCount != 1 {
		t.Errorf("left out: %q", told[backup.LeftOut])
	}
	entries := room.Entries(t, "latest")
	if e := entries[filepath.Join(dir, "fifo")]; e == nil || e.Type != files.FIFO {
		t.Errorf("the FIFO: %+v", e)
	}
	if e := entries[unreadable]; e == nil || !strings.Contains(e.Err, "input/output error") || e.Size != 0 || len(e.Refs) > 0 {
		t.Errorf("what could not be read: %+v", e)
	}
}
