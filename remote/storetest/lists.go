package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
)

// listOrder uses names at which a walk that sorts folder by folder goes wrong.
func listOrder(t *testing.T, s remote.Store) {
	want := []string{
		"a-b", "a.b", "a/b", "a/b-c/d", "a/b.d", "a/c/1", "a/c/2", "a/c0", "a0", "a_b/c", "ab",
		"b/0000000001-s0", "b/0000000001-s1", "b/0000000002-p0", "c",
	}
	if !slices.IsSorted(want) {
		t.Fatal("the names of this test are not sorted")
	}
	for i, name := range want {
		put(t, s, name, noise(1, i))
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/c/", "a-", "b/0000000001-", "b/0000000001-s1", "c", "cc", "zz/y"} {
		for _, after := range append([]string{"", "a", "a/", "a/b.", "a/c/1x", "zzz"}, want...) {
			var expect []string
			for _, name := range want {
				if strings.HasPrefix(name, prefix) && name > after {
					expect = append(expect, name)
				}
			}
			if got := names(t, s, prefix, after); !slices.Equal(got, expect) {
				t.Errorf("list %q after %q:\n%q, want\n%q", prefix, after, got, expect)
			}
		}
	}
	for i, info := range listed(t, s, "", "") {
		if info.Name != want[i] || info.Size != int64(i) {
			t.Errorf("%s: %d bytes, want %s with %d", info.Name, info.Size, want[i], i)
		}
		if d := time.Since(info.Time).Abs(); d > time.Minute {
			t.Errorf("%s: time %s is %s off", info.Name, info.Time, d)
		}
	}
}

// listPages needs more than one page of an S3 listing.
func listPages(t *testing.T, s remote.Store) {
	const n = 1050
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < n; i += 8 {
				if err := s.Put(t.Context(), remote.NewObject(page(i), nil)); err != nil {
					t.Errorf("put: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	got := names(t, s, "pages/", "")
	if len(got) != n {
		t.Fatalf("list: %d names, want %d", len(got), n)
	}
	for i, name := range got {
		if name != page(i) {
			t.Fatalf("list: %s at %d, want %s", name, i, page(i))
		}
	}
	if got := names(t, s, "", page(n-11)); len(got) != 10 {
		t.Errorf("list the last: %d names, want 10", len(got))
	}
}

func page(i int) string { return fmt.Sprintf("pages/%02d/%04d", i/100, i) }

// listStops: a consumer that has seen enough, and a sequence run twice.
func listStops(t *testing.T, s remote.Store) {
	for i := range 10 {
		put(t, s, fmt.Sprintf("s/%d/x", i), nil)
	}
	seq := s.List(t.Context(), "s/", "s/2/")
	for range 2 {
		var got []string
		for info, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Name)
			if len(got) == 2 {
				break
			}
		}
		if !slices.Equal(got, []string{"s/2/x", "s/3/x"}) {
			t.Errorf("list: %q", got)
		}
	}
	for info, err := range s.List(t.Context(), "empty/", "") {
		t.Errorf("list of nothing: %v, %v", info, err)
	}
}
