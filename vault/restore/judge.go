package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"coffer/files"
	"coffer/vault/manifest"
)

// A verdict says what is to be done about an entry, after a look at what has
// its name already.
type verdict int

const (
	toWrite verdict = iota
	isSame          // it is there already
	isKept          // something else is there and stays
)

// lstat tells what is at a path in the folder up of the target. In a folder
// that we made there is nothing yet.
func (p *planner) lstat(at string, up *folder) (files.Stat, error) {
	if up != nil && up.fresh {
		return files.Stat{}, fs.ErrNotExist
	}
	return p.to.disk.Lstat(at)
}

// judge decides about an entry that is no folder. Where a folder is in the
// way and may go, it makes room.
func (p *planner) judge(ctx context.Context, e *manifest.Entry, at string) (verdict, error) {
	up := p.top()
	st, err := p.lstat(at, up)
	if errors.Is(err, fs.ErrNotExist) {
		return toWrite, nil
	}
	if err != nil {
		return isKept, err
	}
	if up != nil && !up.listed && !up.gap && !up.through {
		up.folded = true
	}
	switch p.o.Overwrite {
	case Never:
		return isKept, nil
	case IfNewer, IfChanged:
		if p.equal(e, at, st) {
			return isSame, nil
		}
		if p.o.Overwrite == IfNewer && !newer(e.Mtime, st.Mtime) {
			return isKept, nil
		}
	}
	if st.Type == files.Dir {
		return toWrite, p.makeRoom(ctx, at)
	}
	return toWrite, nil
}

// equal tells whether what is there looks as the snapshot has it. Content and
// attributes are taken to be equal where size and mtime are.
func (p *planner) equal(e *manifest.Entry, at string, st files.Stat) bool {
	if st.Type != e.Type || st.Size != e.Size || st.Mtime != e.Mtime {
		return false
	}
	if p.writes.Owner && !p.writes.ByName && (st.UID != e.UID || st.GID != e.GID) {
		return false
	}
	switch e.Type {
	case files.Symlink:
		return p.targetOf(at, st) == e.Target
	case files.Char, files.Block:
		if st.Rdev != e.Rdev && p.to.w != nil { // a dry run does not know
			return false
		}
	}
	want := e.Mode
	if !p.writes.SetID {
		want &^= 0o6000
	}
	return st.Mode == want
}

// targetOf returns where a symlink leads; "" if that cannot be read.
func (p *planner) targetOf(at string, st files.Stat) string {
	d, _ := p.to.tree.Detail(at, st)
	return d.Target
}

// makeRoom gets a folder out of the way of something that is none. An empty
// one goes without asking.
func (p *planner) makeRoom(ctx context.Context, at string) error {
	names, err := p.to.disk.ReadDir(at)
	if err != nil {
		return err
	}
	if len(names) > 0 && !p.o.Delete {
		return fmt.Errorf("a folder that is not empty is %w: to delete it would have to be asked for", files.ErrInTheWay)
	}
	gone, err := p.remove(ctx, at)
	if err == nil && !gone {
		err = fmt.Errorf("a folder of which something must stay is %w", files.ErrInTheWay)
	}
	return err
}

// newer tells whether a is later than b.
func newer(a, b files.Time) bool { return a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec }

// sameInode tells whether two paths of the target are names of one file.
func (p *planner) sameInode(a, b string) bool {
	x, err := p.to.disk.Lstat(a)
	y, err2 := p.to.disk.Lstat(b)
	return err == nil && err2 == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
