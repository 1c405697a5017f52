package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"coffer/remote"
)

func putAndGet(t *testing.T, s remote.Store) {
	for _, n := range []int{0, 1, 4096, 1<<20 + 7} {
		name := fmt.Sprintf("packs/a/%d", n)
		data := noise(uint64(n), n)
		put(t, s, name, data)
		holds(t, s, name, data)
	}
	kept := noise(1, 100)
	o := remote.NewObject("kept", bytes.Clone(kept))
	if err := s.Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	clear(o.Data) // Put does not keep it
	holds(t, s, "kept", kept)
}

func ranges(t *testing.T, s remote.Store) {
	data := noise(2, 1000)
	put(t, s, "x/ranges", data)
	for _, r := range []struct{ off, n, from, to int64 }{
		{0, 1, 0, 1}, {0, 1000, 0, 1000}, {0, 5000, 0, 1000}, {999, 1, 999, 1000},
		{990, 100, 990, 1000}, {500, -1, 500, 1000}, {0, 0, 0, 0}, {7, 0, 7, 7},
		{1000, 1, 1000, 1000}, {1000, -1, 1000, 1000}, {5000, 10, 1000, 1000},
		{123, 456, 123, 579}, {0, 1 << 40, 0, 1000}, {1 << 40, 1 << 40, 1000, 1000},
	} {
		got, err := s.Get(t.Context(), nil, "x/ranges", r.off, r.n)
		if err != nil {
			t.Errorf("get [%d, +%d): %v", r.off, r.n, err)
		} else if !bytes.Equal(got, data[r.from:r.to]) {
			t.Errorf("get [%d, +%d): %d bytes, want %d", r.off, r.n, len(got), r.to-r.from)
		}
	}
	if _, err := s.Get(t.Context(), nil, "x/ranges", -1, 10); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("get at -1: %v, want fs.ErrInvalid", err)
	}
	put(t, s, "x/empty", nil)
	for _, r := range [][2]int64{{0, -1}, {0, 10}, {0, 0}, {5, 5}} {
		if got, err := s.Get(t.Context(), nil, "x/empty", r[0], r[1]); err != nil || len(got) != 0 {
			t.Errorf("get %v of nothing: %d bytes, %v", r, len(got), err)
		}
	}
}

func appends(t *testing.T, s remote.Store) {
	put(t, s, "appended", []byte("world"))
	head := append(make([]byte, 0, 64), "hello "...)
	got, err := s.Get(t.Context(), head, "appended", 0, -1)
	if err != nil || string(got) != "hello world" {
		t.Errorf("get: %q, %v", got, err)
	}
	if &got[0] != &head[0] {
		t.Error("get moved a slice that had room")
	}
	got, err = s.Get(t.Context(), got[:6:6], "appended", 1, 3)
	if err != nil || string(got) != "hello orl" {
		t.Errorf("get into a full slice: %q, %v", got, err)
	}
	if got, err = s.Get(t.Context(), head, "gone", 0, -1); err == nil || string(got) != "hello " {
		t.Errorf("get of nothing: %q, %v", got, err)
	}
}

func putTwice(t *testing.T, s remote.Store) {
	o := put(t, s, "a/b/c", noise(3, 5000))
	if err := s.Put(t.Context(), o); err != nil {
		t.Errorf("put the same again: %v", err)
	}
	holds(t, s, o.Name, o.Data)
	if got := names(t, s, "", ""); len(got) != 1 {
		t.Errorf("list: %q, want one name", got)
	}
}

// otherBytes: refused or replaced, whole in either case.
func otherBytes(t *testing.T, s remote.Store) {
	for _, n := range []int{10, 11} {
		name := fmt.Sprintf("taken/%d", n)
		first, second := noise(4, 10), noise(5, n)
		put(t, s, name, first)
		err := s.Put(t.Context(), remote.NewObject(name, second))
		switch {
		case err == nil:
			holds(t, s, name, second)
		case errors.Is(err, fs.ErrExist):
			holds(t, s, name, first)
		default:
			t.Errorf("put other bytes: %v, want success or fs.ErrExist", err)
		}
	}
}

// flipped: bytes that changed since their hash was made, or a hash that did, are
// not stored.
func flipped(t *testing.T, s remote.Store) {
	o := remote.NewObject("flipped/bytes", noise(6, 1000))
	o.Data[500] ^= 1
	other := remote.NewObject("flipped/sum", noise(7, 1000))
	other.Sum[31] ^= 0x80
	for _, o := range []remote.Object{o, other} {
		if err := s.Put(t.Context(), o); !errors.Is(err, remote.ErrDamaged) {
			t.Errorf("put %s: %v, want ErrDamaged", o.Name, err)
		}
		if _, err := s.Stage(t.Context(), o, life); !errors.Is(err, remote.ErrDamaged) {
			t.Errorf("stage %s: %v, want ErrDamaged", o.Name, err)
		}
		missing(t, s, o.Name)
	}
}

func badNames(t *testing.T, s remote.Store) {
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.b", ".pending-x",
		"A", "a b", "a\x00", "ä", "a\\b", "a:b", "a%20", strings.Repeat("a", 256), strings.Repeat("a/", 256) + "b",
	} {
		o := remote.NewObject(name, []byte("x"))
		if err := s.Put(t.Context(), o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("put %q: %v, want fs.ErrInvalid", name, err)
		}
		if _, err := s.Get(t.Context(), nil, name, 0, -1); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("get %q: %v, want fs.ErrInvalid", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("delete %q: %v, want fs.ErrInvalid", name, err)
		}
		if _, err := s.Stage(t.Context(), o, life); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("stage %q: %v, want fs.ErrInvalid", name, err)
		}
	}
	for _, err := range s.List(t.Context(), "A", "") {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("list \"A\": %v, want fs.ErrInvalid", err)
		}
	}
	if got := names(t, s, "", ""); len(got) != 0 {
		t.Errorf("list: %q, want nothing", got)
	}
}

func oddNames(t *testing.T, s remote.Store) {
	deep := strings.TrimSuffix(strings.Repeat("d/", 200), "/")
	long := strings.Repeat("l", 200) + "/" + strings.Repeat("m", 200)
	for i, name := range []string{
		"0", "-", "_", "-rf", "a.", "a..b", "x-amz-meta", "con", "nul.txt", "a-b.c_d", "e/-/_/f", deep, long,
	} {
		data := noise(uint64(i), 20)
		put(t, s, name, data)
		holds(t, s, name, data)
	}
	if got := names(t, s, "", ""); len(got) != 13 {
		t.Errorf("list: %d names, want 13: %q", len(got), got)
	}
}

func absent(t *testing.T, s remote.Store) {
	put(t, s, "there/a", []byte("x"))
	for _, name := range []string{"gone", "there", "there/b", "there/a/b", "no/folder/either"} {
		for _, n := range []int64{-1, 0, 10} {
			if _, err := s.Get(t.Context(), nil, name, 0, n); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("get %d of %s: %v, want fs.ErrNotExist", n, name, err)
			}
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("delete %s: %v, want success", name, err)
		}
	}
	holds(t, s, "there/a", []byte("x"))
}

func deletes(t *testing.T, s remote.Store) {
	put(t, s, "d/one", []byte("1"))
	put(t, s, "d/two", []byte("2"))
	if err := s.Delete(t.Context(), "d/one"); err != nil {
		t.Fatal(err)
	}
	missing(t, s, "d/one")
	holds(t, s, "d/two", []byte("2"))
	if err := s.Delete(t.Context(), "d/one"); err != nil {
		t.Errorf("delete again: %v", err)
	}
	put(t, s, "d/one", []byte("3"))
	holds(t, s, "d/one", []byte("3"))
}

func large(t *testing.T, s remote.Store) {
	data := noise(6, 20<<20+1)
	put(t, s, "large", data)
	holds(t, s, "large", data)
	got, err := s.Get(t.Context(), nil, "large", 17<<20+3, 1<<20)
	if err != nil || !bytes.Equal(got, data[17<<20+3:18<<20+3]) {
		t.Errorf("get a range: %d bytes, %v", len(got), err)
	}
}

func parallel(t *testing.T, s remote.Store) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 8 {
				name := fmt.Sprintf("p/%d/%d", j, i)
				data := noise(uint64(100*i+j), 10000)
				if err := s.Put(t.Context(), remote.NewObject(name, data)); err != nil {
					t.Errorf("put %s: %v", name, err)
					continue
				}
				holds(t, s, name, data)
			}
		})
	}
	wg.Wait()
	if got := names(t, s, "p/", ""); len(got) != 64 {
		t.Errorf("list: %d names, want 64", len(got))
	}
}

func sameAtOnce(t *testing.T, s remote.Store) {
	o := remote.NewObject("same/object", noise(7, 300000))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Put(t.Context(), o); err != nil {
				t.Errorf("put: %v", err)
			}
			holds(t, s, o.Name, o.Data)
		})
	}
	wg.Wait()
	if got := names(t, s, "", ""); len(got) != 1 {
		t.Errorf("list: %q, want one name", got)
	}
}
