package host

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLowerPriority does it in a child, since nobody can undo it, and looks at
// every thread of it and at a child of its own.
func TestLowerPriority(t *testing.T) {
	if os.Getenv("HOST_TEST_LOWER") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLowerPriority$", "-test.v")
		cmd.Env = append(os.Environ(), "HOST_TEST_LOWER=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	held := make(chan bool)
	for range 8 { // threads that are there before
		started := make(chan bool)
		go func() { runtime.LockOSThread(); close(started); <-held }()
		<-started
	}
	if err := LowerPriority(); err != nil {
		t.Fatal(err)
	}
	if err := LowerPriority(); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	for range 8 { // and after
		started := make(chan bool)
		go func() { runtime.LockOSThread(); close(started); <-held }()
		<-started
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) < 16 {
		t.Fatalf("there are %d threads only", len(tasks))
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		answer, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
		if err != nil || 20-answer < niceness {
			t.Errorf("thread %d has niceness %d, %v", tid, 20-answer, err)
		}
		io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioProcess, uintptr(tid), 0)
		if errno != 0 || io != ioprioBestEffort|ioprioLowest {
			t.Errorf("thread %d has disk priority %#x, %v", tid, io, errno)
		}
	}
	out, err := exec.Command("nice").Output()
	if n, _ := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || n < niceness {
		t.Errorf("what it starts has niceness %s, %v", out, err)
	}
	close(held)
}
