package prune_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/prune"
	"coffer/vault/state"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// ctx is that of what no test ends.
var ctx = context.Background()

// lag is how long listings of a world may lag.
const lag = time.Hour

// A stage is a vault of two devices with some history, from which every story
// begins: snapshots that stay, and one that is forgotten and not yet pruned.
type stage struct {
	store *mem.Store
	homes [2]string // folders with the devices' states
	vault trust.VaultID
	time  time.Time
	judge *judge
}

var projects = [2]trust.ProjectID{"00112233445566aa", "00112233445566bb"}

func newStage(t *testing.T) *stage {
	store := mem.New()
	c := &clock{now: time.Now().Add(-365 * day)}
	store.SetClock(c.Now)
	a := vaulttest.On(t, store)
	b, _ := a.Enrol(t, vault.EnrolOptions{})
	y := &yard{t: t, room: a}
	y.retrust(func(tr *trust.Trust) {
		tr.Floor = trust.Floor{}
		tr.Devices[1].Roles = tr.Devices[0].Roles
	})
	j := &judge{store: store, now: c.Now, needs: map[string]map[string]bool{}, said: map[string][]word{}}
	watched := hook(store, func(remote.Op, string) error { return nil })
	for i, room := range []*vaulttest.Room{a, b} {
		for from := range 2 {
			c.pass(10 * day)
			v := room.With(watched).Reopen(t)
			if err := backUp(t.Context(), v, projects[i], []string{text(i, from), text(i, from+1)}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	snaps := list(t.Context(), b.Reopen(t))
	if _, err := b.Reopen(t).Forget(t.Context(), snaps[:1], nil); err != nil {
		t.Fatal(err)
	}
	y.commits(j)
	c.pass(20 * day)
	return &stage{store, [2]string{a.Home, b.Home}, a.Kit.Vault, c.Now(), j}
}

// commits tells a judge of all commits that are there.
func (y *yard) commits(j *judge) {
	for _, name := range y.under("commits/") {
		j.publishes(name, y.get(name))
	}
	j.saw = sights{}
}

// text is a chunk of a device's disk.
func text(device, n int) string { return fmt.Sprintf("device %d holds %d", device, n) }

// backUp makes a snapshot of chunks, each in a pack of its own, as
// vault/backup makes one of files.
func backUp(ctx context.Context, v *vault.Vault, project trust.ProjectID, chunks []string, restarted func()) error {
	for range 3 {
		err := tryBackUp(ctx, v, project, chunks)
		if !errors.Is(err, vault.ErrRestart) {
			return err
		}
		if restarted != nil {
			restarted()
		}
	}
	return nil
}

func tryBackUp(ctx context.Context, v *vault.Vault, project trust.ProjectID, chunks []string) (err error) {
	run, err := v.Begin(ctx, vault.RunOptions{Project: project, Level: pack.Fastest, Uploads: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if err := run.Examine(ctx); err != nil {
		return err
	}
	used := new(ledger.Set)
	lane := run.Lane(chunk.Data)
	for _, c := range chunks {
		ref, _, err := lane.Put([]byte(c))
		if err != nil {
			return err
		}
		used.Add(ref.Series, ref.Number)
		if err := lane.Flush(); err != nil {
			return err
		}
	}
	now, err := v.Store().Now(ctx)
	if err != nil {
		return err
	}
	_, err = run.Commit(ctx, vault.NewSnapshot{Used: used, Body: &manifest.Body{
		Project: string(project), Label: strings.Join(chunks, ", "), Start: now.UTC().Truncate(time.Second), End: now.UTC().Truncate(time.Second),
	}})
	if err != nil {
		return err
	}
	_, err = run.Heal(ctx)
	return err
}

// list returns the snapshots that can be read.
func list(ctx context.Context, v *vault.Vault) (out []*vault.Snapshot) {
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// A process does one thing after another, each in a life of its own.
type process struct {
	who    string
	device int
	prunes bool
	lives  []func(context.Context, *vault.Vault) error
}

// cast draws what the processes of a story do.
func (w *world) cast() []process {
	backup := func(device int) func(context.Context, *vault.Vault) error {
		var chunks []string
		for range 1 + w.rng.IntN(2) {
			chunks = append(chunks, text(device, w.rng.IntN(5)))
		}
		return func(ctx context.Context, v *vault.Vault) error {
			return backUp(ctx, v, projects[device], chunks, func() { w.judge.saw.restarts++ })
		}
	}
	forget := func() func(context.Context, *vault.Vault) error {
		n := w.rng.IntN(1000)
		return func(ctx context.Context, v *vault.Vault) error {
			snaps := list(ctx, v)
			if len(snaps) == 0 {
				return nil
			}
			_, err := v.Forget(ctx, snaps[n%len(snaps):][:1], nil)
			return err
		}
	}
	undelete := func(ctx context.Context, v *vault.Vault) error {
		for _, s := range list(ctx, v) {
			if s.Forgotten {
				if _, err := v.Undelete(ctx, []*vault.Snapshot{s}, nil); !errors.Is(err, vault.ErrTooLate) {
					return err
				}
			}
		}
		return nil
	}
	pruning := func(ctx context.Context, v *vault.Vault) error {
		p, err := prune.Make(ctx, v, prune.Options{MaxDelete: 1})
		if err != nil {
			return err
		}
		r, err := p.Run(ctx)
		w.judge.saw.condemned += int(r.Condemned.All().Count)
		return err
	}
	one := process{who: "writer 1", device: 0}
	two := process{who: "writer 2", device: 1}
	for range 2 {
		one.lives = append(one.lives, backup(0))
	}
	two.lives = append(two.lives, forget(), backup(1), undelete)
	if w.rng.IntN(2) == 0 {
		two.lives = append(two.lives, forget())
	}
	w.rng.Shuffle(len(two.lives), func(i, j int) { two.lives[i], two.lives[j] = two.lives[j], two.lives[i] })
	out := []process{one, two}
	for device := range 2 {
		p := process{who: fmt.Sprintf("prune %d", device+1), device: device, prunes: true}
		for range 2 {
			p.lives = append(p.lives, pruning)
		}
		out = append(out, p)
	}
	return out
}

// live lives the lives of a process. What it returns with is no matter: the
// judge says whether it was right.
func (w *world) live(p process, path string) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.working--
	}()
	for _, do := range p.lives {
		at := &port{w: w, who: p.who, prunes: p.prunes}
		err := w.once(at, path, do)
		if isCrash(err) {
			w.judge.saw.crashes++
		}
		if err != nil {
			w.tell("%s: %v", p.who, err)
		}
	}
}

func (w *world) once(at *port, path string, do func(context.Context, *vault.Vault) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := state.Open(path)
	if err != nil {
		return err
	}
	safety := vault.DefaultSafety
	safety.ListLag = lag
	if w.flaws.hasty && at.prunes {
		safety.ListLag, safety.CommitLife, safety.Grace, safety.CondemnAge = 0, time.Second, 2*time.Second, time.Second
	}
	var store remote.Store = at
	if w.tries {
		store = remote.Retry(at, remote.RetryOptions{Total: time.Minute})
	}
	v, err := vault.Open(ctx, store, vault.OpenOptions{State: dir, Safety: &safety})
	if err != nil {
		return err
	}
	return do(ctx, v)
}

// play plays the story of a seed and returns its world.
func (s *stage) play(t *testing.T, scratch string, seed uint64, f flaws) (w *world) {
	var homes [2]string
	for i, home := range s.homes {
		homes[i] = filepath.Join(scratch, strconv.Itoa(i))
		if err := os.CopyFS(homes[i], os.DirFS(filepath.Join(home, "state", string(s.vault)))); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(s.store, s.time, s.judge.copy(), seed, f)
		cast := w.cast()
		w.working = len(cast)
		for _, p := range cast {
			go w.live(p, homes[p.device])
		}
		if err := w.run(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		w.judge.ends()
	})
	for _, home := range homes {
		if err := os.RemoveAll(home); ignoreGone(err) != nil {
			t.Fatal(err)
		}
	}
	return w
}

// stories plays seeds on as many goroutines as there are processors, until
// done says so.
func (s *stage) stories(t *testing.T, from, to uint64, f flaws, done func(seed uint64, w *world) bool) {
	var mu sync.Mutex
	next, stop := from, false
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next-1 < to && !stop
	}
	t.Run("stories", func(t *testing.T) {
		for range 2 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				scratch := vaulttest.Folder(t)
				for seed, more := take(); more; seed, more = take() {
					w := s.play(t, scratch, seed, f)
					mu.Lock()
					stop = done(seed, w) || stop
					mu.Unlock()
				}
			})
		}
	})
}

// env is a number from the environment.
func env(t *testing.T, name string, usual uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}
