package backup_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/kit"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A keeper backs up one folder and remembers what each snapshot must hold.
type keeper struct {
	t    testing.TB
	room *vaulttest.Room
	dir  string
	want map[string]map[string]string // by snapshot ID
}

func newKeeper(t testing.TB) *keeper {
	return &keeper{t: t, room: vaulttest.New(t), dir: vaulttest.Folder(t), want: map[string]map[string]string{}}
}

// options are those of every run of a keeper: with one worker, so that the
// operations of a run have one order.
func (k *keeper) options() backup.Options {
	return backup.Options{Project: project, Label: "p", Roots: []string{k.dir}, Host: "h", Workers: 1, Uploads: 1}
}

// write writes files below the folder; the content follows from the seed.
func (k *keeper) write(name string, size int, seed uint64) {
	k.t.Helper()
	write(k.t, filepath.Join(k.dir, name), size, seed)
}

// tree returns the content of all files below the folder.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run takes a snapshot with a process of its own.
func (k *keeper) run() backup.Result {
	k.t.Helper()
	res, err := k.try(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return res
}

// try is run that may fail, also in opening the vault.
func (k *keeper) try(ctx context.Context) (backup.Result, error) {
	k.t.Helper()
	v, err := vault.Open(ctx, k.room.Store, vault.OpenOptions{State: k.room.Dir(k.t), Safety: k.room.Safety})
	if err != nil {
		return backup.Result{}, err
	}
	return k.runOn(ctx, v, k.options())
}

func (k *keeper) runOn(ctx context.Context, v *vault.Vault, o backup.Options) (backup.Result, error) {
	res, err := backup.Run(ctx, v, o)
	if err == nil {
		k.want[res.Snapshot] = tree(k.t, k.dir)
	}
	return res, err
}

// on is the keeper on another room, that of a copy of its store or state.
func (k *keeper) on(t testing.TB, room *vaulttest.Room) *keeper {
	return &keeper{t: t, room: room, dir: k.dir, want: maps.Clone(k.want)}
}

// check restores all snapshots of which something is known by the kit alone,
// and compares them byte for byte.
func (k *keeper) check() {
	k.t.Helper()
	v := k.room.Lent(k.t)
	found := map[string]bool{}
	for s, err := range v.Snapshots(k.t.Context()) {
		if err != nil {
			k.t.Fatal(err)
		}
		found[s.ID()] = true
		want, ok := k.want[s.ID()]
		if !ok {
			continue
		}
		got, err := vaulttest.Read(k.t.Context(), v, s)
		if err != nil {
			k.t.Errorf("snapshot %s: %v", s.Short(), err)
		} else if d := different(got, want); d != "" {
			k.t.Errorf("snapshot %s: %s", s.Short(), d)
		}
	}
	for id := range k.want {
		if !found[id] {
			k.t.Errorf("snapshot %s is gone", id[:8])
		}
	}
}

// different names the first difference of two sets of files.
func different(got, want map[string]string) string {
	for name, b := range want {
		if g, ok := got[name]; !ok {
			return name + " is missing"
		} else if g != b {
			return fmt.Sprintf("%s differs: %d bytes, want %d", name, len(g), len(b))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return name + " should not be there"
		}
	}
	return ""
}

// deep verifies everything and returns the problems.
func (k *keeper) deep() []verify.Problem {
	k.t.Helper()
	res, err := verify.Run(k.t.Context(), k.room.Lent(k.t), verify.Options{Deep: true})
	if err != nil {
		k.t.Fatal(err)
	}
	return res.Problems
}

// clean fails the test if anything in the vault is wrong.
func (k *keeper) clean() {
	k.t.Helper()
	for _, p := range k.deep() {
		k.t.Errorf("%s: %v (%s)", p.Object, p.Err, p.Harms)
	}
}

// bytesUnder sums up the objects with a prefix, and counts them.
func bytesUnder(t testing.TB, s remote.Store, prefix string) (n int, bytes int64) {
	t.Helper()
	for i, err := range s.List(context.Background(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		bytes += i.Size
	}
	return n, bytes
}

// only returns the one object whose name begins with prefix.
func only(t testing.TB, s remote.Store, prefix string) string {
	t.Helper()
	var found []string
	for i, err := range s.List(context.Background(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, i.Name)
	}
	if len(found) != 1 {
		t.Fatalf("%d objects begin with %s: %s", len(found), prefix, strings.Join(found, " "))
	}
	return found[0]
}

// memory is the keeper's store, where that is one in memory.
func (k *keeper) memory() *mem.Store { return k.room.Store.(*mem.Store) }

type memStore = mem.Store

func newMem() *mem.Store { return mem.New() }

// roomAt is the room of a kit and of the state beside it.
func roomAt(t testing.TB, store remote.Store, home, path string) *vaulttest.Room {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k, err := kit.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return &vaulttest.Room{Store: store, Kit: &k, Home: home, Path: path}
}

func newIdentity(t testing.TB) *seal.Identity {
	t.Helper()
	id, err := seal.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// opens fails the test unless id opens every pack of the newest snapshot.
func opens(t testing.TB, k *keeper, id *seal.Identity) {
	t.Helper()
	v := k.room.Lent(t)
	snap, err := v.Find(t.Context(), "latest", vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := v.Source(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range src.Ledger().Packs(nil) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := k.room.Store.Get(t.Context(), nil, p.Name(), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Open(b, seal.NewIdentities(id)); err != nil {
			t.Errorf("%s: %v", p.Name(), err)
		}
	}
}

// withRecipient adds a recipient to those of a trust.
func withRecipient(t testing.TB, lines []string, id *seal.Identity) []string {
	t.Helper()
	r, err := seal.ParseRecipients(append(slices.Clone(lines), id.Recipient()))
	if err != nil {
		t.Fatal(err)
	}
	return r.Strings()
}
