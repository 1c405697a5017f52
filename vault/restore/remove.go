package restore

import (
	"context"
	"errors"
	"io/fs"

	"coffer/files"
)

// clear removes from a folder what the snapshot does not have in it, if that
// was asked for, and what a restore that was killed left behind. It tells
// whether other things stay.
func (p *planner) clear(ctx context.Context, f *folder) (foreign bool, err error) {
	for _, name := range f.extra {
		at := join(f.at, name)
		switch {
		case files.IsTemp(name):
			p.sweep(at)
		case !p.o.Delete:
			foreign = true
		case f.was.Dev != p.to.device:
			p.tell(Failed, at, files.Stat{}, errMounted)
		case f.folded:
			p.tell(Failed, at, files.Stat{}, errors.New("not deleted: the file system takes some names for others, and this could be one that was restored"))
		default:
			if _, err := p.remove(ctx, at); err != nil {
				return false, err
			}
		}
	}
	return foreign, nil
}

// sweep removes an unfinished file, unless it may be that of a restore which
// is at work right now.
func (p *planner) sweep(at string) {
	st, err := p.to.disk.Lstat(at)
	if err == nil && st.Type == files.Regular && st.Mtime.Time().Before(p.began) && p.to.w != nil {
		_ = p.to.w.Remove(at) // the next restore will try again
	}
}

// remove removes something and, of a folder, what is in it, and tells of each
// thing. What filters leave out stays, and so do folders on which another file
// system is mounted; then gone is false. An error is that of ctx.
func (p *planner) remove(ctx context.Context, at string) (gone bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	st, err := p.to.disk.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err == nil && !p.mayRemove(at, st) {
		return false, nil
	}
	if err == nil && st.Type == files.Dir {
		if gone, err = p.removeInside(ctx, at, st); err == nil && !gone {
			return false, nil
		}
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil && p.to.w != nil {
		err = p.to.w.Remove(at)
	}
	if err != nil {
		p.tell(Failed, at, st, err)
		return false, nil
	}
	p.tell(Deleted, at, st, nil)
	return true, nil
}

// mayRemove asks the filters, of this restore and of the backup: what they
// leave out is not touched.
func (p *planner) mayRemove(at string, st files.Stat) bool {
	rest, _ := within(at, p.dest)
	if p.sift.choose(rest, st.Type == files.Dir, true) != take {
		return false
	}
	if p.spare == nil {
		p.spare = newSpare(p.src.Body().Policy, p.to.tree)
	}
	if p.spare.spares(at, join(p.sel.path, rest), st.Type == files.Dir) {
		p.tell(Kept, at, st, errLeftOut)
		return false
	}
	return true
}

var errLeftOut = errors.New("not deleted: the backup leaves it out")

// errMounted: what lies on another file system is not ours to delete. A
// snapshot that stopped at the mount point has nothing of it.
var errMounted = errors.New("not deleted: it lies on another file system than the target")

// removeInside removes all that is in a folder.
func (p *planner) removeInside(ctx context.Context, at string, st files.Stat) (gone bool, err error) {
	if st.Dev != p.to.device {
		return false, errMounted
	}
	if p.to.w != nil && st.Mode&0o700 != 0o700 {
		if err := p.to.w.Mkdir(at); err != nil { // which makes it ours to write in
			return false, err
		}
	}
	names, err := p.to.disk.ReadDir(at)
	if err != nil {
		return false, err
	}
	gone = true
	for _, name := range names {
		g, err := p.remove(ctx, join(at, name))
		if err != nil {
			return false, err
		}
		gone = gone && g
	}
	return gone, nil
}
