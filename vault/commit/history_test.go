package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/vault/trust"

	"pgregory.net/rapid"
)

// A past is one device's commits, as a remote would have them.
type past struct {
	commits map[Name]*Commit
	gets    int // how many were fetched
	lists   int
}

// add signs a commit that follows prevs.
func (p *past) add(t testing.TB, prevs ...*Commit) *Commit {
	t.Helper()
	c := example(Check)
	c.Time = noon.Add(time.Duration(len(p.commits)) * time.Second)
	if err := c.Follow(prevs...); err != nil {
		t.Fatal(err)
	}
	mustSign(t, c)
	p.commits[c.Name()] = c
	return c
}

// line adds n commits, one after the other.
func (p *past) line(t testing.TB, from *Commit, n int) *Commit {
	t.Helper()
	for range n {
		if from == nil {
			from = p.add(t)
			continue
		}
		from = p.add(t, from)
	}
	return from
}

func (p *past) clone() *past { return &past{commits: maps.Clone(p.commits)} }

func (p *past) list(folder uint64) ([]Name, error) {
	p.lists++
	var names []Name
	for n := range p.commits {
		if FolderOf(n.Seq) == folder {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, Compare)
	return names, nil
}

func (p *past) source() Source {
	return Source{List: p.list, Get: func(n Name) (*Commit, error) {
		p.gets++
		if c, ok := p.commits[n]; ok {
			return c, nil
		}
		return nil, fs.ErrNotExist
	}}
}

// ancestors is the simplest way to the same end: following prev.
func (p *past) ancestors(head *Commit) map[Name]bool {
	byBase := map[string]*Commit{}
	for n, c := range p.commits {
		byBase[n.Base()] = c
	}
	all := map[Name]bool{}
	todo := []*Commit{head}
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if all[c.Name()] {
			continue
		}
		all[c.Name()] = true
		for _, base := range c.Prev {
			todo = append(todo, byBase[base])
		}
	}
	return all
}

// longPast is a line of commits over three folders. Tests clone it.
func longPast(t testing.TB) (*past, *Commit) {
	p := &past{commits: map[Name]*Commit{}}
	return p, p.line(t, nil, 2060)
}

func TestFollow(t *testing.T) {
	p := &past{commits: map[Name]*Commit{}}
	a := p.add(t)
	b := p.add(t, a)
	left, right := p.add(t, b), p.add(t, b)
	longer := p.add(t, right)
	joined := p.add(t, left, longer, left)
	for _, c := range []struct {
		c     *Commit
		seq   uint64
		prevs []*Commit
	}{{a, 1, nil}, {b, 2, []*Commit{a}}, {left, 3, []*Commit{b}}, {right, 3, []*Commit{b}}, {longer, 4, []*Commit{right}}, {joined, 5, []*Commit{left, longer}}} {
		if c.c.Seq != c.seq || c.c.FolderChain != a.Chain {
			t.Errorf("seq %d, want %d; folder chain %s", c.c.Seq, c.seq, c.c.FolderChain)
		}
		if err := c.c.Follows(c.prevs...); err != nil {
			t.Error(err)
		}
		if err := c.c.Check(); err != nil {
			t.Error(err)
		}
	}
	if joined.Follows(left) == nil || joined.Follows(longer, right) == nil || b.Follows() == nil {
		t.Error("a commit follows what it does not name")
	}
	for why, spoil := range map[string]func(c *Commit){
		"number":       func(c *Commit) { c.Seq++ },
		"chain":        func(c *Commit) { c.Chain = strings.Repeat("0", 64) },
		"folder chain": func(c *Commit) { c.FolderChain = strings.Repeat("0", 64) },
	} {
		bad := *joined
		spoil(&bad)
		if bad.Follows(left, longer) == nil {
			t.Errorf("another %s: accepted", why)
		}
	}
	unsigned, foreign := example(Check), example(Check)
	foreign.Device, foreign.Heads = desktop, nil
	mustSign(t, foreign)
	if example(Check).Follow(unsigned) == nil || example(Check).Follow(foreign) == nil {
		t.Error("followed a commit that was not signed, or another device's")
	}
}

// Whatever was done to a listing is noticed.
func TestVerifyListing(t *testing.T) {
	p := &past{commits: map[Name]*Commit{}}
	head := p.line(t, nil, 12)
	good, _ := p.list(0)
	if err := VerifyListing(head, good); err != nil {
		t.Fatal(err)
	}
	later := p.add(t, head)
	if err := VerifyListing(head, append(slices.Clone(good), later.Name())); err != nil {
		t.Errorf("a later commit: %v", err)
	}
	for i := range good {
		removed := slices.Delete(slices.Clone(good), i, i+1)
		if err := VerifyListing(head, removed); !errors.Is(err, ErrListing) {
			t.Errorf("without commit %d: %v", i+1, err)
		}
		if err := VerifyListing(head, good[:i]); !errors.Is(err, ErrListing) {
			t.Errorf("cut to %d: %v", i, err)
		}
		swapped := slices.Clone(good)
		swapped[i].Sum[5] ^= 1
		if err := VerifyListing(head, swapped); !errors.Is(err, ErrListing) {
			t.Errorf("commit %d swapped: %v", i+1, err)
		}
		dated := slices.Clone(good)
		dated[i].Time = dated[i].Time.Add(time.Hour)
		if err := VerifyListing(head, dated); !errors.Is(err, ErrListing) {
			t.Errorf("commit %d dated otherwise: %v", i+1, err)
		}
		forged := good[i]
		forged.Sum[5] ^= 1
		inserted := slices.Insert(slices.Clone(good), i, forged)
		slices.SortFunc(inserted, Compare)
		if err := VerifyListing(head, inserted); !errors.Is(err, ErrForked) {
			t.Errorf("beside commit %d: %v", i+1, err)
		}
		for j := range i {
			reordered := slices.Clone(good)
			reordered[i], reordered[j] = reordered[j], reordered[i]
			if err := VerifyListing(head, reordered); err == nil {
				t.Errorf("commits %d and %d reordered: accepted", i+1, j+1)
			}
		}
	}
	foreign := slices.Clone(good)
	foreign[3].Device = desktop
	if err := VerifyListing(head, foreign); !errors.Is(err, ErrListing) {
		t.Errorf("a name of another device: %v", err)
	}
	if err := VerifyListing(head, nil); !errors.Is(err, ErrListing) {
		t.Errorf("nothing: %v", err)
	}
}

func TestVerifyListingInLaterFolders(t *testing.T) {
	p, head := longPast(t)
	byNumber := map[uint64]*Commit{}
	for _, c := range p.commits {
		byNumber[c.Seq] = c
	}
	for _, seq := range []uint64{1, 1023, 1024, 1025, 2047, 2048, 2060} {
		names, _ := p.list(FolderOf(seq))
		if err := VerifyListing(byNumber[seq], names); err != nil {
			t.Errorf("head %d: %v", seq, err)
		}
	}
	if err := VerifyLink(head, byNumber[2047]); err != nil {
		t.Error(err)
	}
	if err := VerifyLink(byNumber[1500], byNumber[1023]); err != nil {
		t.Error(err)
	}
	other := p.add(t, byNumber[2046])
	for why, last := range map[string]*Commit{"not the last": byNumber[2046], "another past": other, "a later one": head} {
		if err := VerifyLink(head, last); !errors.Is(err, ErrListing) {
			t.Errorf("%s: %v", why, err)
		}
	}
	names, _ := p.list(2)
	if err := VerifyListing(head, names[1:]); !errors.Is(err, ErrListing) {
		t.Errorf("folder without its first commit: %v", err)
	}
}

func TestAncestorsOfALineAreCheap(t *testing.T) {
	p, head := longPast(t)
	want := uint64(2060)
	for n, err := range Ancestors(head, p.source()) {
		if err != nil {
			t.Fatal(err)
		}
		if n.Seq != want {
			t.Fatalf("got commit %d, want %d", n.Seq, want)
		}
		want--
	}
	if want != 0 {
		t.Errorf("ended after commit %d", want+1)
	}
	if p.gets > 6 || p.lists > 3 {
		t.Errorf("read %d commits and %d listings for three folders", p.gets, p.lists)
	}
}

// Whatever shape a history has, Ancestors yields what following prev gives,
// newest first, each once.
func TestAncestorsOfForks(t *testing.T) {
	border := &past{commits: map[Name]*Commit{}}
	trunk := border.line(t, nil, 1018)
	rapid.Check(t, func(r *rapid.T) {
		p := border.clone()
		heads := []*Commit{trunk}
		if rapid.Bool().Draw(r, "fork at the root") {
			p, heads = &past{commits: map[Name]*Commit{}}, []*Commit{nil}
		}
		all := slices.Clone(heads)
		for range rapid.IntRange(1, 14).Draw(r, "commits") {
			var prevs []*Commit
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 1, 3).Draw(r, "prevs") {
				if all[i] != nil {
					prevs = append(prevs, all[i])
				}
			}
			all = append(all, p.add(t, prevs...))
		}
		head := all[len(all)-1]
		want := p.ancestors(head)
		var got []Name
		for n, err := range Ancestors(head, p.source()) {
			if err != nil {
				r.Fatal(err)
			}
			if !want[n] {
				r.Fatalf("yields %s, which is no ancestor, or twice", n)
			}
			delete(want, n)
			got = append(got, n)
		}
		if len(want) > 0 {
			r.Fatalf("lacks %d ancestors", len(want))
		}
		if !slices.IsSortedFunc(got, func(a, b Name) int { return -Compare(a, b) }) {
			r.Fatal("not newest first")
		}
	})
}

// Whatever the remote takes away, adds or swaps, Ancestors yields nothing
// that head does not vouch for, and never ends early without an error.
func TestAncestorsFromAHostileRemote(t *testing.T) {
	honest := &past{commits: map[Name]*Commit{}}
	a := honest.line(t, nil, 5)
	left, right := honest.line(t, a, 3), honest.line(t, a, 2)
	head := honest.line(t, honest.add(t, left, right), 4)
	want := honest.ancestors(head)

	count := func(p *past, src Source) (n int, err error) {
		for name, err := range Ancestors(head, src) {
			if err != nil {
				return n, err
			}
			if !want[name] {
				t.Fatalf("yields %s, which head does not vouch for", name)
			}
			n++
		}
		return n, nil
	}
	if n, err := count(honest, honest.source()); err != nil || n != len(want) {
		t.Fatalf("honest: %d of %d, %v", n, len(want), err)
	}
	for name := range want {
		if name == head.Name() {
			continue
		}
		p := honest.clone()
		delete(p.commits, name)
		if n, err := count(p, p.source()); err == nil {
			t.Errorf("without %s: %d of %d and no error", name.Base(), n, len(want))
		}
		p = honest.clone()
		forged := name
		forged.Sum[0] ^= 1
		p.commits[forged] = p.commits[name]
		if n, err := count(p, p.source()); err != nil || n != len(want) {
			t.Errorf("with a forgery beside %s: %d of %d, %v", name.Base(), n, len(want), err)
		}
	}
	// A source that returns another commit than was asked for.
	lying := honest.source()
	lying.Get = func(Name) (*Commit, error) { return a, nil }
	if _, err := count(honest, lying); err == nil {
		t.Error("took any commit for the one it asked for")
	}
	broken := honest.source()
	broken.List = func(uint64) ([]Name, error) { return nil, errors.New("no network") }
	if _, err := count(honest, broken); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("a listing that fails: %v", err)
	}
	empty := honest.source()
	empty.List = func(uint64) ([]Name, error) { return nil, nil }
	if n, err := count(honest, empty); err != nil || n != len(want) {
		t.Errorf("an empty listing: %d of %d, %v: names come from what is signed", n, len(want), err)
	}
}

// A device that signs a chain that does not fit is caught.
func TestAncestorsNoticeAFalseChain(t *testing.T) {
	p := &past{commits: map[Name]*Commit{}}
	a := p.line(t, nil, 3)
	liar := example(Check)
	if err := liar.Follow(a); err != nil {
		t.Fatal(err)
	}
	liar.Chain = strings.Repeat("0", 64)
	mustSign(t, liar)
	p.commits[liar.Name()] = liar
	for _, err := range Ancestors(liar, p.source()) {
		if err != nil {
			return
		}
	}
	t.Error("accepted")
}

func TestStanding(t *testing.T) {
	p := &past{commits: map[Name]*Commit{}}
	a := p.line(t, nil, 5)
	last := p.line(t, a, 3)
	stolen := p.line(t, last, 4) // what a thief signed
	aside := p.line(t, a, 3)     // a branch that was never joined
	until := trust.Until{Seq: last.Seq, Hash: last.Name().Hash()}
	want := p.ancestors(last)
	var got []Name
	for n, err := range Standing(until, p.source()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if len(got) != len(want) || got[0] != last.Name() {
		t.Errorf("got %v", got)
	}
	for n := range p.commits {
		ok, err := Counts(n, &until, p.source())
		if err != nil || ok != want[n] {
			t.Errorf("%s counts: %v, %v; want %v", n.Base(), ok, err, want[n])
		}
	}
	if want[stolen.Name()] || want[aside.Name()] {
		t.Fatal("the test does not test anything")
	}

	if ok, err := Counts(stolen.Name(), nil, p.source()); !ok || err != nil {
		t.Errorf("a device in good standing: %v, %v", ok, err)
	}
	if ok, err := Counts(a.Name(), &trust.Until{}, p.source()); ok || err != nil {
		t.Errorf("a device of which nothing stands: %v, %v", ok, err)
	}
	for range Standing(trust.Until{}, p.source()) {
		t.Error("something stands of a device of which nothing does")
	}
	missing := trust.Until{Seq: 5, Hash: strings.Repeat("0", 64)}
	if _, err := Counts(a.Name(), &missing, p.source()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the last valid commit is not there: %v", err)
	}
	forged := a.Name()
	forged.Sum[0] ^= 1
	if ok, err := Counts(forged, &until, p.source()); ok || err != nil {
		t.Errorf("a forgery with an old number: %v, %v", ok, err)
	}
	for range Standing(until, p.source()) {
		break // stopping early must not panic
	}
}

// One op authenticates a listing of a full folder.
func BenchmarkVerifyListing(b *testing.B) {
	p := &past{commits: map[Name]*Commit{}}
	head := p.line(b, nil, 1023)
	names, _ := p.list(0)
	for range b.N {
		if err := VerifyListing(head, names); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	c := example(Snapshot)
	obj := mustSign(b, c)
	for range b.N {
		if _, err := Open(c.Name(), obj, pub); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleName() {
	n := Name{Device: laptop, Seq: 1, Kind: Snapshot, Time: noon}
	fmt.Println(n.Base()[:22])
	// Output: 0000000001-s006b02d940
}
