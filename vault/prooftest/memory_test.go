package prooftest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault/vaulttest"
)

// A flipper changes one bit of one object, or of the hash that it is stored with,
// after Coffer has done with it and before the store has it, as a bad memory does.
type flipper struct {
	remote.Store
	hash bool  // not the bytes
	at   int64 // the n-th object, from 1
	n    atomic.Int64
	name string
}

func (f *flipper) flip(o remote.Object) remote.Object {
	if f.n.Add(1) != f.at {
		return o
	}
	f.name = o.Name
	if f.hash {
		o.Sum[f.at%32] ^= 1
		return o
	}
	o.Data = slices.Clone(o.Data)
	o.Data[len(o.Data)/2] ^= 1
	return o
}

func (f *flipper) Put(ctx context.Context, o remote.Object) error { return f.Store.Put(ctx, f.flip(o)) }

func (f *flipper) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	return f.Store.Stage(ctx, f.flip(o), life)
}

// A bit that flips in any object on its way to the store is caught before the
// commit, and the next run finishes. What flips before that, from a chunk's ID
// to the sealed pack, TestCheckFindsFlips of chunk/pack has; what flips in the
// recipients, TestRecipientsFlip of vault.
func TestBitFlips(t *testing.T) {
	for name, hash := range map[string]bool{"bytes": false, "hash": true} {
		t.Run(name, func(t *testing.T) { flipEach(t, hash) })
	}
}

// flipEach flips a bit of one object after another, of a run each.
func flipEach(t *testing.T, hash bool) {
	w := newWorld(t)
	for i := int64(1); ; i++ {
		c := *w
		c.Want = map[string]map[string]string{}
		c.Home = vaulttest.Folder(t)
		store, err := dir.Open(vaulttest.Folder(t))
		must(t, err)
		f := &flipper{Store: store, hash: hash}
		c.store = f
		must(t, playInit(t.Context(), &c))
		f.at, f.n = i, atomic.Int64{}
		err = c.backUp(t.Context())
		if f.name == "" {
			if i < 5 {
				t.Errorf("only %d objects were stored", i-1)
			}
			t.Logf("tried: bits flipped on the way to the store in %d objects", i-1)
			break
		}
		switch {
		case err == nil:
			t.Errorf("%s: nobody noticed", f.name)
		case len(c.list("commits/")) > 0:
			t.Errorf("%s: a commit was made: %v", f.name, err)
		case !strings.Contains(fmt.Sprint(err), "memory"):
			t.Errorf("%s: %v", f.name, err)
		}
		if err := c.backUp(t.Context()); err != nil {
			t.Errorf("%s: the next run: %v", f.name, err)
		}
		must(t, c.latest(t.Context()))
		must(t, c.sound(t.Context()))
	}
}
