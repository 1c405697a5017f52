package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// How much of a log is kept: at most (1 + logKept) * logLimit bytes.
const (
	logLimit = 4 << 20
	logKept  = 3
)

// A LogFile is a log of bounded size. When it would grow beyond 4 MiB, it is
// renamed to NAME.1, that to NAME.2, and so on to NAME.3; the oldest goes. Only
// the owner can read any of them.
//
// A write is one record: it is never cut in two. Writes are safe for concurrent
// use by one process; who reads should follow the renames ([LogFiles]).
type LogFile struct {
	path  string
	limit int64

	mu   sync.Mutex
	f    *os.File // guarded by mu
	size int64    // guarded by mu
}

// OpenLogFile opens the log at path to add to it, and makes it and its folder
// where they are not there.
func OpenLogFile(path string) (*LogFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &LogFile{path: path, limit: logLimit}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

// LogFiles are the names that the log at path may have, the oldest first and
// the present one last. Any of them may be missing.
func LogFiles(path string) []string {
	var names []string
	for n := logKept; n > 0; n-- {
		names = append(names, path+"."+strconv.Itoa(n))
	}
	return append(names, path)
}

// Write adds a record. Where the log cannot be renamed it goes on growing: a
// large log is better than none.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return 0, os.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(p)) > l.limit {
		_ = l.rotate()
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

// Close closes the file. A second call does nothing.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// rotate moves every name up by one and begins a new file. The old one stays in
// use until the new one is there.
func (l *LogFile) rotate() error {
	names := LogFiles(l.path)
	for i := range len(names) - 1 {
		if err := os.Rename(names[i+1], names[i]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	old := l.f
	if err := l.open(); err != nil {
		return err
	}
	return old.Close()
}

// open opens the file. What a crash left of a record gets an end, so that the
// next one has a line of its own.
func (l *LogFile) open() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte("\n"))
			size++
		}
	}
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, size
	return nil
}
