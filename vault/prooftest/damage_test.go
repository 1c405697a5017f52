package prooftest_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// museum is a world with an object of every kind: trusts, packs, bodies,
// ledgers, commits, a move and a condemned list.
func museum(t testing.TB) *world {
	w := deadPacks(t)
	must(t, w.prune(t.Context(), true))
	w.write("later", 3000, 80)
	w.write("a/1", 100, 81)
	grain()
	must(t, w.backUp(t.Context()))
	for _, kind := range []string{"coffer.json", "trust/", "packs/", "snapshots/", "ledgers/", "moves/", "commits/", "condemned/"} {
		if len(w.list(kind)) == 0 {
			t.Fatalf("there is no %s", kind)
		}
	}
	return w
}

// A harm is one way to damage an object.
type harm struct {
	what string
	data []byte
	// near says that a verification is worth its time: there are thousands of
	// flips, and all of them must be found by whoever reads.
	near bool
}

const ends = 64 // bytes at either end of which each is flipped

// harms are all the damage that is done to an object. former are the objects
// that its bytes may be exchanged for.
func harms(data []byte, former map[string][]byte) (out []harm) {
	do := func(near bool, data []byte, format string, args ...any) {
		out = append(out, harm{fmt.Sprintf(format, args...), data, near})
	}
	n := len(data)
	head := ends
	if i := bytes.Index(data, []byte("\n---")); i >= 0 && bytes.HasPrefix(data, []byte("age-encryption")) {
		head = i + 4 + 44 + 16 // up to the MAC, and the nonce behind it
	}
	for i := range n {
		if i < head || i >= n-ends || i%4096 == 0 {
			b := slices.Clone(data)
			b[i] ^= 1 << (i % 8)
			do(i == n/2 || i == 0 || i == n-1, b, "byte %d flipped", i)
		}
	}
	for _, to := range []int{0, 1, head, n / 2, n - 1} {
		if to < n {
			do(true, slices.Clone(data[:to]), "cut to %d bytes", to)
		}
	}
	do(true, append(slices.Clone(data), 0), "a byte longer")
	do(true, append(slices.Clone(data), data...), "twice itself")
	do(true, make([]byte, n), "zeros")
	half := slices.Clone(data)
	clear(half[n/2:])
	do(true, half, "half zeros")
	for name, b := range former {
		if !bytes.Equal(b, data) {
			do(true, slices.Clone(b), "as %s", name)
		}
	}
	return out
}

// Every object is damaged in every way. Each reader finds it, none takes wrong
// bytes for right ones, and what does not need the object is as it was.
func TestDamage(t *testing.T) {
	w := museum(t)
	store := w.store.(*mem.Store)
	all := map[string][]byte{}
	for _, name := range w.list("") {
		b, err := store.Get(t.Context(), nil, name, 0, -1)
		must(t, err)
		all[name] = b
	}
	needs := w.needs(t)
	live := w.live(t, needs)
	var tried, verified atomic.Int64
	t.Run("objects", func(t *testing.T) {
		for name, data := range all {
			t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
				t.Parallel()
				former := map[string][]byte{}
				for other, b := range all {
					if top(other) == top(name) && other != name && len(former) < 3 {
						former[other] = b
					}
				}
				for i, h := range harms(data, former) {
					if raced && i%20 != 7 {
						continue
					}
					c := *w
					c.Want = maps.Clone(w.Want)
					c.store = store.Clone()
					c.wind()
					at := c.Now
					c.store.(*mem.Store).Overwrite(name, h.data)
					c.store.(*mem.Store).SetTime(name, at.Add(-time.Hour))
					tried.Add(1)
					if err := c.readable(t.Context(), name, needs); err != nil {
						t.Errorf("%s, %s: %v", name, h.what, err)
					}
					if !h.near {
						continue
					}
					verified.Add(1)
					if err := c.tells(t.Context(), name); err != nil && live[name] {
						t.Errorf("%s, %s: %v", name, h.what, err)
					}
					if err := c.prunes(t.Context(), name, data, needs); err != nil {
						t.Errorf("%s, %s: %v", name, h.what, err)
					}
				}
			})
		}
	})
	t.Logf("tried: %d objects damaged, %d such vaults read, %d of them verified in two ways", len(all), tried.Load(), verified.Load())
}

// live are the objects whose damage a verification must tell: all but those
// that no snapshot needs any more, former trusts, moves whose old packs are
// still good, and coffer.json, which is there for people.
func (w *world) live(t testing.TB, needs map[string]map[string]bool) map[string]bool {
	v, err := w.lent(t.Context())
	must(t, err)
	live := map[string]bool{v.TrustName(): true}
	for s, err := range v.Snapshots(t.Context()) {
		must(t, err)
		if needs[s.ID()] == nil {
			continue
		}
		live[s.Commit.Body], live[s.Commit.Ledger] = true, true
		for name, read := range needs[s.ID()] {
			if read && top(name) == "packs" {
				live[name] = true
			}
		}
	}
	for _, prefix := range []string{"commits/", "condemned/"} {
		for _, name := range w.list(prefix) {
			live[name] = true
		}
	}
	moves, err := v.Moves(t.Context())
	must(t, err)
	for _, m := range moves {
		for _, old := range m.Commit.Old { // it may go any day, and nobody misses it
			live[old] = false
		}
		// What takes the place of an old pack is what counts from now on: a prune
		// deletes the old one without reading the new one once more.
		must(t, v.LoadMove(t.Context(), m))
		packs, err := v.PacksNamed(t.Context(), m.Ledger())
		must(t, err)
		for _, p := range packs {
			for id := range needs {
				needs[id][p.Name()] = true
			}
		}
	}
	return live
}

func top(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

// needs tells which objects the restore of each snapshot reads, beyond the
// commits and trusts.
func (w *world) needs(t testing.TB) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for id := range w.Want {
		var mu sync.Mutex
		read := map[string]bool{}
		c := *w
		c.Want = map[string]map[string]string{id: w.Want[id]}
		c.store = &vaulttest.Hook{Store: w.store, Before: func(op remote.Op, name string) error {
			mu.Lock()
			defer mu.Unlock()
			read[name] = op == remote.OpGet || read[name]
			return nil
		}}
		must(t, c.check(t.Context()))
		out[id] = read
	}
	return out
}

// readable reads all snapshots by the kit alone. Those that do not need the
// damaged object must be there and right; the others right, or an error.
func (w *world) readable(ctx context.Context, object string, needs map[string]map[string]bool) error {
	v, err := w.lent(ctx)
	if err != nil {
		if top(object) == "trust" {
			return nil
		}
		return fmt.Errorf("the vault does not open: %w", err)
	}
	found := map[string]bool{}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			if top(object) == "trust" {
				return nil
			}
			return fmt.Errorf("list: %w", err)
		}
		want, ok := w.Want[s.ID()]
		if !ok {
			continue
		}
		found[s.ID()] = true
		got, err := vaulttest.Read(ctx, v, s)
		needed := needs[s.ID()][object] || top(object) == "trust"
		switch {
		case err == nil && !maps.Equal(got, want):
			return fmt.Errorf("snapshot %s comes back wrong", s.Short())
		case err != nil && !needed:
			return fmt.Errorf("snapshot %s does not need it: %w", s.Short(), err)
		}
	}
	for id := range w.Want {
		if !found[id] && path.Base(object)[len(path.Base(object))-64:] != id && top(object) != "trust" {
			return fmt.Errorf("snapshot %.8s is not listed", id)
		}
	}
	return nil
}

// tells wants both verifications, that of the device and that with the kit, to
// name the object.
func (w *world) tells(ctx context.Context, object string) error {
	for _, lend := range []bool{false, true} {
		open := w.lent
		o := verify.Options{Deep: true}
		if !lend {
			o = verify.Options{ReadData: 1}
			open = func(ctx context.Context) (*vault.Vault, error) { return w.device(ctx, false) }
		}
		v, err := open(ctx)
		if err != nil && strings.Contains(err.Error(), path.Base(object)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("lent %t: open: %w", lend, err)
		}
		res, err := verify.Run(ctx, v, o)
		if err != nil {
			return fmt.Errorf("lent %t: verify: %w", lend, err)
		}
		named := slices.ContainsFunc(res.Problems, func(p verify.Problem) bool { return strings.Contains(fmt.Sprint(p.Object, p.Err), path.Base(object)) }) ||
			slices.ContainsFunc(v.Problems(), func(p vault.Problem) bool { return strings.Contains(p.Object, path.Base(object)) }) ||
			slices.ContainsFunc(res.Replaced, func(r verify.Replacement) bool { return strings.Contains(fmt.Sprint(r), path.Base(object)) })
		if !named {
			return fmt.Errorf("lent %t: verify does not tell", lend)
		}
	}
	return nil
}

// prunes wants a prune beside the damage to make nothing worse: what could be
// read still can, and once the object is as it was, so is all.
func (w *world) prunes(ctx context.Context, object string, data []byte, needs map[string]map[string]bool) error {
	w.pass(2 * day)
	_ = w.prune(ctx, false)
	if err := w.readable(ctx, object, needs); err != nil {
		return fmt.Errorf("after a prune beside it: %w", err)
	}
	w.store.(*mem.Store).Overwrite(object, data)
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("a prune beside it: %w", err)
	}
	return nil
}
