package state

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"coffer/chunk"
)

// What a bad pack held is found wherever the index has it: in memory, in the
// pages, and there also where a newer pack has taken the chunk's place.
func TestWoundsFindAll(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	bad, good := seriesOne, seriesTwo
	paged, shadowed, tailed, other := randomID(1), randomID(2), randomID(3), randomID(4)
	add(t, x, bad, 7, paged, shadowed)
	add(t, x, bad, 8, other)
	if _, err := x.Compact(context.Background(), CompactOptions{Today: 1}); err != nil {
		t.Fatal(err)
	}
	add(t, x, bad, 7, tailed)
	add(t, x, good, 1, shadowed)
	w := Wound{Series: bad, Number: 7, Sum: [32]byte{9}}
	none := Wound{Series: good, Number: 5, Sum: [32]byte{8}}
	if err := d.AddWounds(x, []Wound{w, none}, func(w Wound) int { return map[uint32]int{7: 3}[w.Number] }); err != nil {
		t.Fatal(err)
	}
	wantWound(t, d, w, refIn(paged, bad, 7), refIn(shadowed, bad, 7), refIn(tailed, bad, 7))
	wantWound(t, d, none)
	for wound, whole := range map[Wound]bool{w: true, none: false} {
		if n, err := d.Wound(wound); err != nil || n.Whole != whole {
			t.Errorf("%+v: whole %v, %v", wound, n.Whole, err)
		}
	}
	few := Wound{Series: bad, Number: 8, Sum: [32]byte{7}}
	if err := d.AddWounds(x, []Wound{few}, func(Wound) int { return 2 }); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Wound(few); err != nil || n.Whole || len(n.Refs) != 1 {
		t.Errorf("one of two chunks known: %+v, %v", n, err)
	}
	if err := d.RemoveWound(few); err != nil {
		t.Fatal(err)
	}
	all, err := d.Wounds()
	if err != nil || len(all) != 2 || !slices.Contains(all, w) || !slices.Contains(all, none) {
		t.Errorf("wounds %v, %v", all, err)
	}
	if err := d.SetWound(w, WoundNote{Since: 1, Refs: []chunk.Ref{refIn(tailed, bad, 7)}}); err != nil {
		t.Fatal(err)
	}
	wantWound(t, d, w, refIn(tailed, bad, 7))
	if err := d.RemoveWound(w); err != nil {
		t.Fatal(err)
	}
	if all, _ := d.Wounds(); len(all) != 1 {
		t.Errorf("%d wounds, want 1", len(all))
	}
}

func wantWound(t *testing.T, d *Dir, w Wound, want ...chunk.Ref) {
	t.Helper()
	n, err := d.Wound(w)
	if err != nil || n.Since != 1 || n.Gone != 0 {
		t.Fatalf("%+v, %v", n, err)
	}
	got := n.Refs
	slices.SortFunc(want, func(a, b chunk.Ref) int { return slices.Compare(a.ID[:], b.ID[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("wound %s: got %v, want %v", w.name(), got, want)
	}
}

// A flipped bit is noticed, in the bytes and in the name: a move made of it
// would send readers astray.
func TestWoundDamage(t *testing.T) {
	d := newDir(t)
	w := Wound{Series: seriesOne, Number: 3}
	if err := d.SetWound(w, WoundNote{Since: 9, Gone: 4, Refs: []chunk.Ref{refIn(randomID(1), w.Series, 3)}}); err != nil {
		t.Fatal(err)
	}
	path := d.file(woundsFolder, w.name())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Wound(w); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	other := Wound{Series: seriesOne, Number: 4}
	if err := os.WriteFile(d.file(woundsFolder, other.name()), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Wound(other); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another name: %v", err)
	}
}

func FuzzWound(f *testing.F) {
	d := newDir(f)
	w := Wound{Series: seriesOne, Number: 7, Sum: [32]byte{9}}
	refs := []chunk.Ref{refIn(randomID(1), seriesOne, 7), refIn(randomID(2), seriesOne, 7)}
	if err := d.SetWound(w, WoundNote{Since: 3, Gone: 5, Refs: refs}); err != nil {
		f.Fatal(err)
	}
	f.Add(w.name(), read(f, d.file(woundsFolder, w.name())))
	f.Add("0-1-2", []byte("1234"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if other, ok := parseWound(name); ok && other.name() != name {
			t.Fatalf("%q was accepted and is written %q", name, other.name())
		}
		body := data[:max(0, len(data)-4)]
		sealed := binary.LittleEndian.AppendUint32(slices.Clone(body), w.sum(body))
		for _, in := range [][]byte{data, sealed} {
			write(t, d.file(woundsFolder, w.name()), in)
			n, err := d.Wound(w)
			if err != nil {
				continue
			}
			if err := d.SetWound(w, n); err != nil {
				t.Fatal(err)
			}
			again, err := d.Wound(w)
			if err != nil || again.Since != n.Since || again.Gone != n.Gone || again.Whole != n.Whole || len(again.Refs) > len(n.Refs) || len(n.Refs) > 0 && len(again.Refs) == 0 {
				t.Errorf("%x is read as %+v and, written, as %+v (%v)", in, n, again, err)
			}
		}
	})
}
