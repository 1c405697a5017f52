package prune_test

import (
	"context"
	"errors"
	"iter"

	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/prune"
)

// A fickle store shows commits of the last minute to who asks by name or comes
// first, and not in the listings of a look at the whole history.
type fickle struct {
	remote.Store
	fresh  map[string]bool // commits that it hides from then on
	looked bool            // somebody has listed all commits
}

func (s *fickle) Unwrap() remote.Store { return s.Store }

func (s *fickle) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	s.looked = s.looked || prefix == "commits/" && len(s.fresh) > 0
	return func(yield func(remote.Info, error) bool) {
		for i, err := range s.Store.List(ctx, prefix, after) {
			if s.looked && s.fresh[i.Name] && prefix != i.Name {
				continue
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// A repack finds at its beginning a commit of a copy of its state, stored a
// moment ago, and the look at what snapshots need is not shown it. It may not
// come after that commit: it would let go what only that one needs.
func TestRepackFollowsOnlyWhatItSaw(t *testing.T) {
	y, _, _ := story(t)
	twin := y.on(t, y.room.Image(t))
	store := &fickle{Store: y.room.Store, fresh: map[string]bool{}}
	c := y.on(t, y.room.With(store))
	v, err := c.lent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := prune.Make(t.Context(), v, prune.Options{MaxDelete: 1, Repack: true})
	if err != nil || p.Partly.Chosen != 1 {
		t.Fatal(err, p.Partly)
	}
	before := y.under("commits/")
	twin.write("goes", 200<<10, 2) // what only the forgotten snapshot has
	grain()
	packs := y.under("packs/")
	twin.back()
	if more := without(y.under("packs/"), packs); len(more) != 1 {
		t.Fatalf("the copy stored %q: it did not rely on the old pack", more)
	}
	for _, name := range without(y.under("commits/"), before) {
		store.fresh[name] = true
	}
	if res, err := p.Run(t.Context()); !errors.Is(err, vault.ErrRestart) || res.Repacked.Packs > 0 {
		t.Errorf("repacked %+v, %v", res.Repacked, err)
	}
	clear(store.fresh)
	y.want = twin.want
	for range 3 {
		y.time.pass(8 * day)
		y.repack()
		y.check()
		y.deep()
	}
}
