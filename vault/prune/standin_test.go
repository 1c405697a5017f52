package prune_test

import (
	"fmt"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// twoFolders is a vault with two snapshots of a large file that nothing else
// needs any more, and of small ones: the second names the pack of the first by a
// roll. The first is forgotten, and may go.
func twoFolders(t *testing.T) (y *yard, second string) {
	y = newYard(t)
	y.write("stays", 3000, 1)
	y.write("goes", 200<<10, 2)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	second = y.more("new", 3)
	y.forget(first)
	y.time.pass(9 * day)
	return y, second
}

// isData tells whether packs of a series hold file content of this device.
func (y *yard) isData(series chunk.Series) bool {
	y.t.Helper()
	dev, err := y.room.Dir(y.t).Device()
	if err != nil {
		y.t.Fatal(err)
	}
	return slices.ContainsFunc(dev.Series, func(s state.SeriesState) bool { return s.ID() == series && s.Kind == string(chunk.Data) })
}

// dataRoll is the roll of packs with file content, of which there is one.
func (y *yard) dataRoll() string {
	y.t.Helper()
	for _, name := range y.under("rolls/") {
		if series, _, _, err := ledger.ParseRollName(name); err == nil && y.isData(series) {
			return name
		}
	}
	y.t.Fatalf("rolls: %q", y.under("rolls/"))
	return ""
}

// settled prunes until all is done that is due.
func (y *yard) settled() {
	y.t.Helper()
	for range 3 {
		y.time.pass(9 * day)
		if p := y.make(all); len(p.Stops) > 0 {
			y.t.Errorf("%v", p.Stops)
		}
		y.prune()
	}
}

// What stands in for a list that is lost names the packs that were found. One
// that was away then, and is back, stays as well.
func TestStandInSparesPacks(t *testing.T) {
	for _, lost := range []string{"ledger", "roll"} {
		t.Run(lost, func(t *testing.T) {
			y, second := twoFolders(t)
			list := y.dataRoll()
			if lost == "ledger" {
				list = y.ledgerOf(second)
			}
			packs := y.packsOf(y.ledgerOf(second))
			y.lose(func(ledger.Pack) bool { return true }, list)
			y.settled()
			there := y.under("packs/")
			for _, p := range packs {
				if !slices.Contains(there, p.Name()) && (lost == "ledger" || p.Number < 1024) {
					t.Errorf("gone: %s", p.Name())
				}
			}
		})
	}
}

// As long as it is not known whether a lost list names a pack that was repacked,
// the move stays that says where its chunks are: the list may be found.
func TestLostListSparesMoves(t *testing.T) {
	for _, lost := range []string{"ledger", "roll"} {
		for _, dismissed := range []bool{false, true} {
			t.Run(fmt.Sprint(lost, dismissed), func(t *testing.T) {
				y, second := twoFolders(t)
				y.repack()
				y.time.pass(2 * day)
				y.repack()
				moves := y.under("moves/")
				list := y.dataRoll()
				if lost == "ledger" {
					list = y.ledgerOf(second)
				}
				packs := y.under("packs/")
				gone := func(p ledger.Pack) bool { return !slices.Contains(packs, p.Name()) }
				if len(moves) != 1 || !slices.ContainsFunc(y.packsOf(list), gone) {
					t.Fatalf("no pack of %s was repacked: %q", list, moves)
				}
				good := y.get(list)
				if dismissed {
					y.memory().Overwrite(list, []byte("rotten"))
					y.forgetCache()
					if p := y.make(all); len(p.Stops) != 1 || p.Stops[0].Object != list {
						t.Errorf("%v", p.Stops)
					}
					y.dismiss(list)
				} else {
					y.lose(gone, list)
					y.forgetCache()
				}
				y.settled()
				if left := y.under("moves/"); !slices.Equal(left, moves) {
					t.Errorf("left: %q", left)
				}
				y.memory().Overwrite(list, good) // somebody has found it
				y.check()
			})
		}
	}
}

// What only a forgotten snapshot needs goes with it: rolls, and what stands in
// for them and for its ledger, too.
func TestStandInsGo(t *testing.T) {
	y, second := twoFolders(t)
	y.lose(none, y.dataRoll())
	y.lose(func(ledger.Pack) bool { return true }, y.under("ledgers/")[2])
	y.forget(second)
	y.settled()
	if left := y.prunable(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Lists that stand in for each other lead in no circle.
func TestStandInsInCircle(t *testing.T) {
	y, second := twoFolders(t)
	list := y.ledgerOf(second)
	stands := y.lose(none, list)
	y.say(func(c *commit.Commit) { c.Kind, c.Old, c.Ledger = commit.Move, []string{stands}, list })
	y.forgetCache()
	if p := y.make(all); len(p.Stops) > 0 || slices.Contains(names(p.Condemn), stands) {
		t.Errorf("%v, condemned %q", p.Stops, names(p.Condemn))
	}
}

// What stands in for a roll may be what a lost ledger needs: it stays.
func TestLostLedgerSparesStandIns(t *testing.T) {
	y, second := twoFolders(t)
	stands := y.lose(none, y.dataRoll())
	list := y.ledgerOf(second)
	good := y.get(list)
	y.memory().Overwrite(list, []byte("rotten"))
	y.dismiss(list)
	y.forgetCache()
	y.settled()
	if !slices.Contains(y.under("ledgers/"), stands) {
		t.Errorf("gone: %s", stands)
	}
	y.memory().Overwrite(list, good)
	y.check()
}

// A move that went long ago is not missed because a list is lost that could
// name what it replaced; but while only its map is gone, its ledger stays.
func TestMovesThatAreOver(t *testing.T) {
	over := func(t *testing.T) (y *yard, third string) {
		y, second := twoFolders(t)
		y.repack()
		y.time.pass(2 * day)
		y.repack()
		y.remove("stays")
		third = y.more("last", 4)
		y.forget(second)
		y.time.pass(9 * day)
		if n := len(y.under("moves/")); n != 1 {
			t.Fatalf("%d moves", n)
		}
		return y, third
	}
	t.Run("gone", func(t *testing.T) {
		y, third := over(t)
		y.settled()
		if left := y.under("moves/"); len(left) != 0 {
			t.Fatalf("left: %q", left)
		}
		y.lose(none, y.ledgerOf(third))
		y.forgetCache()
		y.settled()
		y.check()
	})
	t.Run("map lost", func(t *testing.T) {
		y, third := over(t)
		moves, err := y.room.Lent(t).Moves(t.Context())
		if err != nil || len(moves) != 1 {
			t.Fatal(moves, err)
		}
		for _, lost := range []string{moves[0].Commit.Body, y.ledgerOf(third)} {
			y.memory().Overwrite(lost, []byte("rotten"))
		}
		y.forgetCache()
		if p := y.make(all); !has(p.Stops, moves[0].Commit.Body) {
			t.Errorf("a map that is rotten is not told: %v", p.Stops)
		}
		if err := y.room.Store.Delete(t.Context(), moves[0].Commit.Body); err != nil {
			t.Fatal(err)
		}
		y.dismiss(y.ledgerOf(third))
		y.settled()
		if !slices.Contains(y.under("ledgers/"), moves[0].Commit.Ledger) {
			t.Error("the ledger of a move without a map went while a list is lost")
		}
	})
}

// dismiss says that deletion need not wait for objects.
func (y *yard) dismiss(objects ...string) {
	y.t.Helper()
	v, err := y.open(y.t.Context())
	if err == nil {
		err = v.Dismiss(y.t.Context(), objects, nil)
	}
	if err != nil {
		y.t.Fatal(err)
	}
}

// One ledger may stand in for several rolls, and another one for that, and so on:
// they are needed like those, and so is what they name.
func TestStandInIsNeeded(t *testing.T) {
	y := newYard(t)
	y.write("a", 3000, 1)
	grain()
	y.back()
	y.more("b", 2)
	only := y.more("c", 3)
	for s := range y.want {
		if s != only {
			y.forget(s)
		}
	}
	y.time.pass(9 * day)
	list, rolls := y.ledgerOf(only), y.under("rolls/")
	if len(rolls) < 2 {
		t.Fatalf("rolls: %q", rolls)
	}
	packs := y.packsOf(list)
	for _, lists := range [][]string{rolls, {list}} {
		c := y.on(t, y.room.Image(t).With(y.memory().Clone()))
		c.lose(none, c.lose(none, lists...))
		last := c.lose(none, c.under("ledgers/")[len(c.under("ledgers/"))-1])
		c.forgetCache()
		c.settled()
		c.check()
		if !slices.Contains(c.under("ledgers/"), last) {
			t.Errorf("gone, and stands in for %q: %s", lists, last)
		}
		for _, p := range packs {
			good := c.get(p.Name())
			if err := c.room.Store.Delete(t.Context(), p.Name()); err != nil {
				t.Fatal(err)
			}
			if plan := c.make(all); !has(plan.Stops, p.Name()) && (len(lists) == 1 || p.Number < 2048) {
				t.Errorf("without %s: %v", p.Name(), plan.Stops)
			}
			c.memory().Overwrite(p.Name(), good)
		}
	}
}
