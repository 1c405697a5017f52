package prune_test

import (
	"slices"
	"testing"

	"coffer/vault/ledger"
)

// A move that went long ago is not missed because a roll is lost that could name
// what it replaced. It goes though the roll lists that pack: the snapshots after
// it do not need it.
func TestMoveThatIsOverByARoll(t *testing.T) {
	y := newYard(t)
	y.write("keeps", 200<<10, 9)
	grain()
	zeroth := y.back().Snapshot
	y.write("stays", 3000, 1)
	y.write("goes", 200<<10, 2)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	second := y.more("new", 3)
	y.forget(zeroth)
	y.forget(first)
	y.time.pass(9 * day)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	y.remove("stays")
	y.more("last", 4)
	y.forget(second)
	y.time.pass(9 * day)
	if n := len(y.under("moves/")); n != 1 {
		t.Fatalf("%d moves", n)
	}
	y.settled()
	if left := y.under("moves/"); len(left) != 0 {
		t.Fatalf("left: %q", left)
	}
	there := y.under("packs/")
	y.lose(func(p ledger.Pack) bool { return !slices.Contains(there, p.Name()) }, y.dataRoll())
	y.forgetCache()
	y.settled()
	y.check()
}
