package verify_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/manifest"
	"coffer/vault/repair"
	"coffer/vault/restore"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A moving vault is one whose snapshots need a pack that was healed, by a move
// whose list goes by a roll, and one that was repacked. Both have gone.
type moving struct {
	*vaulttest.Room
	dir  string
	was  map[string]map[string]string // by the ID of a snapshot: the files below dir
	lose []string                     // objects that are lost in turn
}

func newMoving(t *testing.T) *moving {
	t.Helper()
	m := &moving{Room: vaulttest.New(t), dir: t.TempDir(), was: map[string]map[string]string{}}
	m.back(t, "a", "b")
	m.back(t, "c")
	packs := packsOf(t, m.Room, chunk.Data)
	repacked, healed := packs[0], packs[1]
	remove(t, m.Room, healed)
	m.next(t, 1023) // the last number of its folder, so that the move's list goes by a roll
	if res := m.back(t, "d"); res.Packs != 1 || res.Left != 0 {
		t.Fatalf("healed %+v", res)
	}
	m.back(t, "e")
	repack(t, m.Room, repacked)
	remove(t, m.Room, repacked)
	if err := os.Remove(filepath.Join(m.dir, "a")); err != nil {
		t.Fatal(err)
	}
	m.back(t, "f")
	moves, err := m.Lent(t).Moves(t.Context())
	if err != nil || len(moves) != 2 || len(under(t, m.Room, "rolls/")) == 0 {
		t.Fatalf("%d moves, %v, rolls %q", len(moves), err, under(t, m.Room, "rolls/"))
	}
	l, err := m.Lent(t).Ledger(t.Context(), moves[0].Commit.Ledger)
	if err != nil || len(l.Rolls()) == 0 {
		t.Fatalf("the move's list goes by no roll: %+v, %v", l, err)
	}
	check(t, lentDevice(t, m.Room), verify.Options{Deep: true}) // this device remembers what that has proven
	m.choose(t)
	return m
}

// choose takes what is there for what may be lost.
func (m *moving) choose(t *testing.T) {
	t.Helper()
	m.lose = nil
	for _, kind := range []string{"ledgers/", "rolls/", "moves/"} {
		m.lose = append(m.lose, under(t, m.Room, kind)...)
	}
	segments := packsOf(t, m.Room, chunk.Segment) // two will do: each takes whole trees away
	m.lose = append(m.lose, packsOf(t, m.Room, chunk.Data)...)
	m.lose = append(m.lose, segments[1], segments[len(segments)-1])
	moves, err := m.Lent(t).Moves(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, mv := range moves {
		m.lose = append(m.lose, mv.Name.String())
	}
}

// next lets the next pack of data have that number.
func (m *moving) next(t *testing.T, number uint32) {
	t.Helper()
	if _, err := m.Dir(t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == string(chunk.Data) {
				d.Series[i].Next = number
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// back writes files and takes a snapshot.
func (m *moving) back(t *testing.T, names ...string) vault.Healed {
	t.Helper()
	for _, name := range names {
		write(t, m.dir, name, name[0]-'a')
	}
	res := backUp(t, m.Reopen(t), m.dir)
	m.was[res.Snapshot] = map[string]string{}
	for path, content := range m.Read(t, res.Snapshot) {
		m.was[res.Snapshot][strings.TrimPrefix(path, m.dir+"/")] = content
	}
	return res.Healed
}

// files names files as a verification does.
type files map[string]bool

func named(id, path string) string { return id[:8] + ":" + path }

// restored tells what a restore gives back, by the kit alone.
func (m *moving) restored(t *testing.T) files {
	t.Helper()
	out := files{}
	for id, was := range m.was {
		v := m.Lent(t)
		src, err := v.Source(t.Context(), find(t, v, id))
		if errors.Is(err, vault.ErrDamaged) {
			continue
		}
		target := filepath.Join(vaulttest.Folder(t), "out")
		if err == nil {
			_, err = restore.Run(t.Context(), src, restore.Options{Target: target})
		}
		if err != nil && !errors.Is(err, vault.ErrDamaged) {
			t.Fatal(err)
		}
		for path, content := range was {
			b, err := os.ReadFile(filepath.Join(target, path))
			if out[named(id, path)] = err == nil && string(b) == content; err == nil && string(b) != content {
				t.Errorf("snapshot %.8s: %s comes back wrong", id, path)
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, is bool) bool { return !is })
	return out
}

// told are the files that a verification calls damaged.
func (m *moving) told(t *testing.T, res verify.Result) files {
	t.Helper()
	out := files{}
	for _, p := range res.Problems {
		for _, f := range p.Files {
			out[f] = !strings.HasSuffix(f, ":") // that is the folder itself
		}
		if int64(len(p.Files)) != p.FileCount {
			t.Errorf("%+v", p)
		}
		part, ok := errors.AsType[*manifest.SegmentError](p.Err)
		if !ok && p.Harms != "this snapshot" {
			continue
		}
		for id, was := range m.was {
			if !slices.Contains(p.Snapshots, id[:8]) {
				continue
			}
			for path := range was {
				if !ok || path >= part.From && (part.To == "" || path < part.To) {
					out[named(id, path)] = true
				}
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, is bool) bool { return !is })
	return out
}

// Whatever one or two objects are lost, or one is wrong: a verification with the kit calls exactly
// those files damaged that a restore does not give back, and one without it never
// says that all is well if there are any; a repair knows whether there are; and
// what could be restored before it can be after it.
func TestVerdictIsWhatARestoreGives(t *testing.T) {
	m := newMoving(t)
	var sets, ones [][]string
	for i, a := range m.lose {
		ones = append(ones, []string{a})
		for _, b := range m.lose[i+1:] {
			sets = append(sets, []string{a, b})
		}
	}
	m.tryAll(t, "missing", remove, append(sets, ones...))
	m.tryAll(t, "wrong", flip, ones)
}

// So it is where other lists stand in for all that there were, of which one is
// lost in its turn, or something else.
func TestVerdictByWhatStandsIn(t *testing.T) {
	m := newMoving(t)
	for _, kind := range []string{"ledgers/", "rolls/"} {
		for _, name := range under(t, m.Room, kind) {
			remove(t, m.Room, name)
		}
	}
	forgetCopies(t, m.Room)
	for range 2 { // the list of a move goes by a roll, and both are seen to
		plan, err := repair.Make(t.Context(), lentDevice(t, m.Room))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m.choose(t)
	var sets [][]string
	for _, name := range m.lose {
		sets = append(sets, []string{name})
	}
	m.tryAll(t, "missing", remove, sets)
}

// tryAll does harm to each of the sets in a vault of its own.
func (m *moving) tryAll(t *testing.T, what string, harm func(*testing.T, *vaulttest.Room, string), sets [][]string) {
	t.Helper()
	t.Logf("%s: %d objects, %d sets of them", what, len(m.lose), len(sets))
	base := m.Store.(*mem.Store)
	for i, set := range sets {
		t.Run(fmt.Sprint(what, i), func(t *testing.T) {
			t.Parallel()
			c := &moving{m.Image(t).With(base.Clone()), m.dir, m.was, nil}
			for _, name := range set {
				harm(t, c.Room, name)
			}
			forgetCopies(t, c.Room)
			c.agree(t)
			if t.Failed() {
				t.Logf("%s: %q", what, set)
			}
		})
	}
}

// lacks are the files of which have says no.
func (m *moving) lacks(have files) files {
	out := files{}
	for id, was := range m.was {
		for path := range was {
			if !have[named(id, path)] {
				out[named(id, path)] = true
			}
		}
	}
	return out
}

// agree holds against each other what a restore, a verification and a repair say.
func (m *moving) agree(t *testing.T) {
	t.Helper()
	before := m.restored(t)
	res := check(t, lentDevice(t, m.Room), verify.Options{Deep: true})
	if told, lacks := m.told(t, res), m.lacks(before); !maps.Equal(told, lacks) {
		t.Errorf("called damaged: %v, and a restore lacks %v: %+v", told, lacks, res.Problems)
	}
	res = check(t, m.Reopen(t), verify.Options{ReadData: 1})
	if lacks := m.lacks(before); len(lacks) > 0 && len(res.Problems)+len(res.Doubts) == 0 {
		t.Errorf("without the kit all is well, and a restore lacks %v: %+v", lacks, res)
	}
	plan, err := repair.Make(t.Context(), lentDevice(t, m.Room))
	if err != nil {
		t.Fatal(err)
	}
	of := func(kinds ...repair.Kind) bool {
		return slices.ContainsFunc(plan.Steps, func(s repair.Step) bool { return slices.Contains(kinds, s.Kind) })
	}
	if len(m.lacks(before)) == 0 && of(repair.Move) {
		t.Errorf("nothing is lacking, and a repair says %+v", plan.Steps)
	}
	if _, err := plan.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := m.restored(t)
	for f := range before {
		if !after[f] {
			t.Errorf("%s was restored before the repair, and is not after it: %+v", f, plan.Steps)
		}
	}
	lacks := m.lacks(after)
	if len(lacks) > 0 && !of(repair.Heal, repair.Hopeless) || len(lacks) == 0 && of(repair.Heal) {
		t.Errorf("a restore lacks %v after the repair, which said %+v", lacks, plan.Steps)
	}
}
