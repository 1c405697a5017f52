package files

import "time"

// Type is the kind of a file system entry.
type Type byte

const (
	Dir     Type = 'd'
	Regular Type = 'f'
	Symlink Type = 'l'
	FIFO    Type = 'p'
	Char    Type = 'c'
	Block   Type = 'b'
	Socket  Type = 's'
)

// Time is an instant with the full resolution of a file system: seconds since
// 1970 (negative before) and nanoseconds in [0, 1e9).
type Time struct {
	Sec  int64
	Nsec int32
}

// Time converts t.
func (t Time) Time() time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// An Xattr is one extended attribute; POSIX ACLs are the attributes
// system.posix_acl_access and system.posix_acl_default, kept as opaque bytes.
type Xattr struct {
	Name  string
	Value []byte
}

// A Hole is a stretch of a sparse file without data, in bytes.
type Hole struct {
	Off, Len int64
}

// Stat is what one stat call says: enough to tell that a file did not change.
type Stat struct {
	Type  Type
	Mode  uint32 // permission bits, setuid, setgid and sticky: mode & 07777
	Size  int64  // of a regular file, else 0
	Mtime Time
	UID   uint32
	GID   uint32
	Rdev  uint64 // of a device: major<<32 | minor

	// For change detection and hard links only; never stored on a remote.
	Ctime  Time
	Ino    uint64
	Dev    uint64
	Nlink  uint32
	Blocks int64 // 512-byte blocks allocated: a sparse file has fewer than its size needs
}

// Detail is what costs further system calls, and so is read only for entries
// that are new or changed (see Tree.Detail).
type Detail struct {
	User   string // name of UID, or ""
	Group  string // name of GID, or ""
	Xattrs []Xattr
	Target string // of a symlink
	Holes  []Hole // of a sparse regular file, ascending, not touching
}

// Compare orders paths as a walk yields them: component by component, each as
// raw bytes, a folder before what it holds. "" is the root itself. It equals
// comparing the paths as strings in which '/' sorts before every other byte.
func Compare[T ~string | ~[]byte](a, b T) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return +1
		case a[i] < b[i]:
			return -1
		}
		return +1
	}
	return len(a) - len(b)
}
