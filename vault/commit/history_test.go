package commit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/vault/trust/canon"
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
		twice := slices.Insert(slices.Clone(good), i, good[i])
		if err := VerifyListing(head, twice); !errors.Is(err, ErrListing) && i < len(good)-1 {
			t.Errorf("commit %d listed twice: %v", i+1, err)
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
	liar := *head // its chain fits, yet the commit before its folder is another
	chain, _ := canon.ParseSum(byNumber[2046].Chain)
	liar.FolderChain = canon.Sum(Chain([]Link{{chain, byNumber[2046].Name().Base()}}))
	if err := VerifyLink(&liar, byNumber[2046]); !errors.Is(err, ErrListing) {
		t.Errorf("a folder that follows from the last commit but one: %v", err)
	}
	names, _ := p.list(2)
	if err := VerifyListing(head, names[1:]); !errors.Is(err, ErrListing) {
		t.Errorf("folder without its first commit: %v", err)
	}
}

// newest first, each once.
// that head does not vouch for, and never ends early without an error.
// A device that signs a chain that does not fit is caught.
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

// The chain is over the predecessors sorted by name, in whatever order they
// are given, and each of them counts.
func TestChainOrder(t *testing.T) {
	a, b := Link{sum("a"), base(1, Snapshot, "a")}, Link{sum("b"), base(1, Snapshot, "b")}
	if a.Name > b.Name {
		a, b = b, a
	}
	one := Chain([]Link{a, b})
	if Chain([]Link{b, a}) != one {
		t.Error("the order in which they are given counts")
	}
	for _, other := range [][]Link{{a}, {b}, nil, {{a.Chain, b.Name}, {b.Chain, a.Name}}} {
		if Chain(other) == one {
			t.Errorf("%v has the same chain", other)
		}
	}
}
