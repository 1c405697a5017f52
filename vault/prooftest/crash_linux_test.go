package prooftest_test

import (
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault/prooftest"
)

// The same program is also who plays a scene, and who records that.
const (
	homeEnv   = "COFFER_PROOF_HOME"
	recordEnv = "COFFER_PROOF_RECORD"
	faultEnv  = "COFFER_PROOF_FAULT"
)

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(recordEnv) != "":
		err = recordScene(os.Getenv(recordEnv))
	case os.Getenv(actEnv) != "":
		err = act(os.Getenv(actEnv), os.Getenv(homeEnv))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// act plays a scene in a home.
func act(name, home string) error {
	w, err := loadWorld(home)
	if err != nil {
		return err
	}
	for _, s := range scenes() {
		if s.name == name {
			return s.play(context.Background(), w)
		}
	}
	return fmt.Errorf("no scene %s", name)
}

// recordScene plays a scene in a process of its own, and writes what that did
// to a file.
func recordScene(out string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, recordEnv+"=") })
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	var fault prooftest.Fault // of no kind there is, unless one is given
	if text := os.Getenv(faultEnv); text != "" {
		if err := json.Unmarshal([]byte(text), &fault); err != nil {
			return err
		}
	}
	did, err := prooftest.Fail(os.Getenv(homeEnv), cmd, fault)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(f).Encode(did), f.Close())
}

// changesOf returns what a scene changes in a home.
func changesOf(t *testing.T, s scene, home string) []prooftest.Change {
	t.Helper()
	did, said := recorded(t, s, home)
	if did.Code != 0 {
		t.Fatal(said)
	}
	return did.Changes
}

// recorded plays a scene in a home, with the environment given, and returns what
// it did and said.
func recorded(t *testing.T, s scene, home string, env ...string) (did prooftest.Outcome, said string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "outcome")
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), append(env, recordEnv+"="+out, actEnv+"="+s.name, homeEnv+"="+home)...)
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	f, err := os.Open(out)
	must(t, err)
	defer f.Close()
	must(t, gob.NewDecoder(f).Decode(&did))
	return did, string(b)
}

// The machine stops at each change that a scene makes to its own files and to
// the remote, in each way in which it can: only the process dies, or with it
// all goes that was not synced, or the change is done by half. Whatever was
// committed before restores, and the next run finishes.
func TestStop(t *testing.T) {
	var sum stops
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				sum.everywhere(t, s, s.make(t))
			})
		}
	})
	t.Logf("tried: stops at %d changes, which leave %d states that differ", sum.changes.Load(), sum.tried.Load())
}

// The same where the remote is a folder that loses what it did not sync.
func TestStopFolder(t *testing.T) {
	var sum stops
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes() {
			if slices.Contains([]string{"init", "first", "incremental", "forget", "condemn", "delete", "repack"}, s.name) {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					w := s.make(onFolder{t})
					time.Sleep(time.Second) // what follows is newer to anybody
					sum.everywhere(t, s, w)
				})
			}
		}
	})
	t.Logf("tried: stops with a vault in a folder at %d changes, which leave %d states that differ", sum.changes.Load(), sum.tried.Load())
}

// stops counts.
type stops struct{ changes, tried atomic.Int64 }

// everywhere plays a scene once, and then goes through all states in which a
// machine that stopped can have left the disk and the remote.
func (sum *stops) everywhere(t *testing.T, s scene, w *world) {
	w.save(t)
	disk, sound := onDisk(t, w), w.Folder && len(w.list("")) > 0
	changes := changesOf(t, s, w.Home)
	if len(changes) < 2 {
		t.Fatalf("only %d changes were seen", len(changes))
	}
	p := &point{scene: s, world: w, sound: sound, seen: map[[sha256.Size]byte]bool{}, remotes: map[[sha256.Size]byte]bool{}}
	for i, c := range changes {
		if raced && i%20 != 7 {
			disk.Do(c)
			continue
		}
		for _, l := range []prooftest.Loss{prooftest.Nothing, prooftest.Bytes, prooftest.Zeros, prooftest.Names} {
			p.try(t, fmt.Sprintf("before %d of %d (%s %s), losing %d", i, len(changes), c.Kind, c.Path, l), disk.After(l), fate{cut: l != prooftest.Nothing})
		}
		if half, torn, ok := byHalf(c, disk); ok {
			p.try(t, fmt.Sprintf("half of %d of %d (%s %s)", i, len(changes), c.Kind, c.Path), half, fate{torn: torn})
		}
		disk.Do(c)
	}
	p.try(t, "at the end", disk.After(prooftest.Nothing), fate{})
	if want := onDisk(t, w); disk.Sum("") != want.Sum("") {
		t.Error("what was recorded does not lead to what is there")
	}
	t.Logf("%d changes, %d states", len(changes), len(p.seen))
	sum.changes.Add(int64(len(changes)))
	sum.tried.Add(int64(len(p.seen)))
}

// onDisk reads a home. A remote in a folder of it keeps what was synced, as all
// else does; any other keeps everything.
func onDisk(t *testing.T, w *world) *prooftest.Disk {
	durable := remoteFolder
	if w.Folder {
		durable = ""
	}
	d, err := prooftest.Load(w.Home, durable)
	must(t, err)
	return d
}

// byHalf does a change by half, where that can be: of a write the first half
// of the bytes arrives, of an object on the remote likewise.
func byHalf(c prooftest.Change, d *prooftest.Disk) (half *prooftest.Disk, torn, ok bool) {
	h := d.Clone()
	switch {
	case c.Kind == prooftest.Write && len(c.Data) > 1:
		c.Data = c.Data[:len(c.Data)/2]
		h.Do(c)
	case c.Kind == prooftest.Rename && strings.HasPrefix(c.To, remoteFolder+"/"):
		b := h.Files(remoteFolder)[strings.TrimPrefix(c.Path, remoteFolder+"/")]
		h.Do(c)
		h.Do(prooftest.Change{Kind: prooftest.Truncate, Path: c.To, Off: int64(8 + (len(b)-8)/2)})
		torn = true
	default:
		return nil, false, false
	}
	return h, torn, true
}

// A fate is what happened beside the death of the process.
type fate struct{ torn, cut bool }

// A point tries the states in which one scene may leave the world.
type point struct {
	scene scene
	world *world
	seen  map[[sha256.Size]byte]bool
	// Whether what is on the remote restores is looked at once for each state
	// of it: the kit and the remote is all that it takes.
	remotes map[[sha256.Size]byte]bool
	sound   bool // whatever is committed must be whole, what is new too
}

// try turns the machine on again as a disk says.
func (p *point) try(t *testing.T, what string, d *prooftest.Disk, f fate) {
	sum := d.Sum("")
	if p.seen[sum] {
		return
	}
	p.seen[sum] = true
	home, err := os.MkdirTemp(p.world.Home+"/..", "coffer-test-")
	must(t, err)
	defer os.RemoveAll(home)
	must(t, d.Save(home))
	w := *p.world
	w.Home, w.torn, w.cut, w.Want = home, f.torn, f.cut, maps.Clone(p.world.Want)
	w.store = w.reopen(d)
	w.wind()
	must(t, errors.Join(os.RemoveAll(filepath.Join(home, remoteFolder)), os.Remove(filepath.Join(home, worldFile))))
	right := p.scene.right
	if right == nil {
		right = func(*world) error { return nil }
	}
	if err = right(&w); err == nil && !p.remotes[d.Sum(remoteFolder)] {
		p.remotes[d.Sum(remoteFolder)] = true
		err = w.check(t.Context())
	}
	if err == nil && p.sound {
		err = w.sound(t.Context())
	}
	if err != nil {
		t.Errorf("stopped %s: what was there: %v", what, err)
	}
	if err := p.scene.after(t.Context(), &w); err != nil {
		t.Errorf("stopped %s: %v", what, err)
	}
}

// reopen opens the remote that a disk holds, on which the home has been saved.
func (w *world) reopen(d *prooftest.Disk) remote.Store {
	if w.Folder {
		return w.open(w.Home)
	}
	return unmirror(d.Files(remoteFolder))
}

// A process is killed at any moment, again and again, in whatever it does.
func TestKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(rand.Uint64(), 1))
	kills := 0
	for _, s := range scenes() {
		if s.long || s.name == "heal" {
			continue // long in the making, and much like the others
		}
		t.Run(s.name, func(t *testing.T) {
			w := s.make(t)
			want := maps.Clone(w.Want)
			w.save(t)
			for range 2 {
				cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
				cmd.Env = append(os.Environ(), actEnv+"="+s.name, homeEnv+"="+w.Home)
				must(t, cmd.Start())
				time.Sleep(time.Duration(5+random.IntN(60)) * time.Millisecond)
				must(t, cmd.Process.Kill())
				if err := cmd.Wait(); err != nil {
					kills++
				}
			}
			c, err := loadWorld(w.Home)
			must(t, err)
			c.Want = want
			if s.right != nil {
				must(t, s.right(c))
			}
			must(t, c.check(t.Context()))
			must(t, os.Remove(filepath.Join(w.Home, worldFile)))
			must(t, s.after(t.Context(), c))
		})
	}
	t.Logf("tried: %d processes killed", kills)
}
