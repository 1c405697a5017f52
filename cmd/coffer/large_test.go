package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/kit"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// How large the vault of BenchmarkLargeVault is.
const (
	largeSnapshots = 5000
	largeChunks    = 10_000_000
	chunksPerPack  = 100
	largePacks     = largeChunks / chunksPerPack
)

// large is a synthetic vault of that size in a folder, and the machine that
// made it: signed and chained commits, ledgers with rolls, packs of the right
// sizes with nothing in them, a local index of all chunks. Its first snapshot
// is real, and so is what all others name.
type large struct {
	home, remote, kit string
	state             string
	store             *dir.Store
	dev               *state.Device
	first             *commit.Commit
}

func newLarge(b *testing.B) *large {
	b.Helper()
	root := b.TempDir()
	l := &large{home: filepath.Join(root, "home"), remote: filepath.Join(root, "remote")}
	work := filepath.Join(root, "work")
	b.Chdir(root)
	for _, d := range []string{l.home, work} {
		must(b, os.Mkdir(d, 0o700))
	}
	must(b, os.WriteFile(filepath.Join(work, "one.txt"), []byte("one\n"), 0o600))
	l.run(b, l.home, "init", "--classic", l.remote)
	l.run(b, l.home, "backup", "now", work)
	l.kit = only(b, filepath.Join(l.home, ".local/share/coffer/coffer-kit-*.txt"))
	l.state = only(b, filepath.Join(l.home, ".local/state/coffer/*"))
	l.open(b)
	l.fill(b)
	l.index(b)
	l.run(b, l.home, "backup", "now", work) // adopts all commits
	return l
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func only(tb testing.TB, pattern string) string {
	tb.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		tb.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

// run runs the command as a process of its own and returns the most memory that
// it had, in bytes.
func (l *large) run(tb testing.TB, home string, args ...string) int64 {
	tb.Helper()
	peak := filepath.Join(tb.TempDir(), "peak")
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"coffer"}, args...)
	cmd.Env = append(os.Environ(), peakFile+"="+peak, "HOME="+home, "XDG_STATE_HOME=", "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "COFFER_CONFIG=", "COFFER_REMOTE=")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("coffer %q: %v\n%.2000s", args, err, out)
	}
	text, err := os.ReadFile(peak)
	must(tb, err)
	n, err := strconv.ParseInt(string(text), 10, 64)
	must(tb, err)
	return n
}

// peakFile names the variable that says where the command is to write the most
// memory that it had. The system's own count for a child begins with what its
// parent had.
const peakFile = "COFFER_TEST_PEAK"

// notingPeak is the command in tests.
func notingPeak() {
	code := realMain()
	if path := os.Getenv(peakFile); path != "" {
		if err := os.WriteFile(path, fmt.Append(nil, peak()), 0o600); err != nil {
			code = exitFailed
		}
	}
	os.Exit(code)
}

func (l *large) open(b *testing.B) {
	var err error
	l.store, err = dir.Open(l.remote)
	must(b, err)
	s, err := state.Open(l.state)
	must(b, err)
	l.dev, err = s.Device()
	must(b, err)
	name := only(b, filepath.Join(l.remote, "commits/*/*/*"))
	obj, err := os.ReadFile(name)
	must(b, err)
	l.first, _, err = commit.Parse(obj)
	must(b, err)
}

// put writes an object past the store, which would sync each.
func (l *large) put(b *testing.B, name string, data []byte) {
	path := filepath.Join(l.remote, filepath.FromSlash(name))
	must(b, os.MkdirAll(filepath.Dir(path), 0o700))
	must(b, os.WriteFile(path, data, 0o600))
}

// fill makes the packs, and commits whose ledgers name them all.
func (l *large) fill(b *testing.B) {
	b.Helper()
	obj, err := l.store.Get(b.Context(), nil, l.first.Ledger, 0, -1)
	must(b, err)
	led, err := ledger.Parse(obj)
	must(b, err)
	series := l.series(b)
	for folder := uint32(1); int(folder)*1024 < largePacks; folder++ {
		led.Folders = append(led.Folders, l.roll(b, series, folder))
	}
	sortFolders(led)
	last := l.first
	for i := 2; i <= largeSnapshots; i++ {
		obj, err := led.Encode(ledger.NewNonce())
		must(b, err)
		name := commit.ObjectName(commit.Ledgers, l.first.Device, uint64(i), sha256.Sum256(obj))
		l.put(b, name, obj)
		c := &commit.Commit{Version: 1, Vault: l.first.Vault, Device: l.first.Device, Project: l.first.Project, Kind: commit.Snapshot,
			Time: l.first.Time.Add(time.Duration(i-largeSnapshots-1) * time.Hour), Body: l.first.Body, Ledger: name, Trust: l.first.Trust}
		must(b, c.Follow(last))
		obj, err = c.Sign(l.dev.SignKey())
		must(b, err)
		l.put(b, c.Name().String(), obj)
		last = c
	}
}

func sortFolders(l *ledger.Ledger) {
	for i := range l.Folders {
		for j := i; j > 0 && lessFolder(l.Folders[j], l.Folders[j-1]); j-- {
			l.Folders[j], l.Folders[j-1] = l.Folders[j-1], l.Folders[j]
		}
	}
}

func lessFolder(a, b ledger.Folder) bool {
	if a.Series != b.Series {
		return string(a.Series[:]) < string(b.Series[:])
	}
	return a.Folder < b.Folder
}

// series is the one of the device's data packs.
func (l *large) series(b *testing.B) chunk.Series {
	for _, s := range l.dev.Series {
		if s.Kind == "d" {
			return s.ID()
		}
	}
	b.Fatal("no series")
	return chunk.Series{}
}

// roll makes the packs of a folder, as large as packs are and as holes on the
// disk, and their roll.
func (l *large) roll(b *testing.B, series chunk.Series, folder uint32) ledger.Folder {
	var packs []ledger.Pack
	for number := folder * 1024; number < (folder+1)*1024; number++ {
		p := ledger.Pack{Series: series, Number: number, Size: 16 << 20}
		binary.BigEndian.PutUint32(p.Sum[:], number)
		packs = append(packs, p)
		l.put(b, p.Name(), nil)
		must(b, os.Truncate(filepath.Join(l.remote, p.Name()), p.Size))
	}
	obj, err := ledger.EncodeRoll(series, folder, packs, ledger.NewNonce())
	must(b, err)
	name := ledger.RollName(series, folder, sha256.Sum256(obj))
	l.put(b, name, obj)
	return ledger.Folder{Series: series, Folder: folder, Roll: name, All: true}
}

// index fills the local index.
func (l *large) index(b *testing.B) {
	b.Helper()
	s, err := state.Open(l.state)
	must(b, err)
	x, err := s.OpenIndex(state.DayOf(time.Now()))
	must(b, err)
	series := l.series(b)
	random := rand.NewChaCha8([32]byte{1})
	refs := make([]chunk.Ref, chunksPerPack)
	for pack := range uint32(largePacks) {
		number := 1024 + pack%(largePacks-1024)
		for i := range refs {
			random.Read(refs[i].ID[:])
			refs[i].Series, refs[i].Number, refs[i].Offset, refs[i].Len = series, number, int64(i)<<17, 1<<17
		}
		must(b, x.Add(series, number, refs))
	}
	_, err = x.Compact(b.Context(), state.CompactOptions{Today: state.DayOf(time.Now())})
	must(b, err)
	must(b, x.Close())
}

// What it costs to open a vault of 10 million chunks and 5,000 snapshots: on a
// new machine with the kit alone, and on the machine that made it. MB is the
// most memory that the process had; requests are those of the store.
//
//	go test ./cmd/coffer -run '^$' -bench LargeVault -benchtime 1x -timeout 30m
func BenchmarkLargeVault(b *testing.B) {
	l := newLarge(b)
	text, err := os.ReadFile(l.kit)
	must(b, err)
	k, err := kit.Parse(bytes.NewReader(text))
	must(b, err)
	dir, err := state.Open(l.state)
	must(b, err)
	for who, o := range map[string]vault.OpenOptions{"kit alone": {Kit: &k}, "device": {State: dir}} {
		b.Run("open and find latest, "+who, func(b *testing.B) {
			for b.Loop() {
				l.measure(b, o, func(ctx context.Context, v *vault.Vault) error {
					_, err := v.Find(ctx, "latest", vault.Filter{})
					return err
				})
			}
		})
		b.Run("open and list snapshots, "+who, func(b *testing.B) {
			for b.Loop() {
				l.measure(b, o, countSnapshots)
			}
		})
	}
	b.Run("begin a run, device", func(b *testing.B) {
		for b.Loop() {
			l.measure(b, vault.OpenOptions{State: dir}, func(ctx context.Context, v *vault.Vault) error {
				run, err := v.Begin(ctx, vault.RunOptions{Project: l.first.Project})
				if err != nil {
					return err
				}
				return run.Close()
			})
		}
	})
	for _, c := range []struct {
		what string
		args []string
		kit  bool
	}{
		{"coffer snapshots, kit alone", []string{"snapshots"}, true},
		{"coffer ls latest, kit alone", []string{"ls", "latest"}, true},
		{"coffer snapshots", []string{"snapshots"}, false},
		{"coffer status", []string{"status"}, false},
		{"coffer backup now", []string{"backup", "now", "work"}, false},
		{"coffer verify", []string{"verify"}, false},
		{"coffer prune --dry-run", []string{"prune", "--dry-run"}, false},
	} {
		b.Run(c.what, func(b *testing.B) {
			home, args := l.home, c.args
			if c.kit {
				home, args = b.TempDir(), append([]string{"--kit", l.kit, "--remote", l.remote}, c.args...)
			}
			var most int64
			for b.Loop() {
				most = max(most, l.run(b, home, args...))
			}
			b.ReportMetric(float64(most)/(1<<20), "MB")
		})
	}
}

func countSnapshots(ctx context.Context, v *vault.Vault) error {
	n := 0
	for _, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		n++
	}
	if n < largeSnapshots {
		return fmt.Errorf("%d snapshots", n)
	}
	return nil
}

// measure opens the vault through a counter.
func (l *large) measure(b *testing.B, o vault.OpenOptions, do func(context.Context, *vault.Vault) error) {
	count := remote.Count(l.store)
	v, err := vault.Open(b.Context(), count, o)
	must(b, err)
	must(b, do(b.Context(), v))
	var requests, items int64
	for _, t := range count.Tallies() {
		requests += t.Requests
		items += t.Items
	}
	b.ReportMetric(float64(requests), "requests")
	b.ReportMetric(float64(items), "names")
	b.ReportMetric(float64(count.Tally(remote.OpGet).Bytes)/(1<<20), "MB-read")
}
