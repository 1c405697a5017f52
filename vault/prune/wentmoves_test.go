package prune_test

import (
	"slices"
	"testing"

	"coffer/vault/ledger"
)

// A move that went long ago holds back nothing, as long as no list is lost.
func TestMoveThatIsOverKeepsNothing(t *testing.T) {
	y, _, second := story(t)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	y.back()
	y.forget(second)
	y.settled()
	if left := y.under("moves/"); len(left) > 0 {
		t.Fatalf("left: %q", left)
	}
	packs := y.under("packs/")
	extra := y.more("goes", 2)
	more := without(y.under("packs/"), packs)
	y.remove("goes")
	grain()
	y.back()
	y.forget(extra)
	y.settled()
	if left := y.under("packs/"); len(more) == 0 || len(without(more, left)) != len(more) {
		t.Errorf("%q were to go, left: %q", more, left)
	}
	y.check()
}

// Where the roll is lost that lists what such a move replaced, any other move
// that went may be needed as well, and none of them is missed.
func TestMovesThatAreOverByARoll(t *testing.T) {
	y, _, second := story(t)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	y.back()
	y.forget(second)
	y.settled() // the first move went
	y.nextFolder()
	packs := y.under("packs/")
	y.write("keeps", 200<<10, 9)
	grain()
	y.back()
	kept := without(y.under("packs/"), packs)
	y.write("remains", 3000, 11)
	y.write("goes", 200<<10, 12)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	third := y.more("newer", 13)
	y.forget(first)
	y.time.pass(9 * day)
	y.repack()
	y.time.pass(2 * day)
	y.repack()
	if n := len(y.under("moves/")); n != 1 {
		t.Fatalf("%d moves", n)
	}
	y.remove("remains")
	y.more("last", 14)
	y.forget(third)
	y.settled() // the second, too
	there := y.under("packs/")
	lists := slices.DeleteFunc(y.under("rolls/"), func(roll string) bool {
		return !slices.ContainsFunc(y.packsOf(roll), func(p ledger.Pack) bool { return y.isData(p.Series) && slices.Contains(kept, p.Name()) })
	})
	if len(lists) == 0 || len(y.under("moves/")) > 0 {
		t.Fatalf("rolls %q, moves %q", lists, y.under("moves/"))
	}
	y.lose(func(p ledger.Pack) bool { return !slices.Contains(there, p.Name()) }, lists...)
	y.forgetCache()
	y.settled()
	y.check()
}
