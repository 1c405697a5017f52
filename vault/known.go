package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/chunk"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// known answers the one question on which deduplication and the check before
// a commit rest: can this pack be relied on? It can if a live ledger of this
// device names it, or the remote acknowledged it less than Safety.AckTrust
// ago, and nothing speaks against it: it is not condemned, and not found bad,
// missing, replaced, or known under two names.
type known struct {
	live      *ledger.Set
	usable    map[chunk.Series]*state.PackTable // own series that present recipients can open
	condemned map[string]bool                   // object names
	since     time.Time                         // acknowledged after this counts
}

// has reports whether the pack can be relied on. It is safe for concurrent use
// and does not allocate.
func (k *known) has(series chunk.Series, number uint32) bool {
	table := k.usable[series]
	if table == nil {
		return false
	}
	info, ok := table.Get(number)
	if !ok || info.Flags != 0 {
		return false
	}
	if len(k.condemned) > 0 && k.condemned[ledger.Pack{Series: series, Number: number, Sum: info.Sum, Size: info.Size}.Name()] {
		return false
	}
	return k.live.Has(series, number) || info.Acked > k.since.Unix()
}

// learn gathers what known needs: the newest ledger of each project, open
// progress, and the condemned lists.
func (v *Vault) learn(ctx context.Context, h *ownHistory, now time.Time) (*known, error) {
	k := &known{live: new(ledger.Set), usable: map[chunk.Series]*state.PackTable{}, since: now.Add(-v.safety.AckTrust)}
	for _, s := range v.dev.Series {
		if s.RecipientsHash != v.dev.RecipientsHash {
			continue
		}
		var err error
		if k.usable[s.ID()], err = v.dir.Packs(s.ID()); err != nil {
			return nil, err
		}
	}
	for _, name := range h.liveLedgers() {
		if err := v.learnLedger(ctx, k, name); err != nil {
			return nil, err
		}
	}
	var err error
	k.condemned, err = v.condemnedNames(ctx)
	return k, err
}

// liveLedgers names the ledgers whose packs a prune spares on this device's account.
func (h *ownHistory) liveLedgers() []string {
	var names []string
	for _, p := range h.Projects {
		names = append(names, p.Ledger)
	}
	for _, p := range h.Progress {
		names = append(names, p.Ledger)
	}
	return names
}

// learnLedger enters the packs of a ledger. A ledger that is missing or
// damaged makes its packs unknown and stops nothing: what it named is uploaded
// again.
func (v *Vault) learnLedger(ctx context.Context, k *known, name string) error {
	l, err := v.cachedLedger(ctx, name)
	if isDamage(err) {
		v.notice(name, err, "the snapshot it belongs to; this run stores what it needs again")
		return nil
	}
	if err != nil {
		return err
	}
	for p, err := range l.Packs(func(roll string) ([]byte, error) { return v.fetchCached(ctx, roll, ledger.MaxRoll) }) {
		if isDamage(err) {
			v.notice(name, err, "the packs of that roll; this run stores what it needs again")
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := v.learnPack(k, p); err != nil {
			return err
		}
	}
	return nil
}

// learnPack enters one pack by full name: a number known under two names
// counts as unknown from then on.
func (v *Vault) learnPack(k *known, p ledger.Pack) error {
	table := k.usable[p.Series]
	if table == nil {
		return nil
	}
	info, ok := table.Get(p.Number)
	switch {
	case !ok:
		if err := table.Set(p.Number, state.Pack{Sum: p.Sum, Size: p.Size}); err != nil {
			return err
		}
	case info.Sum != p.Sum:
		info.Flags |= state.PackTwice
		return table.Set(p.Number, info)
	}
	k.live.Add(p.Series, p.Number)
	return nil
}

// note records an acknowledged pack.
func (k *known) note(p ledger.Pack, now time.Time) error {
	return k.usable[p.Series].Set(p.Number, state.Pack{Sum: p.Sum, Size: p.Size, Acked: now.Unix()})
}

// close gives the tables up.
func (k *known) close() error {
	var err error
	for _, t := range k.usable {
		err = errors.Join(err, t.Close())
	}
	return err
}

// condemnedNames reads every condemned list of devices that may condemn. One
// that cannot be read fails the caller: it might name what we are about to
// rely on.
func (v *Vault) condemnedNames(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	for info, err := range v.store.List(ctx, "condemned/", "") {
		if err != nil {
			return nil, fmt.Errorf("list condemned: %w", err)
		}
		list, err := v.condemnedList(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		if list == nil {
			continue
		}
		for _, name := range list.Objects {
			out[name] = true
		}
	}
	return out, nil
}

// condemnedList reads one list; nil if it is none of a device that may condemn.
func (v *Vault) condemnedList(ctx context.Context, name string) (*commit.CondemnedList, error) {
	id, _, _, err := commit.ParseObjectName(commit.Condemned, name)
	if err != nil {
		v.notice(name, err, "nothing: it is not one of ours")
		return nil, nil
	}
	dev, ok := v.trust.Device(id)
	if !ok {
		v.notice(name, fmt.Errorf("device %s is not in the trust", id), "nothing: it is left out")
		return nil, nil
	}
	b, err := v.fetchCached(ctx, name, maxCondemned)
	if err != nil {
		return nil, fmt.Errorf("a list of what a prune is about to delete cannot be read, so nothing is safe to commit: %w", err)
	}
	pub, err := trust.ParsePublic(dev.Sign)
	if err != nil {
		return nil, fmt.Errorf("trust: device %s: %w", dev.ID, err)
	}
	list, err := commit.OpenCondemned(name, b, pub)
	if err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	return list, nil
}
