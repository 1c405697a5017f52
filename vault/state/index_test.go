package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/chunk"
)

func openIndex(t testing.TB, d *Dir, today Day) *Index {
	t.Helper()
	x, err := d.OpenIndex(today)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// refIn is a ref that can be told from the ref of the same chunk elsewhere.
func refIn(id chunk.ID, s chunk.Series, number uint32) chunk.Ref {
	return chunk.Ref{ID: id, Series: s, Number: number, Offset: int64(number) << 20, Len: int64(id[31]) + 1}
}

func add(t testing.TB, x *Index, s chunk.Series, number uint32, ids ...chunk.ID) {
	t.Helper()
	refs := make([]chunk.Ref, len(ids))
	for i, id := range ids {
		refs[i] = refIn(id, s, number)
	}
	if err := x.Add(s, number, refs); err != nil {
		t.Fatal(err)
	}
}

func claim(t testing.TB, x *Index, s chunk.Series, number uint32, id chunk.ID, known Known) bool {
	t.Helper()
	_, isNew, err := x.Claim(id, known, func() (chunk.Ref, error) { return refIn(id, s, number), nil })
	if err != nil {
		t.Fatal(err)
	}
	return isNew
}

// wantIn asserts in which pack a chunk is found; -1 is absence.
func wantIn(t testing.TB, x *Index, id chunk.ID, known Known, s chunk.Series, number int) {
	t.Helper()
	ref, ok := x.Lookup(id, known)
	if number < 0 && ok || number >= 0 && (!ok || ref != refIn(id, s, uint32(number))) {
		t.Fatalf("chunk %s: got %+v %v, want pack %d", id, ref, ok, number)
	}
}

var (
	seriesOne = chunk.Series{1}
	seriesTwo = chunk.Series{2}
)

func not(number uint32) Known {
	return func(_ chunk.Series, n uint32) bool { return n != number }
}

func TestIndexClaim(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	a, b, c := randomID(1), randomID(2), randomID(3)
	if !claim(t, x, seriesOne, 1, a, nil) || !claim(t, x, seriesOne, 1, b, nil) || !claim(t, x, seriesOne, 2, c, nil) {
		t.Fatal("not new")
	}
	if claim(t, x, seriesOne, 9, a, nil) {
		t.Error("claimed twice")
	}
	none := func(chunk.Series, uint32) bool { return false }
	wantIn(t, x, a, none, seriesOne, 1) // in flight, so nobody else can know it yet
	x.Forget(seriesOne, 2)
	wantIn(t, x, c, nil, seriesOne, -1)
	if !claim(t, x, seriesOne, 3, c, nil) {
		t.Error("chunk of a forgotten pack is not new")
	}
	if err := x.Acked(seriesOne, 1, []chunk.Ref{refIn(a, seriesOne, 1), refIn(b, seriesOne, 1)}); err != nil {
		t.Fatal(err)
	}
	wantIn(t, x, a, nil, seriesOne, 1)
	wantIn(t, x, a, none, seriesOne, -1)

	// A newer ref takes the place of one into an unknown pack.
	if !claim(t, x, seriesTwo, 4, b, not(1)) {
		t.Error("chunk of an unknown pack is not new")
	}
	wantIn(t, x, b, nil, seriesTwo, 4)

	// What was not acknowledged ends with the process.
	again := openIndex(t, copyDir(t, d), 1)
	wantIn(t, again, a, nil, seriesOne, 1)
	wantIn(t, again, b, nil, seriesOne, 1)
	wantIn(t, again, c, nil, seriesOne, -1)
}

func TestIndexClaimErrors(t *testing.T) {
	x := openIndex(t, newDir(t), 1)
	id, other := randomID(1), randomID(2)
	stop := errors.New("stop")
	for _, c := range []struct {
		ref  chunk.Ref
		err  error
		want error
	}{
		{chunk.Ref{}, stop, stop},
		{refIn(other, seriesOne, 1), nil, nil},
		{chunk.Ref{ID: id, Len: -1}, nil, errRange},
		{chunk.Ref{ID: id, Len: math.MaxUint32 + 1}, nil, errRange},
		{chunk.Ref{ID: id, Offset: maxOffset + 1}, nil, errRange},
		{chunk.Ref{ID: id, Number: MaxNumber + 1}, nil, errRange},
	} {
		_, isNew, err := x.Claim(id, nil, func() (chunk.Ref, error) { return c.ref, c.err })
		if err == nil || isNew || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%+v: new %v, error %v", c.ref, isNew, err)
		}
		wantIn(t, x, id, nil, seriesOne, -1)
	}
	if err := x.Acked(seriesOne, 1, []chunk.Ref{refIn(id, seriesOne, 2)}); err == nil {
		t.Error("a ref into another pack was accepted")
	}
	if err := x.Add(seriesOne, 1, []chunk.Ref{{ID: id, Series: seriesOne, Number: 1, Len: -1}}); !errors.Is(err, errRange) {
		t.Errorf("ref out of range: %v", err)
	}
	big := chunk.Ref{ID: id, Series: seriesOne, Number: MaxNumber, Offset: maxOffset, Len: math.MaxUint32}
	if err := x.Add(seriesOne, MaxNumber, []chunk.Ref{big}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if ref, ok := x.Lookup(id, nil); !ok || ref != big {
			t.Errorf("largest ref: %+v %v", ref, ok)
		}
		if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Many goroutines claim the same chunks: each is stored once, and all get the
// same ref.
func TestIndexClaimConcurrent(t *testing.T) {
	x := openIndex(t, newDir(t), 1)
	const chunks, workers = 2000, 8
	var stored [chunks]atomic.Int32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range chunks {
				id := randomID(uint64(i))
				ref, isNew, err := x.Claim(id, nil, func() (chunk.Ref, error) {
					stored[i].Add(1)
					return refIn(id, seriesOne, uint32(i*workers+w)), nil
				})
				if err != nil || ref.ID != id || ref.Number/workers != uint32(i) || isNew != (ref.Number%workers == uint32(w)) {
					t.Errorf("chunk %d: %+v %v %v", i, ref, isNew, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range stored {
		if n := stored[i].Load(); n != 1 {
			t.Errorf("chunk %d was stored %d times", i, n)
		}
	}
}

// A store that waits until another pack is acknowledged (uploads are slow, and
// a pipeline has limits) must not stop that from happening.
func TestIndexAckedWhileStoreWaits(t *testing.T) {
	x := openIndex(t, newDir(t), 1)
	a := randomID(1)
	b := a
	b[31]++ // of the same shard
	claim(t, x, seriesOne, 1, a, nil)
	acked := make(chan error, 1)
	_, isNew, err := x.Claim(b, nil, func() (chunk.Ref, error) {
		go func() {
			acked <- errors.Join(x.Acked(seriesOne, 1, []chunk.Ref{refIn(a, seriesOne, 1)}), x.Sync())
		}()
		select {
		case err := <-acked:
			return refIn(b, seriesOne, 2), err
		case <-time.After(10 * time.Second):
			return chunk.Ref{}, errors.New("Acked waits for Claim, which waits for Acked")
		}
	})
	if err != nil || !isNew {
		t.Fatal(isNew, err)
	}
}

func TestIndexSurvivesReopen(t *testing.T) {
	d := newDir(t)
	var ids []chunk.ID
	for round := range 4 {
		x := openIndex(t, d, Day(round))
		for i := range 300 {
			id := randomID(uint64(round*300 + i))
			ids = append(ids, id)
			add(t, x, seriesOne, uint32(len(ids)), id)
		}
		if round%2 == 1 {
			if r, err := x.Compact(t.Context(), CompactOptions{}); err != nil || r.Kept != uint64(len(ids)) {
				t.Fatal(r, err)
			}
		}
		for i, id := range ids {
			wantIn(t, x, id, nil, seriesOne, i+1)
		}
		wantIn(t, x, randomID(1<<40), nil, seriesOne, -1)
		if s := x.Stats(); s.Sorted+uint64(s.Tail) != uint64(len(ids)) || s.Damaged != 0 {
			t.Errorf("round %d: %+v", round, s)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		wantIn(t, x, ids[0], nil, seriesOne, -1)
	}
}

// IDs are uniform, but the pages must hold whatever comes.
func TestIndexCrowdedPages(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	var ids []chunk.ID
	for i := range 3000 {
		id := chunk.ID{0x7f, byte(i % 3)}
		if i%2 == 0 {
			id = chunk.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		binary.BigEndian.PutUint32(id[16:], uint32(i))
		ids = append(ids, id)
		add(t, x, seriesOne, uint32(i), id)
	}
	named := func(yield func(uint64) bool) {
		_ = yield(Prefix(ids[0])) && yield(Prefix(ids[1]))
	}
	r, err := x.Compact(t.Context(), CompactOptions{Today: 1})
	if err != nil || r.Kept != 3000 {
		t.Fatal(r, err)
	}
	for i, id := range ids {
		wantIn(t, x, id, nil, seriesOne, i)
		id[31] = 1
		wantIn(t, x, id, nil, seriesOne, -1)
	}
	// One prefix names all entries that share it, over many pages.
	r, err = x.Compact(t.Context(), CompactOptions{Today: 40, Named: named, Keep: 30})
	if err != nil || r.Kept != 1500+500 || r.Expired != 1000 {
		t.Fatal(r, err)
	}
	for i, id := range ids {
		if i%2 == 0 || i%3 == 1 {
			wantIn(t, x, id, nil, seriesOne, i)
		} else {
			wantIn(t, x, id, nil, seriesOne, -1)
		}
	}
}

func TestIndexExpiry(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 10)
	old, named, late := randomID(1), randomID(2), randomID(3)
	add(t, x, seriesOne, 1, old, named)
	pass := func(today Day, ids ...chunk.ID) CompactResult {
		t.Helper()
		r, err := x.Compact(t.Context(), CompactOptions{Today: today, Keep: 30, Named: func(yield func(uint64) bool) {
			for _, id := range ids {
				if !yield(Prefix(id)) {
					return
				}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := pass(40, named); r.Expired != 0 || x.Stats().Passed != 40 {
		t.Errorf("after 30 days: %+v", r)
	}
	add(t, x, seriesOne, 2, late)
	if r := pass(41, named); r.Expired != 1 {
		t.Errorf("after 31 days: %+v", r)
	}
	wantIn(t, x, old, nil, seriesOne, -1)
	wantIn(t, x, named, nil, seriesOne, 1)
	// A merge without names lets nobody go, and keeps the days.
	if r, err := x.Compact(t.Context(), CompactOptions{Today: 200}); err != nil || r.Kept != 2 {
		t.Errorf("without names: %+v %v", r, err)
	}
	if r := pass(71, late); r.Expired != 0 {
		t.Errorf("day 71: %+v", r)
	}
	// Days from a clock that was wrong do not keep an entry for ever.
	if r := pass(20, late); r.Expired != 0 {
		t.Errorf("day 20: %+v", r)
	}
	if r := pass(51, named); r.Expired != 1 {
		t.Errorf("day 51: %+v", r)
	}
	wantIn(t, x, late, nil, seriesOne, -1)
	wantIn(t, x, named, nil, seriesOne, 1)
	again := openIndex(t, copyDir(t, d), 51)
	wantIn(t, again, old, nil, seriesOne, -1)
	wantIn(t, again, named, nil, seriesOne, 1)
	for _, name := range indexFiles(t, d) {
		if b := read(t, name); strings.Contains(string(b), string(old[:])) {
			t.Errorf("%s still holds an ID that expired", name)
		}
	}
}

func indexFiles(t testing.TB, d *Dir) []string {
	t.Helper()
	names, err := filepath.Glob(d.file("index", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

func TestIndexCompactKnown(t *testing.T) {
	x := openIndex(t, newDir(t), 1)
	a, b := randomID(1), randomID(2)
	add(t, x, seriesOne, 1, a, b)
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	add(t, x, seriesOne, 2, b)
	// Of b's two refs only the older is known: that one stays.
	if r, err := x.Compact(t.Context(), CompactOptions{Known: not(2)}); err != nil || r.Kept != 2 || r.Unknown != 0 {
		t.Fatal(r, err)
	}
	wantIn(t, x, b, nil, seriesOne, 1)
	if r, err := x.Compact(t.Context(), CompactOptions{Known: not(1)}); err != nil || r.Unknown != 2 || r.Kept != 0 {
		t.Fatal(r, err)
	}
	wantIn(t, x, a, nil, seriesOne, -1)
}

// Claims in flight stay out of the pages, and outlive a merge in memory.
func TestIndexCompactInFlight(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	a, b, c := randomID(1), randomID(2), randomID(3)
	claim(t, x, seriesOne, 1, a, nil)
	claim(t, x, seriesOne, 2, b, nil)
	claim(t, x, seriesOne, 3, c, nil)
	x.Forget(seriesOne, 3)
	if err := x.Acked(seriesOne, 2, []chunk.Ref{refIn(b, seriesOne, 2)}); err != nil {
		t.Fatal(err)
	}
	if r, err := x.Compact(t.Context(), CompactOptions{}); err != nil || r.Kept != 1 {
		t.Fatal(r, err)
	}
	wantIn(t, x, a, nil, seriesOne, 1)
	wantIn(t, x, b, nil, seriesOne, 2)
	wantIn(t, x, c, nil, seriesOne, -1)
	wantIn(t, openIndex(t, copyDir(t, d), 1), a, nil, seriesOne, -1)
	if err := x.Acked(seriesOne, 1, []chunk.Ref{refIn(a, seriesOne, 1)}); err != nil {
		t.Fatal(err)
	}
	again := openIndex(t, copyDir(t, d), 1)
	wantIn(t, again, a, nil, seriesOne, 1)
	wantIn(t, again, b, nil, seriesOne, 2)
}

func TestIndexMergesByItself(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	x.nextAt = 1000
	for i := range uint64(1200) {
		add(t, x, seriesOne, uint32(i), randomID(i))
	}
	x.merges.Wait()
	if s := x.Stats(); s.Sorted < 1000 || s.Sorted+uint64(s.Tail) < 1200 {
		t.Errorf("%+v", s)
	}
	for i := range uint64(1200) {
		wantIn(t, x, randomID(i), nil, seriesOne, int(i))
	}
}

// A merge that fails changes nothing, says so once, and the next one succeeds.
func TestIndexMergeFails(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	add(t, x, seriesOne, 1, randomID(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Compact(ctx, CompactOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	add(t, x, seriesOne, 2, randomID(2))
	check := func(x *Index) {
		t.Helper()
		wantIn(t, x, randomID(1), nil, seriesOne, 1)
		wantIn(t, x, randomID(2), nil, seriesOne, 2)
	}
	check(x)
	if s := x.Stats(); s.Tail != 2 {
		t.Errorf("%+v", s)
	}
	check(openIndex(t, copyDir(t, d), 1))

	// By itself: where the sorted file should go there is a folder in the way.
	write(t, d.file("index", "sorted", "in the way"), nil)
	x.nextAt = 3
	add(t, x, seriesOne, 3, randomID(3))
	x.merges.Wait()
	if err := x.Sync(); err == nil {
		t.Error("failed merge was not reported")
	}
	if err := x.Sync(); err != nil {
		t.Errorf("reported twice: %v", err)
	}
	check(x)
	if err := os.RemoveAll(d.file("index", "sorted")); err != nil {
		t.Fatal(err)
	}
	if r, err := x.Compact(t.Context(), CompactOptions{}); err != nil || r.Kept != 3 {
		t.Fatal(r, err)
	}
	check(x)
	if names := indexFiles(t, d); len(names) != 2 {
		t.Errorf("files left: %v", names)
	}
	check(openIndex(t, copyDir(t, d), 1))
}

// Every state of the folder that a kill during a merge can leave.
func TestIndexKilledWhileMerging(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	add(t, x, seriesOne, 1, randomID(1), randomID(2))
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	add(t, x, seriesTwo, 2, randomID(2), randomID(3))
	before := copyDir(t, d)
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	after := copyDir(t, d)
	names := func(d *Dir) (list []string) {
		for _, n := range indexFiles(t, d) {
			list = append(list, filepath.Base(n))
		}
		return list
	}
	both := append(names(before), names(after)...)
	slices.Sort(both)
	both = slices.Compact(both)
	// A file is of before, of after, or was there together with what follows.
	states := map[string]map[string]*Dir{
		"new tail begun":       {"sorted": before, "tail-0000000002": before, "tail-0000000003": after},
		"sorted file replaced": {"sorted": after, "tail-0000000002": before, "tail-0000000003": after},
		"replaced, no tail":    {"sorted": after, "tail-0000000002": before},
	}
	if want := []string{"sorted", "tail-0000000002", "tail-0000000003"}; !slices.Equal(both, want) {
		t.Fatalf("files %v, want %v", both, want)
	}
	for name, state := range states {
		c := newDir(t)
		for file, from := range state {
			write(t, c.file("index", file), read(t, from.file("index", file)))
		}
		for range 2 {
			y := openIndex(t, c, 1)
			wantIn(t, y, randomID(1), nil, seriesOne, 1)
			wantIn(t, y, randomID(2), nil, seriesTwo, 2)
			wantIn(t, y, randomID(3), nil, seriesTwo, 2)
			if s := y.Stats(); s.Damaged != 0 {
				t.Errorf("%s: %+v", name, s)
			}
			if _, err := y.Compact(t.Context(), CompactOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := y.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The tail cut at any byte: what stands whole before that is found, nothing is
// wrong, and what is added next is found too.
func TestIndexTailCut(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	path := d.file("index", tailName(1))
	var ends []int
	for i := range uint64(3) {
		add(t, x, seriesOne, uint32(i), randomID(2*i), randomID(2*i+1))
		ends = append(ends, len(read(t, path)))
	}
	good := read(t, path)
	for cut := range len(good) + 1 {
		c := newDir(t)
		write(t, c.file("index", tailName(1)), good[:cut])
		y := openIndex(t, c, 1)
		for i := range uint64(6) {
			want := int(i / 2)
			if ends[want] > cut {
				want = -1
			}
			wantIn(t, y, randomID(i), nil, seriesOne, want)
		}
		add(t, y, seriesTwo, 77, randomID(100))
		y.Close()
		y = openIndex(t, c, 1)
		wantIn(t, y, randomID(100), nil, seriesTwo, 77)
		if s := y.Stats(); s.Damaged != 0 {
			t.Fatalf("cut at %d is damage: %+v", cut, s)
		}
		y.Close()
	}
}

// checkDamaged asserts that every lookup is right or absent, and returns how
// many are right.
func checkDamaged(t *testing.T, x *Index, n int) (right int) {
	t.Helper()
	for i := range n {
		id := randomID(uint64(i))
		ref, ok := x.Lookup(id, nil)
		if ok && ref != refIn(id, seriesOne, uint32(i)) {
			t.Fatalf("chunk %d: %+v", i, ref)
		}
		if ok {
			right++
		}
	}
	return right
}

func TestIndexDamage(t *testing.T) {
	const n = 400
	d := newDir(t)
	x := openIndex(t, d, 1)
	for i := range uint64(n) {
		if i == n/2 {
			if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		add(t, x, seriesOne, uint32(i), randomID(i))
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range indexFiles(t, d) {
		good := read(t, name)
		least := n
		for i, bad := range damages(good, 120) {
			c := copyDir(t, d)
			write(t, c.file("index", filepath.Base(name)), bad)
			y, err := c.OpenIndex(1)
			if err != nil {
				t.Fatalf("%s, byte %d: %v", name, i, err)
			}
			right := checkDamaged(t, y, n)
			if len(bad) == len(good) {
				least = min(least, right)
				// A bad last record cannot be told from one cut short by a kill.
				last := strings.HasPrefix(filepath.Base(name), "tail") && i >= len(good)-tailHead-tailItem-4
				if right < n && y.Stats().Damaged == 0 && !last {
					t.Errorf("%s, byte %d: damage was not counted", name, i)
				}
			}
			// The index heals with what is left.
			if r, err := y.Compact(t.Context(), CompactOptions{}); err != nil || r.Kept != uint64(right) {
				t.Errorf("%s, byte %d: %+v %v, want %d", name, i, r, err, right)
			}
			if again := checkDamaged(t, y, n); again != right {
				t.Errorf("%s, byte %d: %d after compaction, %d before", name, i, again, right)
			}
			if err := y.Close(); err != nil {
				t.Fatal(err)
			}
			os.RemoveAll(c.path)
		}
		if least < n/2 {
			t.Errorf("one bit of %s cost %d entries", name, n-least)
		}
	}
}

// The file is cut short, or cannot be read, while it is open: what is gone is
// absent.
func TestIndexFileShrinks(t *testing.T) {
	const n = 2000
	d := newDir(t)
	x := openIndex(t, d, 1)
	for i := range uint64(n) {
		add(t, x, seriesOne, uint32(i), randomID(i))
	}
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	size := int64(len(read(t, x.sortedPath())))
	if err := os.Truncate(x.sortedPath(), size/2/4096*4096); err != nil {
		t.Fatal(err)
	}
	named := func(yield func(uint64) bool) {
		for i := range uint64(n) {
			if !yield(Prefix(randomID(i))) {
				return
			}
		}
	}
	right := checkDamaged(t, x, n)
	if right == 0 || right == n {
		t.Errorf("%d of %d left", right, n)
	}
	if r, err := x.Compact(t.Context(), CompactOptions{Today: 1, Named: named}); err != nil || r.Kept != uint64(right) {
		t.Errorf("%+v %v, want %d", r, err, right)
	}
	if again := checkDamaged(t, x, n); again != right {
		t.Errorf("%d after compaction, %d before", again, right)
	}
}

// The larger the index, the seldomer it is written anew; and a run leaves no
// long tail behind.
func TestIndexMergesInProportion(t *testing.T) {
	for count, want := range map[uint64]int{0: mergeAt, mergeAt: mergeAt, 16 * mergeAt: 2 * mergeAt, 1 << 40: 4 * mergeAt} {
		if got := mergeAfter(count); got != want {
			t.Errorf("%d entries: %d, want %d", count, got, want)
		}
	}
	x := openIndex(t, newDir(t), 1)
	refs := make([]chunk.Ref, 1<<16)
	for n := range uint32(mergeAt >> 16) {
		for i := range refs {
			refs[i] = chunk.Ref{ID: randomID(uint64(n)<<16 | uint64(i)), Series: seriesOne, Number: n, Offset: int64(i), Len: 1}
		}
		x.tailMu.Lock()
		x.nextAt = 1 << 30 // as if it were large
		x.tailMu.Unlock()
		if err := x.Settle(t.Context()); err != nil || x.Stats().Sorted != 0 {
			t.Fatalf("settled a short tail: %v", err)
		}
		if err := x.Add(seriesOne, n, refs); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := x.Stats(); s.Tail != 0 || s.Sorted != mergeAt {
		t.Errorf("%+v", s)
	}
}

// Lookups, claims, acknowledgements and merges at once: nothing that was
// acknowledged is ever absent, nothing is wrong.
func TestIndexConcurrent(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	const workers, packs, perPack = 4, 40, 50
	done := make(chan struct{})
	var work, merging sync.WaitGroup
	merging.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for w := range workers {
		work.Go(func() {
			var mine []chunk.Ref
			for p := range packs {
				number := uint32(w*packs + p)
				var refs []chunk.Ref
				for i := range perPack {
					id := randomID(uint64(int(number)*perPack + i))
					claim(t, x, seriesOne, number, id, nil)
					refs = append(refs, refIn(id, seriesOne, number))
				}
				if p%5 == 4 {
					x.Forget(seriesOne, number)
					for _, ref := range refs {
						if got, ok := x.Lookup(ref.ID, nil); ok {
							t.Errorf("chunk of forgotten pack: %+v", got)
						}
					}
					continue
				}
				if err := x.Acked(seriesOne, number, refs); err != nil {
					t.Error(err)
				}
				mine = append(mine, refs...)
				for i := 0; i < len(mine); i += 1 + len(mine)/100 {
					if got, ok := x.Lookup(mine[i].ID, nil); !ok || got != mine[i] {
						t.Errorf("got %+v %v, want %+v", got, ok, mine[i])
					}
				}
			}
		})
	}
	work.Wait()
	close(done)
	merging.Wait()
	again := openIndex(t, copyDir(t, d), 1)
	for i := range uint64(workers * packs * perPack) {
		number := int(i / perPack)
		if number%packs%5 == 4 {
			number = -1
		}
		wantIn(t, x, randomID(i), nil, seriesOne, number)
		wantIn(t, again, randomID(i), nil, seriesOne, number)
	}
}

func TestIndexLookupAllocates(t *testing.T) {
	x, ids := filledIndex(t, 1000)
	extra := randomID(1 << 40)
	add(t, x, seriesOne, 1, extra)
	for name, id := range map[string]chunk.ID{"pages": ids[5], "tail": extra, "absent": randomID(1 << 41)} {
		if n := testing.AllocsPerRun(100, func() { x.Lookup(id, nil) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestIndexManySeries(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	series := func(i int) (s chunk.Series) {
		binary.BigEndian.PutUint32(s[:], uint32(i+1))
		return s
	}
	for i := range maxSeries {
		add(t, x, series(i), uint32(i), randomID(uint64(i)))
	}
	if err := x.Add(series(maxSeries), 1, nil); err == nil {
		t.Error("one series too many")
	}
	check := func(x *Index) {
		t.Helper()
		for i := range maxSeries {
			wantIn(t, x, randomID(uint64(i)), nil, series(i), i)
		}
	}
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	check(x)
	check(openIndex(t, copyDir(t, d), 1))
	// Series that no entry names any more make room, at the next opening.
	if _, err := x.Compact(t.Context(), CompactOptions{Known: func(s chunk.Series, _ uint32) bool { return s == series(7) }}); err != nil {
		t.Fatal(err)
	}
	y := openIndex(t, copyDir(t, d), 1)
	wantIn(t, y, randomID(7), nil, series(7), 7)
	add(t, y, series(maxSeries), 1, randomID(1<<40))
}

func TestDay(t *testing.T) {
	for when, want := range map[string]Day{
		"1970-01-01T00:00:00Z": 0, "2020-01-01T23:59:59Z": 0, "2020-01-02T00:00:00Z": 1,
		"2026-03-01T12:00:00+14:00": 2250, "9999-01-01T00:00:00Z": math.MaxUint16,
	} {
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at); got != want {
			t.Errorf("%s is day %d, want %d", when, got, want)
		}
	}
	if got := DayOf(Day(2250).Time()); got != 2250 {
		t.Errorf("there and back: %d", got)
	}
}

func FuzzTail(f *testing.F) {
	refs := []chunk.Ref{refIn(randomID(1), seriesOne, 3), refIn(randomID(2), seriesOne, 3)}
	one := appendTail(nil, 5, tailRecord{series: seriesOne, number: 3, day: 9}, refs)
	f.Add(one)
	f.Add(append(slices.Clone(one[:50]), one...))
	f.Add(append(slices.Clone(one), one[:60]...))
	f.Add([]byte(strings.Repeat(tailMagic, 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		end, _ := parseTail(data, 5, func(r tailRecord) {
			var refs []chunk.Ref
			for i := range len(r.items) / tailItem {
				refs = append(refs, r.item(i))
			}
			again = appendTail(again, 5, r, refs)
		})
		if end > len(data) || len(again) > end {
			t.Fatalf("%d bytes of records, end at %d of %d", len(again), end, len(data))
		}
		if len(again) == end && string(again) != string(data[:end]) {
			t.Errorf("%x is also %x", data[:end], again)
		}
		for rest := again; len(rest) > 0; {
			_, n, ok := parseTailRecord(rest, 5)
			if !ok || !strings.Contains(string(data), string(rest[:n])) {
				t.Fatalf("record %x is not in %x", rest[:n], data)
			}
			rest = rest[n:]
		}
	})
}

func FuzzSorted(f *testing.F) {
	d := newDir(f)
	x := openIndex(f, d, 1)
	for i := range uint64(30) {
		add(f, x, seriesOne, uint32(i), randomID(i))
	}
	if _, err := x.Compact(f.Context(), CompactOptions{}); err != nil {
		f.Fatal(err)
	}
	f.Add(read(f, x.sortedPath()))
	f.Add([]byte(sortedMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "sorted")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := openSorted(path)
		if err != nil {
			return
		}
		defer table.close()
		// In memory: mark and find must stay within bounds, whatever it says.
		set := table.bits()
		for i := range uint64(40) {
			id := randomID(i)
			if e, ok := table.find(&id); ok && e.id != id {
				t.Errorf("asked for %s, got %s", id, e.id)
			}
			if len(set) > 0 {
				table.markAll([]uint64{Prefix(id)}, set)
			}
		}
	})
}

func ExampleIndex_Claim() {
	dir, _ := os.MkdirTemp("", "state")
	defer os.RemoveAll(dir)
	d, _ := Create(dir)
	x, _ := d.OpenIndex(DayOf(time.Now()))
	defer x.Close()

	id, series := chunk.ID{1}, chunk.Series{2}
	for range 2 {
		ref, isNew, err := x.Claim(id, nil, func() (chunk.Ref, error) {
			return chunk.Ref{ID: id, Series: series, Number: 7, Len: 100}, nil // from a pack builder
		})
		fmt.Println(ref.Number, isNew, err)
	}
	// Output:
	// 7 true <nil>
	// 7 false <nil>
}
