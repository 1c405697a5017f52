package files

import (
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const noXattr = unix.ENODATA

// A handle is a thing whose metadata is read or written: whatever else takes
// its name meanwhile, the handle stays with the thing. It is an open
// descriptor, or one opened with O_PATH, which opens a FIFO or a device without
// touching it; the latter is reached through /proc.
type handle struct {
	fd   int
	proc string // "" if fd is an ordinary descriptor
}

// handle pins what path names, if it is of the type that st says.
func (t *Tree) handle(path string, st Stat) (handle, error) {
	fd, err := t.resolve(path, unix.O_PATH)
	if err != nil {
		return handle{}, err
	}
	return pathHandle(fd, st.Type)
}

// pathHandle takes over fd, opened with O_PATH.
func pathHandle(fd int, typ Type) (handle, error) {
	var now Stat
	err := fstat(fd, &now)
	if err == nil && now.Type != typ {
		err = ErrChanged
	}
	if err != nil {
		unix.Close(fd)
		return handle{}, err
	}
	return handle{fd, "/proc/self/fd/" + strconv.Itoa(fd)}, nil
}

// openHandle is for an ordinary descriptor, which stays the caller's.
func openHandle(fd int) handle { return handle{fd: fd} }

func (h handle) close() { unix.Close(h.fd) }

func (h handle) readlink() (string, error) {
	b, err := growing(1<<16, func(b []byte) (int, error) { return unix.Readlinkat(h.fd, "", b) })
	return string(b), err
}

func (h handle) listxattr(b []byte) (int, error) {
	if h.proc != "" {
		return unix.Listxattr(h.proc, b)
	}
	return unix.Flistxattr(h.fd, b)
}

func (h handle) getxattr(name string, b []byte) (int, error) {
	if h.proc != "" {
		return unix.Getxattr(h.proc, name, b)
	}
	return unix.Fgetxattr(h.fd, name, b)
}

// otherMetadata names what this system has and Detail has no place for.
func otherMetadata(handle) []error { return nil }

func (h handle) stat(st *Stat) error { return fstat(h.fd, st) }

func (h handle) chown(uid, gid int) error {
	return unix.Fchownat(h.fd, "", uid, gid, unix.AT_EMPTY_PATH)
}

func (h handle) chmod(mode uint32) error {
	if h.proc != "" {
		return unix.Chmod(h.proc, mode)
	}
	return unix.Fchmod(h.fd, mode)
}

// setMtime sets the time of modification and leaves that of access.
func (h handle) setMtime(t Time) error {
	ts := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
	if h.proc != "" {
		return unix.UtimesNanoAt(unix.AT_FDCWD, h.proc, ts[:], 0)
	}
	// Without a name: futimens, which golang.org/x/sys does not have.
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(h.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (h handle) setxattr(name string, value []byte) error {
	if h.proc != "" {
		return unix.Setxattr(h.proc, name, value, 0)
	}
	return unix.Fsetxattr(h.fd, name, value, 0)
}

func (h handle) removexattr(name string) error {
	if h.proc != "" {
		return unix.Removexattr(h.proc, name)
	}
	return unix.Fremovexattr(h.fd, name)
}

// childHandle pins the name in folder dir, if it is of that type.
func childHandle(dir int, name string, typ Type) (handle, error) {
	fd, err := openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return handle{}, err
	}
	return pathHandle(fd, typ)
}

// mknodAt makes a FIFO or a device in folder dir.
func mknodAt(dir int, name string, typ Type, rdev uint64) error {
	mode := map[Type]uint32{FIFO: unix.S_IFIFO, Char: unix.S_IFCHR, Block: unix.S_IFBLK}[typ]
	return unix.Mknodat(dir, name, mode|0o600, int(unix.Mkdev(uint32(rdev>>32), uint32(rdev))))
}

// namedHandle is for an open file that has this name in folder dir.
func namedHandle(fd, _ int, _ string) handle { return handle{fd: fd} }

// removableXattr: what a restored thing may not have unless the snapshot has
// it. Labels of the security system come and go by its own rules.
func removableXattr(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, aclPrefix)
}
