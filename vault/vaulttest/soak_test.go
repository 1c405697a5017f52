package vaulttest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/storetest/servers"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/prune"
	"coffer/vault/state"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// hasty are ages in seconds instead of days, with the inequalities that hold
// between the usual ones: a day of the vault takes some ten seconds.
var hasty = vault.Safety{
	CommitLife: 5 * time.Second, ListLag: time.Second,
	Grace: 8 * time.Second, GraceLate: 10 * time.Second, GraceBoot: 10 * time.Second,
	AckTrust: 6 * time.Second, CondemnAge: 8 * time.Second, ForgetDelay: 4 * time.Second,
	ProgressEvery: 3 * time.Second, ProgressLife: 30 * time.Second,
}

// A farm is a vault on a real server, on which two devices back up, forget,
// bring back and prune at once.
type farm struct {
	rooms   [2]*vaulttest.Room
	folders [2]string

	rest sync.RWMutex // each thing done holds it for reading

	mu        sync.Mutex
	want      map[string][sha256.Size]byte // guarded by mu: brief of the files, by snapshot ID
	forgotten map[string]bool              // guarded by mu: IDs that were ever to be forgotten

	backups, late, restarts, forgets, back, condemned, deleted, stopped atomic.Int64
}

func newFarm(t *testing.T) *farm {
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	store := srv.Open(t, srv.NewBucket(t), "farm")
	f := &farm{want: map[string][sha256.Size]byte{}, forgotten: map[string]bool{}}
	f.rooms[0] = vaulttest.On(t, store)
	f.rooms[0].Safety = &hasty
	f.rooms[1], _ = f.rooms[0].Enrol(t, vault.EnrolOptions{})
	retrust(t, f.rooms[0], func(tr *trust.Trust) {
		tr.Floor = trust.Floor{}
		tr.Devices[1].Roles = tr.Devices[0].Roles
	})
	for i := range f.folders {
		f.folders[i] = vaulttest.Folder(t)
	}
	return f
}

// retrust signs a further trust with the kit.
func retrust(t *testing.T, room *vaulttest.Room, change func(*trust.Trust)) {
	t.Helper()
	v := room.Lent(t)
	next := *v.Trust()
	next.Devices = slices.Clone(next.Devices)
	next.N++
	var err error
	_, next.Prev, err = trust.ParseName(v.TrustName())
	must(t, err)
	change(&next)
	name, obj, _, err := trust.Seal(&next, trust.RootKey(room.Kit.Identity))
	must(t, err)
	must(t, room.Store.Put(t.Context(), remote.NewObject(name, obj)))
}

// open opens the vault as a process of a device does.
func (f *farm) open(ctx context.Context, i int) (*vault.Vault, error) {
	dir, err := state.Open(f.rooms[i].StatePath())
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, f.rooms[i].Store, vault.OpenOptions{State: dir, Safety: &hasty})
}

// backUp changes a file and takes a snapshot.
func (f *farm) backUp(ctx context.Context, i int, rng *rand.Rand) error {
	name := filepath.Join(f.folders[i], fmt.Sprint(rng.IntN(6)))
	b := make([]byte, 1+rng.IntN(100_000))
	for n := range b {
		b[n] = byte(rng.Uint32())
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		return err
	}
	v, err := f.open(ctx, i)
	if err != nil {
		return err
	}
	res, err := backup.Run(ctx, v, backup.Options{
		Project: []trust.ProjectID{"00112233445566aa", "00112233445566bb"}[i], Label: "p", Roots: []string{f.folders[i]}, Host: "h", Workers: 1,
		OnEvent: func(e backup.Event) {
			if e.Kind == backup.Restart {
				f.restarts.Add(1)
			}
		},
	})
	if err != nil {
		return err
	}
	files, err := contents(f.folders[i])
	if err != nil {
		return err
	}
	f.backups.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.want[res.Snapshot] = brief(files)
	return nil
}

// contents are the files of a folder by their paths.
func contents(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out[path] = string(b)
	}
	return out, nil
}

// brief stands for files: what the test keeps of long soaks must not be what
// grows.
func brief(files map[string]string) [sha256.Size]byte {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%q %x\n", path, sha256.Sum256([]byte(files[path])))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// forget forgets a snapshot, of whichever device, or brings one back.
func (f *farm) forget(ctx context.Context, i int, rng *rand.Rand) error {
	v, err := f.open(ctx, i)
	if err != nil {
		return err
	}
	var kept, hidden []*vault.Snapshot
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if s.Forgotten {
			hidden = append(hidden, s)
		} else {
			kept = append(kept, s)
		}
	}
	if rng.IntN(3) == 0 && len(hidden) > 0 {
		n, err := v.Undelete(ctx, hidden[len(hidden)-1:], nil)
		f.back.Add(int64(n))
		if errors.Is(err, vault.ErrTooLate) {
			return nil
		}
		return err
	}
	if len(kept) < 3 {
		return nil
	}
	s := kept[rng.IntN(len(kept))]
	f.mu.Lock()
	f.forgotten[s.ID()] = true
	f.mu.Unlock()
	_, err = v.Forget(ctx, []*vault.Snapshot{s}, nil)
	f.forgets.Add(1)
	return err
}

// prune does what a prune does. One may be stopped: what it saw as needed at its
// beginning another one may have deleted, because here a day is shorter than a
// look.
func (f *farm) prune(ctx context.Context, i int) error {
	v, err := f.open(ctx, i)
	if err != nil {
		return err
	}
	p, err := prune.Make(ctx, v, prune.Options{MaxDelete: 1})
	if err != nil {
		return err
	}
	res, err := p.Run(ctx)
	f.condemned.Add(res.Condemned.All().Count)
	f.deleted.Add(res.Deleted.All().Count)
	if stopped := (*prune.StoppedError)(nil); errors.As(err, &stopped) {
		f.stopped.Add(1)
		return nil
	}
	return err
}

// work does a thing again and again. That a device is busy, that a commit came
// too late or that a list changed under a run is told and tried again.
func (f *farm) work(ctx context.Context, t *testing.T, what string, pause time.Duration, do func(*rand.Rand) error) {
	rng := rand.New(rand.NewPCG(uint64(len(what)), uint64(what[0])))
	for ctx.Err() == nil {
		f.rest.RLock()
		err := do(rng)
		f.rest.RUnlock()
		switch {
		case err == nil, ctx.Err() != nil:
		case errors.Is(err, state.ErrLocked):
		default:
			f.late.Add(1) // as on a slow machine, where a commit is older than its seconds
			t.Logf("%s: %v", what, err)
		}
		select {
		case <-time.After(pause + time.Duration(rng.Int64N(int64(pause)))):
		case <-ctx.Done():
		}
	}
}

// enough tells whether all that is to be seen was seen.
func (f *farm) enough() bool {
	return f.backups.Load() >= 20 && f.forgets.Load() >= 5 && f.back.Load() >= 1 && f.deleted.Load() >= 20
}

// Two devices back up hourly, forget, bring back and prune on a real server, all
// at once, with days of seconds. In the end every snapshot that was not
// forgotten is there, byte for byte, and nothing is wrong with the vault.
//
// COFFER_SOAK is how long it goes on, as "10m"; usually half a minute, or
// until enough has happened.
func TestSoak(t *testing.T) {
	length := 30 * time.Second
	if text := os.Getenv("COFFER_SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		must(t, err)
	}
	f := newFarm(t)
	ctx, stop := context.WithTimeout(t.Context(), length+5*time.Minute)
	defer stop()
	var all sync.WaitGroup
	for i := range f.rooms {
		all.Go(func() {
			f.work(ctx, t, fmt.Sprintf("device %d backs up", i+1), 400*time.Millisecond, func(rng *rand.Rand) error { return f.backUp(ctx, i, rng) })
		})
		all.Go(func() {
			f.work(ctx, t, fmt.Sprintf("device %d forgets", i+1), 700*time.Millisecond, func(rng *rand.Rand) error { return f.forget(ctx, i, rng) })
		})
		all.Go(func() {
			f.work(ctx, t, fmt.Sprintf("device %d prunes", i+1), time.Second, func(*rand.Rand) error { return f.prune(ctx, i) })
		})
	}
	began := time.Now()
	g := gauge{length: length}
	for ctx.Err() == nil && (len(g.uses) < 4 || !f.enough()) {
		time.Sleep(100 * time.Millisecond)
		g.look(t, time.Since(began), &f.rest)
	}
	g.check(t)
	stop()
	all.Wait()
	t.Logf("tried: a soak of %s: %d backups, %d that restarted, %d errors, %d forgets, %d brought back, %d objects condemned, %d deleted, %d prunes stopped",
		time.Since(began).Round(time.Second), f.backups.Load(), f.restarts.Load(), f.late.Load(), f.forgets.Load(), f.back.Load(), f.condemned.Load(), f.deleted.Load(), f.stopped.Load())
	if !f.enough() {
		t.Error("that is not enough to show anything")
	}
	f.check(t)
}

// check looks with the kit alone whether all is there that should be.
func (f *farm) check(t *testing.T) {
	v := f.rooms[0].Lent(t)
	seen := map[string]bool{}
	for s, err := range v.Snapshots(t.Context()) {
		must(t, err)
		if s.Forgotten {
			continue
		}
		seen[s.ID()] = true
		got, err := vaulttest.Read(t.Context(), v, s)
		if err != nil {
			t.Errorf("snapshot %s: %v", s.Short(), err)
		}
		if want, ok := f.want[s.ID()]; err == nil && ok && brief(got) != want {
			t.Errorf("snapshot %s is not what was backed up", s.Short())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.want)) {
		if !seen[id] && !f.forgotten[id] {
			t.Errorf("snapshot %.8s is gone, and nobody forgot it", id)
		}
	}
	res, err := verify.Run(t.Context(), f.rooms[0].Lent(t), verify.Options{Deep: true})
	must(t, err)
	for _, p := range res.Problems {
		t.Errorf("%s: %v (%s)", p.Object, p.Err, p.Harms)
	}
	t.Logf("%d snapshots of %d packs are whole", res.Snapshots, res.Packs)
}
