package prooftest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Close is a close of a file that was open for writing: the kind of a [Fault]
// only, since it changes nothing.
const Close Kind = "close"

// A Fault is an operation of a program that a disk fails at.
type Fault struct {
	Kind Kind // Create, Write, Sync, Rename or Close
	Nth  int  // the how manieth of that kind, from 1
	Err  syscall.Errno
	// Spared are paths below the folder, beginning like this, at which nothing
	// fails; "" spares none.
	Spared string
}

// An Outcome is what a program did that met a [Fault].
type Outcome struct {
	Changes []Change // what it did all the same, without what failed
	Hit     string   // the path at which it failed; "" if it made no such call
	Code    int      // with which the program ended
}

// Fail is [Record] of a program one of whose calls fails. What fails has not
// been done, but for a close: that is done, and says all the same that the bytes
// are lost.
func Fail(dir string, cmd *exec.Cmd, f Fault) (Outcome, error) {
	r := &recorder{dir: dir, fault: &f}
	err := r.run(cmd)
	return Outcome{r.changes, r.hit, r.code}, err
}

// fail makes a call fail, if it is the one.
func (r *recorder) fail(tid int, c *call) error {
	if r.fault == nil || r.hit != "" {
		return nil
	}
	kind, path := r.kind(c)
	if kind != r.fault.Kind || path == "" || r.fault.Spared != "" && strings.HasPrefix(path, r.fault.Spared) {
		return nil
	}
	if r.seen++; r.seen < r.fault.Nth {
		return nil
	}
	r.hit, c.errs = path, true
	if kind == Close {
		return nil
	}
	return skip(tid)
}

// kind tells what a call does to which path, among what can be made to fail.
func (r *recorder) kind(c *call) (Kind, string) {
	switch c.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return Write, c.path
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		return Sync, c.path
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return Rename, c.to
	case unix.SYS_OPENAT:
		if c.args[2]&unix.O_CREAT != 0 && !c.was {
			return Create, c.path
		}
	case unix.SYS_CLOSE:
		if fd := int32(c.args[0]); r.writes(fd) {
			return Close, r.ofDescriptor(fd)
		}
	}
	return "", ""
}

// writes tells whether a descriptor is open for writing.
func (r *recorder) writes(fd int32) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", r.pid, fd))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), "flags:\t")
	var flags int
	_, err = fmt.Sscanf(rest, "%o", &flags)
	return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
}
