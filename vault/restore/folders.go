package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"coffer/files"
	"coffer/vault/manifest"
)

// A folder is one that the walk is in, or left since the window began.
type folder struct {
	src     string     // in the root
	at      string     // in the target
	through bool       // not to be restored itself, it only leads to what is
	wanted  bool       // Include, if there is one, matches it or a folder above
	made    bool       // it exists, as a folder; else it is made when something needs it
	fresh   bool       // it did not exist: nothing can be in the way in it
	keep    bool       // its own metadata stays as it is
	was     files.Stat // what it was before, unless fresh

	known  bool // what the snapshot says of it; else that is damaged
	stat   files.Stat
	detail files.Detail

	// What was in it, of which the walk has not come by yet; ascending. What it
	// passes by is not in the snapshot, unless it lies in a gap.
	// Of a folder that is only passed through they are not known.
	names   []string
	extra   []string
	listed  bool // the name passed last was there
	gap     bool // the manifest is damaged between here and the next name
	partial bool // it could not be read as a whole when it was saved
	folded  bool // the file system finds names that it does not list
}

// pass moves on to the name of an entry.
func (f *folder) pass(name string) {
	for len(f.names) > 0 && f.names[0] < name {
		f.drop()
	}
	f.listed = len(f.names) > 0 && f.names[0] == name
	if f.listed {
		f.names = f.names[1:]
	}
	f.gap = false
}

// end moves on behind the last name.
func (f *folder) end() {
	for len(f.names) > 0 {
		f.drop()
	}
}

func (f *folder) drop() {
	if !f.gap && !f.partial || files.IsTemp(f.names[0]) {
		f.extra = append(f.extra, f.names[0])
	}
	f.names = f.names[1:]
}

// top returns the folder the walk is in, or nil at the very top.
func (p *planner) top() *folder {
	if len(p.stack) == 0 {
		return nil
	}
	return p.stack[len(p.stack)-1]
}

// leave closes the folders that do not hold src. Their turn comes at the end
// of the window, when all that goes into them is written.
func (p *planner) leave(src string) {
	for f := p.top(); f != nil; f = p.top() {
		if rest, in := within(src, f.src); in && rest != "" {
			return
		}
		p.pop()
	}
}

func (p *planner) pop() {
	f := p.top()
	f.end()
	p.stack = p.stack[:len(p.stack)-1]
	p.win.closed = append(p.win.closed, f)
	p.win.entries++
}

// push enters a folder that the snapshot has at src.
func (p *planner) push(f *folder) {
	f.at = p.place(f.src)
	p.stack = append(p.stack, f)
}

// bridge enters the folders above src that the manifest did not give, because
// it is damaged there, and returns false if one of them is left out.
func (p *planner) bridge(src string) bool {
	at := p.sel.path
	if up := p.top(); up != nil {
		at = up.src
	} else if src == at || !p.bridgeTo(at) {
		return src == at
	}
	rest, _ := within(parent(src), at)
	for name := range strings.SplitSeq(rest, "/") {
		if name == "" {
			break
		}
		if at = join(at, name); !p.bridgeTo(at) {
			return false
		}
	}
	return true
}

func (p *planner) bridgeTo(src string) bool {
	c := p.choose(src, files.Dir)
	if c == leaveOut {
		p.barred = barrier{src: src, on: true, quiet: true}
		return false
	}
	p.push(&folder{src: src, gap: true, through: c == pass, wanted: c == take})
	return true
}

// lead enters the folders above a selection inside a root that goes back in
// place: they may be gone.
func (p *planner) lead(ctx context.Context) error {
	for src := ""; p.o.InPlace && src != p.sel.path; {
		e, err := manifest.Lookup(ctx, p.sel.root.tree, src, p.src.Segment)
		if err != nil && !isDamage(err) {
			return err
		}
		f := &folder{src: src, through: true}
		if e != nil {
			if err := p.describe(ctx, f, e); err != nil {
				return err
			}
		}
		p.push(f)
		rest, _ := within(p.sel.path, src)
		name, _, _ := strings.Cut(rest, "/")
		src = join(src, name)
	}
	return nil
}

// need makes the folders the walk is in, as far as that was put off. If one
// cannot be made, what lies below it is barred, and the answer is false.
func (p *planner) need() (bool, error) {
	var up *folder
	for _, f := range p.stack {
		if !f.made {
			if ev := p.makeFolder(f, up); ev != nil {
				p.bar(f.src, *ev)
				p.tell(ev.Action, f.at, files.Stat{Type: files.Dir}, ev.Err)
				return false, p.fatal(ev.Err)
			}
		}
		up = f
	}
	return true, nil
}

// makeFolder makes one folder in up, or takes the one that is there. If
// neither can be, it returns what to tell of it and of all that it holds.
func (p *planner) makeFolder(f, up *folder) *Event {
	fail := func(err error) *Event { return &Event{Action: refusal(err), Err: err} }
	st, err := p.lstatFolder(f, up)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.fresh = true
	case err != nil:
		return fail(err)
	case st.Type != files.Dir:
		if p.stays(f, st) {
			return &Event{Action: Kept, Err: fmt.Errorf("a folder cannot replace it: %w", files.ErrInTheWay)}
		}
		f.fresh = true
	default:
		f.keep, f.was = p.stays(f, st), st
	}
	if p.to.w != nil {
		if err := p.to.w.Mkdir(f.at); err != nil {
			return fail(err)
		}
	}
	f.made = true
	if f.fresh || f.through {
		return nil // nothing in it, or nothing that we may judge
	}
	if f.names, err = p.to.disk.ReadDir(f.at); err != nil {
		return fail(err)
	}
	return nil
}

// lstatFolder tells what is where a folder shall be, before we touched it.
func (p *planner) lstatFolder(f, up *folder) (files.Stat, error) {
	switch {
	case f.at != "":
		return p.lstat(f.at, up)
	case p.to.made:
		return files.Stat{}, fs.ErrNotExist
	}
	return p.to.before, nil
}

// stays tells whether what has the name of a folder, or the metadata of the
// folder that is there, is to stay as it is.
func (p *planner) stays(f *folder, st files.Stat) bool {
	switch {
	case p.o.Overwrite == Never:
		return true
	case !f.known: // nothing is there to replace it
		return st.Type == files.Dir
	}
	return p.o.Overwrite == IfNewer && newer(st.Mtime, f.stat.Mtime)
}

// closeFolder removes what the snapshot does not have, and gives the folder
// its metadata.
func (p *planner) closeFolder(ctx context.Context, f *folder) error {
	if !f.made {
		return nil
	}
	foreign, err := p.clear(ctx, f)
	if err != nil {
		return err
	}
	switch {
	case f.keep || f.through && !f.fresh:
		p.giveBack(f)
		if f.keep {
			p.tell(Kept, f.at, files.Stat{Type: files.Dir}, nil)
		}
		return nil
	case f.at == "" && foreign && !p.o.InPlace:
		p.rec.lost(p.shown(f.at), files.Loss{Kind: "folder", Err: errors.New("it is the target, which holds other things too")})
		p.giveBack(f)
	case !f.known:
		p.rec.lost(p.shown(f.at), files.Loss{Kind: "folder", Err: errors.New("what the snapshot says of it is damaged")})
	case p.to.w != nil:
		losses, err := p.to.w.FinishDir(f.at, f.stat, f.detail)
		if err != nil {
			p.tell(refusal(err), f.at, files.Stat{Type: files.Dir}, err)
			return nil
		}
		p.lost(f.at, f.stat, losses)
	}
	p.tell(Restored, f.at, files.Stat{Type: files.Dir}, nil)
	return nil
}

// giveBack takes away again the right to write that a folder got for the
// restore.
func (p *planner) giveBack(f *folder) {
	if p.to.w == nil || f.fresh || f.was.Mode&0o700 == 0o700 {
		return
	}
	now, err := p.to.disk.Lstat(f.at)
	if err != nil {
		p.rec.lost(p.shown(f.at), files.Loss{Kind: "mode", Err: err})
		return
	}
	d, _ := p.to.tree.Detail(f.at, now)
	now.Mode = f.was.Mode
	if _, err := p.to.w.FinishDir(f.at, now, d); err != nil {
		p.rec.lost(p.shown(f.at), files.Loss{Kind: "mode", Err: err})
	}
}

// shown is a path in the target as it is told.
func (p *planner) shown(at string) string {
	if p.o.InPlace {
		return path.Join(p.to.dir, at)
	}
	return path.Join(".", at)
}
