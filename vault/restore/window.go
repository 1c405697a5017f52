package restore

import (
	"context"
	"errors"
	"fmt"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// A window is a stretch of the walk: what was planned in it and is not done.
// Within a window each pack is read once, in whatever order its files come.
type window struct {
	entries int
	bytes   int // of names and attributes, about
	many    int // files of more than one chunk: each may be open

	files   []*file
	tasks   []task // in the order of the files, and of the content of each
	later   []later
	closed  []*folder // left by the walk; what they hold comes before them
	leaders [][8]byte // hard-link groups whose first member is among files
}

// A task is a chunk that belongs into a file.
type task struct {
	ref  chunk.Ref
	file *file
	at   int64 // in the content of the file
}

// later is an entry whose turn comes after the files: it has no content, or
// it is a further name of one that has.
type later struct {
	entry *manifest.Entry
	at    string
}

func (w *window) full(b bounds) bool {
	return w.entries >= b.entries || len(w.tasks) >= b.refs || w.many >= b.open || w.bytes >= b.bytes
}

// weigh adds the memory that the names and attributes of an entry take.
func (w *window) weigh(e *manifest.Entry) {
	w.bytes += len(e.Path) + len(e.Target) + len(e.Err) + 16*len(e.Holes)
	for _, x := range e.Xattrs {
		w.bytes += len(x.Name) + len(x.Value)
	}
}

// put adds what comes after the files.
func (w *window) put(e *manifest.Entry, at string) {
	w.later = append(w.later, later{e.Clone(), at})
	w.weigh(e)
}

// written empties the window of its files, except one that goes on.
func (w *window) written(going *file) {
	clear(w.files)
	clear(w.tasks)
	w.files, w.tasks, w.many = w.files[:0], w.tasks[:0], 0
	if going != nil && !going.isOver() {
		w.files, w.many = append(w.files, going), 1
	}
}

// done empties the window of all else.
func (w *window) done() {
	clear(w.later)
	clear(w.closed)
	w.later, w.closed, w.leaders = w.later[:0], w.closed[:0], w.leaders[:0]
	w.entries, w.bytes = 0, 0
}

// planFile plans a regular file. Where the window has no room for all of its
// chunks, what is planned so far is written on the way. looksEqual says that
// what is there should be compared first.
func (p *planner) planFile(ctx context.Context, e *manifest.Entry, at string, looksEqual bool) (*file, error) {
	if e.ListDepth == 0 && len(p.win.tasks)+len(e.Refs) > p.o.bounds.refs {
		if err := p.writeOut(ctx, nil); err != nil {
			return nil, err
		}
	}
	f := newFile(at, e)
	f.detail, f.check = p.own(e), looksEqual && f.entry == nil
	p.win.weigh(e)
	p.win.files = append(p.win.files, f)
	if looksEqual && f.entry != nil {
		err := p.newChecker().check(ctx, f)
		if err == nil {
			p.confirm(f)
		}
		if _, stop := errors.AsType[*stopError](err); stop || err == nil {
			return f, err
		}
	}
	if f.content == 0 && !f.check {
		return f, p.empty(f)
	}
	if len(e.Refs) > 1 || e.ListDepth > 0 {
		p.win.many++
	}
	return f, p.planTasks(ctx, f, e)
}

// errContent: the chunks of an entry do not make up its content.
var errContent = fmt.Errorf("%w: its chunks do not make up its content", vault.ErrDamaged)

// planTasks adds the chunks of a file to the window.
func (p *planner) planTasks(ctx context.Context, f *file, e *manifest.Entry) error {
	f.first = len(p.win.tasks)
	at := int64(0)
	for ref, err := range manifest.Refs(ctx, e, p.src.Segment) {
		if err == nil && ref.Len > f.content-at {
			err = fmt.Errorf("%w: there are more", errContent)
		}
		if err != nil {
			return p.badContent(f, err)
		}
		p.win.tasks = append(p.win.tasks, task{ref, f, at})
		f.count++
		at += ref.Len
		if f.entry != nil && len(p.win.tasks) >= p.o.bounds.refs {
			if err := p.writeOut(ctx, f); err != nil || f.isOver() {
				return err
			}
		}
	}
	if at < f.content {
		return p.badContent(f, fmt.Errorf("%w: %d bytes of %d", errContent, at, f.content))
	}
	return nil
}

// badContent gives a file up whose list of chunks is not as it should be.
func (p *planner) badContent(f *file, err error) error {
	if isDamage(err) {
		p.give(f, Damaged, err)
		return nil
	}
	return err
}

// writeOut writes the files of the window. going, if not nil, is one whose
// chunks are not all planned yet; it stays open.
func (p *planner) writeOut(ctx context.Context, going *file) error {
	if err := p.compare(ctx); err != nil {
		return err
	}
	if err := p.fetch(ctx); err != nil {
		return err
	}
	for _, f := range p.win.files {
		if f != going {
			p.give(f, Damaged, errContent)
		}
	}
	if err := p.verify(ctx); err != nil {
		return err
	}
	p.resolve()
	p.win.written(going)
	return nil
}

// resolve notes which leaders of hard-link groups are written.
func (p *planner) resolve() {
	for _, key := range p.win.leaders {
		l := p.links[key]
		if l.file != nil && l.file.isOver() {
			l.result, l.err, l.file = l.file.result, l.file.err, nil
			p.links[key] = l
		}
	}
}

// flush does all that the window holds.
func (p *planner) flush(ctx context.Context) error {
	if err := p.writeOut(ctx, nil); err != nil {
		return err
	}
	for i := range p.win.later {
		if err := p.do(ctx, p.win.later[i].entry, p.win.later[i].at); err != nil {
			return err
		}
	}
	if err := p.writeOut(ctx, nil); err != nil { // names that could not be linked
		return err
	}
	for _, f := range p.win.closed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.closeFolder(ctx, f); err != nil {
			return err
		}
	}
	for _, key := range p.win.leaders {
		if l := p.links[key]; l.result != Restored && l.result != Unchanged {
			delete(p.links, key) // the next member may have more luck
		}
	}
	p.win.done()
	return nil
}

// do restores something that has no content of its own.
func (p *planner) do(ctx context.Context, e *manifest.Entry, at string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, ok := p.links[e.Link]
	if ok && l.path != at && l.print == fingerprint(e) && p.link(e, at, l) {
		return nil
	}
	if e.Type == files.Regular {
		_, err := p.planFile(ctx, e, at, false)
		return err
	}
	return p.special(e, at)
}

// link makes a further name of what was restored before, or returns false: it
// must then be restored on its own.
func (p *planner) link(e *manifest.Entry, at string, l leader) bool {
	switch {
	case l.result == Damaged:
		p.tell(Damaged, at, e.Stat, fmt.Errorf("it is the same file as %s: %w", p.shown(l.path), l.err))
		p.settle(e)
		return true
	case l.result != "" && l.result != Restored && l.result != Unchanged:
		p.rec.lost(p.shown(at), files.Loss{Kind: "hard link", Err: fmt.Errorf("%s, the same file, was not restored", p.shown(l.path))})
		return false
	case p.sameInode(l.path, at):
		p.unchanged(e, at)
		return true
	}
	if p.to.w != nil {
		err := p.to.w.Link(at, l.path)
		if err != nil && refusal(err) == Refused {
			p.tell(Refused, at, e.Stat, err)
			p.settle(e)
			return true
		}
		if err != nil {
			p.rec.lost(p.shown(at), files.Loss{Kind: "hard link", Err: err})
			return false
		}
	}
	p.rec.linked(p.shown(at), e.Stat)
	p.settle(e)
	return true
}

// special makes a symlink, a FIFO or a device.
func (p *planner) special(e *manifest.Entry, at string) error {
	var losses files.Losses
	var err error
	switch w := p.to.w; {
	case e.Type == files.Socket:
		losses = files.Losses{{Kind: "socket", Err: errors.New("a socket exists only while its program runs")}}
	case w == nil:
	case e.Type == files.Symlink:
		losses, err = w.Symlink(at, e.Stat, e.Detail)
	case e.Type == files.FIFO:
		losses, err = w.FIFO(at, e.Stat, e.Detail)
	default:
		losses, err = w.Device(at, e.Stat, e.Detail)
	}
	if err != nil {
		p.tell(refusal(err), at, e.Stat, err)
		return p.fatal(err)
	}
	for _, l := range losses {
		if l.Kind == "device" || l.Kind == "socket" {
			p.rec.lost(p.shown(at), l)
			return nil // there is none
		}
	}
	p.lost(at, e.Stat, losses)
	p.tell(Restored, at, e.Stat, nil)
	return nil
}
