package backup

import (
	"slices"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// A batch is a stretch of the walk. The walk fills it, a worker reads what is
// new in it, and the manifest takes it in its turn. Batches are reused, and
// what they hold for entries that are kept lies in one arena, so that an
// unchanged tree allocates nothing per entry.
type batch struct {
	items  []item
	arena  []byte
	packs  []state.PackNo
	tables [][]chunk.Series // what packs and lines mean by positions; nearly always one
	cost   int64            // bytes to read
	work   bool             // some items are not kept
	done   chan struct{}
}

// packID names a pack that an entry needs.
type packID struct {
	series chunk.Series
	number uint32
}

// span is a stretch of a batch's arena or packs.
type span struct{ from, to int }

// An item is one entry of the walk.
type item struct {
	path  span
	mount span
	stat  files.Stat
	racy  bool
	fresh bool // not in the last manifest
	still bool // there, and nothing that stat shows has changed since
	err   error

	// Of a kept entry: what the last run recorded.
	keep  bool
	spare bool // not kept, to merge small packs; but if that fails, it may be
	line  span
	deep  span
	packs span
	table int
	nth   uint64 // see state.Record

	// Of an entry that is new or changed.
	entry *manifest.Entry
	uses  []packID // its packs
	ids   []byte   // prefixes of chunk IDs that stand in lists only
}

// Limits of a batch: enough to spare the channels, little enough to keep all
// workers busy and solid frames of neighbours together.
const (
	batchItems = 512
	batchWork  = 64
	batchCost  = 4 << 20
)

func (b *batch) reset() {
	b.items, b.arena, b.packs, b.tables = b.items[:0], b.arena[:0], b.packs[:0], b.tables[:0]
	b.cost, b.work = 0, false
}

func (b *batch) add(s []byte) span {
	from := len(b.arena)
	b.arena = append(b.arena, s...)
	return span{from, len(b.arena)}
}

func (b *batch) bytes(s span) []byte { return b.arena[s.from:s.to] }

// table keeps a copy of a series table and returns its place.
func (b *batch) table(series []chunk.Series) int {
	if n := len(b.tables); n > 0 && slices.Equal(b.tables[n-1], series) {
		return n - 1
	}
	b.tables = append(b.tables, slices.Clone(series))
	return len(b.tables) - 1
}

// keep enters a record of the last run as it is.
func (b *batch) keep(it *item, rec *state.Record) {
	it.keep = true
	it.line, it.deep = b.add(rec.Line), b.add(rec.Deep)
	it.packs.from = len(b.packs)
	b.packs = append(b.packs, rec.Packs...)
	it.packs.to = len(b.packs)
	it.table = b.table(rec.Series)
	if rec.Stat == it.stat {
		it.nth = rec.Nth
	}
}

func (b *batch) full(working int) bool {
	return len(b.items) >= batchItems || working >= batchWork || b.cost >= batchCost
}
