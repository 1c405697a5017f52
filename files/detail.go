package files

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Detail reads what a stat call does not say of an entry: names of the owner,
// extended attributes, the target of a symlink, the holes of a sparse file.
// It returns what could be read and an error for each thing that could not.
// Nothing but folders and regular files is opened; no symlink is followed.
func (t *Tree) Detail(path string, st Stat) (Detail, []error) {
	d, errs := t.ownerNames(st)
	h, err := t.handle(path, st)
	if err != nil {
		return d, append(errs, fmt.Errorf("open for metadata: %w", err))
	}
	defer h.close()
	if st.Type == Symlink {
		if d.Target, err = h.readlink(); err != nil {
			errs = append(errs, fmt.Errorf("read symlink: %w", err))
		}
	}
	var more []error
	d.Xattrs, more = readXattrs(h)
	errs = append(errs, more...)
	if !sparse(st) {
		return d, errs
	}
	var now Stat
	fd, err := t.openRegular(path, st, &now)
	if err != nil {
		return d, append(errs, fmt.Errorf("find holes: %w", err))
	}
	d.Holes = findHoles(fd, st.Size)
	unix.Close(fd)
	return d, errs
}

// FDetail is Detail of a regular file that is open already, which is cheaper
// and cannot describe another file than the one that is read. f stays at the
// offset it has. st is what FStat says of f.
func (t *Tree) FDetail(f *OpenFile, st Stat) (Detail, []error) {
	d, errs := t.ownerNames(st)
	fd := f.fd
	var more []error
	d.Xattrs, more = readXattrs(openHandle(fd))
	if sparse(st) {
		if at, err := unix.Seek(fd, 0, unix.SEEK_CUR); err == nil {
			d.Holes = findHoles(fd, st.Size)
			if _, err := unix.Seek(fd, at, unix.SEEK_SET); err != nil {
				errs = append(errs, fmt.Errorf("find holes: %w", err))
			}
		}
	}
	return d, append(errs, more...)
}

func (t *Tree) ownerNames(st Stat) (Detail, []error) {
	var d Detail
	var errs []error
	var err error
	if d.User, err = t.names.user(st.UID); err != nil {
		errs = append(errs, fmt.Errorf("name of user %d: %w", st.UID, err))
	}
	if d.Group, err = t.names.group(st.GID); err != nil {
		errs = append(errs, fmt.Errorf("name of group %d: %w", st.GID, err))
	}
	return d, errs
}

const (
	maxXattrList  = 1 << 20  // bytes of all names; Linux allows 64 KiB
	maxXattrValue = 16 << 20 // bytes of one value; Linux allows 64 KiB
)

// readXattrs returns the attributes of h, by name, and what could not be read.
func readXattrs(h handle) ([]Xattr, []error) {
	if n, err := h.listxattr(nil); n == 0 && err == nil { // nearly all have none, and need no buffer
		return nil, otherMetadata(h)
	}
	list, err := growing(maxXattrList, h.listxattr)
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{fmt.Errorf("list extended attributes: %w", err)}
	}
	var out []Xattr
	var errs []error
	for name := range strings.SplitSeq(string(list), "\x00") {
		if name == "" {
			continue
		}
		value, err := growing(maxXattrValue, func(b []byte) (int, error) { return h.getxattr(name, b) })
		switch {
		case err == noXattr: // gone since it was listed
		case err != nil:
			errs = append(errs, fmt.Errorf("read extended attribute %s: %w", name, err))
		default:
			out = append(out, Xattr{name, value})
		}
	}
	slices.SortFunc(out, func(a, b Xattr) int { return cmp.Compare(a.Name, b.Name) })
	return out, append(errs, otherMetadata(h)...)
}

func unsupported(err error) bool { return err == unix.ENOTSUP || err == unix.EOPNOTSUPP }

// growing calls get with larger and larger buffers until the result fits.
func growing(limit int, get func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, min(size, limit))
		n, err := get(buf)
		switch {
		case err == unix.EINTR:
			size /= 4
			continue
		case err == unix.ERANGE || err == unix.E2BIG || err == nil && n >= len(buf):
			if len(buf) == limit {
				return nil, unix.E2BIG
			}
			continue
		case err != nil:
			return nil, err
		}
		return buf[:n:n], nil
	}
}
