package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// again ends the run of a scene and begins another.
func (s *scene) again(t *testing.T) error {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.warns = nil
	r, err := s.v.Begin(t.Context(), RunOptions{Project: s.o.Project, OnWarning: s.o.OnWarning})
	if err == nil {
		s.Run = r
	}
	return err
}

// inPlace puts an empty folder in the place of what is in the state, or a file
// in that of a folder, and returns what puts it back.
func (s *scene) inPlace(t *testing.T, name string) (undo func()) {
	t.Helper()
	path := filepath.Join(s.v.dir.Path(), name)
	was, err := os.Lstat(path)
	if err == nil {
		err = os.Rename(path, path+"-was")
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && was != nil && was.IsDir() {
		err = os.WriteFile(path, nil, 0o600)
	} else if err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		err := os.Remove(path)
		if was != nil {
			err = errors.Join(err, os.Rename(path+"-was", path))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever fails while a run begins ends it, with its cause, and leaves nothing
// behind: once that is mended the next one goes on from where the last ended.
func TestBeginFails(t *testing.T) {
	fails := func(op remote.Op, name string, nth int) func(*testing.T, *scene) func() {
		return func(t *testing.T, s *scene) func() {
			s.fault.Add(fault.Rule{Op: op, Name: name, Nth: nth, Do: fault.Fail})
			return s.fault.Clear
		}
	}
	inPlace := func(name string) func(*testing.T, *scene) func() {
		return func(t *testing.T, s *scene) func() { return s.inPlace(t, name) }
	}
	uncached := func(nth int) func(*testing.T, *scene) func() {
		return func(t *testing.T, s *scene) func() {
			s.fault.Add(fault.Rule{Op: remote.OpGet, Name: "ledgers/", Nth: nth, Do: fault.Fail})
			undo := s.inPlace(t, "objects")
			return func() { undo(); s.fault.Clear() }
		}
	}
	for name, spoil := range map[string]func(*testing.T, *scene) (undo func()){
		"device keys":      inPlace("device.json"),
		"clock":            fails(remote.OpNow, "", 0),
		"trust":            fails(remote.OpList, "trust/", 0),
		"own commits":      fails(remote.OpList, "commits/", 0),
		"condemned lists":  fails(remote.OpList, "condemned/", 0),
		"packs":            fails(remote.OpList, "packs/", 0),
		"newest ledger":    uncached(1),
		"newest ledger, 2": uncached(2),
		"index":            inPlace("index"),
		"repacks": func(t *testing.T, s *scene) func() {
			if err := os.Mkdir(filepath.Join(s.v.dir.Path(), "repacking"), 0o700); err != nil {
				t.Fatal(err)
			}
			return s.inPlace(t, "repacking")
		},
		"trust put back": func(t *testing.T, s *scene) func() {
			s.lose(t, s.v.TrustName())
			return fails(remote.OpPut, "trust/", 0)(t, s)
		},
		"recipients": func(t *testing.T, s *scene) func() {
			lines := s.v.Trust().Recipients
			s.v.Trust().Recipients = []string{"nobody"}
			return func() { s.v.Trust().Recipients = lines }
		},
		"pack table": func(t *testing.T, s *scene) func() { return s.inPlace(t, "packs/"+s.pack.Series.String()) },
		"what was read": func(t *testing.T, s *scene) func() {
			other := ledger.Pack{Series: chunk.Series{9}, Sum: [32]byte{1}}
			if err := s.v.dir.WriteSmall(lateFile, lateReads{[]noted{{Name: other.Name(), Size: 1, Bad: true}}}); err != nil {
				t.Fatal(err)
			}
			return s.inPlace(t, "packs/"+other.Series.String())
		},
		"new series": func(t *testing.T, s *scene) func() {
			s.own.Cloned = true
			if err := s.v.saveOwn(s.own); err != nil {
				t.Fatal(err)
			}
			return s.inPlace(t, "device.json.old")
		},
	} {
		s := committed(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		undo := spoil(t, s)
		err := s.again(t)
		if err == nil {
			t.Errorf("%s: it began", name)
			continue
		}
		if errors.Is(err, ErrRevoked) || errors.Is(err, state.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		if stack := make([]byte, 1<<20); strings.Contains(string(stack[:runtime.Stack(stack, true)]), "keepProgress") {
			t.Errorf("%s: it still works on", name)
		}
		undo()
		if err := s.again(t); err != nil {
			t.Errorf("%s: mended: %v", name, err)
			continue
		}
		if !s.Known(s.pack.Series, s.pack.Number) {
			t.Errorf("%s: mended: its pack is forgotten", name)
		}
		if err := s.commit(t); err != nil || s.commits(t) != 2 {
			t.Errorf("%s: mended: %d commits, %v", name, s.commits(t), err)
		}
		s.Close()
	}
}

// One run at a time writes, and none without keys of its own.
func TestBeginAlone(t *testing.T) {
	s := newScene(t)
	if _, err := s.v.Begin(t.Context(), RunOptions{}); !errors.Is(err, state.ErrLocked) {
		t.Errorf("beside another: %v", err)
	}
	if err := s.commit(t); err != nil {
		t.Errorf("the first: %v", err)
	}
	v := &Vault{store: s.mem}
	if _, err := v.Begin(t.Context(), RunOptions{}); !errors.Is(err, ErrRevoked) {
		t.Errorf("without keys: %v", err)
	}
}

// A run goes by what the disk says of this device's keys now, sends as many packs
// at a time as it was told, and says what became of another device's place.
func TestBegin(t *testing.T) {
	s := committed(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := state.Open(s.v.dir.Path())
	if err == nil {
		_, err = elsewhere.UpdateDevice(func(d *state.Device) error { d.Label = "renamed"; return nil })
	}
	if err == nil {
		err = s.again(t)
	}
	if err != nil || s.v.device().Label != "renamed" {
		t.Errorf("%v: %v", s.v.device(), err)
	}
	if cap(s.uploads) != 2 || len(s.uploads) != 2 || len(s.warns) > 0 {
		t.Errorf("%d of %d uploads, warned of %v", len(s.uploads), cap(s.uploads), s.warns)
	}
	s.Close()
	if err := s.v.dir.WriteSmall(takeOverFile, takingOver{"0123456789abcdef"}); err != nil {
		t.Fatal(err)
	}
	if s.Run, err = s.v.Begin(t.Context(), RunOptions{Uploads: 3, OnWarning: s.o.OnWarning}); err != nil {
		t.Fatal(err)
	}
	if cap(s.uploads) != 3 || len(s.uploads) != 3 || len(s.warns) != 1 || !strings.Contains(s.warns[0].Error(), "taking over") {
		t.Errorf("%d of %d uploads, warned of %v", len(s.uploads), cap(s.uploads), s.warns)
	}
	s.lose(t, s.v.TrustName())
	s.Close()
	if s.Run, err = s.v.Begin(t.Context(), RunOptions{}); err != nil { // who is told nothing needs not listen
		t.Fatal(err)
	}
}

// A run that ends cuts off what is on its way, waits for its own, closes its
// files and gives back what it did not use.
func TestClose(t *testing.T) {
	for _, own := range []func(*Run, func()){
		func(r *Run, fn func()) { r.work.Go(fn) },
		func(r *Run, fn func()) { r.background.Go(fn) },
	} {
		s := newScene(t)
		var ended atomic.Bool
		own(s.Run, func() {
			<-s.ctx.Done()
			time.Sleep(20 * time.Millisecond)
			ended.Store(true)
		})
		if err := s.Close(); err != nil || !ended.Load() {
			t.Errorf("something of the run is still at work: %t, %v", !ended.Load(), err)
		}
	}
	s := newScene(t)
	series, table := s.pack.Series, s.known.usable[s.pack.Series]
	for range 2 { // the second time nothing is left to do
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if table.Sync() == nil {
		t.Error("the table of packs is open")
	}
	if s.index.Close() == nil { // a second time
		t.Error("the index is open")
	}
	dev, err := s.v.dir.Device()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dev.Series {
		if d.ID() == series && d.Next != s.pack.Number+1 {
			t.Errorf("the next pack is %d, after %d", d.Next, s.pack.Number)
		}
	}
}

// What cannot be put in order when a run ends is told, and the lock is free all
// the same.
func TestCloseFails(t *testing.T) {
	for name, spoil := range map[string]func(s *scene) (undo func()){
		"numbers": func(s *scene) func() { return s.inPlace(t, "device.json") },
		"tables": func(s *scene) func() {
			s.known.usable[s.pack.Series].Close()
			return func() {}
		},
		"index": func(s *scene) func() {
			s.index.Close()
			return func() {}
		},
		"note of what was committed": func(s *scene) func() {
			s.own.saving = make(chan error, 1)
			s.own.saving <- fs.ErrPermission
			return func() {}
		},
	} {
		s := newScene(t)
		undo := spoil(s)
		err := s.Close()
		undo()
		told := slices.ContainsFunc(s.warns, func(err error) bool { return errors.Is(err, fs.ErrPermission) })
		if noted := strings.HasPrefix(name, "note"); (err == nil) != noted || told != noted {
			t.Errorf("%s: %v, warned of %v", name, err, s.warns)
		}
		if err := s.again(t); err != nil {
			t.Errorf("%s: the next run: %v", name, err)
		}
	}
}

// A run that goes on for long commits progress by itself.
func TestProgressByItself(t *testing.T) {
	s := newScene(t)
	s.v.safety.ProgressEvery = time.Millisecond
	if err := s.again(t); err != nil {
		t.Fatal(err)
	}
	s.put(t, "more")
	for began := time.Now(); s.commits(t) == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("no progress is committed")
		}
	}
}
