package restore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/files"
	"coffer/vault/manifest"
)

// canary tells all of a tree that writing to it would change.
func canary(t testing.TB, dir string) (out []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		fi, err := d.Info()
		must(t, err)
		st := fi.Sys().(*syscall.Stat_t)
		line := fmt.Sprint(path, " ", fi.Mode(), " ", st.Uid, ":", st.Gid, " ", fi.ModTime())
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			must(t, err)
			line += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		out = append(out, line)
		return nil
	}))
	return out
}

// While another process swaps folders and files of the target for symlinks,
// FIFOs and hard links that lead out of it, restore after restore, in every
// manner, writes, changes and removes nothing outside. When it stops, a last
// restore makes the target whole.
func TestRacingProcess(t *testing.T) {
	src := newFake()
	src.save(t, "/r", raceEntries(t, src)...)
	base := temp(t)
	to, outside := base+"/to", base+"/outside"
	for d := range raceFolders {
		writeFile(t, fmt.Sprintf("%s/d%d/f00", outside, d), "precious")
		must(t, os.Chmod(fmt.Sprintf("%s/d%d/f00", outside, d), 0o604))
		must(t, os.Mkdir(fmt.Sprintf("%s/d%d/sub", outside, d), 0o705))
	}
	before := canary(t, outside)
	run(t, src, Options{Target: to})
	stop := race(t, to, outside, base+"/decoys")
	refused, small := 0, bounds{entries: 30, refs: 100, open: 10, bytes: 1 << 20}
	for i := range 24 {
		o := Options{Target: to, Overwrite: []Overwrite{Always, IfChanged}[i%2], Delete: i%3 == 2, Verify: i%4 == 1, bounds: small}
		res, err := Run(t.Context(), src, o)
		if err != nil && !errors.Is(err, ErrPartial) {
			t.Error(err)
		}
		refused += int(res.Failed.Count)
	}
	swaps := stop()
	if swaps == 0 {
		t.Error("nothing was swapped")
	}
	t.Logf("tried: 24 restores raced by %d swaps, %d entries refused", swaps, refused)
	if after := canary(t, outside); !slices.Equal(before, after) {
		t.Errorf("outside:\n%s\nwas\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	run(t, src, Options{Target: to, Delete: true, Overwrite: Always})
	clean := temp(t)
	run(t, src, Options{Target: clean})
	same(t, clean, to)
	noTemps(t, to)
}

const raceFolders = 6

func raceEntries(t *testing.T, src *fake) []*manifest.Entry {
	entries := []*manifest.Entry{dirEntry("")}
	for d := range raceFolders {
		entries = append(entries, dirEntry(fmt.Sprintf("d%d", d)), dirEntry(fmt.Sprintf("d%d/sub", d)), linkTo(fmt.Sprintf("d%d/link", d), "f00"))
		for i := range 20 {
			entries = append(entries, src.file(t, fmt.Sprintf("d%d/f%02d", d, i), noise(3000, uint64(d*100+i))))
		}
		entries = append(entries, src.file(t, fmt.Sprintf("d%d/sub/f", d), noise(100, uint64(d))))
	}
	return entries
}

// race starts the process. The function that it returns stops it, and says how
// often it swapped something.
func race(t *testing.T, to, outside, decoys string) (stop func() int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRacer$")
	cmd.Env = append(os.Environ(), "COFFER_TEST_RACE="+strings.Join([]string{to, outside, decoys}, ":"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	buf := make([]byte, 1)
	_, err = io.ReadFull(out, buf) // it has begun
	must(t, err)
	return func() int {
		must(t, in.Close())
		text, err := io.ReadAll(out)
		must(t, err)
		must(t, cmd.Wait())
		n, _, _ := strings.Cut(string(text), "\n")
		swaps, err := strconv.Atoi(n)
		must(t, err)
		return swaps
	}
}

// TestRacer is what the other process runs; without being told of a target it
// does nothing.
func TestRacer(t *testing.T) {
	paths := strings.Split(os.Getenv("COFFER_TEST_RACE"), ":")
	if len(paths) != 3 {
		return
	}
	r := racer{to: paths[0], outside: paths[1], decoys: paths[2]}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	fmt.Print(".")
	for i := 0; ; i++ {
		select {
		case <-done:
			fmt.Printf("%d\n", r.swaps)
			return
		default:
			r.swap(i)
		}
	}
}

type racer struct {
	to, outside, decoys string
	swaps               int
}

// swap puts a trap where something of the target is, in one step, and takes it
// away again.
func (r *racer) swap(i int) {
	d := fmt.Sprintf("d%d", i%raceFolders)
	trap := filepath.Join(r.decoys, "trap")
	_ = os.RemoveAll(r.decoys)
	_ = os.Mkdir(r.decoys, 0o755)
	name := d
	switch i / raceFolders % 6 {
	case 0, 1:
		_ = os.Symlink(filepath.Join(r.outside, d), trap)
	case 2:
		name = d + "/sub"
		_ = os.Symlink(filepath.Join("../../outside", d, "sub"), trap)
	case 3:
		name = d + "/f00"
		_ = os.Link(filepath.Join(r.outside, d, "f00"), trap)
	case 4:
		name = d + "/f00"
		_ = os.Symlink(filepath.Join(r.outside, d, "f00"), trap)
	case 5:
		_ = syscall.Mkfifo(trap, 0o600)
	}
	at := filepath.Join(r.to, name)
	if unix.Renameat2(unix.AT_FDCWD, trap, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE) != nil {
		return
	}
	r.swaps++
	time.Sleep(time.Duration(i%4) * 200 * time.Microsecond) // long enough to be met, or hardly there
	_ = unix.Renameat2(unix.AT_FDCWD, trap, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
}

// pieces are what hostile names are made of.
var pieces = []string{
	"..", ".", "/", "//", "\x00", "\\", "a", "to", "outside", "\x1b[2J", "\r\n", "\xff", "\xc3(", "\u202e", "e\u0301", "é", "İ", "ﬁ", "C:", "CON", "~",
	" ", "-", "*", ":", "::$DATA", "\u2215", "\uff0f", strings.Repeat("n", 255), strings.Repeat("é", 128), "%2e%2e%2f", "..;/",
}

// Of thousands of names put together from what is dangerous, each is refused
// and named, or is one entry below the target.
func TestNamesAtRandom(t *testing.T) {
	src := newFake()
	random := rand.New(rand.NewPCG(1, 2))
	names := map[string]bool{}
	for len(names) < 3000 {
		var name string
		for range 1 + random.IntN(4) {
			name += pieces[random.IntN(len(pieces))]
		}
		names[name] = true
	}
	base := temp(t)
	writeFile(t, base+"/outside/a", "precious")
	before := canary(t, base+"/outside")
	to, err := openTarget(base+"/to", &Options{}, files.WriterOptions{Replace: true})
	must(t, err)
	r := &restore{src: marked{src}, names: map[string]string{}, rec: &recorder{}, o: Options{Target: base + "/to", Workers: 1, bounds: bounds{}.orDefault()}}
	p := &planner{restore: r, to: to, sift: newSift(nil, nil), links: linkTable{}}
	must(t, p.entry(t.Context(), dirEntry("")))
	kinds := []func(string) *manifest.Entry{
		func(n string) *manifest.Entry { return src.file(t, n, "x") },
		dirEntry,
		func(n string) *manifest.Entry { return linkTo(n, "../outside/a") },
		func(n string) *manifest.Entry { return entry(n, files.FIFO, 0o600) },
	}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		must(t, p.entry(t.Context(), kinds[i%len(kinds)](name)))
	}
	must(t, p.flush(t.Context()))
	must(t, to.Close())
	res := &r.rec.res
	if sum := res.Refused.Count + res.Failed.Count + res.Files + res.Links + res.Symlinks + res.Specials + res.Folders; sum < int64(len(names)) {
		t.Errorf("%d names, and only %d are accounted for: %+v", len(names), sum, res)
	}
	t.Logf("tried: %d hostile names, %d refused", len(names), res.Refused.Count)
	if res.Refused.Count < 1000 || res.Files < 100 {
		t.Errorf("the names are too harmless, or too harmful: %+v", res)
	}
	if got := canary(t, base+"/outside"); !slices.Equal(got, before) {
		t.Errorf("outside: %q", got)
	}
	if got := listNames(t, base); !slices.Equal(got, []string{"outside", "to"}) {
		t.Errorf("beside the target: %q", got)
	}
}

func listNames(t *testing.T, dir string) (out []string) {
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range all {
		out = append(out, e.Name())
	}
	return out
}
