package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// What an interrupted run of the project stored is kept by the progress of the
// next one, as far as it is known and relied on; what is out of reach may be
// needed, and ends that.
func TestProgressKeepsWhatWasStored(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *scene, p *openProgress)
		kept   bool
		err    error
	}{
		"there":              {func(*scene, *openProgress) {}, true, nil},
		"of another project": {func(_ *scene, p *openProgress) { p.Project = "ffffffffffffffff" }, false, nil},
		"its list is lost":   {func(s *scene, p *openProgress) { s.lose(t, p.Ledger) }, false, nil},
		"its list is out of reach": {func(s *scene, p *openProgress) {
			s.fault.Add(fault.Rule{Op: remote.OpGet, Name: p.Ledger, Do: fault.Fail})
		}, false, fault.ErrInjected},
		"its pack was found bad": {func(s *scene, _ *openProgress) {
			if err := s.known.mark(s.pack, state.PackBad); err != nil {
				t.Fatal(err)
			}
		}, false, nil},
	} {
		s := newScene(t)
		if err := s.CommitProgress(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.again(t); err != nil || len(s.own.Progress) != 1 || len(s.acked) > 0 {
			t.Fatalf("%s: progress %+v, %d packs, %v", name, s.own.Progress, len(s.acked), err)
		}
		s.put(t, "more")
		c.change(s, &s.own.Progress[0])
		undo := s.inPlace(t, "objects")
		used, err := s.acknowledgedSet(t.Context())
		undo()
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if c.err != nil {
			undo := s.inPlace(t, "objects")
			if err := s.CommitProgress(t.Context()); !errors.Is(err, c.err) || s.commits(t) != 1 {
				t.Errorf("%s: %d commits, %v", name, s.commits(t), err)
			}
			undo()
			continue
		}
		if want := map[bool]int{true: 2, false: 1}[c.kept]; used.Len() != want || used.Has(s.pack.Series, s.pack.Number) != c.kept {
			t.Errorf("%s: %d packs", name, used.Len())
		}
	}
}

// Progress of nothing is no commit; one that cannot be stored is none either.
func TestProgressOfNothing(t *testing.T) {
	s := newScene(t)
	s.fault.Add(fault.Rule{Op: remote.OpPut, Name: "ledgers/", Do: fault.Fail})
	if err := s.CommitProgress(t.Context()); !errors.Is(err, fault.ErrInjected) || s.commits(t) != 0 {
		t.Errorf("%d commits, %v", s.commits(t), err)
	}
	s.fault.Clear()
	if err := s.again(t); err != nil {
		t.Fatal(err)
	}
	if err := s.CommitProgress(t.Context()); err != nil || s.commits(t) != 0 {
		t.Errorf("of nothing: %d commits, %v", s.commits(t), err)
	}
}

// A snapshot ends the open progress of its project, of this device only, each
// once, and no more than a commit can hold.
func TestOpenEnds(t *testing.T) {
	h := &ownHistory{}
	for _, p := range []openProgress{{Project: "a", Base: "2"}, {Project: "b", Base: "1"}, {Project: "a", Base: "1"}, {Project: "a", Base: "3", Inherited: true}, {Project: "a", Base: "2"}} {
		h.Progress = append(h.Progress, p)
	}
	if got := h.openEnds("a"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("%q", got)
	}
	for i := range byte(100) {
		h.Progress = append(h.Progress, openProgress{Project: "c", Base: string([]byte{'x', i})})
	}
	if got := h.openEnds("c"); len(got) != maxEnds || got[0] != "x\x00" {
		t.Errorf("%d: %q", len(got), got)
	}
	s := newScene(t)
	if err := s.CommitProgress(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(t); err != nil || len(s.own.Progress) > 0 {
		t.Errorf("open after the snapshot: %+v, %v", s.own.Progress, err)
	}
}

// A body leads to the newest snapshot of each other project, in order.
func TestNewestOthers(t *testing.T) {
	h := &ownHistory{Projects: map[trust.ProjectID]newest{"c": {Commit: "commits/x/3"}, "a": {Commit: "commits/x/1"}, "b": {Commit: "commits/x/2"}}}
	var got []string
	for _, n := range h.newestOthers("b") {
		got = append(got, n.Project+n.Commit)
	}
	if strings.Join(got, " ") != "a1 c3" {
		t.Errorf("%q", got)
	}
	s := committed(t)
	s.own.Projects["ffffffffffffffff"] = newest{Commit: s.own.Heads[0]}
	s.put(t, "more")
	b := sceneBody(s.now())
	if _, err := s.Commit(t.Context(), NewSnapshot{Used: s.used, Body: b}); err != nil || len(b.Newest) != 1 || b.Newest[0].Project != "ffffffffffffffff" || b.Vault != string(s.v.ID()) || b.Device != string(s.v.Device()) {
		t.Errorf("%+v, %v", b, err)
	}
}

// A snapshot that equals the one before names its objects again, as long as they
// are there and will stay. Else it stores its own; one that cannot be asked for
// ends the run.
func TestUnchanged(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(s *scene, old newest)
		unchanged bool
		told      bool
		err       error
	}{
		"as it was":                             {func(*scene, newest) {}, true, false, nil},
		"its body is gone":                      {func(s *scene, old newest) { s.lose(t, old.Body) }, false, true, nil},
		"its ledger is gone":                    {func(s *scene, old newest) { s.lose(t, old.Ledger) }, false, true, nil},
		"its body is condemned":                 {func(s *scene, old newest) { s.ask(t, old.Body) }, false, false, nil},
		"its ledger is condemned":               {func(s *scene, old newest) { s.ask(t, old.Ledger) }, false, false, nil},
		"a prune has just condemned its body":   {func(s *scene, old newest) { s.condemn(t, s.v.ID(), old.Body) }, false, false, ErrRestart},
		"a prune has just condemned its ledger": {func(s *scene, old newest) { s.condemn(t, s.v.ID(), old.Ledger) }, false, false, ErrRestart},
		"its body is not listed": {func(s *scene, old newest) {
			s.fault.Add(fault.Rule{Op: remote.OpList, Name: "snapshots/", Do: fault.Fail})
		}, false, false, fault.ErrInjected},
		"its ledger is gone, here too": {func(s *scene, old newest) {
			s.lose(t, old.Ledger)
			t.Cleanup(s.inPlace(t, "objects"))
		}, false, false, nil},
		"its ledger is out of reach": {func(s *scene, old newest) {
			s.away(old.Ledger)
			t.Cleanup(s.inPlace(t, "objects"))
		}, false, false, fault.ErrInjected},
		"it is described in other words": {func(*scene, newest) {}, false, false, nil},
		"none is known":                  {func(s *scene, _ newest) { clear(s.own.Projects) }, false, false, nil},
		"more is used":                   {func(s *scene, old newest) { s.put(t, "more") }, false, false, nil},
	} {
		s := committed(t)
		old := s.own.Projects[s.o.Project]
		c.change(s, old)
		now := s.now()
		body := sceneBody(now)
		if name == "it is described in other words" {
			body.Label = "q"
		}
		done, err := s.Commit(t.Context(), NewSnapshot{Used: s.used, Body: body})
		if !errors.Is(err, c.err) || err == nil && done.Unchanged != c.unchanged {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		if told := s.noticed(old.Commit) && len(s.warns) == 1; told != c.told || !c.told && len(s.warns) > 0 {
			t.Errorf("%s: noticed %v, warned of %v", name, s.v.Problems(), s.warns)
		}
		if made := s.own.Projects[s.o.Project]; err == nil && (made.Body == old.Body) != c.unchanged || err == nil && (made.Ledger == old.Ledger) != c.unchanged || err == nil && made.Commit == old.Commit {
			t.Errorf("%s: %+v after %+v", name, made, old)
		}
	}
}

// Two snapshots are equal whenever they were made, by whatever version, and
// whatever else was backed up since.
func TestStableDigest(t *testing.T) {
	b := sceneBody(time.Unix(1, 0))
	was := stableDigest(b)
	b.Start, b.End, b.Coffer, b.Vault, b.Device, b.Newest = time.Unix(2, 0), time.Unix(3, 0), "2", "v", "d", make([]manifest.Newest, 1)
	if stableDigest(b) != was || b.Vault != "v" {
		t.Error("two that are equal differ")
	}
	b.Tags = []string{"tag"}
	if stableDigest(b) == was {
		t.Error("two that differ are equal")
	}
}

// What is named again is held against what is about to be deleted, rolls too; the
// names of what is new count on, and of lists only the newest is kept here.
func TestUnchangedNamesItsRolls(t *testing.T) {
	s := committed(t)
	id := ledger.FolderID{Series: s.pack.Series, Folder: ledger.FolderOf(s.pack.Number)}
	roll, first := ledger.RollName(id.Series, id.Folder, [32]byte{1}), s.own.Projects[s.o.Project].Ledger
	if _, ok := s.v.cached(cacheName(first)); !ok {
		t.Error("the list of a snapshot is not kept here")
	}
	s.mem.Overwrite(roll, []byte("roll"))
	s.lists(t, id, roll)
	old := s.own.Projects[s.o.Project]
	d := draft{project: s.o.Project, used: s.used, stable: old.Stable}
	if same, err := s.isUnchanged(t.Context(), &d); !same || err != nil || d.body != old.Body || d.ledger != old.Ledger || !slices.Equal(d.objects, []string{roll}) {
		t.Errorf("%t, %+v, %v", same, d, err)
	}
	s.put(t, "more")
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
	if made := s.own.Projects[s.o.Project]; !strings.Contains(made.Ledger, "/0000000002-") || !strings.Contains(made.Body, "/0000000002-") {
		t.Errorf("%+v", made)
	}
	if _, ok := s.v.cached(cacheName(first)); ok {
		t.Error("the list of a snapshot that is not the newest any more is kept here")
	}
}

// A roll is used if all packs that are needed are those that it lists.
func TestPrepareRoll(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *ledger.Pack)
		used   bool
	}{
		"it lists the pack":           {func(*ledger.Pack) {}, true},
		"it lists another one":        {func(p *ledger.Pack) { p.Sum[0] ^= 1 }, false},
		"it lists one of next number": {func(p *ledger.Pack) { p.Number++ }, false},
	} {
		s := committed(t)
		id := ledger.FolderID{Series: s.pack.Series, Folder: ledger.FolderOf(s.pack.Number)}
		p := s.pack
		c.change(&p)
		b, err := ledger.EncodeRoll(id.Series, id.Folder, []ledger.Pack{p}, ledger.NewNonce())
		if err != nil {
			t.Fatal(err)
		}
		roll := ledger.RollName(id.Series, id.Folder, remote.NewObject("", b).Sum)
		s.mem.Overwrite(roll, b)
		s.own.Rolls[rollKey(id)] = writtenRoll{roll, s.now()}
		names := &packNames{known: s.known, rolls: map[ledger.FolderID]usedRoll{}}
		var needed ledger.Bits
		needed.Add(s.pack.Number)
		s.away(roll)
		undo := s.inPlace(t, "objects")
		if err := s.prepareRoll(t.Context(), &draft{kind: commit.Snapshot}, names, id, &needed); !errors.Is(err, fault.ErrInjected) {
			t.Errorf("%s: out of reach: %v", name, err)
		}
		undo()
		s.fault.Clear()
		err = s.prepareRoll(t.Context(), &draft{kind: commit.Snapshot}, names, id, &needed)
		got, lists, used := names.Roll(id)
		if err != nil || used != c.used || used && (got != roll || lists.Len() != 1 || !lists.Has(p.Number)) {
			t.Errorf("%s: %q, %t, %v", name, got, used, err)
		}
	}
}

func rollKey(id ledger.FolderID) string { return fmt.Sprintf("%s/%010d", id.Series, id.Folder) }

// The roll of a folder is the one that was written, as long as a live ledger
// names it or it was acknowledged lately, it is not condemned, and it can be
// read; one is written when the numbers of its folder are used up, by a snapshot.
func TestRollFor(t *testing.T) {
	old := time.Duration(-30 * 24)
	for name, c := range map[string]struct {
		change func(s *scene, roll string)
		acked  time.Duration // hours from now
		live   bool
		kind   commit.Kind
		want   string // "same", "new" or none
		err    error
	}{
		"acknowledged lately":        {nil, -1, false, commit.Snapshot, "same", nil},
		"named by a live ledger":     {nil, old, true, commit.Snapshot, "same", nil},
		"old, and named by none":     {nil, old, false, commit.Snapshot, "new", nil},
		"old, and for progress":      {nil, old, false, commit.Progress, "", nil},
		"lately, and for progress":   {nil, -1, false, commit.Progress, "same", nil},
		"condemned":                  {func(s *scene, roll string) { s.ask(t, roll) }, -1, true, commit.Snapshot, "new", nil},
		"lost":                       {func(s *scene, roll string) { s.lose(t, roll) }, -1, true, commit.Snapshot, "new", nil},
		"out of reach":               {func(s *scene, roll string) { s.away(roll) }, -1, true, commit.Snapshot, "same", fault.ErrInjected},
		"it cannot be stored anew":   {func(s *scene, _ string) { s.fault.Add(fault.Rule{Op: remote.OpPut, Name: "rolls/", Do: fault.Fail}) }, old, false, commit.Snapshot, "", fault.ErrInjected},
		"it has none, and is stored": {func(s *scene, _ string) { clear(s.own.Rolls) }, old, false, commit.Snapshot, "new", nil},
	} {
		s := committed(t)
		id := ledger.FolderID{Series: s.pack.Series, Folder: ledger.FolderOf(s.pack.Number)}
		s.usesUp(t, folderSize)
		beyond := s.pack
		beyond.Number = folderSize
		if err := s.known.note(beyond, 1, s.now()); err != nil {
			t.Fatal(err)
		}
		names := &packNames{known: s.known, rolls: map[ledger.FolderID]usedRoll{}}
		roll, _, err := s.rollFor(t.Context(), &draft{kind: commit.Snapshot}, names, id)
		if err != nil || roll == "" || len(s.own.Rolls) != 1 {
			t.Fatalf("%s: %q, %v", name, roll, err)
		}
		for key, w := range s.own.Rolls {
			w.Acked = s.now().Add(c.acked * time.Hour)
			s.own.Rolls[key] = w
		}
		if c.live {
			s.lists(t, id, roll)
		}
		if c.change != nil {
			c.change(s, roll)
		}
		next := id
		next.Folder++
		if got, _, err := s.rollFor(t.Context(), &draft{kind: c.kind}, names, next); got != "" || err != nil {
			t.Errorf("%s: a folder with room has the roll %q, %v", name, got, err)
		}
		undo := s.inPlace(t, "objects")
		got, packs, err := s.rollFor(t.Context(), &draft{kind: c.kind}, names, id)
		undo()
		want := map[string]bool{"same": got == roll, "new": got != roll && got != "", "": got == ""}
		if !want[c.want] || !errors.Is(err, c.err) {
			t.Errorf("%s: %q after %q, %v", name, got, roll, err)
		}
		if slices.ContainsFunc(s.v.Problems(), func(p Problem) bool { return p.Object == roll }) != (name == "lost") {
			t.Errorf("%s: noticed %v", name, s.v.Problems())
		}
		if err == nil && c.want != "" && (len(packs) != 1 || packs[0] != s.pack) {
			t.Errorf("%s: packs %v", name, packs)
		}
	}
}

// Where none of a folder's packs can be relied on any more the run starts again,
// and no roll is stored.
func TestRollOfNothing(t *testing.T) {
	s := committed(t)
	s.usesUp(t, folderSize)
	if err := s.known.mark(s.pack, state.PackBad); err != nil {
		t.Fatal(err)
	}
	before := len(s.mem.Sums())
	if _, err := s.writeLedger(t.Context(), &draft{kind: commit.Snapshot}, s.used); !errors.Is(err, ErrRestart) || len(s.mem.Sums()) != before {
		t.Errorf("%d objects after %d, %v", len(s.mem.Sums()), before, err)
	}
}

// A body that says what none can, or cannot be sealed, is not stored.
func TestBodyThatCannotBeStored(t *testing.T) {
	for name, spoil := range map[string]func(s *scene, b *manifest.Body){
		"no project":    func(_ *scene, b *manifest.Body) { b.Project = "junk" },
		"no recipients": func(s *scene, _ *manifest.Body) { s.recipients = seal.Recipients{} },
	} {
		s := newScene(t)
		b := sceneBody(s.now())
		spoil(s, b)
		if err := s.writeLedgerAndBody(t.Context(), &draft{kind: commit.Snapshot}, NewSnapshot{Used: s.used, Body: b}); err == nil {
			t.Errorf("%s: no error", name)
		}
		for o := range s.mem.List(t.Context(), "snapshots/", "") {
			t.Errorf("%s: %s was stored", name, o.Name)
		}
	}
}

// A ledger names a roll where there is one, and each pack else. Where it would
// not name all that is used, or cannot be stored, there is none.
func TestWriteLedger(t *testing.T) {
	if s := committed(t); len(s.own.Rolls) > 0 {
		t.Errorf("a roll of numbers that are still to be used: %v", s.own.Rolls)
	}
	for name, c := range map[string]struct {
		change func(s *scene)
		rolls  int
		err    error
	}{
		"the folder has room":     {func(*scene) {}, 0, nil},
		"its numbers are used up": {func(s *scene) { s.usesUp(t, folderSize) }, 1, nil},
		"the roll cannot be stored": {func(s *scene) {
			s.usesUp(t, folderSize)
			s.fault.Add(fault.Rule{Op: remote.OpPut, Name: "rolls/", Do: fault.Fail})
		}, 0, fault.ErrInjected},
		"a pack is not known":   {func(s *scene) { s.used.Add(s.pack.Series, 77) }, 0, ErrRestart},
		"a series is not known": {func(s *scene) { s.used.Add(chunk.Series{1}, 1) }, 0, ErrRestart},
		"it is of no vault":     {func(s *scene) { s.v.Trust().Vault = "junk" }, 0, errAny},
		"it cannot be stored":   {func(s *scene) { s.fault.Add(fault.Rule{Op: remote.OpPut, Name: "ledgers/", Do: fault.Fail}) }, 0, fault.ErrInjected},
	} {
		s := committed(t)
		own := s.v.ID()
		c.change(s)
		before, sent, kept := len(s.mem.Sums()), s.Stats.Uploaded.Load(), s.keeps(t)
		d := draft{kind: commit.Snapshot}
		l, err := s.writeLedger(t.Context(), &d, s.used)
		s.v.Trust().Vault = own
		if c.err != nil {
			if err == nil || c.err != errAny && !errors.Is(err, c.err) || len(s.mem.Sums()) != before || s.Stats.Uploaded.Load() != sent || s.keeps(t) != kept {
				t.Errorf("%s: %d objects after %d, %v", name, len(s.mem.Sums()), before, err)
			}
			continue
		}
		got, err2 := s.v.Ledger(t.Context(), l)
		if err = errors.Join(err, err2); err != nil || len(s.mem.Sums()) != before+1+c.rolls || len(d.objects) != c.rolls || !slices.Equal(d.objects, got.Rolls()) {
			t.Errorf("%s: %d objects after %d, %v, %v", name, len(s.mem.Sums()), before, d.objects, err)
		}
		size := int64(0)
		for _, o := range append(got.Rolls(), l) {
			b, err := s.mem.Get(t.Context(), nil, o, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			size += int64(len(b))
		}
		if s.Stats.Uploaded.Load()-sent != size {
			t.Errorf("%s: %d bytes are counted, of %d", name, s.Stats.Uploaded.Load()-sent, size)
		}
	}
}

var errAny = errors.New("any error")

// keeps counts the copies of objects that are kept here.
func (s *scene) keeps(t *testing.T) int {
	t.Helper()
	kept, err := os.ReadDir(filepath.Join(s.v.dir.Path(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	return len(kept)
}

// A snapshot waits for its packs, and gives back the numbers that it did not use.
func TestCommitWaits(t *testing.T) {
	s := committed(t)
	for _, x := range s.v.device().Series {
		if x.ID() == s.pack.Series && x.Next != s.pack.Number+1 {
			t.Errorf("the next number is %d", x.Next)
		}
	}
	s.fault.Add(fault.Rule{Op: remote.OpPut, Name: "packs/", Do: fault.Fail})
	lane := s.Lane(chunk.Data)
	ref, _, err := lane.Put([]byte("more"))
	if err == nil {
		err = lane.Flush()
	}
	s.used.Add(ref.Series, ref.Number)
	if err := errors.Join(err, s.commit(t)); !errors.Is(err, fault.ErrInjected) || s.commits(t) != 1 {
		t.Errorf("%d commits, %v", s.commits(t), err)
	}
}

// usesUp says that so many numbers of the pack's series are used.
func (s *scene) usesUp(t *testing.T, used uint32) {
	t.Helper()
	if err := s.v.updateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].ID() == s.pack.Series {
				d.Series[i].Next = used
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// lists lets a live ledger name a roll.
func (s *scene) lists(t *testing.T, id ledger.FolderID, roll string) {
	t.Helper()
	l := &ledger.Ledger{Vault: s.v.ID(), Folders: []ledger.Folder{{Series: id.Series, Folder: id.Folder, Roll: roll, All: true}}}
	p := s.own.Projects[s.o.Project]
	p.Ledger = s.stored(commit.Ledgers, encoded(t, l))
	s.own.Projects[s.o.Project] = p
}
