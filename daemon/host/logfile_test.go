package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestLogFile writes from several goroutines at once and wants every record
// whole, in order for each of them, and no more than the bound on the disk.
func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon", "daemon.log")
	l, err := OpenLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l.limit = 1000
	var wg sync.WaitGroup
	for who := range 4 {
		wg.Go(func() {
			for n := range 70 {
				if _, err := fmt.Fprintf(l, "who=%d n=%02d\n", who, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var all string
	for _, name := range LogFiles(path) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 1000 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		all += string(b)
	}
	last := map[int]int{}
	for line := range strings.Lines(all) {
		var who, n int
		if _, err := fmt.Sscanf(line, "who=%d n=%d\n", &who, &n); err != nil {
			t.Fatalf("a torn record: %q", line)
		}
		if n <= last[who] && n > 0 {
			t.Errorf("record %d of %d comes after %d", n, who, last[who])
		}
		last[who] = n
	}
	for who := range 4 {
		if last[who] != 69 {
			t.Errorf("the last record of %d is %d", who, last[who])
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 4 {
		t.Errorf("there are %d files", len(entries))
	}
	if _, err := l.Write([]byte("late\n")); err == nil {
		t.Error("a closed log takes records")
	}
}

func TestLogFileGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	if err := os.WriteFile(path, []byte("one\ntor"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Write([]byte("two\n")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one\ntor\ntwo\n" {
		t.Errorf("the log is %q, %v", b, err)
	}
}

// TestLogFileCannotBeRenamed wants a log that cannot be moved away to go on.
func TestLogFileCannotBeRenamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	l, err := OpenLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.limit = 10
	if err := os.MkdirAll(filepath.Join(path+".3", "full"), 0o700); err != nil { // no file replaces it
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path+".2", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := l.Write([]byte("12345678\n")); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != strings.Repeat("12345678\n", 3) {
		t.Errorf("the log is %q, %v", b, err)
	}
}
