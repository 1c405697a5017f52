package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/state"
)

// walk merges the walk of the disk with the manifest of the last run and fills
// batches with what it finds.
func (p *pass) walk(ctx context.Context) error {
	defer p.batchRead()
	defer close(p.jobs)
	defer close(p.order)
	b, err := p.take(ctx)
	if err != nil {
		return err
	}
	working := 0
	for e, err := range p.tree.Walk(ctx, p.walkOptions(), p.skipped) {
		if err != nil {
			return fmt.Errorf("walk %s: %w", p.root, err)
		}
		if e.Stat.Type == files.Socket {
			p.t.leftOut(p.abs(string(e.Path)), "a socket has no content to keep")
			continue
		}
		if e.Stat.Type == 0 {
			p.lost(e)
			continue
		}
		if !p.place(b, e) {
			working++
		}
		if b.full(working) {
			if b, err = p.hand(ctx, b); err != nil {
				return err
			}
			working = 0
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	p.t.removed(p.old.rest())
	return p.last(ctx, b)
}

// lost names an entry of which nothing is known. One that was deleted since
// its folder was listed is none.
func (p *pass) lost(e *files.Entry) {
	if !errors.Is(e.Err, fs.ErrNotExist) {
		p.missed(string(e.Path), e.Err)
	}
}

// walkOptions adds to the excludes what must never be backed up: the vault
// itself and its local state, where they lie inside the root.
func (p *pass) walkOptions() files.Options {
	o := p.o.Walk
	o.Exclude = slices.Clone(o.Exclude)
	for _, never := range p.o.Never {
		rel, err := filepath.Rel(p.root, never)
		if err == nil && rel != "." && filepath.IsLocal(rel) {
			o.Exclude = append(o.Exclude, "/"+literal.Replace(filepath.ToSlash(rel)))
		}
	}
	return o
}

// literal makes a path a pattern that matches just that path.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, " ", `\ `, "!", `\!`, "#", `\#`)

// take returns an empty batch.
func (p *pass) take(ctx context.Context) (*batch, error) {
	select {
	case b := <-p.free:
		b.reset()
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hand gives a batch to the workers, if there is something to read in it, and
// to the manifest; and takes the next one.
func (p *pass) hand(ctx context.Context, b *batch) (*batch, error) {
	if err := p.last(ctx, b); err != nil {
		return nil, err
	}
	return p.take(ctx)
}

func (p *pass) last(ctx context.Context, b *batch) error {
	if b.work {
		p.open.Add(1)
		select {
		case p.jobs <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	} else {
		b.done <- struct{}{}
	}
	select {
	case p.order <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// place enters an entry into a batch and tells whether it is kept as it was.
func (p *pass) place(b *batch, e *files.Entry) (kept bool) {
	it := item{path: b.add(e.Path), stat: e.Stat, err: e.Err}
	rec, removed := p.old.seek(e.Path)
	p.t.removed(removed)
	it.still = rec != nil && e.Err == nil && unchanged(rec, &e.Stat)
	if it.still && p.reliable(rec) {
		b.keep(&it, rec)
		it.spare = p.scattered(rec)
		it.keep = !it.spare
	}
	if !it.keep {
		it.fresh = rec == nil
		it.mount = b.add(e.Mount)
		b.work = true
		b.cost += e.Stat.Size
	}
	b.items = append(b.items, it)
	return it.keep
}

// reliable tells whether each pack that an entry needs can be relied on. One
// that is as the last run found it then needs no look, nor does what is stored
// of it; else it is read once more, as after a run that was interrupted.
func (p *pass) reliable(rec *state.Record) bool {
	for _, u := range rec.Packs {
		if !p.known(rec.Series[u.Series], u.Number) {
			return false
		}
	}
	return true
}

// scattered tells whether what a file needs lies in one of many small packs, so
// that it is to be read and stored once more.
func (p *pass) scattered(rec *state.Record) bool {
	return rec.Stat.Type == files.Regular && slices.ContainsFunc(rec.Packs, func(u state.PackNo) bool {
		return p.run.Scattered(rec.Series[u.Series], u.Number)
	})
}

// known asks about each pack once: many entries share one. Should a pack stop
// being reliable meanwhile, the check before the commit finds it.
func (p *pass) known(series chunk.Series, number uint32) bool {
	if p.sure.Has(series, number) {
		return true
	}
	ok := p.run.Known(series, number)
	if ok {
		p.sure.Add(series, number)
	}
	return ok
}

// unchanged tells whether nothing that stat shows has changed, and the entry
// held still when it was read. The device number does not count: it can change
// with every boot.
func unchanged(rec *state.Record, st *files.Stat) bool {
	was := &rec.Stat
	return !rec.Racy && was.Type == st.Type && was.Mode == st.Mode && was.Size == st.Size &&
		was.Mtime == st.Mtime && was.Ctime == st.Ctime && was.Ino == st.Ino &&
		was.UID == st.UID && was.GID == st.GID && was.Rdev == st.Rdev
}

// skipped is told what the walk leaves out.
func (p *pass) skipped(path, why string) { p.t.excluded(p.abs(path), why) }

func (p *pass) abs(path string) string { return filepath.Join(p.root, path) }
