package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/chunk"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// write takes the batches in walk order and makes the manifest: the one that
// is stored, and the record that spares the next run its reading.
func (p *pass) write(ctx context.Context) (manifest.Root, error) {
	_, segment := p.run.Vault().Keys()
	b := manifest.NewBuilder(segment, p.putSegment)
	for {
		select {
		case next, ok := <-p.order:
			if !ok {
				return b.Finish()
			}
			if err := p.writeBatch(ctx, b, next); err != nil {
				return manifest.Root{}, err
			}
			p.free <- next
		case <-ctx.Done():
			return manifest.Root{}, context.Cause(ctx)
		}
	}
}

func (p *pass) writeBatch(ctx context.Context, b *manifest.Builder, next *batch) error {
	select {
	case <-next.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for i := range next.items {
		it := &next.items[i]
		var err error
		if it.keep {
			err = p.writeKept(b, next, it)
		} else {
			err = p.writeNew(b, next, it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeKept copies the line of an entry that did not change.
func (p *pass) writeKept(b *manifest.Builder, from *batch, it *item) error {
	rec := &p.kept
	*rec = state.Record{
		Path: from.bytes(it.path), Stat: it.stat, Packs: from.packs[it.packs.from:it.packs.to],
		Deep: from.bytes(it.deep), Line: from.bytes(it.line), Series: from.tables[it.table], Nth: it.nth,
	}
	p.useAll(rec)
	if err := b.AddLine(rec.Path, rec.Line, rec.Series); err != nil {
		return err
	}
	p.t.kept(&it.stat)
	return p.note(rec)
}

// note keeps a record for the next run. That it cannot be written costs that run
// some reading, and is told at the end of this one, which goes on.
func (p *pass) note(rec *state.Record) error {
	if err := p.out.Add(rec); err != nil && !p.out.Failed() {
		return err
	}
	return nil
}

// writeNew encodes an entry that is new or changed. One that does not fit the
// format is kept without what does not fit, and named as unread.
func (p *pass) writeNew(b *manifest.Builder, from *batch, it *item) error {
	e := it.entry
	if p.belowDropped(e.Path) {
		p.missed(e.Path, errDropped)
		return nil
	}
	if err := e.Check(); err != nil {
		p.strip(e, it, err)
	}
	err := p.encode(b, from, it)
	if errors.Is(err, manifest.ErrTooLarge) {
		p.strip(e, it, err)
		err = p.encode(b, from, it)
	}
	if errors.Is(err, manifest.ErrTooLarge) {
		p.missed(e.Path, err)
		p.dropped = append(p.dropped, e.Path)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.abs(e.Path), err)
	}
	p.t.stored(e, it)
	return p.note(&p.rec)
}

var errDropped = errors.New("the folder it is in could not be saved")

// belowDropped tells whether an entry lies in a folder that could not be kept
// at all: it would have no place in the tree.
func (p *pass) belowDropped(path string) bool {
	for _, d := range p.dropped {
		if strings.HasPrefix(path, d+"/") {
			return true
		}
	}
	return false
}

// strip reduces an entry to what always fits: that it is there, and its mode,
// owner and times.
func (p *pass) strip(e *manifest.Entry, it *item, err error) {
	p.missed(e.Path, err)
	e.Xattrs, e.BigXattrs, e.Holes, e.Refs, e.ListDepth, e.ContentHash = nil, nil, nil, nil, 0, chunk.ID{}
	e.Size, e.Err = 0, errorText(err)
	it.uses, it.ids = it.uses[:0], nil
}

// encode makes the line of a new entry and adds it to the manifest.
func (p *pass) encode(b *manifest.Builder, from *batch, it *item) error {
	e, rec := it.entry, &p.rec
	*rec = state.Record{
		Path: from.bytes(it.path), Stat: it.stat, Racy: it.racy || e.Err != "",
		Packs: rec.Packs[:0], Deep: it.ids, Line: rec.Line[:0],
	}
	for _, u := range it.uses {
		rec.Packs = append(rec.Packs, state.PackNo{Series: uint16(p.position(u.series)), Number: u.number})
		p.use(u.series, u.number)
	}
	rec.Line = manifest.AppendEntry(rec.Line, e, p.position)
	return b.AddLine(rec.Path, rec.Line, p.table)
}

// position returns the place of a series in the table of this run's record.
func (p *pass) position(s chunk.Series) int {
	i := p.out.SeriesPos(s)
	if i < 0 {
		panic("backup: more series than a device can have")
	}
	for len(p.table) <= i {
		p.table = append(p.table, chunk.Series{})
	}
	p.table[i] = s
	return i
}

func (p *pass) use(s chunk.Series, number uint32) {
	p.segMu.Lock()
	p.used.Add(s, number)
	p.segMu.Unlock()
}

// useAll enters the packs of a record into the snapshot's ledger.
func (p *pass) useAll(rec *state.Record) {
	if len(rec.Packs) == 0 {
		return
	}
	p.segMu.Lock()
	defer p.segMu.Unlock()
	for _, u := range rec.Packs {
		p.used.Add(rec.Series[u.Series], u.Number)
	}
}
