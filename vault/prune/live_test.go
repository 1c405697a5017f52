package prune_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/prune"
)

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

// A list is read once, however many commits need it: most of a long history
// needs the same.
func TestListsAreReadOnce(t *testing.T) {
	y := newYard(t)
	y.write("a", 3000, 1)
	grain()
	y.back()
	y.more("b", 2)
	y.more("c", 3)
	list := y.ledgerOf(y.more("d", 4))
	y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, list })
	y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, list })
	y.forgetCache()
	var mu sync.Mutex
	read := map[string]int{}
	y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if op == remote.OpGet {
			read[name]++
		}
		return nil
	}))).make(all)
	for _, name := range slices.Concat(y.under("rolls/"), y.under("ledgers/")) {
		// A page that progress needs, too, counts as another one.
		if n := read[name]; n == 0 || n > 2 || n > 1 && strings.HasPrefix(name, "ledgers/") {
			t.Errorf("%s was read %d times", name, n)
		}
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
	body := y.under("snapshots/")[0]
	y.say(func(c *commit.Commit) { c.Kind, c.Project, c.Body, c.Ledger = commit.Snapshot, project, body, list })
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
