package restore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/files"
	"coffer/vault/manifest"
)

// A planner restores one selection. Its walk through the manifest decides
// about each entry; the window collects what is to be written.
type planner struct {
	*restore
	sel   selection
	to    *target
	dest  string // where in the target the selection lands
	sift  *sift
	links linkTable
	spare *spare // nil until something is to be deleted

	stack  []*folder // the folders the walk is in
	barred barrier
	win    window
}

// A barrier keeps everything below a folder from being restored.
type barrier struct {
	src   string // of the folder, in the root
	on    bool
	quiet bool  // it was left out on purpose
	event Event // what is told of each entry below it
}

func (p *planner) bar(src string, ev Event) {
	p.barred = barrier{src: src, on: true, event: ev}
}

// run walks the selection.
func (p *planner) run(ctx context.Context) error {
	if err := p.lead(ctx); err != nil {
		return err
	}
	for e, err := range manifest.Walk(ctx, p.sel.root.tree, p.src.Segment, manifest.WalkOptions{Prefix: p.sel.path}) {
		if err == nil {
			err = p.entry(ctx, e)
		} else if isDamage(err) {
			err = p.hole(err)
		}
		if err == nil && p.win.full(p.o.bounds) {
			err = p.flush(ctx)
		}
		if err != nil {
			return err
		}
	}
	for p.top() != nil {
		p.pop()
	}
	return p.flush(ctx)
}

// hole notes that entries are not known because the manifest is damaged.
func (p *planner) hole(err error) error {
	for _, f := range p.stack {
		f.gap = true
	}
	from := p.sel.path
	if s, ok := errors.AsType[*manifest.SegmentError](err); ok && files.Compare(s.From, from) > 0 {
		from = s.From
	}
	p.tell(Damaged, p.place(from), files.Stat{}, fmt.Errorf("this and some of what follows it: %w", err))
	return nil
}

// place says where in the target something of the root belongs.
func (p *planner) place(src string) string {
	if rest, ok := within(src, p.sel.path); ok {
		return join(p.dest, rest)
	}
	return src // a folder above the selection: only in place, where paths are the same
}

// entry deals with one entry of the manifest. It is good until the next; its
// path is copied, because much here is made of parts of it.
func (p *planner) entry(ctx context.Context, e *manifest.Entry) error {
	e.Path, e.Err = strings.Clone(e.Path), strings.Clone(e.Err)
	if err := files.CheckPath(e.Path); err != nil { // the manifest refuses them too
		p.rec.note(Event{Action: Refused, Path: e.Path, Type: e.Type, Err: err})
		return nil
	}
	p.leave(e.Path)
	if f := p.top(); f != nil {
		rest, _ := within(e.Path, f.src)
		name, _, _ := strings.Cut(rest, "/")
		f.pass(name)
	}
	if p.barred.on {
		if rest, in := within(e.Path, p.barred.src); in && rest != "" {
			p.barredEntry(e)
			return nil
		}
		p.barred.on = false
	}
	if !p.bridge(e.Path) {
		return nil
	}
	choice := p.choose(e.Path, e.Type)
	if choice == leaveOut {
		if e.Type == files.Dir {
			p.barred = barrier{src: e.Path, on: true, quiet: true}
		}
		return nil
	}
	p.win.entries++
	if e.Type == files.Dir {
		return p.enter(ctx, e, choice)
	}
	if choice == pass {
		return nil
	}
	if ok, err := p.need(); !ok {
		p.barredEntry(e)
		return err
	}
	p.expect(e)
	return p.one(ctx, e)
}

// barredEntry tells of an entry below a folder that is not restored.
func (p *planner) barredEntry(e *manifest.Entry) {
	if p.barred.quiet {
		return
	}
	p.expect(e)
	p.settle(e)
	ev := p.barred.event
	p.tell(ev.Action, p.place(e.Path), e.Stat, ev.Err)
}

// choose asks the filters about something in the folder the walk is in.
func (p *planner) choose(src string, typ files.Type) choice {
	rest, _ := within(src, p.sel.path)
	up := p.top()
	return p.sift.choose(rest, typ == files.Dir, up != nil && up.wanted)
}

// enter goes into a folder, and makes it unless it may turn out that nothing
// in it is wanted.
func (p *planner) enter(ctx context.Context, e *manifest.Entry, c choice) error {
	f := &folder{src: e.Path, through: c == pass, wanted: c == take}
	if err := p.describe(ctx, f, e); err != nil {
		return err
	}
	p.push(f)
	if e.Err != "" {
		f.partial = true
		p.tell(Unsaved, f.at, e.Stat, errors.New(e.Err))
	}
	if c == pass {
		return nil
	}
	_, err := p.need()
	return err
}

// describe takes over what the snapshot says of a folder.
func (p *planner) describe(ctx context.Context, f *folder, e *manifest.Entry) error {
	if err := p.attributes(ctx, e, p.place(f.src)); err != nil {
		return err
	}
	f.known, f.stat, f.detail = true, e.Stat, p.own(e)
	p.win.weigh(e)
	return nil
}

// own copies the details of an entry, which is good until the next only. Of
// owners there are few: their names are kept once.
func (p *planner) own(e *manifest.Entry) files.Detail {
	light := manifest.Entry{Detail: e.Detail}
	light.User, light.Group = "", ""
	d := light.Clone().Detail
	for _, n := range []struct {
		to   *string
		name string
	}{{&d.User, e.User}, {&d.Group, e.Group}} {
		if _, ok := p.names[n.name]; !ok {
			own := strings.Clone(n.name)
			p.names[own] = own
		}
		*n.to = p.names[n.name]
	}
	return d
}

// expect adds an entry to the totals, where they are not known beforehand.
func (p *planner) expect(e *manifest.Entry) {
	if p.o.Progress != nil && !p.counted && e.Type == files.Regular {
		p.o.Progress.TotalFiles.Add(1)
		p.o.Progress.TotalBytes.Add(e.Size)
	}
}

// one plans anything but a folder.
func (p *planner) one(ctx context.Context, e *manifest.Entry) error {
	at := p.place(e.Path)
	if unsaved(e) {
		p.tell(Unsaved, at, e.Stat, errors.New(e.Err))
		p.settle(e)
		return nil
	}
	v, err := p.judge(ctx, e, at)
	if err != nil {
		p.tell(refusal(err), at, e.Stat, err)
		p.settle(e)
		return nil
	}
	if v == isKept {
		p.tell(Kept, at, e.Stat, nil)
		p.settle(e)
		return nil
	}
	if err := p.attributes(ctx, e, at); err != nil {
		return err
	}
	return p.group(ctx, e, at, v)
}

// unsaved tells whether the snapshot lacks what makes up an entry. A size of
// zero beside an error may be that of an empty file: it is not worth the risk
// of putting an empty file in the place of a good one.
func unsaved(e *manifest.Entry) bool {
	return e.Err != "" && (e.Type == files.Regular && e.Size == 0 || e.Type == files.Symlink && e.Target == "")
}

// attributes fetches the large extended attributes of an entry, and tells of
// metadata that the snapshot does not have.
func (p *planner) attributes(ctx context.Context, e *manifest.Entry, at string) error {
	if e.Err != "" && e.Type != files.Dir {
		p.rec.lost(p.shown(at), files.Loss{Kind: "unsaved", Err: errors.New(e.Err)})
	}
	if len(e.BigXattrs) == 0 {
		return nil
	}
	err := manifest.LoadXattrs(ctx, e, p.src.Segment)
	if err == nil || !isDamage(err) {
		return err
	}
	for _, x := range e.BigXattrs {
		p.rec.lost(p.shown(at), files.Loss{Kind: "xattr " + x.Name, Err: err})
	}
	p.tell(Damaged, at, e.Stat, fmt.Errorf("restored without an attribute: %w", err))
	return nil
}

// group plans an entry with regard to its hard links.
func (p *planner) group(ctx context.Context, e *manifest.Entry, at string, v verdict) error {
	if e.Link == [8]byte{} {
		_, err := p.plan(ctx, e, at, v)
		return err
	}
	l, ok := p.links[e.Link]
	if !ok || l.print != fingerprint(e) {
		return p.leader(ctx, e, at, v)
	}
	if v == isSame && l.file == nil && p.sameInode(l.path, at) {
		p.unchanged(e, at)
		return nil
	}
	p.win.put(e, at)
	return nil
}

// leader plans the first member of a group, or one that differs from it.
func (p *planner) leader(ctx context.Context, e *manifest.Entry, at string, v verdict) error {
	key, print := e.Link, fingerprint(e)
	f, err := p.plan(ctx, e, at, v)
	if err != nil {
		return err
	}
	if _, taken := p.links[key]; taken {
		p.rec.lost(p.shown(at), files.Loss{Kind: "hard link", Err: errors.New("its names differ in the snapshot: it changed while it was saved")})
		return nil
	}
	l := leader{path: at, print: print, file: f}
	if f == nil {
		l.result = Restored
	} else {
		p.win.leaders = append(p.win.leaders, key)
	}
	p.links[key] = l
	return nil
}

// plan plans an entry on its own. It returns the file if there is one to come.
func (p *planner) plan(ctx context.Context, e *manifest.Entry, at string, v verdict) (*file, error) {
	switch {
	case v == isSame && !(p.o.Verify && e.Type == files.Regular):
		p.unchanged(e, at)
	case e.Type != files.Regular:
		p.win.put(e, at)
	case p.to.w == nil:
		return nil, p.wouldWrite(ctx, e, at)
	default:
		return p.planFile(ctx, e, at, v == isSame)
	}
	return nil, nil
}

func (p *planner) unchanged(e *manifest.Entry, at string) {
	p.tell(Unchanged, at, e.Stat, nil)
	p.settle(e)
}

// settle counts a file that needs no writing as dealt with.
func (p *planner) settle(e *manifest.Entry) {
	if e.Type == files.Regular {
		p.rec.settled(e.Size)
	}
}

// lost records metadata of something restored that was lost: what the writer
// says, and owners where it was not asked to restore them.
func (p *planner) lost(at string, st files.Stat, losses files.Losses) {
	if !p.writes.Owner && (int(st.UID) != p.uid || int(st.GID) != p.gid) {
		err := files.ErrNotAsked
		if p.uid != 0 {
			err = files.ErrNotRoot
		}
		losses = append(losses, files.Loss{Kind: "owner", Err: err})
	}
	p.rec.lost(p.shown(at), losses...)
}

// tell records what was done about an entry.
func (p *planner) tell(a Action, at string, st files.Stat, err error) {
	p.rec.note(Event{Action: a, Path: p.shown(at), Type: st.Type, Size: st.Size, Err: err})
}
