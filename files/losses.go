package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotAsked is the Err of a Loss that the options asked for.
var ErrNotAsked = errors.New("not asked for")

// ErrNotRoot is the Err of a Loss that only root could have avoided.
var ErrNotRoot = errors.New("only root may")

// A Loss is a piece of metadata that was not restored. Kind is "owner", "mode",
// "times", "setuid", "device", "acl" or "xattr " and the attribute's name.
// (Callers of Link add "hard link".)
type Loss struct {
	Kind string
	Err  error
}

// Losses are those of one restored thing.
type Losses []Loss

func (l *Losses) add(kind string, err error) { *l = append(*l, Loss{kind, err}) }

func (l Losses) has(kind string) bool {
	return slices.ContainsFunc(l, func(x Loss) bool { return x.Kind == kind })
}

func (l Loss) String() string { return l.Kind + ": " + l.Err.Error() }

const (
	setIDBits  = 0o6000
	aclPrefix  = "system.posix_acl_"
	capability = "security.capability"
)

func xattrKind(name string) string {
	if strings.HasPrefix(name, aclPrefix) {
		return "acl"
	}
	return "xattr " + name
}

// restore sets the metadata of h: first the owner, because that takes away
// setuid bits and capabilities, then attributes, mode and time. What the file
// system made of it is read back.
func (w *Writer) restore(h handle, st Stat, d Detail) Losses {
	var losses Losses
	uid, gid := w.owner(st, d, &losses)
	if w.o.Owner {
		if err := h.chown(int(uid), int(gid)); err != nil {
			losses.add("owner", err)
			_ = h.chown(-1, int(gid)) // the group alone may be ours to give; read back below
		}
	}
	var now Stat
	if err := h.stat(&now); err != nil {
		losses.add("mode", err)
		return losses
	}
	owned := now.UID == uid && now.GID == gid
	w.restoreXattrs(h, d, owned, &losses)
	if st.Type != Symlink {
		mode := w.mode(st, owned, &losses)
		if err := h.chmod(mode); err != nil {
			losses.add("mode", err)
		}
		st.Mode = mode
	}
	if err := h.setMtime(st.Mtime); err != nil {
		losses.add("times", err)
	}
	w.readBack(h, st, owned, &losses)
	return losses
}

// owner says to whom the thing should belong here.
func (w *Writer) owner(st Stat, d Detail, losses *Losses) (uid, gid uint32) {
	uid, gid = st.UID, st.GID
	if !w.o.Owner || !w.o.ByName {
		return uid, gid
	}
	if d.User != "" {
		if id, ok := w.ids.user(d.User); ok {
			uid = id
		} else {
			losses.add("owner", fmt.Errorf("no user %q here: number %d kept", d.User, uid))
		}
	}
	if d.Group != "" {
		if id, ok := w.ids.group(d.Group); ok {
			gid = id
		} else {
			losses.add("owner", fmt.Errorf("no group %q here: number %d kept", d.Group, gid))
		}
	}
	return uid, gid
}

// mode is what may be restored of st.Mode: a program that runs as its owner
// must not come to run as another. A folder's setgid bit gives nobody rights.
func (w *Writer) mode(st Stat, owned bool, losses *Losses) uint32 {
	mode := st.Mode & 0o7777
	if st.Type == Dir || mode&setIDBits == 0 {
		return mode
	}
	if err := w.mayRunAsOwner(owned); err != nil {
		losses.add("setuid", err)
		return mode &^ setIDBits
	}
	return mode
}

func (w *Writer) mayRunAsOwner(owned bool) error {
	switch {
	case !w.o.SetID:
		return ErrNotAsked
	case !owned:
		return errors.New("the owner is not restored")
	}
	return nil
}

// restoreXattrs sets the attributes of d and takes away others that came from
// elsewhere: an inherited access control list, those of a folder that was there.
func (w *Writer) restoreXattrs(h handle, d Detail, owned bool, losses *Losses) {
	list, err := growing(maxXattrList, h.listxattr)
	if err != nil && !unsupported(err) {
		losses.add("xattr", err)
	}
	for name := range strings.SplitSeq(string(list), "\x00") {
		if name == "" || !removableXattr(name) {
			continue
		}
		if slices.ContainsFunc(d.Xattrs, func(x Xattr) bool { return x.Name == name }) {
			continue
		}
		if err := h.removexattr(name); err != nil && err != noXattr {
			losses.add(xattrKind(name), fmt.Errorf("take away what the snapshot does not have: %w", err))
		}
	}
	for _, x := range d.Xattrs {
		if err := w.setXattr(h, x, owned); err != nil {
			losses.add(xattrKind(x.Name), err)
		}
	}
}

func (w *Writer) setXattr(h handle, x Xattr, owned bool) error {
	switch {
	case x.Name == "" || strings.IndexByte(x.Name, 0) >= 0:
		return fmt.Errorf("name %q", x.Name)
	case strings.HasPrefix(x.Name, "security.") && w.euid != 0:
		return ErrNotRoot
	case x.Name == capability:
		if err := w.mayRunAsOwner(owned); err != nil {
			return err
		}
	}
	return h.setxattr(x.Name, x.Value)
}

// readBack compares what there is now with what was asked for: some file
// systems take a call and do nothing, or less.
func (w *Writer) readBack(h handle, want Stat, owned bool, losses *Losses) {
	var now Stat
	if err := h.stat(&now); err != nil {
		losses.add("mode", err)
		return
	}
	if w.o.Owner && !owned && !losses.has("owner") {
		losses.add("owner", fmt.Errorf("it is %d:%d", now.UID, now.GID))
	}
	if want.Type != Symlink && now.Mode != want.Mode && !losses.has("mode") {
		losses.add("mode", fmt.Errorf("it is %04o, not %04o", now.Mode, want.Mode))
	}
	if now.Mtime != want.Mtime && !losses.has("times") {
		losses.add("times", fmt.Errorf("it is %s", now.Mtime.Time().UTC().Format("2006-01-02T15:04:05.999999999Z")))
	}
}
