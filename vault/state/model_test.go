package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"coffer/chunk"
)

// A modelRef is one place where a chunk was put.
type modelRef struct {
	number uint32
	day    Day // when it was named last
	late   Day // or then: a later process knows only when the pack was acknowledged
}

type modelPack struct {
	acked, forgotten bool
	bad              bool // the caller's filter does not know it
	refs             []chunk.Ref
}

// indexModel is the Index as a few maps. Of a chunk it keeps all places, oldest
// first: the index may find any that is good, and must find the newest if that
// is good.
type indexModel struct {
	dir    *Dir
	x      *Index
	root   string
	opened int
	today  Day
	places map[chunk.ID][]modelRef
	packs  map[uint32]*modelPack
	next   uint32
}

const modelIDs = 120

// modelID returns one of few IDs, so that they meet again; a third of them
// share their first page.
func modelID(t *rapid.T) chunk.ID {
	i := rapid.IntRange(0, modelIDs-1).Draw(t, "id")
	if i%3 == 0 {
		return chunk.ID{0x80, 0, 0, 0, 0, 0, 0, 0, byte(i)}
	}
	return randomID(uint64(i))
}

func (m *indexModel) known(_ chunk.Series, number uint32) bool { return !m.packs[number].bad }

func (m *indexModel) good(r modelRef) bool {
	p := m.packs[r.number]
	return !p.forgotten && (!p.acked || !p.bad)
}

func (m *indexModel) inFlight(id chunk.ID) bool {
	for _, r := range m.places[id] {
		if p := m.packs[r.number]; !p.acked && !p.forgotten {
			return true
		}
	}
	return false
}

// check compares the index with the model for every ID.
func (m *indexModel) check(t *rapid.T) {
	for id, places := range m.places {
		ref, ok := m.x.Lookup(id, m.known)
		if !ok {
			if len(places) > 0 && m.good(places[len(places)-1]) {
				t.Fatalf("chunk %s is absent, but is in pack %d", id, places[len(places)-1].number)
			}
			continue
		}
		m.checkRef(t, id, ref)
	}
}

func (m *indexModel) checkRef(t *rapid.T, id chunk.ID, ref chunk.Ref) {
	for _, r := range m.places[id] {
		if m.good(r) && ref == refIn(id, seriesOne, r.number) {
			return
		}
	}
	t.Fatalf("chunk %s: wrong ref %+v of %v", id, ref, m.places[id])
}

func (m *indexModel) put(id chunk.ID, number uint32) chunk.Ref {
	ref := refIn(id, seriesOne, number)
	m.places[id] = append(m.places[id], modelRef{number, m.today, m.today})
	m.packs[number].refs = append(m.packs[number].refs, ref)
	return ref
}

func (m *indexModel) newPack() uint32 {
	m.next++
	m.packs[m.next] = &modelPack{}
	return m.next
}

func (m *indexModel) anyPack(t *rapid.T, want func(*modelPack) bool) (uint32, *modelPack) {
	var list []uint32
	for n := range m.next + 1 {
		if p := m.packs[n]; p != nil && want(p) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return 0, nil
	}
	n := rapid.SampledFrom(list).Draw(t, "pack")
	return n, m.packs[n]
}

func open(p *modelPack) bool { return !p.acked && !p.forgotten }

func (m *indexModel) Claim(t *rapid.T) {
	number, p := m.anyPack(t, open)
	if p == nil {
		number = m.newPack()
	}
	for range rapid.IntRange(1, 30).Draw(t, "count") {
		id := modelID(t)
		ref, isNew, err := m.x.Claim(id, m.known, func() (chunk.Ref, error) { return m.put(id, number), nil })
		if err != nil {
			t.Fatal(err)
		}
		if isNew && ref.Number != number {
			t.Fatalf("claimed for pack %d: %+v", number, ref)
		}
		m.checkRef(t, id, ref)
	}
}

func (m *indexModel) NewPack(*rapid.T) { m.newPack() }

func (m *indexModel) Acked(t *rapid.T) {
	number, p := m.anyPack(t, open)
	if p == nil {
		return
	}
	if err := m.x.Acked(seriesOne, number, p.refs); err != nil {
		t.Fatal(err)
	}
	p.acked = true
	for _, ref := range p.refs {
		for i, r := range m.places[ref.ID] {
			if r.number == number {
				m.places[ref.ID][i].late = m.today
			}
		}
	}
}

func (m *indexModel) Forget(t *rapid.T) {
	if number, p := m.anyPack(t, open); p != nil {
		m.x.Forget(seriesOne, number)
		p.forgotten = true
	}
}

func (m *indexModel) Add(t *rapid.T) {
	number := m.newPack()
	p := m.packs[number]
	seen := make(map[chunk.ID]bool)
	for range rapid.IntRange(0, 40).Draw(t, "count") {
		if id := modelID(t); !seen[id] && !m.inFlight(id) {
			seen[id] = true
			m.put(id, number)
		}
	}
	if err := m.x.Add(seriesOne, number, p.refs); err != nil {
		t.Fatal(err)
	}
	p.acked = true
}

func (m *indexModel) Rot(t *rapid.T) {
	if _, p := m.anyPack(t, func(p *modelPack) bool { return p.acked }); p != nil {
		p.bad = !p.bad
	}
}

func (m *indexModel) Compact(t *rapid.T) {
	o := CompactOptions{}
	if rapid.Bool().Draw(t, "filter") {
		o.Known = m.known
	}
	if _, err := m.x.Compact(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, places := range m.places {
		for i, r := range places {
			if p := m.packs[r.number]; o.Known != nil && p.acked && p.bad {
				places[i].number = dropped
			}
		}
	}
}

// dropped is a pack that is never good. It stays in a chunk's places, because
// where the newest was dropped the older ones may be gone or not.
const dropped = 0

// Pass is a compaction that lets old entries go: of what is acknowledged, only
// that, and all of it.
func (m *indexModel) Pass(t *rapid.T) {
	m.today += Day(rapid.IntRange(0, 3).Draw(t, "days"))
	keep := rapid.IntRange(0, 4).Draw(t, "keep")
	var named []uint64
	for range rapid.IntRange(0, modelIDs).Draw(t, "named") {
		id := modelID(t)
		named = append(named, Prefix(id))
		for other, places := range m.places {
			for i := range places {
				if Prefix(other) == Prefix(id) {
					places[i].day, places[i].late = m.today, m.today
				}
			}
		}
	}
	_, err := m.x.Compact(t.Context(), CompactOptions{Today: m.today, Keep: keep, Named: func(yield func(uint64) bool) {
		for _, n := range named {
			if !yield(n) {
				return
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for id, places := range m.places {
		m.places[id] = m.expire(places, keep)
	}
}

func (m *indexModel) expire(places []modelRef, keep int) (left []modelRef) {
	var day, late Day
	for _, r := range places {
		day, late = max(day, r.day), max(late, r.late)
	}
	gone := false
	for _, r := range places {
		if m.packs[r.number].acked && int(m.today-day) > keep {
			gone = true
		}
		if !m.packs[r.number].acked || int(m.today-late) <= keep {
			left = append(left, r)
		}
	}
	if n := len(left); gone && n > 0 && m.packs[left[n-1].number].acked {
		left = append(left, modelRef{number: dropped})
	}
	return left
}

// Reopen closes the index; Kill does not, and may cost the last bytes of the
// tail.
func (m *indexModel) Reopen(t *rapid.T) {
	if err := m.x.Close(); err != nil {
		t.Fatal(err)
	}
	m.endProcess()
	m.open(t, m.dir)
}

func (m *indexModel) Kill(t *rapid.T) {
	m.opened++
	next := filepath.Join(m.root, fmt.Sprint(m.opened))
	if err := os.CopyFS(next, os.DirFS(m.dir.path)); err != nil {
		t.Fatal(err)
	}
	if err := m.x.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(next)
	if err != nil {
		t.Fatal(err)
	}
	m.endProcess()
	m.open(t, d)
}

// endProcess forgets what was in memory only. What that stood in front of may
// be gone.
func (m *indexModel) endProcess() {
	for _, p := range m.packs {
		p.forgotten = p.forgotten || !p.acked
	}
	for id, places := range m.places {
		var left []modelRef
		for _, r := range places {
			if m.packs[r.number].acked {
				left = append(left, r)
			}
		}
		if len(left) < len(places) {
			left = append(left, modelRef{number: dropped})
		}
		m.places[id] = left
	}
}

func (m *indexModel) open(t *rapid.T, d *Dir) {
	x, err := d.OpenIndex(m.today)
	if err != nil {
		t.Fatal(err)
	}
	m.dir, m.x = d, x
}

func TestIndexModel(t *testing.T) {
	root := tempDir(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		m := &indexModel{
			root: filepath.Join(root, fmt.Sprint(runs)), today: 100,
			places: make(map[chunk.ID][]modelRef), packs: map[uint32]*modelPack{dropped: {acked: true, forgotten: true}},
		}
		d, err := Create(filepath.Join(m.root, "0"))
		if err != nil {
			t.Fatal(err)
		}
		m.open(t, d)
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "Claim": m.Claim, "NewPack": m.NewPack, "Acked": m.Acked, "Forget": m.Forget, "Add": m.Add,
			"Rot": m.Rot, "Compact": m.Compact, "Pass": m.Pass, "Reopen": m.Reopen, "Kill": m.Kill,
		})
		if err := m.x.Close(); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(m.root)
	})
}
