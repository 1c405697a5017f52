package files

import (
	"errors"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const noXattr = unix.ENOATTR

// A handle is a thing whose metadata is read or written. Folders, regular
// files and symlinks are opened; FIFOs and devices must not be, and are named
// in their pinned folder instead.
type handle struct {
	fd   int // -1: use dir and name
	dir  int // -1: none
	name string
	own  bool // dir is ours to close
}

// ErrACL: access control lists of this system are not kept.
var ErrACL = errors.New("access control list: not kept on this system")

func openFlags(typ Type) int {
	switch typ {
	case Dir:
		return unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	case Regular:
		return unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW
	case Symlink:
		return unix.O_RDONLY | unix.O_SYMLINK
	}
	return 0
}

// handle pins what path names, if it is of the type that st says.
func (t *Tree) handle(path string, st Stat) (handle, error) {
	if err := CheckPath(path); err != nil {
		return handle{}, err
	}
	if path == "" && t.base == "" {
		fd, err := openat(t.fd, ".", openFlags(Dir))
		return handle{fd: fd, dir: -1}, err
	}
	parent, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	if t.base != "" {
		name = t.base
	}
	dir, err := t.openFolder(parent)
	if err != nil {
		return handle{}, err
	}
	h, err := childHandle(dir, name, st.Type)
	h.own = true
	if err != nil {
		unix.Close(dir)
	}
	return h, err
}

func (t *Tree) openFolder(path string) (int, error) {
	if path == "" {
		return openat(t.fd, ".", passFlags)
	}
	return t.resolveAt(t.fd, path, passFlags)
}

// childHandle pins the name in folder dir, if it is of that type.
func childHandle(dir int, name string, typ Type) (handle, error) {
	h := handle{fd: -1, dir: dir, name: name}
	if flags := openFlags(typ); flags != 0 {
		fd, err := openat(dir, name, flags)
		if err != nil {
			return h, err
		}
		h.fd = fd
	}
	var now Stat
	err := h.stat(&now)
	if err == nil && now.Type != typ {
		err = ErrChanged
	}
	if err != nil && h.fd >= 0 {
		unix.Close(h.fd)
	}
	return h, err
}

// openHandle is for an ordinary descriptor, which stays the caller's.
func openHandle(fd int) handle { return handle{fd: fd, dir: -1} }

func (h handle) close() {
	if h.fd >= 0 {
		unix.Close(h.fd)
	}
	if h.own {
		unix.Close(h.dir)
	}
}

func (h handle) stat(st *Stat) error {
	if h.fd >= 0 {
		return fstat(h.fd, st)
	}
	return lstatAt(h.dir, append([]byte(h.name), 0), st)
}

func (h handle) readlink() (string, error) {
	b, err := growing(1<<16, func(b []byte) (int, error) { return unix.Readlinkat(h.dir, h.name, b) })
	return string(b), err
}

func (h handle) listxattr(b []byte) (int, error) {
	if h.fd < 0 {
		return 0, unix.ENOTSUP
	}
	return unix.Flistxattr(h.fd, b)
}

func (h handle) getxattr(name string, b []byte) (int, error) { return unix.Fgetxattr(h.fd, name, b) }

func (h handle) setxattr(name string, value []byte) error {
	if h.fd < 0 {
		return unix.ENOTSUP
	}
	return unix.Fsetxattr(h.fd, name, value, 0)
}

func (h handle) removexattr(name string) error { return unix.Fremovexattr(h.fd, name) }

func (h handle) chown(uid, gid int) error {
	if h.fd >= 0 {
		return unix.Fchown(h.fd, uid, gid)
	}
	return unix.Fchownat(h.dir, h.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (h handle) chmod(mode uint32) error {
	if h.fd >= 0 {
		return unix.Fchmod(h.fd, mode)
	}
	return unix.Fchmodat(h.dir, h.name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

const utimeOmit = -2 // UTIME_OMIT of <sys/stat.h>

// setMtime sets the time of modification and leaves that of access. There is
// no way to do so by descriptor that keeps nanoseconds, so it goes by the name
// in the pinned folder, never through a link.
func (h handle) setMtime(t Time) error {
	dir, name := h.dir, h.name
	if dir < 0 {
		dir, name = h.fd, "."
	}
	ts := []unix.Timespec{{Nsec: utimeOmit}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
	return unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// mknodAt makes a FIFO or a device in folder dir. The calls that take a folder
// are missing here, so this thread alone changes its folder for a moment.
func mknodAt(dir int, name string, typ Type, rdev uint64) (err error) {
	runtime.LockOSThread()
	if err := unix.PthreadFchdir(dir); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	switch typ {
	case FIFO:
		err = unix.Mkfifo(name, 0o600)
	case Char:
		err = unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(uint32(rdev>>32), uint32(rdev))))
	default:
		err = unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(uint32(rdev>>32), uint32(rdev))))
	}
	if back := unix.PthreadFchdir(-1); back != nil {
		return errors.Join(err, back) // the thread stays locked and dies with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

const (
	attrCommonSecurity = 0x00400000 // ATTR_CMN_EXTENDED_SECURITY
	attrBitmapCount    = 5
)

// otherMetadata tells of an access control list, which Detail has no place for.
func otherMetadata(h handle) []error {
	if h.fd < 0 {
		return nil
	}
	list := struct {
		count, reserved                 uint16
		common, volume, dir, file, fork uint32
	}{count: attrBitmapCount, common: attrCommonSecurity}
	var reply struct {
		size, offset, length uint32 // then the list itself, if there is one
		rest                 [4 << 10]byte
	}
	_, _, errno := unix.Syscall6(unix.SYS_FGETATTRLIST, uintptr(h.fd), uintptr(unsafe.Pointer(&list)),
		uintptr(unsafe.Pointer(&reply)), unsafe.Sizeof(reply), 0, 0)
	if errno == 0 && reply.length > 0 {
		return []error{ErrACL}
	}
	return nil
}

// namedHandle is for an open file that has this name in folder dir.
func namedHandle(fd, dir int, name string) handle { return handle{fd: fd, dir: dir, name: name} }

// removableXattr: what a restored thing may not have unless the snapshot has
// it. The system sets some of its own, which cannot be taken away.
func removableXattr(name string) bool { return !strings.HasPrefix(name, "com.apple.") }
