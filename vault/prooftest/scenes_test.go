package prooftest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault"
	"coffer/vault/repair"
	"coffer/vault/restore"
	"coffer/vault/state"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// A scene is something that a machine may stop in.
type scene struct {
	name string
	make func(t testing.TB) *world
	play func(ctx context.Context, w *world) error
	// right is what must hold when the machine is on again, before anything is
	// done about it; nil if that is only what always must.
	right func(w *world) error
	// again finishes what was interrupted, in a process of its own; nil is to
	// play again.
	again func(ctx context.Context, w *world) error
	bare  bool // makes no snapshot of what is there
	long  bool // has too many snapshots to verify all of them each time
}

// scenes are all that Coffer does to a remote or to its own files.
func scenes() []scene {
	return []scene{
		{name: "init", make: emptyWorld, play: playInit, again: againInit},
		{name: "first", make: newWorld, play: playBackup},
		{name: "incremental", make: incremental, play: playBackup},
		{name: "resume", make: interrupted, play: playBackup},
		{name: "unchanged", make: unchanged, play: playBackup},
		{name: "merge", make: scattered, play: playBackup, long: true},
		{name: "heal", make: wounded, play: playBackup},
		{name: "enrol", make: incremental, play: playEnrol("", "second"), again: againEnrol("second")},
		{name: "replace", make: lostState, play: playReplace, again: againEnrol("state")},
		{name: "forget", make: twoSnapshots, play: playForget, again: againForget},
		{name: "undelete", make: forgotten, play: playUndelete, bare: true},
		{name: "condemn", make: deadPacks, play: playPrune, again: againPrune},
		{name: "delete", make: condemned, play: playPrune, again: againPrune},
		{name: "repack", make: deadPacks, play: playRepack, again: againRepack},
		{name: "amend", make: incremental, play: playAmend, again: againAmend},
		{name: "repair", make: lostLists, play: playRepair},
		{name: "rebuild", make: lostIndex, play: playRepair},
		{name: "restore", make: unchanged, play: playRestore, right: wholeFiles("target"), again: againRestore("target"), bare: true},
		{name: "in-place", make: changedBack, play: playInPlace, right: wholeFiles("place"), again: againRestore("place"), bare: true},
	}
}

func playBackup(ctx context.Context, w *world) error { return w.backUp(ctx) }

func playInit(ctx context.Context, w *world) error {
	_, _, _, err := vault.Init(ctx, w.store, vaulttest.Options(w.Home))
	return err
}

// againInit opens what init made, or does it again if nothing was.
func againInit(ctx context.Context, w *world) error {
	if _, err := w.device(ctx, false); err != nil {
		// Without its keys the state is worth nothing, and then nothing was
		// uploaded either.
		if n := len(w.list("")); n > 0 {
			return fmt.Errorf("%d objects, and the device does not open: %w", n, err)
		}
		for _, path := range []string{"state", "coffer-kit-*.txt"} {
			found, _ := filepath.Glob(filepath.Join(w.Home, path))
			for _, f := range found {
				if err := os.RemoveAll(f); err != nil {
					return err
				}
			}
		}
		if err := playInit(ctx, w); err != nil {
			return err
		}
	}
	return w.backUp(ctx)
}

func incremental(t testing.TB) *world {
	w := unchanged(t)
	w.write("a/new", 40<<10, 50)
	w.write("a/1", 2000, 51)
	grain()
	return w
}

func unchanged(t testing.TB) *world {
	w := newWorld(t)
	grain()
	must(t, w.backUp(t.Context()))
	w.pass(time.Hour)
	return w
}

// interrupted is a world in which a first run stopped after some packs.
func interrupted(t testing.TB) *world {
	w := newWorld(t)
	grain()
	below := w.store
	store := fault.New(below, 1)
	store.CrashAfter(1, remote.OpPut)
	w.store = store
	if err := w.backUp(t.Context()); err == nil {
		t.Fatal("the run was not interrupted")
	}
	w.store = below
	return w
}

// scattered is a world whose snapshot needs many small packs.
func scattered(t testing.TB) *world {
	w := newWorld(t)
	for i := range 66 {
		w.write(fmt.Sprintf("small/%03d", i), 900, byte(i))
		if i >= 63 {
			grain()
		}
		must(t, w.backUp(t.Context()))
	}
	keep := slices.Sorted(maps.Keys(w.Want))
	for _, id := range keep[:len(keep)-2] { // two of them are checked each time
		delete(w.Want, id)
	}
	grain()
	return w
}

// wounded is a world that has lost a pack of data.
func wounded(t testing.TB) *world {
	w := unchanged(t)
	w.remove(w.list("packs/")[0])
	w.remove(w.list("packs/")[0])
	// Until it is healed, nothing restores.
	w.Want = map[string]map[string]string{}
	return w
}

func playEnrol(replace trust.DeviceID, folder string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		_, _, err := vault.Enrol(ctx, w.store, w.kit(), vault.EnrolOptions{
			StateRoot: filepath.Join(w.Home, folder), Label: "second", Remote: "mem:", Replace: replace,
		})
		return err
	}
}

// againEnrol goes on with the keys that were made, or enrols anew if they were
// not, or not stored.
func againEnrol(folder string) func(ctx context.Context, w *world) error {
	return func(ctx context.Context, w *world) error {
		open := func() error {
			dir, err := stateIn(filepath.Join(w.Home, folder))
			if err != nil {
				return err
			}
			v, err := vault.Open(ctx, w.store, vault.OpenOptions{State: dir, Kit: w.kit(), Safety: w.safety()})
			if err != nil {
				return err
			}
			return w.backUpWith(ctx, v)
		}
		if open() == nil {
			return nil
		}
		if err := os.RemoveAll(filepath.Join(w.Home, folder)); err != nil {
			return err
		}
		play := playEnrol("", folder)
		if folder == "state" {
			play = playReplace
		}
		if err := play(ctx, w); err != nil {
			return err
		}
		return open()
	}
}

func lostState(t testing.TB) *world {
	w := incremental(t)
	must(t, os.RemoveAll(filepath.Join(w.Home, "state")))
	return w
}

func playReplace(ctx context.Context, w *world) error {
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	devices := v.Trust().Devices
	return playEnrol(devices[len(devices)-1].ID, "state")(ctx, w)
}

func stateIn(root string) (*state.Dir, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("%s holds %d states", root, len(entries))
	}
	return state.Open(filepath.Join(root, entries[0].Name()))
}

// twoSnapshots is a world without a floor whose first snapshot has a file of
// its own.
func twoSnapshots(t testing.TB) *world {
	w := newWorld(t)
	w.write("goes", 20<<10, 70)
	w.write("a/2", 5000, 71)
	lent, err := w.lent(t.Context())
	must(t, err)
	must(t, lent.SetFloor(t.Context(), w.kit(), trust.Floor{}))
	grain()
	must(t, w.backUp(t.Context()))
	must(t, os.Remove(filepath.Join(w.Source, "goes")))
	must(t, os.Remove(filepath.Join(w.Source, "large")))
	w.write("new", 5000, 72)
	grain()
	w.pass(day)
	must(t, w.backUp(t.Context()))
	return w
}

func playForget(ctx context.Context, w *world) error {
	want := maps.Clone(w.Want)
	defer func() { w.Want = want }() // it restores all the same, for a week
	return w.forget(ctx, 0)
}

func againForget(ctx context.Context, w *world) error {
	return errors.Join(playForget(ctx, w), w.backUp(ctx))
}

func forgotten(t testing.TB) *world {
	w := twoSnapshots(t)
	must(t, playForget(t.Context(), w))
	return w
}

func playUndelete(ctx context.Context, w *world) error {
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
	_, err = v.Undelete(ctx, snaps[:1], nil)
	return err
}

func deadPacks(t testing.TB) *world {
	w := twoSnapshots(t)
	must(t, w.forget(t.Context(), 0))
	w.pass(8 * day)
	return w
}

func condemned(t testing.TB) *world {
	w := deadPacks(t)
	must(t, w.prune(t.Context(), false))
	w.pass(2 * day)
	return w
}

func playPrune(ctx context.Context, w *world) error  { return w.prune(ctx, false) }
func playRepack(ctx context.Context, w *world) error { return w.prune(ctx, true) }

// againPrune backs up and prunes until nothing is left to do.
func againPrune(ctx context.Context, w *world) error {
	w.mend(ctx)
	err := w.backUp(ctx)
	for range 3 {
		err = errors.Join(err, w.prune(ctx, false), w.check(ctx))
		w.pass(8 * day)
	}
	return errors.Join(err, w.backUp(ctx))
}

func againRepack(ctx context.Context, w *world) error {
	w.mend(ctx)
	err := w.prune(ctx, true)
	err = errors.Join(err, w.backUp(ctx))
	for range 3 {
		w.pass(8 * day)
		err = errors.Join(err, w.prune(ctx, true), w.check(ctx))
	}
	return err
}

// mend does what a user is told to where the remote kept half of something.
func (w *world) mend(ctx context.Context) {
	if !w.torn {
		return
	}
	for _, name := range w.list("") {
		b, err := w.store.Get(ctx, nil, name, 0, -1)
		if err != nil || len(name) < 64 || fmt.Sprintf("%x", remote.NewObject(name, b).Sum) == name[len(name)-64:] {
			continue
		}
		switch {
		case strings.HasPrefix(name, "condemned/"):
			w.remove(name)
		case strings.HasPrefix(name, "commits/"):
			if v, err := w.device(ctx, false); err == nil {
				_ = v.Dismiss(ctx, []string{name}, nil)
			}
		}
	}
}

func playAmend(ctx context.Context, w *world) error {
	v, err := w.lent(ctx)
	if err != nil {
		return err
	}
	return v.Amend(ctx, w.kit(), func(next *trust.Trust) error {
		next.Devices[0].Label = "renamed"
		return nil
	})
}

func againAmend(ctx context.Context, w *world) error {
	return errors.Join(playAmend(ctx, w), w.backUp(ctx))
}

// lostLists is a world whose ledgers are gone from the remote, and one of them
// from this machine too.
func lostLists(t testing.TB) *world {
	w := incremental(t)
	must(t, w.backUp(t.Context()))
	for _, name := range w.list("ledgers/") {
		w.remove(name)
	}
	copies, err := filepath.Glob(filepath.Join(w.Home, "state", "*", "objects", "ledgers_*"))
	must(t, err)
	must(t, os.Remove(copies[0]))
	return w
}

// lostIndex is a world that remembers nothing but its keys.
func lostIndex(t testing.TB) *world {
	w := incremental(t)
	for _, name := range []string{"own.json", "catalog.jsonl", "projects.json", "index", "packs", "projects", "objects"} {
		found, _ := filepath.Glob(filepath.Join(w.Home, "state", "*", name))
		for _, path := range found {
			must(t, os.RemoveAll(path))
		}
	}
	return w
}

func playRepair(ctx context.Context, w *world) error {
	v, err := w.device(ctx, true)
	if err != nil {
		return err
	}
	plan, err := repair.Make(ctx, v)
	if err != nil {
		return err
	}
	if _, err = plan.Run(ctx); err != nil {
		return err
	}
	return w.backUp(ctx)
}

func playRestore(ctx context.Context, w *world) error {
	return w.restore(ctx, restore.Options{Target: filepath.Join(w.Home, "target"), Workers: 1})
}

// changedBack is a world in which half of what was saved is other than it was.
// A restore brings it back over what is there.
func changedBack(t testing.TB) *world {
	w := unchanged(t)
	to := filepath.Join(w.Home, "place")
	must(t, os.CopyFS(to, os.DirFS(w.Source)))
	must(t, os.WriteFile(filepath.Join(to, "large"), []byte("old"), 0o644))
	must(t, os.Remove(filepath.Join(to, "a", "2")))
	must(t, os.WriteFile(filepath.Join(to, "a", "more"), []byte("old"), 0o644))
	return w
}

func playInPlace(ctx context.Context, w *world) error {
	return w.restore(ctx, restore.Options{Target: filepath.Join(w.Home, "place"), Delete: true, Workers: 1})
}

// wholeFiles wants every file of a folder to be wholly what it was or wholly
// what it is to be, under each name that a user would look for. Of a file that
// was not there before, a power cut may leave less.
func wholeFiles(folder string) func(w *world) error {
	return func(w *world) error {
		want, err := tree(w.Source)
		if err != nil {
			return err
		}
		dir := filepath.Join(w.Home, folder)
		got, err := tree(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for path, b := range got {
			name := path[len(dir):]
			if strings.HasPrefix(filepath.Base(name), ".") {
				continue // temporary
			}
			if b != "old" && b != want[w.Source+name] && (!w.cut || folder == "place" && name == "/large") {
				err = errors.Join(err, fmt.Errorf("%s holds %d bytes that it never had", name, len(b)))
			}
		}
		if _, there := got[dir+"/large"]; folder == "place" && !there {
			err = errors.Join(err, errors.New("a file is gone that was there before"))
		}
		return err
	}
}

// againRestore does what docs/recovery.md says about a restore that a power cut
// ended: the same again, with all read back.
func againRestore(folder string) func(ctx context.Context, w *world) error {
	return func(ctx context.Context, w *world) error {
		dir := filepath.Join(w.Home, folder)
		err := w.restore(ctx, restore.Options{Target: dir, Delete: folder == "place", Verify: w.cut, Workers: 1})
		if err != nil {
			return err
		}
		want, err := tree(w.Source)
		if err != nil {
			return err
		}
		got, err := tree(dir)
		if err != nil || len(got) != len(want) {
			return fmt.Errorf("%d files, want %d: %w", len(got), len(want), err)
		}
		for path, b := range got {
			if b != want[w.Source+path[len(dir):]] {
				err = errors.Join(err, fmt.Errorf("%s is wrong", path))
			}
		}
		return err
	}
}

// after finishes what was interrupted, once the machine is on again, and says
// whether all is well then. What must hold before is right and world.check.
func (s scene) after(ctx context.Context, w *world) error {
	again := s.again
	if again == nil {
		again = s.play
	}
	w.pass(time.Hour)
	if err := again(ctx, w); err != nil {
		return fmt.Errorf("the next time: %w", err)
	}
	if s.bare || s.long {
		if err := w.check(ctx); err != nil {
			return fmt.Errorf("after: %w", err)
		}
	}
	if s.bare {
		return nil
	}
	if err := w.latest(ctx); err != nil || s.long {
		return err
	}
	return w.sound(ctx)
}

// Every scene can be played and played again, without any crash.
func TestScenes(t *testing.T) {
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := s.make(t)
			must(t, w.check(t.Context()))
			must(t, s.play(t.Context(), w))
			must(t, s.after(t.Context(), w))
		})
	}
}
