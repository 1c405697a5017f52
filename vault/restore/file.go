package restore

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"coffer/files"
	"coffer/vault/manifest"
)

// A file is a regular file that is to be written.
type file struct {
	path    string // in the target
	stat    files.Stat
	detail  files.Detail
	extents []extent        // of the data in the file; nil if it has no holes
	content int64           // bytes of data: the size less the holes
	entry   *manifest.Entry // only of a file whose refs are in list chunks
	changed bool            // while it was saved
	check   bool            // one is there that looks equal: write only if it is not
	first   int             // of its tasks in the window, unless it has an entry
	count   int             // of these

	mu     sync.Mutex
	out    *files.File // guarded by mu; nil before the first byte
	left   int64       // guarded by mu: bytes of content not written yet
	over   bool        // guarded by mu: nothing more is to be done
	result Action      // guarded by mu: once over
	err    error       // guarded by mu: why it was given up
}

// An extent is a stretch of data in a sparse file: content byte at stands at
// offset off.
type extent struct{ at, off, len int64 }

func newFile(path string, e *manifest.Entry) *file {
	f := &file{path: path, stat: e.Stat, content: e.Size, changed: e.Changed}
	if len(e.Holes) > 0 {
		f.content = 0
		for off, n := range files.DataExtents(e.Size, e.Holes) {
			f.extents = append(f.extents, extent{f.content, off, n})
			f.content += n
		}
	}
	f.left = f.content
	if e.ListDepth > 0 {
		f.entry = e.Clone()
	}
	return f
}

// each calls do for every stretch of the file that n bytes of content at at
// belong to: from bytes into them, n long, at offset off.
func (f *file) each(at, n int64, do func(from, n, off int64) error) error {
	if f.extents == nil {
		return do(0, n, at)
	}
	for _, x := range f.extents {
		lo, hi := max(at, x.at), min(at+n, x.at+x.len)
		if lo >= hi {
			continue
		}
		if err := do(lo-at, hi-lo, x.off+lo-x.at); err != nil {
			return err
		}
	}
	return nil
}

// open returns the file under its temporary name, nil if nothing more is to
// be written.
func (f *file) open(w *files.Writer) (*files.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return nil, nil
	}
	if f.out == nil {
		out, err := w.Create(f.path, f.stat.Size)
		if err != nil {
			return nil, err
		}
		f.out = out
	}
	return f.out, nil
}

// write puts verified bytes at their place in the content. The last ones make
// the file appear under its name. Troubles of this file alone are recorded;
// what is returned ends the restore.
func (p *planner) write(f *file, data []byte, at int64) error {
	out, err := f.open(p.to.w)
	if err == nil && out == nil {
		return nil
	}
	p.rec.working(&f.path)
	if err == nil {
		err = f.each(at, int64(len(data)), func(from, n, off int64) error {
			_, err := out.WriteAt(data[from:from+n], off)
			return err
		})
	}
	if err != nil {
		return p.targetError(f, err)
	}
	p.rec.wrote(len(data))
	if !f.wrote(int64(len(data))) {
		return nil
	}
	return p.finish(f, out)
}

// wrote counts bytes of content that are written, and tells whether they were
// the last. No chunk is empty, so that this is told once.
func (f *file) wrote(n int64) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left -= n
	return f.left == 0 && !f.over
}

// finish gives a complete file its metadata and its name.
func (p *planner) finish(f *file, out *files.File) error {
	losses, err := out.Finish(f.stat, f.detail)
	if err != nil {
		return p.targetError(f, err)
	}
	f.end(Restored)
	p.rec.settled(f.stat.Size - f.content)
	p.tell(Restored, f.path, f.stat, nil)
	p.lost(f.path, f.stat, losses)
	if f.changed {
		p.rec.add(&p.rec.res.Changed, 1)
	}
	return nil
}

// empty makes a file that has no data.
func (p *planner) empty(f *file) error {
	out, err := f.open(p.to.w)
	if err != nil {
		return p.targetError(f, err)
	}
	return p.finish(f, out)
}

// targetError gives a file up because of what the disk says, or the whole
// restore if the disk would say it of all that follow.
func (p *planner) targetError(f *file, err error) error {
	p.give(f, refusal(err), err)
	return p.fatal(err)
}

// give ends a file that will not be restored, once.
func (p *planner) give(f *file, action Action, err error) {
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return
	}
	f.over, f.result, f.err = true, action, err
	out, left := f.out, f.left
	f.mu.Unlock()
	if out != nil {
		err = errors.Join(err, out.Abort())
	}
	p.rec.settled(left + f.stat.Size - f.content)
	p.tell(action, f.path, f.stat, err)
}

// end says how a file ended; nothing more is to be done about it.
func (f *file) end(result Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.result = true, result
}

func (f *file) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// refusal tells an error about a name from all others.
func refusal(err error) Action {
	for _, bad := range []error{files.ErrSameName, syscall.ENAMETOOLONG, syscall.EILSEQ} {
		if errors.Is(err, bad) {
			return Refused
		}
	}
	return Failed
}

// fatal returns an error of the target if it means that nothing more can be
// written there.
func (p *planner) fatal(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("write to %s: %w", p.to.dir, err)
	}
	return nil
}
