package prune_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/prune"
	"coffer/vault/state"
)

// estate is a vault in which a prune meets everything: what is dead, packs that
// rolls list, a pack that was repacked, a roll for which a ledger stands in, and
// open progress. This machine has no copies of the lists.
func estate(t testing.TB) *yard {
	y, _, _ := story(t)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	more := y.more("more", 4)
	rolls := y.under("rolls/")
	y.more("most", 5)
	y.lose(none, without(y.under("rolls/"), rolls)[0])
	goes := y.more("goes", 2)
	ledger := y.ledgerOf(more)
	y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, ledger })
	y.remove("goes")
	y.more("last", 6)
	y.forget(goes)
	y.forget(more)
	y.time.pass(9 * day)
	y.forgetCache()
	return y
}

// more takes a snapshot with a further file, whose chunk lies in a further
// folder of packs.
func (y *yard) more(name string, seed byte) string {
	y.t.Helper()
	y.nextFolder()
	y.write(name, 50<<10, seed)
	grain()
	return y.back().Snapshot
}

// nextFolder lets each series go on in its next folder, so that the following
// ledger names packs of the first by a roll.
func (y *yard) nextFolder() {
	y.t.Helper()
	if _, err := y.room.Dir(y.t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			d.Series[i].Next = (d.Series[i].Next/1024 + 1) * 1024
		}
		return nil
	}); err != nil {
		y.t.Fatal(err)
	}
}

// ledgerOf is the ledger of a snapshot.
func (y *yard) ledgerOf(id string) string {
	y.t.Helper()
	for s, err := range y.room.Lent(y.t).Snapshots(y.t.Context()) {
		if err == nil && s.ID() == id {
			return s.Commit.Ledger
		}
	}
	y.t.Fatalf("no snapshot %s", id)
	return ""
}

// packsOf are the packs that a ledger or roll names.
func (y *yard) packsOf(list string) []ledger.Pack {
	y.t.Helper()
	packs, err := ledger.ParseRoll(list, y.get(list))
	if strings.HasPrefix(list, "ledgers/") {
		v := y.room.Lent(y.t)
		var l *ledger.Ledger
		if l, err = v.Ledger(y.t.Context(), list); err == nil {
			packs, err = v.PacksNamed(y.t.Context(), l)
		}
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return packs
}

// lose removes ledgers or rolls for good, and has a new ledger stand in for
// them, that names their packs but those of which away says so. It returns that
// ledger.
func (y *yard) lose(away func(ledger.Pack) bool, lists ...string) string {
	y.t.Helper()
	v, err := y.open(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	var packs []ledger.Pack
	for _, list := range lists {
		packs = append(packs, y.packsOf(list)...)
	}
	for _, list := range lists {
		if err := y.room.Store.Delete(y.t.Context(), list); err != nil {
			y.t.Fatal(err)
		}
	}
	before := y.under("ledgers/")
	if err := v.Replace(y.t.Context(), lists, slices.DeleteFunc(packs, away), nil); err != nil {
		y.t.Fatal(err)
	}
	return without(y.under("ledgers/"), before)[0]
}

func none(ledger.Pack) bool { return false }

// A trial is a prune of which one operation fails, and what came of it.
type trial struct {
	o prune.Options
	n int // which operation fails; 0: none

	mu     sync.Mutex
	armed  bool   // guarded by mu: it has begun
	ops    int    // guarded by mu: so far
	failed string // guarded by mu: what failed

	condemned, deleted []string
	res                prune.Result
	err                error
}

var errOnce = errors.New("no answer")

func (x *trial) before(op remote.Op, name string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.armed {
		return nil
	}
	if x.ops++; x.ops != x.n {
		return nil
	}
	x.failed = string(op) + " " + name
	return errOnce
}

// run plans and runs the prune on a copy of the vault.
func (x *trial) run(y *yard, base *mem.Store) *yard {
	y.t.Helper()
	store := base.Clone()
	c := y.on(y.t, y.room.Image(y.t).With(hook(store, x.before)))
	before, size := c.prunable(), c.sizes()
	lists := c.under("condemned/")
	v, err := c.lent(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	x.armed = true
	p, err := prune.Make(y.t.Context(), v, x.o)
	if err == nil {
		x.res, err = p.Run(y.t.Context())
	}
	x.err, x.armed = err, false
	x.deleted = without(before, c.prunable())
	for _, l := range without(c.under("condemned/"), lists) {
		for _, name := range before {
			if strings.Contains(string(c.get(l)), name) {
				x.condemned = append(x.condemned, name)
			}
		}
	}
	var sum int64
	for _, name := range x.deleted {
		sum += size[name]
	}
	if all := x.res.Deleted.All(); all != (prune.Tally{Count: int64(len(x.deleted)), Bytes: sum}) {
		y.t.Errorf("when %s fails: says that it deleted %+v, not %d of %d bytes", x.failed, all, len(x.deleted), sum)
	}
	return c
}

// sizes are those of all objects that a prune may delete.
func (y *yard) sizes() map[string]int64 {
	y.t.Helper()
	out := map[string]int64{}
	for i, err := range y.room.Store.List(y.t.Context(), "", "") {
		if err != nil {
			y.t.Fatal(err)
		}
		out[i.Name] = i.Size
	}
	return out
}

// Whatever single request of a prune gets no answer: it takes nothing for dead
// that lives, calls nothing damaged, and says exactly what it has done.
func TestNoAnswerOnce(t *testing.T) {
	t.Run("condemning", func(t *testing.T) { estate(t).onceEach(t, all) })
	t.Run("deleting", func(t *testing.T) {
		y := estate(t)
		y.prune()
		y.time.pass(2 * day)
		y.onceEach(t, all)
	})
	t.Run("a ledger is lost", func(t *testing.T) {
		y, second := twoFolders(t)
		y.lose(none, y.ledgerOf(second))
		y.forgetCache()
		y.onceEach(t, all)
	})
	t.Run("repacking", func(t *testing.T) {
		y, _, _ := story(t)
		y.onceEach(t, prune.Options{MaxDelete: 1, Repack: true})
	})
	t.Run("a roll is lost that may name what a move replaced", func(t *testing.T) { keptRoll(t).onceEach(t, all) })
}

// keptRoll is a vault of which a roll is lost that may name a pack which was
// repacked, and in which other packs are dead.
func keptRoll(t testing.TB) *yard {
	y, _, _ := story(t)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	y.more("more", 4)
	y.lose(none, slices.DeleteFunc(y.under("rolls/"), func(roll string) bool {
		series, _, _, err := ledger.ParseRollName(roll)
		return err != nil || !y.isData(series)
	})...)
	goes := y.more("goes", 2)
	y.remove("goes")
	y.more("last", 6)
	y.forget(goes)
	y.time.pass(9 * day)
	y.forgetCache()
	return y
}

// onceEach tries a prune as often as it has operations, each time with another
// one that fails.
func (y *yard) onceEach(t *testing.T, o prune.Options) {
	base := y.memory()
	calm := &trial{o: o}
	if c := calm.run(y.on(t, y.room), base); calm.err != nil || len(calm.deleted)+len(calm.condemned) < 2 {
		t.Fatalf("%q condemned, %q deleted, %v", calm.condemned, calm.deleted, calm.err)
	} else {
		c.check()
	}
	failed := 0
	for n := 1; n <= calm.ops; n++ {
		x := &trial{o: o, n: n}
		x.run(y.on(t, y.room), base)
		if len(without(x.condemned, calm.condemned))+len(without(x.deleted, calm.deleted)) > 0 {
			t.Errorf("when %s fails: %q condemned, %q deleted; else %q and %q", x.failed, x.condemned, x.deleted, calm.condemned, calm.deleted)
		}
		switch {
		case x.err == nil && !slices.Equal(x.condemned, calm.condemned):
			t.Errorf("when %s fails: only %q condemned, of %q", x.failed, x.condemned, calm.condemned)
		case x.err == nil && !slices.Equal(x.deleted, calm.deleted):
			t.Errorf("when %s fails: only %q deleted, of %q", x.failed, x.deleted, calm.deleted)
		case x.err == nil:
			t.Logf("%s may fail", x.failed)
		case !errors.Is(x.err, errOnce):
			t.Errorf("when %s fails: %v", x.failed, x.err)
		default:
			failed++
		}
	}
	t.Logf("tried: each of %d operations fails, %d of which stop it", calm.ops, failed)
}
