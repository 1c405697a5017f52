//go:build !linux || (!amd64 && !arm64) || portable

package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The calls of list_getdents.go for every other system, by the standard
// library. Build with -tags portable to test them on Linux.

func list(fd int, l *nameList, _ []byte) error {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(dup), "folder")
	defer f.Close()
	for {
		names, err := f.Readdirnames(4096)
		for _, name := range names {
			if err := l.add([]byte(name), 0); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if pe, ok := errors.AsType[*os.PathError](err); ok {
				return pe.Err
			}
			var se *os.SyscallError
			if errors.As(err, &se) {
				return se.Err
			}
			return err
		}
	}
}

func cString(arena []byte) string { return string(arena[:bytes.IndexByte(arena, 0)]) }

func lstatAt(fd int, arena []byte, st *Stat) error {
	var raw unix.Stat_t
	name := cString(arena)
	for {
		err := unix.Fstatat(fd, name, &raw, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil {
			fillStat(st, &raw)
			return nil
		}
		if err != syscall.EINTR {
			return err
		}
	}
}

func openAt(fd int, arena []byte, flags int) (int, error) { return openat(fd, cString(arena), flags) }
