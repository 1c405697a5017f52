//go:build linux && (amd64 || arm64) && !portable

package files

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These three calls run once per folder or per entry. They go to the kernel
// directly, with names as they lie in the arena (each ends in a NUL byte), so
// that they allocate nothing: golang.org/x/sys copies every name.

// list appends the names in the open folder fd to l.
func list(fd int, l *nameList, buf []byte) error {
	for {
		n, _, errno := unix.Syscall(unix.SYS_GETDENTS64, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return errno
		case n == 0:
			return nil
		}
		if err := l.addDirents(buf[:n]); err != nil {
			return err
		}
	}
}

// offsets in the kernel's struct linux_dirent64
const (
	direntLen  = 16
	direntType = 18
	direntName = 19
)

func (l *nameList) addDirents(b []byte) error {
	for len(b) > direntName {
		size := int(binary.NativeEndian.Uint16(b[direntLen:]))
		if size <= direntName || size > len(b) {
			return syscall.EIO
		}
		name := b[direntName:size]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if err := l.add(name, direntTypes[b[direntType]&15]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// direntTypes translates DT_*; zero means that the file system did not say.
var direntTypes = [16]Type{
	unix.DT_REG: Regular, unix.DT_DIR: Dir, unix.DT_LNK: Symlink, unix.DT_FIFO: FIFO,
	unix.DT_CHR: Char, unix.DT_BLK: Block, unix.DT_SOCK: Socket,
}

// lstatAt stats the name at the start of arena (to its NUL) in folder fd.
func lstatAt(fd int, arena []byte, st *Stat) error {
	var raw unix.Stat_t
	for {
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(&arena[0])),
			uintptr(unsafe.Pointer(&raw)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		if errno == 0 {
			fillStat(st, &raw)
			return nil
		}
		if errno != syscall.EINTR {
			return errno
		}
	}
}

// openAt opens the name at the start of arena (to its NUL) in folder fd.
func openAt(fd int, arena []byte, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(fd), uintptr(unsafe.Pointer(&arena[0])),
			uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != syscall.EINTR {
			return -1, errno
		}
	}
}
