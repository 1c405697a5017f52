package state

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"coffer/chunk"
)

func randomPack(r *rand.Rand) Pack {
	p := Pack{Size: r.Int64(), Acked: r.Int64(), Read: r.Int64(), Flags: PackFlags(r.Uint32()), Chunks: r.IntN(MaxChunks + 1)}
	for i := range p.Sum {
		p.Sum[i] = byte(r.Uint32())
	}
	return p
}

// tableOf returns a table and what is in it.
func tableOf(t testing.TB, d *Dir, s chunk.Series) (*PackTable, map[uint32]Pack) {
	t.Helper()
	table, err := d.Packs(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	want := make(map[uint32]Pack)
	for _, n := range []uint32{0, 1, 5, packBatch - 1, packBatch, packBatch + 7, 3 * packBatch} {
		want[n] = randomPack(r)
		if err := table.Set(n, want[n]); err != nil {
			t.Fatal(err)
		}
	}
	return table, want
}

// checkTable asserts that what a table gives is right, and returns how much it
// gives.
func checkTable(t *testing.T, table *PackTable, want map[uint32]Pack) int {
	t.Helper()
	seen := 0
	last := int64(-1)
	for n, p := range table.All() {
		if int64(n) <= last || want[n] != p {
			t.Fatalf("All: pack %d after %d: %+v, want %+v", n, last, p, want[n])
		}
		last = int64(n)
		seen++
	}
	got := 0
	for n := range uint32(3*packBatch + 2) {
		p, ok := table.Get(n)
		if ok && p != want[n] {
			t.Fatalf("Get %d: %+v, want %+v", n, p, want[n])
		}
		if ok {
			got++
		}
	}
	if seen != got {
		t.Fatalf("All gives %d packs, Get %d", seen, got)
	}
	return got
}

func TestPackTable(t *testing.T) {
	d := newDir(t)
	table, want := tableOf(t, d, chunk.Series{1})
	if n := checkTable(t, table, want); n != len(want) {
		t.Errorf("%d packs, want %d", n, len(want))
	}
	err := table.Update(5, func(p *Pack) {
		if *p != want[5] {
			t.Errorf("Update got %+v", *p)
		}
		p.Flags |= PackBad
		want[5] = *p
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Update(77, func(p *Pack) { p.Size = 1; want[77] = *p }); err != nil {
		t.Fatal(err)
	}
	if err := table.Set(MaxNumber+1, Pack{}); err == nil {
		t.Error("number out of range was set")
	}
	if _, ok := table.Get(1<<32 - 1); ok {
		t.Error("number out of range is there")
	}
	if err := table.Sync(); err != nil {
		t.Fatal(err)
	}
	again, err := copyDir(t, d).Packs(chunk.Series{1})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := checkTable(t, again, want); n != len(want) || again.Damaged() != 0 {
		t.Errorf("after reopening %d packs, want %d; %d damaged", n, len(want), again.Damaged())
	}
}

func TestPackTableDamage(t *testing.T) {
	d := newDir(t)
	s := chunk.Series{1}
	table, want := tableOf(t, d, s)
	path := d.file("packs", s.String())
	good := read(t, path)
	for n := range want {
		for i := range packSize {
			b := good[int(n)*packSize:][:packSize]
			b[i] ^= 1 << (i % 8)
			write(t, path, good)
			if _, ok := table.Get(n); ok {
				t.Fatalf("byte %d of pack %d is not checked", i, n)
			}
			b[i] ^= 1 << (i % 8)
		}
	}
	for cut := len(good); cut >= 0; cut -= 777 {
		write(t, path, good[:cut])
		checkTable(t, table, want)
	}
	// A record in the wrong place, or in the table of another series.
	copy(good[2*packSize:], good[packSize:2*packSize])
	write(t, path, good)
	if p, ok := table.Get(2); ok {
		t.Errorf("moved record: %+v", p)
	}
	write(t, d.file("packs", chunk.Series{2}.String()), good)
	other, err := d.Packs(chunk.Series{2})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if n := checkTable(t, other, nil); n != 0 {
		t.Errorf("%d records of another series", n)
	}
	if table.Damaged() == 0 || other.Damaged() == 0 {
		t.Error("damage was not counted")
	}
}

// Readers, here through a table of their own as in another process, see whole
// records only.
func TestPackTableConcurrent(t *testing.T) {
	d := newDir(t)
	var tables [2]*PackTable
	for i := range tables {
		var err error
		if tables[i], err = d.Packs(chunk.Series{1}); err != nil {
			t.Fatal(err)
		}
		defer tables[i].Close()
	}
	pack := func(v uint64) (p Pack) {
		for i := 0; i < 32; i += 8 {
			binary.LittleEndian.PutUint64(p.Sum[i:], v)
		}
		p.Size = int64(v)
		return p
	}
	if err := tables[0].Set(9, pack(0)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for _, table := range tables {
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if p, ok := table.Get(9); ok && p != pack(uint64(p.Size)) {
						t.Errorf("half a record: %+v", p)
						return
					}
				}
			})
		}
	}
	for v := range uint64(2000) {
		if err := tables[0].Set(9, pack(v)); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
	if p, ok := tables[1].Get(9); !ok || p != pack(1999) {
		t.Errorf("at the end: %+v %v", p, ok)
	}
}

func FuzzPackTable(f *testing.F) {
	d := newDir(f)
	s := chunk.Series{1}
	table, err := d.Packs(s)
	if err != nil {
		f.Fatal(err)
	}
	defer table.Close()
	b := table.encode(3, Pack{Size: 5, Flags: PackMissing})
	f.Add(uint32(3), b[:])
	f.Add(uint32(0), make([]byte, packSize))
	f.Fuzz(func(t *testing.T, number uint32, data []byte) {
		if len(data) < packSize {
			return
		}
		b := [packSize]byte(data)
		p, ok := table.decode(number, &b)
		if !ok {
			binary.LittleEndian.PutUint32(b[60:], table.sum(number, &b))
			if p, ok = table.decode(number, &b); !ok {
				return
			}
		}
		if out := table.encode(number, p); out != b {
			t.Errorf("%x is also %x", b, out)
		}
	})
}

func BenchmarkPackTableGet(b *testing.B) {
	table, _ := tableOf(b, newDir(b), chunk.Series{1})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Get(5); !ok {
			b.Fatal("absent")
		}
	}
}
