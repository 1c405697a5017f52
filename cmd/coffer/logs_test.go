package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLogReaderAcrossRenames writes, renames and reads in turns, and wants each
// line once and in order, also when several renames came between two looks.
func TestLogReaderAcrossRenames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	written := 0
	write := func(lines int) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for range lines {
			fmt.Fprintf(f, "line %d\n", written)
			written++
		}
	}
	rename := func() {
		for _, p := range [][2]string{{".2", ".3"}, {".1", ".2"}, {"", ".1"}} {
			if err := os.Rename(path+p[0], path+p[1]); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	r := &logReader{path: path}
	defer r.close()
	read := 0
	look := func() {
		t.Helper()
		err := r.read(func(line []byte) {
			if string(line) != fmt.Sprintf("line %d", read) {
				t.Fatalf("line %d is %q", read, line)
			}
			read++
		})
		if err != nil {
			t.Fatal(err)
		}
		if read != written {
			t.Fatalf("%d of %d lines were read", read, written)
		}
	}
	look()
	for _, renames := range []int{0, 1, 0, 2, 3, 1, 0} {
		write(3)
		for range renames {
			rename()
			write(2)
		}
		look()
	}
	rename() // and the new file is not there yet
	look()
	write(1)
	look()
}

func TestLogReaderLineInPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &logReader{path: path}
	defer r.close()
	var got []string
	look := func() {
		t.Helper()
		if err := r.read(func(line []byte) { got = append(got, string(line)) }); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 100_000)
	for _, piece := range []string{"one", " line\nan", "other", "\n", long, long, "\n"} {
		if _, err := f.WriteString(piece); err != nil {
			t.Fatal(err)
		}
		look()
	}
	if len(got) != 3 || got[0] != "one line" || got[1] != "another" || got[2] != long+long {
		t.Errorf("%d lines, the first %.20q", len(got), got)
	}
}

// TestLogsFollow follows a log that is not there yet, until it is interrupted.
func TestLogsFollow(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, err := logName()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"logs", "-f"}, nil, &out, &out) }()
	for _, word := range []string{"first", "second"} {
		line := fmt.Sprintf(`{"time":"2026-11-26T11:00:00Z","level":"INFO","msg":"%s"}`+"\n", word)
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(out.String(), word) {
			time.Sleep(10 * time.Millisecond)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
