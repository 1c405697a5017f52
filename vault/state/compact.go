package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
)

// CompactOptions say what [Index.Compact] keeps. The zero value keeps all.
type CompactOptions struct {
	// Today is the day of the pass. Entries of a later day, from a clock that
	// was wrong, count as of today.
	Today Day

	// Named yields the first 8 bytes (see [Prefix]) of every ID that the
	// present manifests name: these count as named today. nil: none are seen
	// to, and no entry goes for its age.
	Named iter.Seq[uint64]

	// Keep is for how many days entries stay after they were last named, with
	// Named; 0 means until the next pass.
	Keep int

	// Known drops the entries of packs that it does not know.
	Known Known
}

// CompactResult says what a compaction did.
type CompactResult struct {
	Kept    uint64 // entries in the sorted pages now
	Expired uint64 // entries not named for too long
	Unknown uint64 // entries of packs not known
}

// Compact merges the tail into the sorted pages, lets go what Options say, and
// writes a new sorted file in one pass beside the present one, with flat
// memory (and one bit an entry if Named is given). Lookups and claims go on
// meanwhile. A pass with Named is needed about once a day; without it entries
// keep the day they were stored.
func (x *Index) Compact(ctx context.Context, o CompactOptions) (CompactResult, error) {
	x.day.Store(max(x.day.Load(), uint32(o.Today)))
	r, err := x.merge(ctx, o)
	if err != nil {
		return r, fmt.Errorf("compact index: %w", err)
	}
	return r, nil
}

func (x *Index) mergeByItself() {
	_, err := x.merge(context.Background(), CompactOptions{})
	x.busy.Store(false)
	if err == nil {
		return
	}
	x.tailMu.Lock()
	x.nextAt = x.durable + mergeAt // it failed: not again at once
	x.tailMu.Unlock()
	x.failMu.Lock()
	x.failed = fmt.Errorf("merge tail of index: %w", err)
	x.failMu.Unlock()
}

// A merger is one merge at work.
type merger struct {
	x   *Index
	ctx context.Context
	o   CompactOptions

	marks  []uint64 // entries of the old table that are named today
	tail   uint64   // newest generation of tail that goes into the pages
	loaded int      // entries of acknowledged packs in memory when it began
	series int      // series that the file has room for
	in     *sortedReader
	out    *sortedWriter
	result CompactResult

	asked map[packKey]bool // what known said of packs, most of which hold many chunks

	head    entry // the next entry of in
	headBit uint64
	more    bool // there is a head
}

func (x *Index) merge(ctx context.Context, o CompactOptions) (CompactResult, error) {
	x.mergeMu.Lock()
	defer x.mergeMu.Unlock()
	m := &merger{x: x, ctx: ctx, o: o, asked: map[packKey]bool{}}
	m.mark()
	expect, err := m.rotate()
	if err != nil {
		return m.result, err
	}
	next, err := m.write(expect)
	if err != nil {
		m.takeBack()
		return m.result, err
	}
	return m.result, m.settle(next)
}

// takeBack undoes a merge that failed: all stays in memory and in the old
// tails.
func (m *merger) takeBack() {
	for i := range m.x.shards {
		m.x.shards[i].unflag()
	}
	m.x.tailMu.Lock()
	defer m.x.tailMu.Unlock()
	m.x.durable += m.loaded
}

// mark notes which entries are named today.
func (m *merger) mark() {
	if m.o.Named == nil {
		return
	}
	m.marks = m.x.table.bits()
	batch := make([]uint64, 0, 4096)
	for prefix := range m.o.Named {
		m.x.shards[prefix>>56].touch(prefix, m.o.Today)
		if batch = append(batch, prefix); len(batch) == markBatch {
			m.x.table.markAll(batch, m.marks)
			batch = batch[:0]
		}
	}
	m.x.table.markAll(batch, m.marks)
}

// markBatch is how many names are looked up in one go through the pages: 8 MB.
const markBatch = 1 << 20

// rotate begins a new tail, so that all before it can go. It returns how many
// entries there are to merge, at most.
func (m *merger) rotate() (expect uint64, err error) {
	x := m.x
	x.tailMu.Lock()
	defer x.tailMu.Unlock()
	next, _, err := openTail(x.folder, x.tail.gen+1, func(tailRecord) {})
	if err != nil {
		return 0, err
	}
	if err := x.tail.close(); err != nil {
		// What it holds is in memory still, and on its way to the pages.
		x.damaged.Add(1)
	}
	m.tail = x.tail.gen
	x.tail = next
	m.series = len(*x.series.Load())
	m.loaded = x.durable
	expect = uint64(x.durable)
	if x.table != nil {
		expect += x.table.count
	}
	x.durable = 0
	x.nextAt = mergeAfter(expect)
	return expect, nil
}

// write writes the new sorted file and puts it in place.
func (m *merger) write(expect uint64) (next *sorted, err error) {
	path := m.x.sortedPath()
	m.in = readSorted(m.x.table)
	if m.out, err = newSortedWriter(path, expect, m.series); err != nil {
		return nil, err
	}
	defer m.out.f.Cleanup()
	if err := m.stream(); err != nil {
		return nil, err
	}
	next, err = m.out.finish(*m.x.series.Load(), m.tail, m.passed())
	if err != nil {
		return nil, err
	}
	for i := range next.series {
		next.series[i] = uint16(i)
	}
	if err := m.out.replace(); err != nil {
		return nil, errors.Join(err, next.close())
	}
	return next, nil
}

func (m *merger) passed() Day {
	if m.o.Named != nil {
		return m.o.Today
	}
	if m.x.table != nil {
		return m.x.table.passed
	}
	return 0
}

// stream merges shard by shard: shards are in order of ID, as the pages are.
func (m *merger) stream() error {
	m.advance()
	var batch []entry
	for i := range m.x.shards {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		batch = m.x.shards[i].collect(batch[:0], m.takes)
		if err := m.mergeShard(byte(i), batch); err != nil {
			return err
		}
	}
	return nil
}

// takes says whether an entry in memory goes into the pages: its pack is
// acknowledged, and the file has room for its series.
func (m *merger) takes(e *entry) bool {
	if int(e.series) >= m.series {
		return false
	}
	return e.flags&claimed == 0 || m.x.stateOf(e.pack()) == 0
}

func (m *merger) advance() {
	m.head, m.headBit, m.more = m.in.read()
	if m.more && m.o.Named != nil && m.marks[m.headBit/64]>>(m.headBit%64)&1 != 0 {
		m.head.day = m.o.Today
	}
}

func (m *merger) mergeShard(shard byte, batch []entry) error {
	for {
		old := m.more && m.head.id[0] <= shard
		if !old && len(batch) == 0 {
			return nil
		}
		var err error
		switch {
		case !old || len(batch) > 0 && bytes.Compare(batch[0].id[:], m.head.id[:]) < 0:
			err = m.emit(&batch[0])
			batch = batch[1:]
		case len(batch) == 0 || batch[0].id != m.head.id:
			err = m.emit(&m.head)
			m.advance()
		default:
			err = m.emitOneOf(&batch[0], &m.head)
			batch = batch[1:]
			m.advance()
		}
		if err != nil {
			return err
		}
	}
}

// emitOneOf writes the newer of two entries for one ID, unless only the older
// one's pack is known.
func (m *merger) emitOneOf(newer, older *entry) error {
	if !m.known(newer) && m.known(older) {
		newer = older
	}
	newer.day = max(newer.day, older.day)
	return m.emit(newer)
}

// askedMax bounds the memory of answers.
const askedMax = 1 << 14

func (m *merger) known(e *entry) bool {
	known, ok := m.asked[e.pack()]
	if ok {
		return known
	}
	ref := m.x.ref(e)
	known = m.o.Known.knows(ref.Series, ref.Number)
	if len(m.asked) >= askedMax {
		clear(m.asked)
	}
	m.asked[e.pack()] = known
	return known
}

func (m *merger) emit(e *entry) error {
	if m.o.Named != nil {
		e.day = min(e.day, m.o.Today)
		if int(m.o.Today-e.day) > m.o.Keep {
			m.result.Expired++
			return nil
		}
	}
	if !m.known(e) {
		m.result.Unknown++
		return nil
	}
	m.result.Kept++
	e.flags = 0
	return m.out.add(e)
}

// settle moves every shard over to the new pages, and removes what they
// replace. A shard is locked for as long as it takes to go through its entries.
func (m *merger) settle(next *sorted) error {
	x := m.x
	for i := range x.shards {
		x.shards[i].settle(next, func(e *entry) bool {
			return e.flags&merging == 0 && (e.flags&claimed == 0 || x.stateOf(e.pack()) != forgotten)
		})
	}
	old := x.table
	if old != nil {
		x.damaged.Add(old.damaged.Load())
	}
	x.table = next
	err := old.close()
	gens, listErr := listTails(x.folder)
	err = errors.Join(err, listErr)
	for _, gen := range gens {
		if gen <= m.tail {
			err = errors.Join(err, os.Remove(filepath.Join(x.folder, tailName(gen))))
		}
	}
	return err
}
