package prune_test

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
	"coffer/vault/prune"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

const day = 24 * time.Hour

var project = trust.ProjectID("00112233445566aa")

// A yard is a vault whose remote's clock a test turns, a folder that is backed
// up into it, and what each snapshot must hold.
type yard struct {
	t    testing.TB
	room *vaulttest.Room
	dir  string
	time *clock
	want map[string]map[string]string // by snapshot ID
	torn []string                     // commits that are not to be looked at: a crash left half of them
}

// A clock is turned by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newYard(t testing.TB) *yard {
	store := mem.New()
	c := &clock{now: time.Now().Add(-365 * day)}
	store.SetClock(c.Now)
	y := &yard{t: t, room: vaulttest.On(t, store), dir: vaulttest.Folder(t), time: c, want: map[string]map[string]string{}}
	y.retrust(func(tr *trust.Trust) { tr.Floor = trust.Floor{} })
	return y
}

// story is a vault with two snapshots, of which the first has a file of its own
// and is forgotten since so long that it may go.
func story(t testing.TB) (y *yard, first, second string) {
	y = newYard(t)
	y.write("stays", 3000, 1)
	y.write("goes", 200<<10, 2)
	grain()
	first = y.back().Snapshot
	y.remove("goes")
	y.write("new", 5000, 3)
	grain()
	y.time.pass(day)
	second = y.back().Snapshot
	y.forget(first)
	y.time.pass(8 * day)
	return y, first, second
}

func (y *yard) memory() *mem.Store { return y.room.Store.(*mem.Store) }

// on is the yard on another room, for another test.
func (y *yard) on(t testing.TB, room *vaulttest.Room) *yard {
	return &yard{t: t, room: room, dir: y.dir, time: y.time, want: maps.Clone(y.want)}
}

// write makes a file that does not compress; its content follows from the seed.
func (y *yard) write(name string, size int, seed byte) {
	y.t.Helper()
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	path := filepath.Join(y.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		y.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) remove(name string) {
	y.t.Helper()
	if err := os.Remove(filepath.Join(y.dir, name)); err != nil {
		y.t.Fatal(err)
	}
}

// grain waits until times of files are past the grain within which a further
// change could go unseen.
func grain() { time.Sleep(100 * time.Millisecond) }

func (y *yard) options() backup.Options {
	return backup.Options{Project: project, Label: "p", Roots: []string{y.dir}, Host: "h", Workers: 1, Uploads: 1}
}

func (y *yard) open(ctx context.Context) (*vault.Vault, error) {
	return vault.Open(ctx, y.room.Store, vault.OpenOptions{State: y.room.Dir(y.t), Safety: y.room.Safety})
}

// back takes a snapshot, with a process of its own.
func (y *yard) back() backup.Result {
	y.t.Helper()
	res, err := y.tryBack(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	return res
}

func (y *yard) tryBack(ctx context.Context) (backup.Result, error) {
	v, err := y.open(ctx)
	if err != nil {
		return backup.Result{}, err
	}
	res, err := backup.Run(ctx, v, y.options())
	if err == nil {
		y.want[res.Snapshot] = y.tree()
	}
	return res, err
}

// tree returns the content of all files below the folder.
func (y *yard) tree() map[string]string {
	y.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(y.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return out
}

// all lets a prune delete as much as it likes: small vaults lose most of their
// packs at once.
var all = prune.Options{MaxDelete: 1}

// make plans a prune, with a process of its own.
func (y *yard) make(o prune.Options) *prune.Plan {
	y.t.Helper()
	v, err := y.open(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	p, err := prune.Make(y.t.Context(), v, o)
	if err != nil {
		y.t.Fatal(err)
	}
	return p
}

// prune plans and runs a prune.
func (y *yard) prune() prune.Result {
	y.t.Helper()
	res, err := y.tryPrune(y.t.Context(), all)
	if err != nil {
		y.t.Fatal(err)
	}
	return res
}

func (y *yard) tryPrune(ctx context.Context, o prune.Options) (prune.Result, error) {
	v, err := y.open(ctx)
	if err != nil {
		return prune.Result{}, err
	}
	p, err := prune.Make(ctx, v, o)
	if err != nil {
		return prune.Result{}, err
	}
	return p.Run(ctx)
}

// say signs and stores a commit of the room's device after all that it has
// committed.
func (y *yard) say(fill func(*commit.Commit)) commit.Name {
	y.t.Helper()
	dev, err := y.room.Dir(y.t).Device()
	if err != nil {
		y.t.Fatal(err)
	}
	c := &commit.Commit{
		Version: 1, Vault: trust.VaultID(dev.Vault), Device: trust.DeviceID(dev.Device),
		Time: y.time.Now().UTC().Truncate(time.Second), Trust: y.under("trust/")[0],
	}
	fill(c)
	if err := c.Follow(y.heads(c.Device)...); err != nil {
		y.t.Fatal(err)
	}
	obj, err := c.Sign(dev.SignKey())
	if err != nil {
		y.t.Fatal(err)
	}
	if err := y.room.Store.Put(y.t.Context(), remote.NewObject(c.Name().String(), obj)); err != nil {
		y.t.Fatal(err)
	}
	return c.Name()
}

// heads are the commits of a device that no other follows.
func (y *yard) heads(id trust.DeviceID) []*commit.Commit {
	y.t.Helper()
	dev, _ := y.room.Reopen(y.t).Trust().Device(id)
	pub, err := trust.ParsePublic(dev.Sign)
	if err != nil {
		y.t.Fatal(err)
	}
	heads := map[string]*commit.Commit{}
	for _, name := range y.under("commits/" + string(id) + "/") {
		n, err := commit.ParseName(name)
		if err != nil {
			y.t.Fatal(err)
		}
		c, err := commit.Open(n, y.get(name), pub)
		if err != nil {
			y.t.Fatal(err)
		}
		heads[n.Base()] = c
		for _, prev := range c.Prev {
			delete(heads, prev)
		}
	}
	return slices.Collect(maps.Values(heads))
}

// forget says that a snapshot may go; it is not looked for any more.
func (y *yard) forget(id string) {
	y.t.Helper()
	base := y.base(id)
	y.say(func(c *commit.Commit) { c.Kind, c.Forgets = commit.Forget, []string{base} })
	delete(y.want, id)
}

// base is the base name of a snapshot's commit.
func (y *yard) base(id string) string {
	y.t.Helper()
	for _, name := range y.under("commits/") {
		if n, err := commit.ParseName(name); err == nil && n.Hash() == id {
			return n.Base()
		}
	}
	y.t.Fatalf("no snapshot %s", id)
	return ""
}

func (y *yard) get(name string) []byte {
	y.t.Helper()
	b, err := y.room.Store.Get(y.t.Context(), nil, name, 0, -1)
	if err != nil {
		y.t.Fatal(err)
	}
	return b
}

// under lists names.
func (y *yard) under(prefix string) []string {
	y.t.Helper()
	var out []string
	for i, err := range y.room.Store.List(context.Background(), prefix, "") {
		if err != nil {
			y.t.Fatal(err)
		}
		out = append(out, i.Name)
	}
	return out
}

// prunable lists all objects that a prune may ever delete.
func (y *yard) prunable() []string {
	var out []string
	for _, top := range []string{"packs/", "rolls/", "ledgers/", "snapshots/", "moves/"} {
		out = append(out, y.under(top)...)
	}
	return out
}

// check restores all snapshots that must be there, by the kit alone, and
// compares them byte for byte.
func (y *yard) check() {
	y.t.Helper()
	v := y.room.Lent(y.t)
	found := map[string]bool{}
	for s, err := range v.Snapshots(y.t.Context()) {
		if err != nil {
			y.t.Fatal(err)
		}
		found[s.ID()] = true
		want, ok := y.want[s.ID()]
		if !ok {
			continue
		}
		got, err := vaulttest.Read(y.t.Context(), v, s)
		if err != nil {
			y.t.Errorf("snapshot %s: %v", s.Short(), err)
		} else if !maps.Equal(got, want) {
			y.t.Errorf("snapshot %s differs: %d files, want %d", s.Short(), len(got), len(want))
		}
	}
	for id := range y.want {
		if !found[id] {
			y.t.Errorf("snapshot %.8s is gone", id)
		}
	}
}

// whole fails the test if the ledger of a commit is there and names what is
// gone: packs go last.
func (y *yard) whole() {
	y.t.Helper()
	v := y.room.Lent(y.t)
	there := map[string]bool{}
	for _, name := range y.prunable() {
		there[name] = true
	}
	for s, err := range v.Snapshots(y.t.Context()) {
		if err != nil {
			y.t.Fatal(err)
		}
		name := s.Commit.Ledger
		if !there[name] {
			continue
		}
		l, err := v.Ledger(y.t.Context(), name)
		if err != nil {
			y.t.Error(err)
			continue
		}
		for _, roll := range l.Rolls() {
			if !there[roll] {
				y.t.Errorf("%s names a roll that is gone: %s", name, roll)
			}
		}
		for p, err := range l.Packs(func(roll string) ([]byte, error) { return y.get(roll), nil }) {
			if err != nil {
				y.t.Error(err)
			} else if !there[p.Name()] {
				y.t.Errorf("%s names a pack that is gone: %s", name, p.Name())
			}
		}
	}
}

// deep verifies everything that live snapshots need.
func (y *yard) deep() {
	y.t.Helper()
	res, err := verify.Run(y.t.Context(), y.room.Lent(y.t), verify.Options{Deep: true})
	if err != nil {
		y.t.Fatal(err)
	}
	for _, p := range res.Problems {
		if slices.Contains(y.torn, p.Object) {
			continue
		}
		y.t.Errorf("%s: %v (%s)", p.Object, p.Err, p.Harms)
	}
}

// names are those of objects.
func names(objects []prune.Object) (out []string) {
	for _, o := range objects {
		out = append(out, o.Name)
	}
	slices.Sort(out)
	return out
}

func without(list, gone []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(gone, s) {
			out = append(out, s)
		}
	}
	return out
}

func has(problems []vault.Problem, object string) bool {
	return slices.ContainsFunc(problems, func(p vault.Problem) bool { return strings.HasPrefix(p.Object, object) })
}

func hook(s remote.Store, before func(op remote.Op, name string) error) remote.Store {
	return &vaulttest.Hook{Store: s, Before: before}
}

func isStopped(err error) bool {
	var stopped *prune.StoppedError
	return errors.As(err, &stopped)
}

// sumOf is the hash in a name.
func sumOf(t testing.TB, name string) (sum [32]byte) {
	t.Helper()
	if _, err := hex.Decode(sum[:], []byte(name[len(name)-64:])); err != nil {
		t.Fatal(err)
	}
	return sum
}

// retrust signs a further trust with the kit.
func (y *yard) retrust(change func(*trust.Trust)) {
	y.t.Helper()
	v := y.room.Lent(y.t)
	next := *v.Trust()
	next.Devices = slices.Clone(next.Devices)
	next.N++
	var err error
	if _, next.Prev, err = trust.ParseName(v.TrustName()); err != nil {
		y.t.Fatal(err)
	}
	change(&next)
	name, obj, _, err := trust.Seal(&next, trust.RootKey(y.room.Kit.Identity))
	if err == nil {
		err = y.room.Store.Put(y.t.Context(), remote.NewObject(name, obj))
	}
	if err != nil {
		y.t.Fatal(err)
	}
}
