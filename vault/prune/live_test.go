package prune_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/prune"
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
					y.dismiss(list)
				} else {
					y.lose(gone, list)
				}
				y.forgetCache()
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

// A repack's move, its ledger and its map are read from the remote, whatever
// this device has copies of: they alone say where chunks are.
func TestRepackIsProven(t *testing.T) {
	y, _, _ := story(t)
	commits, ledgers := y.under("commits/"), y.under("ledgers/")
	y.repack()
	var move string
	for _, name := range without(y.under("commits/"), commits) {
		if n, err := commit.ParseName(name); err == nil && n.Kind == commit.Move {
			move = name
		}
	}
	for _, name := range []string{move, without(y.under("ledgers/"), ledgers)[0], y.under("moves/")[0]} {
		store := y.memory().Clone()
		c := y.on(t, y.room.Image(t).With(store))
		good := c.get(name)
		if p := c.make(all); len(p.Stops) > 0 {
			t.Fatalf("%v", p.Stops)
		}
		store.Overwrite(name, append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1))
		if p := c.make(all); !has(p.Stops, name) {
			t.Errorf("%s is damaged: %v", name, p.Stops)
		}
	}
}

// A pack for which healing found other chunks, and which is back, is needed by
// the snapshots that name it as before. The map of such a move is not looked at.
func TestHealedPackIsBack(t *testing.T) {
	y := newYard(t)
	y.write("stays", 100<<10, 1)
	grain()
	y.back()
	packs := y.under("packs/")
	good := y.memory().Clone()
	for _, name := range packs {
		if err := y.room.Store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	y.write("more", 3000, 2)
	grain()
	if _, err := y.tryBack(t.Context()); err != nil || len(y.under("moves/")) == 0 {
		t.Fatalf("healing: %v, moves %q", err, y.under("moves/"))
	}
	for _, name := range packs {
		obj, err := good.Get(t.Context(), nil, name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if err := y.room.Store.Put(t.Context(), remote.NewObject(name, obj)); err != nil {
			t.Fatal(err)
		}
	}
	y.memory().Overwrite(y.under("moves/")[0], []byte("rotten"))
	y.settled()
	if gone := without(packs, y.under("packs/")); len(gone) > 0 {
		t.Errorf("gone: %q", gone)
	}
}

// What open progress needs of a pack stands in no manifest, so it is not
// repacked.
func TestRepackSparesProgress(t *testing.T) {
	y, _, second := story(t)
	list := y.ledgerOf(second)
	progress := y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, list })
	if p, res := y.repack(); p.Partly.Chosen != 0 || res.Repacked.Packs != 0 {
		t.Errorf("%+v", p.Partly)
	}
	y.say(func(c *commit.Commit) {
		c.Kind, c.Forgets, c.Ends = commit.Forget, []string{y.base(second)}, []string{progress.Base()}
	})
	if p, _ := y.repack(); p.Partly.Chosen != 1 {
		t.Errorf("when it has ended: %+v", p.Partly)
	}
}

// A repack frees no pack for a commit of the device that took over from its own:
// that one may rely on it as it was.
func TestRepackFreesNothingOfHeir(t *testing.T) {
	y, _, second := story(t)
	list := y.ledgerOf(second)
	old := y.packsOf(list)
	y.repack()
	room, _ := y.room.Enrol(t, vault.EnrolOptions{Replace: y.room.Vault.Device()})
	heir := y.on(t, room)
	dead := func() (out []string) {
		p := heir.make(all)
		return slices.Concat(names(p.Delete), names(p.Waiting), names(p.Condemn))
	}
	before := dead()
	heir.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, list })
	var freed []string
	for _, p := range old {
		if slices.Contains(before, p.Name()) {
			freed = append(freed, p.Name())
		}
	}
	if len(freed) != 1 {
		t.Fatalf("freed: %q", freed)
	}
	if slices.Contains(dead(), freed[0]) {
		t.Errorf("dead, though progress needs it: %s", freed[0])
	}
}

// Reasons for deleting nothing are told in an order that is always the same.
func TestStopsAreSorted(t *testing.T) {
	y := estate(t)
	packs := y.under("packs/")
	for _, name := range packs {
		if err := y.room.Store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	for _, p := range y.make(all).Stops {
		told = append(told, p.Object)
	}
	if len(told) < 5 || !slices.IsSorted(told) {
		t.Errorf("%q", told)
	}
}

// put stores a list that the test made, and returns its name.
func (y *yard) put(name func(sum [32]byte) string, data []byte) string {
	y.t.Helper()
	o := remote.NewObject("", data)
	o.Name = name(o.Sum)
	if err := y.room.Store.Put(y.t.Context(), o); err != nil {
		y.t.Fatal(err)
	}
	return o.Name
}

// A roll that is what its name says, and lists less than a ledger needs, stops
// the deletion; when it is dismissed, the packs of its folder stay.
func TestRollThatLacksPacks(t *testing.T) {
	y := newYard(t)
	y.write("a", 3000, 1)
	grain()
	s := y.back()
	packs := y.packsOf(y.ledgerOf(s.Snapshot))
	series := packs[0].Series
	data, err := ledger.EncodeRoll(series, 0, packs[:1], ledger.NewNonce())
	if err != nil {
		t.Fatal(err)
	}
	roll := y.put(func(sum [32]byte) string { return ledger.RollName(series, 0, sum) }, data)
	f := ledger.Folder{Series: series, Roll: roll}
	f.Bits.Add(packs[0].Number)
	f.Bits.Add(packs[0].Number + 1)
	l := &ledger.Ledger{Vault: y.room.Kit.Vault, Folders: []ledger.Folder{f}}
	if data, err = l.Encode(ledger.NewNonce()); err != nil {
		t.Fatal(err)
	}
	list := y.put(func(sum [32]byte) string {
		return commit.ObjectName(commit.Ledgers, y.room.Vault.Device(), 9, sum)
	}, data)
	y.forget(s.Snapshot)
	y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, list })
	lacks := ledger.Pack{Series: series, Number: packs[0].Number + 1, Sum: [32]byte{1}}.Name()
	y.put(func([32]byte) string { return lacks }, []byte("what the roll should list"))
	y.time.pass(9 * day)
	p := y.make(all)
	if len(p.Stops) != 1 || p.Stops[0].Object != roll {
		t.Errorf("%v", p.Stops)
	}
	if dead := names(p.Condemn); slices.ContainsFunc(dead, func(name string) bool { return strings.HasPrefix(name, "packs/"+series.String()) }) {
		t.Errorf("condemned: %q", dead)
	}
	y.dismiss(roll)
	if p = y.make(prune.Options{DryRun: true}); len(p.Stops) != 0 || slices.Contains(names(p.Condemn), lacks) || len(p.Condemn) == 0 {
		t.Errorf("dismissed: %v, condemned %q", p.Stops, names(p.Condemn))
	}
}

// The same, where the move's ledger has the pack by a roll, as the ledger of a
// snapshot has it word for word.
func TestRepackSparesHealedInRoll(t *testing.T) {
	y, second := twoFolders(t)
	list := y.ledgerOf(second)
	packs := y.packsOf(list)
	isNew := func(p ledger.Pack) bool { return p.Number >= 1024 && y.isData(p.Series) }
	target := packs[slices.IndexFunc(packs, isNew)]
	v, err := y.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ref := chunk.Ref{ID: chunk.ID{1}, Series: target.Series, Number: target.Number, Len: 1}
	if err := v.CommitMove(t.Context(), vault.NewMove{Old: []string{target.Name()}, Refs: []chunk.Ref{ref}, Packs: []ledger.Pack{target}}, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := y.lent(t.Context()); err != nil {
		t.Fatal(err)
	} else if p, err := prune.Make(t.Context(), p, prune.Options{DryRun: true, Repack: true}); err != nil || p.Partly.Chosen != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	l, err := v.Ledger(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	l.Folders = slices.DeleteFunc(l.Folders, func(f ledger.Folder) bool { return f.Roll == "" || !y.isData(f.Series) })
	data, err := l.Encode(ledger.NewNonce())
	if err != nil || len(l.Folders) != 1 {
		t.Fatal(err, l.Folders)
	}
	byRoll := y.put(func(sum [32]byte) string {
		return commit.ObjectName(commit.Ledgers, y.room.Vault.Device(), 9, sum)
	}, data)
	y.say(func(c *commit.Commit) {
		c.Kind, c.Old, c.Body, c.Ledger = commit.Move, []string{target.Name()}, y.under("moves/")[0], byRoll
	})
	if p, _ := y.repack(); p.Partly.Chosen != 0 {
		t.Errorf("%+v", p.Partly)
	}
}
