package prooftest

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// beginOld knows the calls that only this processor still has.
func (r *recorder) beginOld(c *call) {
	at := func(i int) string { return r.ofName(uint64(uint32(0xffffff9c)), c.args[i]) }
	switch c.nr {
	case unix.SYS_UNLINK, unix.SYS_RMDIR:
		c.nr, c.path = unix.SYS_UNLINKAT, at(0)
	case unix.SYS_MKDIR:
		c.nr, c.path = unix.SYS_MKDIRAT, at(0)
	case unix.SYS_RENAME:
		c.nr, c.path, c.to = unix.SYS_RENAMEAT, at(0), at(1)
	case unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_TRUNCATE, unix.SYS_LINK, unix.SYS_MKNOD:
		c.path = at(0)
	}
}

// skip makes a call that has begun be one that there is none of.
func skip(tid int) error { return change(tid, func(r *unix.PtraceRegs) { r.Orig_rax = ^uint64(0) }) }

// answer makes a call that has ended be one that failed.
func answer(tid int, err syscall.Errno) error {
	return change(tid, func(r *unix.PtraceRegs) { r.Rax = uint64(-int64(err)) })
}

func change(tid int, do func(*unix.PtraceRegs)) error {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return fmt.Errorf("trace: change a system call: %w", err)
	}
	do(&r)
	return unix.PtraceSetRegs(tid, &r)
}
