package prooftest

import "golang.org/x/sys/unix"

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
