package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(minute int) time.Time { return time.Date(2026, 11, 26, 12, minute, 0, 0, time.UTC) }

func filled(minute int) *Memory {
	m := &Memory{Version: version, Jobs: map[string]*Job{}}
	j := m.Job("backup work", at(0))
	j.Ended(&Run{ID: "a", Job: "backup work", Result: OK, Begin: at(minute), Stored: &Stored{Snapshot: "abcd", Files: 3}})
	j.Covered = at(minute)
	j.Trying = &Trying{Due: at(minute), Attempts: 2}
	return m
}

// Whatever part of either generation is lost or altered, what is loaded is one
// of those that were saved, and damage to the newest alone costs one step.
func TestMemorySurvives(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.LoadMemory(); err != nil || len(m.Jobs) != 0 {
		t.Fatalf("a new memory: %+v, %v", m, err)
	}
	for i := range 3 {
		if err := s.SaveMemory(filled(i)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(s.Dir(), memoryName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for _, bad := range [][]byte{data[:i], append(append(bytes.Clone(data[:i]), data[i]^1), data[i+1:]...)} {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			m, err := s.LoadMemory()
			if diff := cmp.Diff(filled(1), m); err != nil || diff != "" {
				t.Fatalf("byte %d: %v\n%s", i, err, diff)
			}
		}
	}
	// With a damaged newest one, saving must not put it in the place of the
	// former one, which is the last that is whole.
	if err := s.SaveMemory(filled(5)); err != nil {
		t.Fatal(err)
	}
	if m, err := Load[Memory](&Store{dir: s.Dir()}, memoryName+former); err != nil || !m.Jobs["backup work"].Covered.Equal(at(1)) {
		t.Fatalf("the former generation: %+v, %v", m, err)
	}
	for _, name := range []string{memoryName, memoryName + former} {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := s.LoadMemory(); !errors.Is(err, ErrDamaged) || m.Jobs == nil {
		t.Fatalf("both damaged: %+v, %v", m, err)
	}
}

// The history outlives a line cut short, and stays bounded.
func TestHistory(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir(), historyFile)
	add := func(id string, begin time.Time, result Result) {
		t.Helper()
		if err := s.AddRun(&Run{ID: id, Job: "backup work", Begin: begin, Result: result}); err != nil {
			t.Fatal(err)
		}
	}
	add("a", at(1), OK)
	add("b", at(2), OK)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-5)
	}
	if err != nil {
		t.Fatal(err)
	}
	add("c", at(3), Partial)
	add("d", at(4), Failed)
	runs, err := s.Runs()
	if err != nil || len(runs) != 3 || runs[0].ID != "a" || runs[1].ID != "c" {
		t.Fatalf("%+v, %v", runs, err)
	}
	if last, err := s.LastGood(); err != nil || !last["backup work"].Equal(at(3)) {
		t.Errorf("%v, %v", last, err)
	}
	if err := os.Truncate(path, maxHistory+1); err != nil { // zeros, as a crash may leave
		t.Fatal(err)
	}
	add("e", at(5), OK)
	if info, err = os.Stat(path); err != nil || info.Size() > maxHistory/2+1000 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if runs, err = s.Runs(); err != nil || len(runs) == 0 || runs[len(runs)-1].ID != "e" {
		t.Errorf("%+v, %v", runs, err)
	}
}

func TestLock(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	if unlock, err = s.Lock(); err != nil {
		t.Fatal(err)
	}
	unlock()
}

// What decodes is what would be encoded again, and nothing makes it panic.
func FuzzDecode(f *testing.F) {
	line, err := json.Marshal(filled(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"v":1,"jobs":{"a":null}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		dir := t.TempDir()
		s := At(dir)
		if bytes.ContainsRune(line, '\n') || !json.Valid(line) {
			if _, err := decode[Memory](line); err == nil {
				t.Fatalf("decoded without a checksum: %q", line)
			}
			return
		}
		if err := s.Save(memoryName, json.RawMessage(line)); err != nil {
			t.Fatal(err)
		}
		m, err := s.LoadMemory()
		if err != nil {
			return
		}
		if err := s.SaveMemory(m); err != nil {
			t.Fatal(err)
		}
		again, err := s.LoadMemory()
		if diff := cmp.Diff(m, again); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// Whatever stands in the history, each run that is read from it is one that
// could be noted, and no line hides the others.
func FuzzHistory(f *testing.F) {
	for i := range 3 {
		line, err := json.Marshal(Run{ID: "a", Job: "backup", Result: OK, Begin: time.Unix(int64(i), 0).UTC()})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(line, '\n'))
	}
	f.Add([]byte(`{"id":"x","job":null}` + "\n\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := At(t.TempDir())
		if err := writeSynced(filepath.Join(s.dir, historyFile), data); err != nil {
			t.Fatal(err)
		}
		last := &Run{ID: "last", Begin: time.Unix(1, 0).UTC()}
		if err := s.AddRun(last); err != nil {
			t.Fatal(err)
		}
		runs, err := s.Runs()
		if err != nil || len(runs) == 0 || runs[len(runs)-1].ID != "last" {
			t.Fatalf("the newest run is hidden: %+v, %v", runs, err)
		}
		again := At(t.TempDir())
		for i := range runs {
			if err := again.AddRun(&runs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := again.Runs(); err != nil || !cmp.Equal(got, runs) {
			t.Errorf("%v\n%s", err, cmp.Diff(runs, got))
		}
	})
}
