package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// As another process, with these variables set, the test binary uses a state
// folder until it is killed.
const (
	helperEnv    = "COFFER_STATE_TEST_HELPER"
	helperDirEnv = "COFFER_STATE_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch dir := os.Getenv(helperDirEnv); os.Getenv(helperEnv) {
	case "hold":
		hold(dir)
	case "reserve":
		reserve(dir)
	default:
		os.Exit(m.Run())
	}
}

// hold takes the run lock and begins to write a file.
func hold(dir string) {
	d, err := Open(dir)
	if err != nil {
		panic(err)
	}
	if _, err := d.TryLockRun("holder of the test"); err != nil {
		panic(err)
	}
	f, err := newFile(d.file("index", "sorted"))
	if err != nil {
		panic(err)
	}
	fmt.Println(f.Name())
	time.Sleep(time.Hour)
}

// A lock names its holder, dies with it, and who takes it next cleans up.
func TestLockOfKilledProcess(t *testing.T) {
	d := newDir(t)
	if err := d.makeFolders("index"); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), helperEnv+"=hold", helperDirEnv+"="+d.path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	temporary, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	temporary = strings.TrimSpace(temporary)

	_, err = d.TryLockRun("test")
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) {
		t.Fatalf("lock of another process: %v", err)
	}
	if h := locked.Holder; h.PID != cmd.Process.Pid || h.Command != "holder of the test" || time.Since(h.Since) > time.Minute {
		t.Errorf("holder: %+v", h)
	}
	if _, err := os.Stat(temporary); err != nil {
		t.Errorf("file of a process at work was touched: %v", err)
	}

	cmd.Process.Kill()
	cmd.Wait()
	l, err := d.TryLockRun("test")
	if err != nil {
		t.Fatalf("lock of a killed process: %v", err)
	}
	defer l.Unlock()
	if _, err := os.Stat(temporary); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of a killed process is still there: %v", err)
	}
}

func TestLockWithinProcess(t *testing.T) {
	d := newDir(t)
	l, err := d.LockRun(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TryLockRun("second"); !errors.Is(err, ErrLocked) || errors.Is(err, context.Canceled) {
		t.Fatalf("second: %v", err)
	}
	if err := d.change(func() error { return nil }); err != nil {
		t.Errorf("the locks are not apart: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockPoll)
	defer cancel()
	_, err = d.LockRun(ctx, "third")
	if !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "(first)") {
		t.Errorf("wait that ends: %v", err)
	}

	got := make(chan error)
	go func() {
		l, err := d.LockRun(t.Context(), "fourth")
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	l.Unlock()
	if err := <-got; err != nil {
		t.Errorf("wait that succeeds: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Errorf("second unlock: %v", err)
	}
}

func TestRemoveStaleKeepsTheRest(t *testing.T) {
	d := newDir(t)
	fill(t, d)
	count := func() (n int) {
		filepath.WalkDir(d.path, func(string, os.DirEntry, error) error { n++; return nil })
		return n
	}
	before := count()
	for _, dir := range []string{".", "index", "packs", "projects"} {
		write(t, d.file(dir, ".sorted123"), []byte("x"))
	}
	l, err := d.TryLockRun("test")
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	if after := count(); after != before {
		t.Errorf("%d files, were %d", after, before)
	}
}
