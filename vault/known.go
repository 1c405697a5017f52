package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
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
	live   atomic.Pointer[ledger.Set]        // replaced as a whole
	usable map[chunk.Series]*state.PackTable // own series that present recipients can open
	fence  atomic.Pointer[fence]             // each check before a commit puts up a new one
}

// A fence is what was found out about the remote at one moment.
type fence struct {
	at        time.Time // local clock
	now       int64     // remote clock then, Unix seconds
	since     int64     // acknowledged after this counts
	condemned map[string]bool
	doomed    map[packNumber][][32]byte // the packs among condemned
}

// slack is how far ahead of the remote's clock an acknowledgement may lie, in
// seconds. What lies further ahead was noted by a clock that was wrong, and
// proves nothing.
const slack = 3600

func (v *Vault) newFence(now time.Time, condemned map[string]bool) *fence {
	f := &fence{
		at: time.Now(), now: now.Unix(), since: now.Add(-v.safety.AckTrust).Unix(),
		condemned: condemned, doomed: map[packNumber][][32]byte{},
	}
	for name := range condemned {
		if p, err := ledger.ParsePackName(name); err == nil {
			n := packNumber{p.Series, p.Number}
			f.doomed[n] = append(f.doomed[n], p.Sum)
		}
	}
	return f
}

// dooms tells whether a pack is about to be deleted, or was.
func (f *fence) dooms(series chunk.Series, number uint32, sum [32]byte) bool {
	return len(f.doomed) > 0 && slices.Contains(f.doomed[packNumber{series, number}], sum)
}

// trusts tells whether an acknowledgement of that time still counts.
func (f *fence) trusts(acked int64) bool {
	return acked > f.since && acked <= f.now+int64(time.Since(f.at)/time.Second)+slack
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
	f := k.fence.Load()
	if f.dooms(series, number, info.Sum) {
		return false
	}
	return k.live.Load().Has(series, number) || f.trusts(info.Acked)
}

// condemned tells whether an object is about to be deleted.
func (k *known) condemned(name string) bool { return k.fence.Load().condemned[name] }

// newKnown knows no pack.
func newKnown() *known {
	k := &known{usable: map[chunk.Series]*state.PackTable{}}
	k.live.Store(new(ledger.Set))
	return k
}

// learn gathers what known needs: the condemned lists, the newest ledger of
// each project, and open progress.
func (v *Vault) learn(ctx context.Context, h *ownHistory, now time.Time) (*known, error) {
	k := newKnown()
	dev := v.device()
	for _, s := range dev.Series {
		if !opensToAll(s, dev) {
			continue
		}
		table, err := v.dir.Packs(s.ID())
		if err != nil {
			return k, err
		}
		k.usable[s.ID()] = table
	}
	condemned, err := v.condemnedNames(ctx)
	if err != nil {
		return k, err
	}
	k.fence.Store(v.newFence(now, condemned))
	for _, name := range h.liveLedgers() {
		if condemned[name] {
			continue // a prune found nothing that needs it: its packs may be gone
		}
		if err := v.learnLedger(ctx, k, name); err != nil {
			return k, err
		}
	}
	return k, nil
}

// opensToAll tells whether the packs of a series are sealed to at least all
// present recipients: whoever can read a snapshot must be able to read what it
// relies on. One that was removed since does no harm.
func opensToAll(s state.SeriesState, dev *state.Device) bool {
	if s.RecipientsHash == dev.RecipientsHash {
		return true
	}
	return len(s.Recipients) > 0 && !slices.ContainsFunc(recipientTags(dev.Recipients), func(tag string) bool {
		return !slices.Contains(s.Recipients, tag)
	})
}

// recipientTags are by what a series remembers each of its recipients.
func recipientTags(lines []string) []string {
	var tags []string
	for _, line := range lines {
		sum := sha256.Sum256([]byte(line))
		tags = append(tags, hex.EncodeToString(sum[:8]))
	}
	return tags
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

// learnLedger enters the packs of a ledger. Where it or a roll is missing or
// damaged their packs stay unknown, and nothing stops: what they named is
// uploaded again.
func (v *Vault) learnLedger(ctx context.Context, k *known, name string) error {
	for p, err := range v.packsOf(ctx, name) {
		if isDamage(err) {
			v.notice(name, err, "the snapshot it belongs to; this run stores what it needs again")
			continue
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

// packsOf yields the packs that a ledger names. An error that is damage, of
// the ledger or of a roll, does not end the sequence.
func (v *Vault) packsOf(ctx context.Context, name string) iter.Seq2[ledger.Pack, error] {
	return func(yield func(ledger.Pack, error) bool) {
		l, err := v.cachedLedger(ctx, name)
		if isDamage(err) {
			l, err = v.ledgerInstead(ctx, name, err)
		}
		if err != nil {
			yield(ledger.Pack{}, err)
			return
		}
		get := func(roll string) ([]byte, error) { return v.fetchCached(ctx, roll, ledger.MaxRoll) }
		for p, err := range Packs(l, get) {
			if !yield(p, err) {
				return
			}
		}
	}
}

// Packs yields the packs of a ledger. get returns the object of a roll. An
// error that is ErrDamaged is of one roll (a *ledger.RollError) and does not
// end the sequence; any other is of get, and does.
func Packs(l *ledger.Ledger, get func(roll string) ([]byte, error)) iter.Seq2[ledger.Pack, error] {
	return func(yield func(ledger.Pack, error) bool) {
		var failed error // of get
		fetch := func(roll string) (b []byte, err error) {
			b, failed = get(roll)
			return b, failed
		}
		for p, err := range l.Packs(fetch) {
			if err != nil && failed == nil {
				err = damaged("%w", err) // the bytes are those of its name, and are no such roll
			}
			if !yield(p, err) || err != nil && !isDamage(err) {
				return
			}
		}
	}
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
	k.live.Load().Add(p.Series, p.Number)
	return nil
}

// note records an acknowledged pack, and how many chunks it holds.
func (k *known) note(p ledger.Pack, chunks int, now time.Time) error {
	return k.usable[p.Series].Set(p.Number, state.Pack{Sum: p.Sum, Size: p.Size, Acked: now.Unix(), Chunks: chunks})
}

// commit counts packs as live, since a commit names them now.
func (k *known) commit(used *ledger.Set) {
	next := new(ledger.Set)
	next.Union(k.live.Load())
	next.Union(used)
	k.live.Store(next)
}

// mark records what is wrong with a pack, so that nothing relies on it.
func (k *known) mark(p ledger.Pack, flag state.PackFlags) error {
	table := k.usable[p.Series]
	if table == nil {
		return nil
	}
	return table.Update(p.Number, func(info *state.Pack) {
		if info.Sum == p.Sum {
			info.Flags |= flag
		}
	})
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
	lists, err := v.CondemnedLists(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, list := range lists {
		for _, name := range list.Objects {
			out[name] = true
		}
	}
	return out, nil
}

// condemnedList reads one list; nil if it is none of a device that may condemn.
// Bytes that have the hash in their name and bear no such signature never were
// a list, so they stop nobody.
func (v *Vault) condemnedList(ctx context.Context, name string) (*commit.CondemnedList, error) {
	id, _, _, err := commit.ParseObjectName(commit.Condemned, name)
	if err != nil {
		v.notice(name, err, "nothing: it is not one of ours")
		return nil, nil
	}
	dev, ok := v.Trust().Device(id)
	if !ok || !dev.Has(trust.Maintain) {
		v.notice(name, fmt.Errorf("device %s may not condemn anything", id), "nothing: it is left out")
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
	if err == nil && list.Vault != v.ID() {
		err = fmt.Errorf("it is a list of another vault, %s", list.Vault)
	}
	if err != nil {
		v.notice(name, err, "nothing: it is left out")
		return nil, nil
	}
	return list, nil
}
