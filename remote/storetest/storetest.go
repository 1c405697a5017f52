// Package storetest is the contract of [remote.Store] as a test suite. Every
// store passes it, and every wrapper around one:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) remote.Store { return mem.New() })
//	}
//
// Some tests wait for a staged object to expire by the store's own clock, which
// takes a few seconds; the tests of a suite run side by side.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"coffer/remote"
)

// Run tries the whole contract. open returns an empty store, another one each
// time it is called.
func Run(t *testing.T, open func(t *testing.T) remote.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, remote.Store)
	}{
		{"put and get", putAndGet},
		{"ranges", ranges},
		{"append", appends},
		{"put twice", putTwice},
		{"other bytes", otherBytes},
		{"flipped", flipped},
		{"bad names", badNames},
		{"odd names", oddNames},
		{"absent", absent},
		{"delete", deletes},
		{"list order", listOrder},
		{"list pages", listPages},
		{"list stops", listStops},
		{"large", large},
		{"parallel", parallel},
		{"same object at once", sameAtOnce},
		{"cancelled", cancelled},
		{"clock", clock},
		{"stage", stage},
		{"stage twice", stageTwice},
		{"stage discard", stageDiscard},
		{"stage expiry", stageExpiry},
		{"stage too short", stageTooShort},
		{"location", location},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// put stores bytes or ends the test.
func put(t *testing.T, s remote.Store, name string, data []byte) remote.Object {
	t.Helper()
	o := remote.NewObject(name, data)
	if err := s.Put(t.Context(), o); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
	return o
}

// holds checks that name holds exactly data.
func holds(t *testing.T, s remote.Store, name string, data []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Errorf("get %s: %v", name, err)
	} else if !bytes.Equal(got, data) {
		t.Errorf("get %s: %d bytes that differ from the %d stored", name, len(got), len(data))
	}
}

// missing checks that name is absent to Get and List.
func missing(t *testing.T, s remote.Store, name string) {
	t.Helper()
	if _, err := s.Get(t.Context(), nil, name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get %s: %v, want fs.ErrNotExist", name, err)
	}
	for _, info := range listed(t, s, name, "") {
		if info.Name == name {
			t.Errorf("%s is listed", name)
		}
	}
}

// listed runs a listing to its end, checking its order, and ends the test on
// an error.
func listed(t *testing.T, s remote.Store, prefix, after string) []remote.Info {
	t.Helper()
	var infos []remote.Info
	last := after
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		if info.Name <= last {
			t.Errorf("list %q after %q: %s comes after %s", prefix, after, info.Name, last)
		}
		last = info.Name
		infos = append(infos, info)
	}
	return infos
}

// names returns the names of a listing in their order.
func names(t *testing.T, s remote.Store, prefix, after string) []string {
	t.Helper()
	var out []string
	for _, info := range listed(t, s, prefix, after) {
		out = append(out, info.Name)
	}
	return out
}

// noise returns n bytes that are the same for the same seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// done returns a context that has ended.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

const life = 30 * time.Second
