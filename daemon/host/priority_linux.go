package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// What ioprio_set(2) takes. The best-effort class at its lowest level: in the
// idle class a run on a busy disk might never end.
const (
	ioprioProcess    = 1 // which: who is a thread
	ioprioBestEffort = 2 << 13
	ioprioLowest     = 7
)

// LowerPriority makes every thread of this process, and what it starts from now
// on, give way to others for processor and disk. It cannot be taken back
// without privileges. A priority that is lower already stays.
func LowerPriority() error {
	// On Linux priorities belong to threads, and a new one has that of the
	// thread that made it. So the rounds go on until one finds nobody new.
	seen := map[int]bool{}
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("lower the priority: %w", err)
		}
		found := len(seen)
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || seen[tid] {
				continue
			}
			seen[tid] = true
			if err := lowerThread(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("lower the priority: %w", err)
			}
		}
		if len(seen) == found {
			return nil
		}
	}
}

func lowerThread(tid int) error {
	// The system call, unlike the one in the C library, answers 20 minus nice.
	answer, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		return err
	}
	if 20-answer < niceness {
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, niceness); err != nil {
			return err
		}
	}
	_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioProcess, uintptr(tid), ioprioBestEffort|ioprioLowest)
	if errno != 0 {
		return errno
	}
	return nil
}
