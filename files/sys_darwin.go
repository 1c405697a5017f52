package files

import (
	"golang.org/x/sys/unix"
)

const (
	passFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	noAtime   = 0
)

// noFollow: O_SYMLINK opens a link itself, which is as good.
func noFollow(flags int) int {
	if flags&unix.O_SYMLINK != 0 {
		return flags
	}
	return flags | unix.O_NOFOLLOW
}

// canResolve: there is no call that resolves a whole path and can be trusted
// with links at any place of it, so paths are opened step by step.
func canResolve(int) bool { return false }

func openBeneath(dir int, path string, flags int) (int, error) {
	return openStepwise(dir, path, flags)
}

func fillStat(st *Stat, raw *unix.Stat_t) {
	*st = Stat{
		Type:   typeOf(uint32(raw.Mode)),
		Mode:   uint32(raw.Mode) & 0o7777,
		Mtime:  Time{raw.Mtim.Sec, int32(raw.Mtim.Nsec)},
		UID:    raw.Uid,
		GID:    raw.Gid,
		Ctime:  Time{raw.Ctim.Sec, int32(raw.Ctim.Nsec)},
		Ino:    raw.Ino,
		Dev:    uint64(uint32(raw.Dev)),
		Nlink:  uint32(raw.Nlink),
		Blocks: raw.Blocks,
	}
	switch st.Type {
	case Regular:
		st.Size = raw.Size
	case Char, Block:
		dev := uint64(uint32(raw.Rdev))
		st.Rdev = uint64(unix.Major(dev))<<32 | uint64(unix.Minor(dev))
	}
}

const dataless = 0x40000000 // SF_DATALESS: a cloud placeholder

// dataElsewhere tells of cloud placeholders: reading one would fetch it from
// the network, for each file of a whole cloud drive.
func dataElsewhere(fd int) bool {
	var raw unix.Stat_t
	return unix.Fstat(fd, &raw) == nil && raw.Flags&dataless != 0
}
