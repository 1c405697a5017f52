package prooftest_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	dirstore "coffer/remote/dir"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/kit"
	"coffer/vault/prune"
	"coffer/vault/restore"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

const day = 24 * time.Hour

var project = trust.ProjectID("00112233445566aa")

// A world is a machine and a remote: what a crash may interrupt. Its fields are
// all that a process needs to go on in it.
type world struct {
	Home   string // state, kit, and what a scene restores
	Source string // the folder that is backed up
	Folder bool   // the remote is a folder of the home, and has the clock of the machine
	Now    time.Time
	Want   map[string]map[string]string // the files of each snapshot, by its ID

	store remote.Store
	torn  bool // the remote kept half of an object
	cut   bool // what was not synced is lost
}

// newWorld is a vault without a snapshot and a folder of some files.
func newWorld(t testing.TB) *world {
	w := emptyWorld(t)
	_, _, _, err := vault.Init(t.Context(), w.store, vaulttest.Options(w.Home))
	must(t, err)
	return w
}

func emptyWorld(t testing.TB) *world {
	w := &world{Home: vaulttest.Folder(t), Source: vaulttest.Folder(t), Want: map[string]map[string]string{}, store: mem.New()}
	if _, ok := t.(onFolder); ok {
		w.Folder, w.store = true, w.open(w.Home)
	}
	w.Now = time.Now().Add(-365 * day).UTC().Truncate(time.Second)
	w.wind()
	for i := range 3 {
		w.write(fmt.Sprintf("a/%d", i), 1000*i, byte(i))
	}
	w.write("large", 50<<10, 30)
	return w
}

// An onFolder test has its worlds on a remote that is a folder.
type onFolder struct{ testing.TB }

// open opens the remote that is a folder of a home.
func (w *world) open(home string) remote.Store {
	dir := filepath.Join(home, vaultFolder)
	err := os.MkdirAll(dir, 0o700)
	store, err2 := dirstore.Open(dir)
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	return store
}

const vaultFolder = "vault"

// safety are the ages in force: of a folder, those that do not ask how long this
// machine has been on.
func (w *world) safety() *vault.Safety {
	if !w.Folder {
		return nil
	}
	s := vault.DefaultSafety
	s.GraceBoot = 1
	return &s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass on the remote. What lies in a folder grows older.
func (w *world) pass(d time.Duration) {
	w.Now = w.Now.Add(d)
	if !w.Folder {
		return
	}
	err := filepath.WalkDir(filepath.Join(w.Home, vaultFolder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, info.ModTime().Add(-d))
	})
	if err != nil {
		panic(err)
	}
}

// wind makes the world's time that of its store.
func (w *world) wind() {
	s := w.store
	for {
		u, ok := s.(interface{ Unwrap() remote.Store })
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	if s, ok := s.(interface{ SetClock(func() time.Time) }); ok {
		s.SetClock(func() time.Time { return w.Now })
	}
}

// write makes a file that does not compress; its content follows from the seed.
// Its time lies back, so that the next run may trust it.
func (w *world) write(name string, size int, seed byte) {
	path := filepath.Join(w.Source, name)
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644))
	if err != nil {
		panic(err)
	}
}

// grain waits until times of files are past the grain within which a further
// change could go unseen.
func grain() { time.Sleep(100 * time.Millisecond) }

func (w *world) kit() *kit.Kit {
	found, err := filepath.Glob(filepath.Join(w.Home, "coffer-kit-*.txt"))
	if err != nil || len(found) != 1 {
		panic(fmt.Sprint("kits: ", found, err))
	}
	f, err := os.Open(found[0])
	if err != nil {
		panic(err)
	}
	defer f.Close()
	k, err := kit.Parse(f)
	if err != nil {
		panic(err)
	}
	return &k
}

// room is the device whose state lies in a folder of the home.
func (w *world) room(folder string) *vaulttest.Room {
	return &vaulttest.Room{Store: w.store, Kit: w.kit(), Home: filepath.Join(w.Home, folder)}
}

// device opens the vault as its device does at each start.
func (w *world) device(ctx context.Context, lend bool) (*vault.Vault, error) {
	dir, err := stateIn(filepath.Join(w.Home, "state"))
	if err != nil {
		return nil, err
	}
	o := vault.OpenOptions{State: dir, Safety: w.safety()}
	if lend {
		o.Kit = w.kit()
	}
	return vault.Open(ctx, w.store, o)
}

// lent opens the vault by the kit alone.
func (w *world) lent(ctx context.Context) (*vault.Vault, error) {
	return vault.Open(ctx, w.store, vault.OpenOptions{Kit: w.kit(), Safety: w.safety()})
}

func (w *world) backUp(ctx context.Context) error {
	v, err := w.device(ctx, false)
	if err != nil {
		return err
	}
	return w.backUpWith(ctx, v)
}

func (w *world) backUpWith(ctx context.Context, v *vault.Vault) error {
	if err := v.State().BindProject("p", string(project)); err != nil {
		return err
	}
	res, err := backup.Run(ctx, v, backup.Options{
		Project: project, Key: "p", Label: "p", Roots: []string{w.Source}, Host: "h", Workers: 1, Uploads: 1,
	})
	if err == nil {
		w.Want[res.Snapshot], err = tree(w.Source)
	}
	for _, warning := range res.Warnings {
		err = errors.Join(err, falseAlarm(warning))
	}
	return err
}

// errAlarm is what no machine may be told that is alone with its state, whatever
// became of its commits.
var errAlarm = errors.New("taken for a clone")

func falseAlarm(warning error) error {
	if strings.Contains(warning.Error(), "another copy of its state") {
		return fmt.Errorf("%w: %w", errAlarm, warning)
	}
	return nil
}

// actEnv says which scene a process plays that was started for it.
const actEnv = "COFFER_PROOF_ACT"

func (w *world) prune(ctx context.Context, lend bool) error {
	v, err := w.device(ctx, lend)
	if err != nil {
		return err
	}
	p, err := prune.Make(ctx, v, prune.Options{MaxDelete: 1, Repack: lend})
	if err != nil {
		return err
	}
	if os.Getenv(actEnv) != "" { // whoever plays the scene hears what is said
		for _, said := range p.Warnings {
			fmt.Fprintln(os.Stderr, said)
		}
	}
	_, err = p.Run(ctx)
	return err
}

// forget forgets a snapshot; it is not looked for any more.
func (w *world) forget(ctx context.Context, n int) error {
	v, err := w.device(ctx, false)
	if err != nil {
		return err
	}
	var snaps []*vault.Snapshot
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		snaps = append(snaps, s)
	}
	var alarm error
	_, err = v.Forget(ctx, snaps[n:n+1], func(warning error) { alarm = errors.Join(alarm, falseAlarm(warning)) })
	delete(w.Want, snaps[n].ID())
	return errors.Join(err, alarm)
}

func (w *world) restore(ctx context.Context, o restore.Options) error {
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	snap, err := v.Find(ctx, "latest", vault.Filter{})
	if err != nil {
		return err
	}
	src, err := v.Source(ctx, snap)
	if err != nil {
		return err
	}
	res, err := restore.Run(ctx, src, o)
	for _, p := range res.Failed.First {
		err = errors.Join(err, p.Err)
	}
	return err
}

// tree returns the content of all files below a folder by path.
func tree(dir string) (map[string]string, error) {
	out := map[string]string{}
	return out, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
}

// check restores every snapshot that must be there by the kit alone, and
// compares it byte for byte.
func (w *world) check(ctx context.Context) error {
	if len(w.Want) == 0 {
		return nil
	}
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	left := maps.Clone(w.Want)
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		want, ok := left[s.ID()]
		if !ok {
			continue
		}
		delete(left, s.ID())
		got, err := vaulttest.Read(ctx, v, s)
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", s.Short(), err)
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("snapshot %s differs", s.Short())
		}
	}
	for id := range left {
		return fmt.Errorf("snapshot %.8s is gone", id)
	}
	return nil
}

// latest compares the newest snapshot with what is there.
func (w *world) latest(ctx context.Context) error {
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	s, err := v.Find(ctx, "latest", vault.Filter{})
	if err != nil {
		return err
	}
	got, err := vaulttest.Read(ctx, v, s)
	if err != nil {
		return err
	}
	if want, _ := tree(w.Source); !maps.Equal(got, want) {
		return errors.New("the newest snapshot is not what is there")
	}
	return nil
}

// sound verifies everything. What a torn object left may be told of.
func (w *world) sound(ctx context.Context) error {
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	res, err := verify.Run(ctx, v, verify.Options{Deep: true})
	if err == nil && len(res.Problems) > 0 && !w.torn {
		p := res.Problems[0]
		err = fmt.Errorf("%s: %w (%s)", p.Object, p.Err, p.Harms)
	}
	return err
}

// list lists names.
func (w *world) list(prefix string) (names []string) {
	for i, err := range w.store.List(context.Background(), prefix, "") {
		if err != nil {
			panic(err)
		}
		names = append(names, i.Name)
	}
	return names
}

// remove takes an object away.
func (w *world) remove(name string) {
	if err := w.store.Delete(context.Background(), name); err != nil {
		panic(err)
	}
}

// A mirror is a store in memory that keeps a copy of each object in a folder,
// so that a recorder sees what the remote did among all else.
type mirror struct {
	*mem.Store
	dir string
}

const remoteFolder = "remote"

func fileOf(name string) string { return strings.ReplaceAll(name, "/", "+") }
func nameOf(file string) string { return strings.ReplaceAll(file, "+", "/") }

func (m mirror) keep(o remote.Object, now time.Time) error {
	temp := filepath.Join(m.dir, ".temp")
	b := append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())), o.Data...)
	return errors.Join(os.WriteFile(temp, b, 0o600), os.Rename(temp, filepath.Join(m.dir, fileOf(o.Name))))
}

func (m mirror) Put(ctx context.Context, o remote.Object) error {
	err := m.Store.Put(ctx, o)
	if err != nil {
		return err
	}
	now, err := m.Now(ctx)
	return errors.Join(err, m.keep(o, now))
}

func (m mirror) Delete(ctx context.Context, name string) error {
	if err := m.Store.Delete(ctx, name); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(m.dir, fileOf(name)))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

func (m mirror) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	st, err := m.Store.Stage(ctx, o, life)
	o.Data = slices.Clone(o.Data)
	return mirrorStaged{st, m, o}, err
}

type mirrorStaged struct {
	remote.Staged
	m mirror
	o remote.Object
}

func (s mirrorStaged) Publish(ctx context.Context) error {
	if err := s.Staged.Publish(ctx); err != nil {
		return err
	}
	now, err := s.m.Now(ctx)
	return errors.Join(err, s.m.keep(s.o, now))
}

// unmirror makes a store of the copies.
func unmirror(files map[string][]byte) *mem.Store {
	s := mem.New()
	for file, b := range files {
		if file[0] == '.' {
			continue
		}
		s.Overwrite(nameOf(file), b[8:])
		s.SetTime(nameOf(file), time.Unix(0, int64(binary.BigEndian.Uint64(b))))
	}
	return s
}

// save writes a world into its home, for another process.
func (w *world) save(t testing.TB) {
	t.Helper()
	b, err := json.Marshal(w)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.Home, worldFile), b, 0o600))
	if w.Folder {
		return
	}
	m := mirror{w.store.(*mem.Store), filepath.Join(w.Home, remoteFolder)}
	must(t, os.Mkdir(m.dir, 0o700))
	for i, err := range w.store.List(t.Context(), "", "") {
		must(t, err)
		b, err := w.store.Get(t.Context(), nil, i.Name, 0, -1)
		must(t, err)
		must(t, m.keep(remote.NewObject(i.Name, b), i.Time))
	}
}

const worldFile = "world.json"

// loadWorld opens the world in a home, on a store that keeps copies there.
func loadWorld(home string) (*world, error) {
	b, err := os.ReadFile(filepath.Join(home, worldFile))
	if err != nil {
		return nil, err
	}
	w := new(world)
	if err := json.Unmarshal(b, w); err != nil {
		return nil, err
	}
	if w.Home = home; w.Folder {
		w.store = w.open(home)
		return w, nil
	}
	dir := filepath.Join(home, remoteFolder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	w.store = mirror{unmirror(files), dir}
	w.wind()
	return w, nil
}
