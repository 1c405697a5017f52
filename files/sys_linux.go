package files

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// passFlags open a folder only to go through it: no permission to list needed.
	passFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW

	// A backup should not look like a reader of everything. Only the owner of
	// a file and root may ask for this.
	noAtime = unix.O_NOATIME

	noSymlinks = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
)

func noFollow(flags int) int { return flags | unix.O_NOFOLLOW }

// canResolve tells whether openat2 is there; old kernels lack it and some
// sandboxes forbid it.
func canResolve(dir int) bool {
	fd, err := unix.Openat2(dir, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: noSymlinks})
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

func openBeneath(dir int, path string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: noSymlinks}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		if err == nil {
			return fd, nil
		}
		if err != syscall.EINTR {
			return -1, err
		}
	}
}

func fillStat(st *Stat, raw *unix.Stat_t) {
	*st = Stat{
		Type:   typeOf(uint32(raw.Mode)),
		Mode:   uint32(raw.Mode) & 0o7777,
		Mtime:  Time{int64(raw.Mtim.Sec), int32(raw.Mtim.Nsec)},
		UID:    raw.Uid,
		GID:    raw.Gid,
		Ctime:  Time{int64(raw.Ctim.Sec), int32(raw.Ctim.Nsec)},
		Ino:    raw.Ino,
		Dev:    uint64(raw.Dev),
		Nlink:  uint32(raw.Nlink),
		Blocks: raw.Blocks,
	}
	switch st.Type {
	case Regular:
		st.Size = raw.Size
	case Char, Block:
		st.Rdev = uint64(unix.Major(uint64(raw.Rdev)))<<32 | uint64(unix.Minor(uint64(raw.Rdev)))
	}
}

// dataElsewhere tells of files whose content is not on this machine. Linux has none.
func dataElsewhere(int) bool { return false }
