package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	historyFile = "runs.jsonl"
	// maxHistory is the size at which the older half of the history goes, in
	// bytes: some ten thousand runs, a year of hourly ones.
	maxHistory = 4 << 20
	maxRunLine = 64 << 10
)

// AddRun appends a run that ended to the history, durably.
func (s *Store) AddRun(r *Run) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("note run: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.shorten(); err != nil {
		return fmt.Errorf("shorten history: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, historyFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("note run: %w", err)
	}
	// What a crash cut short before must not swallow this line: a blank one
	// costs nothing.
	_, err = f.Write(append(append([]byte("\n"), line...), '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("note run: %w", err)
	}
	return nil
}

// shorten drops the older half of a history that is too long.
func (s *Store) shorten() error {
	path := filepath.Join(s.dir, historyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < maxHistory {
		return nil
	}
	data, err := readAtMost(path, 2*maxHistory)
	if err != nil {
		return err
	}
	data = data[len(data)/2:]
	_, data, _ = bytes.Cut(data, []byte("\n"))
	temp := filepath.Join(s.dir, ".runs.new")
	if err := writeSynced(temp, data); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// Runs returns the history, oldest first. Lines that are damaged are passed
// over.
func (s *Store) Runs() ([]Run, error) {
	f, err := os.Open(filepath.Join(s.dir, historyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer f.Close()
	var runs []Run
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 2*maxHistory)
	for lines.Scan() {
		var r Run
		if len(lines.Bytes()) > maxRunLine || json.Unmarshal(lines.Bytes(), &r) != nil || r.ID == "" {
			continue
		}
		runs = append(runs, r)
	}
	if err := lines.Err(); err != nil {
		return runs, fmt.Errorf("read history: %w", err)
	}
	return runs, nil
}

// LastGood tells, from the history, when the newest good run of each job
// began.
func (s *Store) LastGood() (map[string]time.Time, error) {
	runs, err := s.Runs()
	out := map[string]time.Time{}
	for _, r := range runs {
		if r.Result.Good() && r.Begin.After(out[r.Job]) {
			out[r.Job] = r.Begin
		}
	}
	return out, err
}
