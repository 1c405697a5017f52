package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"coffer/chunk"
)

// The tail may hold mergeAt durable entries before it is merged into the sorted
// pages by itself: about 16 MB of memory. Since a merge writes all pages anew,
// a large index waits for more, up to an eighth of what it has: of ten million
// entries a first run then writes 5 GB of pages, and it would be 14 GB. Four
// times mergeAt, some 64 MB, is the most.
const mergeAt = 256 << 10

// mergeAfter is how many entries the tail may hold beside a table of count.
func mergeAfter(count uint64) int { return int(min(max(count/8, mergeAt), 4*mergeAt)) }

// Known says whether a pack may be referred to. A ref into another one counts
// as absent, and a newer one takes its place. nil knows every pack. It is
// called while a part of the index is locked, and must not call the index.
type Known func(series chunk.Series, number uint32) bool

func (k Known) knows(series chunk.Series, number uint32) bool { return k == nil || k(series, number) }

// An Index says where the chunks are that this device stored: those that
// manifests of the last days name, and those of the run in progress. It is
// safe for concurrent use within the process; open it only with the run lock
// held.
//
// What Claim stores is in memory only, and its pack is in flight, until Acked
// or Forget says what became of it: entries of packs that were never
// acknowledged end with the process. What is lost or damaged on disk is absent
// and counted; the index never gives a wrong ref.
type Index struct {
	folder string
	day    atomic.Uint32 // of new entries
	shards [shardCount]shard

	seriesMu sync.Mutex // orders writers of series
	series   atomic.Pointer[[]chunk.Series]

	packMu sync.RWMutex
	packs  map[packKey]packState // guarded by packMu

	tailMu  sync.Mutex
	tail    *tailWriter // guarded by tailMu
	durable int         // entries of acknowledged packs in memory, guarded by tailMu
	nextAt  int         // value of durable at which to merge, guarded by tailMu

	mergeMu sync.Mutex // one merge at a time
	table   *sorted    // the one that all shards have, guarded by mergeMu
	merges  sync.WaitGroup
	busy    atomic.Bool // a merge was begun by itself
	failMu  sync.Mutex
	failed  error // of merges begun by itself, guarded by failMu

	damaged atomic.Int64
}

// packState is what is known of a pack that Claim put chunks into. One that is
// not in the map was acknowledged.
type packState byte

const (
	inFlight packState = iota + 1
	forgotten
)

// OpenIndex opens the index. New entries count as named today; a run over many
// days moves that on by [Index.Compact].
func (d *Dir) OpenIndex(today Day) (*Index, error) {
	if err := d.makeFolders("index"); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x := &Index{folder: d.file("index"), packs: make(map[packKey]packState), nextAt: mergeAt}
	x.day.Store(uint32(today))
	x.series.Store(new([]chunk.Series))
	if err := x.open(); err != nil {
		err = errors.Join(fmt.Errorf("open index: %w", err), x.table.close())
		if x.tail != nil {
			err = errors.Join(err, x.tail.close())
		}
		return nil, err
	}
	return x, nil
}

func (x *Index) open() error {
	table, err := openSorted(x.sortedPath())
	switch {
	case errors.Is(err, ErrDamaged):
		x.damaged.Add(1)
	case err != nil:
		return err
	}
	x.table = table
	if table != nil {
		x.nextAt = mergeAfter(table.count)
	}
	if err := x.adopt(table); err != nil {
		return err
	}
	return x.openTails(table)
}

func (x *Index) sortedPath() string { return filepath.Join(x.folder, sortedName) }

// adopt gives a table its series and all shards the table.
func (x *Index) adopt(t *sorted) error {
	if t != nil {
		for i, s := range t.names {
			pos, err := x.seriesAt(s)
			if err != nil {
				return err
			}
			t.series[i] = pos
		}
	}
	for i := range x.shards {
		x.shards[i].table = t
	}
	return nil
}

// openTails loads every tail that the table does not hold, removes the others,
// and goes on with the newest.
func (x *Index) openTails(t *sorted) error {
	gens, err := listTails(x.folder)
	if err != nil {
		return err
	}
	merged := uint64(0)
	if t != nil {
		merged = t.merged
	}
	for len(gens) > 0 && gens[0] <= merged {
		if err := os.Remove(filepath.Join(x.folder, tailName(gens[0]))); err != nil {
			return err
		}
		gens = gens[1:]
	}
	if len(gens) == 0 {
		gens = []uint64{merged + 1}
	}
	for _, gen := range gens {
		if err := x.openTail(gen); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) openTail(gen uint64) error {
	tail, damaged, err := openTail(x.folder, gen, x.load)
	if err != nil {
		return err
	}
	x.damaged.Add(int64(damaged))
	if x.tail != nil {
		err = x.tail.close()
	}
	x.tail = tail
	return err
}

// load takes a record of the tail into memory.
func (x *Index) load(r tailRecord) {
	series, err := x.seriesAt(r.series)
	if err != nil {
		x.damaged.Add(1)
		return
	}
	for i := range len(r.items) / tailItem {
		e := entryOf(r.item(i), series)
		e.day = r.day
		x.shards[e.id[0]].put(e)
		x.durable++
	}
}

func entryOf(ref chunk.Ref, series uint16) entry {
	return entry{id: ref.ID, off: ref.Offset, num: ref.Number, len: uint32(ref.Len), series: series}
}

// seriesAt returns the position of a series in the table of all that the index
// came to know.
func (x *Index) seriesAt(s chunk.Series) (uint16, error) {
	if i := slices.Index(*x.series.Load(), s); i >= 0 {
		return uint16(i), nil
	}
	x.seriesMu.Lock()
	defer x.seriesMu.Unlock()
	list := *x.series.Load()
	if i := slices.Index(list, s); i >= 0 {
		return uint16(i), nil
	}
	if len(list) == maxSeries {
		return 0, fmt.Errorf("index knows %d series already", maxSeries)
	}
	list = append(slices.Clip(list), s)
	x.series.Store(&list)
	return uint16(len(list) - 1), nil
}

func (x *Index) ref(e *entry) chunk.Ref {
	return chunk.Ref{ID: e.id, Series: (*x.series.Load())[e.series], Number: e.num, Offset: e.off, Len: int64(e.len)}
}

// Lookup returns the ref of a chunk, if there is one into a known pack. Packs
// in flight are known.
func (x *Index) Lookup(id chunk.ID, known Known) (chunk.Ref, bool) {
	s := &x.shards[id[0]]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return x.find(s, &id, known)
}

// find looks into memory, then into the pages: what is in memory is newer, but
// it may be the pack of the older one that is good. The shard is locked.
func (x *Index) find(s *shard, id *chunk.ID, known Known) (chunk.Ref, bool) {
	if e := s.get(id); e != nil {
		if ref := x.ref(e); x.holds(e, ref, known) {
			return ref, true
		}
	}
	e, ok := s.table.find(id)
	if !ok {
		return chunk.Ref{}, false
	}
	ref := x.ref(&e)
	return ref, known.knows(ref.Series, ref.Number)
}

func (x *Index) holds(e *entry, ref chunk.Ref, known Known) bool {
	if e.flags&claimed != 0 {
		switch x.stateOf(e.pack()) {
		case inFlight:
			return true
		case forgotten:
			return false
		}
	}
	return known.knows(ref.Series, ref.Number)
}

func (x *Index) stateOf(p packKey) packState {
	x.packMu.RLock()
	defer x.packMu.RUnlock()
	return x.packs[p]
}

func (x *Index) setState(p packKey, s packState) {
	x.packMu.Lock()
	defer x.packMu.Unlock()
	x.packs[p] = s
}

// Claim returns the ref of a chunk as Lookup does. If there is none it calls
// store, which puts the chunk into a pack and says where, and remembers that;
// isNew is then true. Of several claims of one ID at once, one calls store and
// the others wait for it. Store may wait for other packs to be acknowledged or
// forgotten, but of the index it must call nothing else than Acked, Forget and
// Sync. An error of store is returned and nothing remembered.
func (x *Index) Claim(id chunk.ID, known Known, store func() (chunk.Ref, error)) (ref chunk.Ref, isNew bool, err error) {
	if ref, ok := x.Lookup(id, known); ok {
		return ref, false, nil
	}
	s := &x.shards[id[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	if ref, ok := x.find(s, &id, known); ok {
		return ref, false, nil
	}
	if ref, err = store(); err != nil {
		return chunk.Ref{}, false, err
	}
	if ref.ID != id {
		return chunk.Ref{}, false, fmt.Errorf("claim chunk %s: got the ref of %s", id, ref.ID)
	}
	e, err := x.claim(ref)
	if err != nil {
		return chunk.Ref{}, false, fmt.Errorf("claim chunk %s: %w", id, err)
	}
	s.put(e)
	return ref, true, nil
}

// claim makes the entry of a chunk in flight.
func (x *Index) claim(ref chunk.Ref) (entry, error) {
	series, err := x.seriesAt(ref.Series)
	if err := errors.Join(err, checkRef(ref)); err != nil {
		return entry{}, err
	}
	e := entryOf(ref, series)
	e.flags = claimed
	e.day = Day(x.day.Load())
	if x.stateOf(e.pack()) == 0 {
		x.setState(e.pack(), inFlight)
	}
	return e, nil
}

// Acked says that the remote has acknowledged a pack, and which chunks it
// holds: those that were claimed for it. It appends them to the tail, where
// they are durable after Sync. Set what makes the pack known before. An error
// means that a later process will not know these chunks, nothing else.
func (x *Index) Acked(series chunk.Series, number uint32, refs []chunk.Ref) error {
	pos, err := x.checkPack(series, number, refs)
	if err != nil {
		return fmt.Errorf("add pack %s/%d to index: %w", series, number, err)
	}
	x.tailMu.Lock()
	defer x.tailMu.Unlock()
	err = x.appendPack(series, number, refs)
	// The pack's state changes under tailMu: a merge that begins a new tail
	// then sees as acknowledged whatever stands in the tails before.
	x.packMu.Lock()
	delete(x.packs, packKey(pos)<<32|packKey(number))
	x.packMu.Unlock()
	return err
}

// Add takes up chunks of a pack that is on the remote, without a claim: read
// from a manifest, or put elsewhere by a repack. They replace what was known
// of them.
func (x *Index) Add(series chunk.Series, number uint32, refs []chunk.Ref) error {
	pos, err := x.checkPack(series, number, refs)
	if err != nil {
		return fmt.Errorf("add pack %s/%d to index: %w", series, number, err)
	}
	// Memory first: a merge that removes this tail then has the entries.
	for _, ref := range refs {
		e := entryOf(ref, pos)
		e.day = Day(x.day.Load())
		s := &x.shards[e.id[0]]
		s.mu.Lock()
		s.put(e)
		s.mu.Unlock()
	}
	x.tailMu.Lock()
	defer x.tailMu.Unlock()
	return x.appendPack(series, number, refs)
}

func (x *Index) checkPack(series chunk.Series, number uint32, refs []chunk.Ref) (uint16, error) {
	for _, ref := range refs {
		if ref.Series != series || ref.Number != number {
			return 0, fmt.Errorf("chunk %s is in pack %s/%d", ref.ID, ref.Series, ref.Number)
		}
		if err := checkRef(ref); err != nil {
			return 0, fmt.Errorf("chunk %s: %w", ref.ID, err)
		}
	}
	return x.seriesAt(series)
}

// appendPack writes to the tail and sees to it that the tail does not become
// too long. The caller holds tailMu.
func (x *Index) appendPack(series chunk.Series, number uint32, refs []chunk.Ref) error {
	x.durable += len(refs)
	if x.durable >= x.nextAt && x.busy.CompareAndSwap(false, true) {
		x.merges.Go(x.mergeByItself)
	}
	r := tailRecord{series: series, number: number, day: Day(x.day.Load())}
	for part := range slices.Chunk(refs, maxTailItems) {
		if err := x.tail.append(r, part); err != nil {
			return fmt.Errorf("append to index: %w", err)
		}
	}
	return nil
}

// Forget says that a pack in flight was not stored and never will be. Its
// chunks are unknown from now on.
func (x *Index) Forget(series chunk.Series, number uint32) {
	if pos := slices.Index(*x.series.Load(), series); pos >= 0 {
		x.setState(packKey(pos)<<32|packKey(number), forgotten)
	}
}

// Sync makes durable what was acknowledged and added. It also reports what
// went wrong in merging the tail, once.
func (x *Index) Sync() error {
	x.tailMu.Lock()
	err := x.tail.sync()
	x.tailMu.Unlock()
	if err != nil {
		err = fmt.Errorf("sync index: %w", err)
	}
	return errors.Join(err, x.takeFailure())
}

func (x *Index) takeFailure() error {
	x.failMu.Lock()
	defer x.failMu.Unlock()
	err := x.failed
	x.failed = nil
	return err
}

// IndexStats says how large an index is and how well.
type IndexStats struct {
	Sorted  uint64 // entries in the sorted pages
	Tail    int    // entries of acknowledged packs that a merge has yet to see; one stored twice counts twice
	Damaged int64  // pages, records and headers that were not good
	Passed  Day    // when Compact last let old entries go
}

// Stats returns the present numbers. It waits for a merge at work.
func (x *Index) Stats() IndexStats {
	x.mergeMu.Lock()
	defer x.mergeMu.Unlock()
	x.tailMu.Lock()
	defer x.tailMu.Unlock()
	s := IndexStats{Tail: x.durable, Damaged: x.damaged.Load()}
	if x.table != nil {
		s.Sorted, s.Passed = x.table.count, x.table.passed
		s.Damaged += x.table.damaged.Load()
	}
	return s
}

// Settle merges the tail if it is long, so that the next process need not load
// it: at the end of a run, which may have let it grow.
func (x *Index) Settle(ctx context.Context) error {
	x.merges.Wait()
	x.tailMu.Lock()
	long := x.durable >= mergeAt
	x.tailMu.Unlock()
	if !long {
		return nil
	}
	_, err := x.Compact(ctx, CompactOptions{})
	return err
}

// Close waits for a merge at work, makes all durable and closes the index.
// Lookups find nothing from then on.
func (x *Index) Close() error {
	x.merges.Wait()
	x.mergeMu.Lock()
	defer x.mergeMu.Unlock()
	for i := range x.shards {
		x.shards[i].settle(nil, func(*entry) bool { return false })
	}
	err := errors.Join(x.takeFailure(), x.table.close())
	x.table = nil
	x.tailMu.Lock()
	defer x.tailMu.Unlock()
	return errors.Join(err, x.tail.close())
}
