package commit

import (
	"fmt"
	"io/fs"
	"iter"

	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// A Source reads one device's commits from wherever they are.
type Source struct {
	// List returns the names of all commits in a folder, in order.
	List func(folder uint64) ([]Name, error)
	// Get returns a commit that [Open] accepted under that name with the
	// device's key.
	Get func(Name) (*Commit, error)
}

// Ancestors yields head and then all its ancestors, each once, newest first.
// Where the history is a line it reads two commits and a listing for each
// folder of 1,024; where it forked it reads every commit. Every step is
// checked: what is yielded is what head vouches for, whatever the source
// returns. An error ends the sequence.
func Ancestors(head *Commit, src Source) iter.Seq2[Name, error] {
	return func(yield func(Name, error) bool) {
		w := walker{src: src, open: map[Name]*Commit{head.name: head}, yield: yield}
		for len(w.open) > 0 && w.step() {
		}
	}
}

// A walker goes back through a history. open holds the commits that are known
// to be ancestors and were not yielded yet; all others that will be yielded
// are ancestors of these.
type walker struct {
	src    Source
	open   map[Name]*Commit
	folder uint64 // the folder that names lists
	names  []Name
	yield  func(Name, error) bool
}

// step yields the newest open commit, with the line of commits that leads to
// it if there is one, and opens what comes before. It reports whether to go on.
func (w *walker) step() bool {
	c := w.newest()
	delete(w.open, c.name)
	if !w.yield(c.name, nil) {
		return false
	}
	if len(w.open) == 0 { // no branch is open beside it
		first, ok := w.line(c)
		if !ok {
			return false
		}
		c = first
	}
	prevs, err := w.prevs(c)
	if err != nil {
		w.yield(Name{}, err)
		return false
	}
	for _, p := range prevs {
		w.open[p.name] = p
	}
	return true
}

func (w *walker) newest() (c *Commit) {
	for n, o := range w.open {
		if c == nil || compareBase(n, c.name) > 0 {
			c = o
		}
	}
	return c
}

// line yields the names before c in its folder, if the listing is a line that
// c vouches for, and returns the folder's first commit; else c itself. It
// reports whether to go on.
func (w *walker) line(c *Commit) (*Commit, bool) {
	names, err := w.list(FolderOf(c.Seq))
	if err != nil {
		w.yield(Name{}, err)
		return nil, false
	}
	if VerifyListing(c, names) != nil {
		return c, true
	}
	names, _ = upTo(c, names)
	for i := len(names) - 2; i >= 0; i-- {
		if !w.yield(names[i], nil) {
			return nil, false
		}
	}
	if len(names) == 1 {
		return c, true
	}
	first, err := w.get(names[0])
	if err == nil && (first.Chain != c.FolderChain || first.FolderChain != first.Chain) {
		err = fmt.Errorf("%w: %s does not start the folder that %s is in", ErrListing, first.name, c.name)
	}
	if err != nil {
		w.yield(Name{}, err)
		return nil, false
	}
	return first, true
}

// prevs returns the predecessors of c, after checking that it follows them.
func (w *walker) prevs(c *Commit) ([]*Commit, error) {
	prevs := make([]*Commit, len(c.Prev))
	for i, base := range c.Prev {
		n, err := ParseBase(base)
		if err != nil {
			return nil, err
		}
		n.Device = c.Device
		if prevs[i] = w.open[n]; prevs[i] != nil {
			continue
		}
		if prevs[i], err = w.get(n); err != nil {
			return nil, err
		}
	}
	return prevs, c.Follows(prevs...)
}

func (w *walker) get(n Name) (*Commit, error) {
	c, err := w.src.Get(n)
	if err == nil && c.name != n {
		err = fmt.Errorf("read %s: got %s", n, c.name)
	}
	return c, err
}

func (w *walker) list(folder uint64) (names []Name, err error) {
	if w.names == nil || w.folder != folder {
		w.names, err = w.src.List(folder)
		w.folder = folder
	}
	return w.names, err
}

// Standing yields the commits of a revoked device that still count, newest
// first: the one that until names, and its ancestors. If that one is not there
// the error is fs.ErrNotExist.
func Standing(until trust.Until, src Source) iter.Seq2[Name, error] {
	return func(yield func(Name, error) bool) {
		if until.Seq == 0 {
			return
		}
		head, err := last(until, src)
		if err != nil {
			yield(Name{}, err)
			return
		}
		Ancestors(head, src)(yield)
	}
}

// Counts reports whether a commit of a device counts: always, unless the
// device is revoked and n is neither the commit that until names nor an
// ancestor of it.
func Counts(n Name, until *trust.Until, src Source) (bool, error) {
	if until == nil {
		return true, nil
	}
	if n.Seq > until.Seq {
		return false, nil
	}
	for a, err := range Standing(*until, src) {
		if err != nil {
			return false, err
		}
		if a == n {
			return true, nil
		}
		if a.Seq < n.Seq {
			return false, nil
		}
	}
	return false, nil
}

func last(until trust.Until, src Source) (*Commit, error) {
	names, err := src.List(FolderOf(until.Seq))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if n.Seq == until.Seq && canon.Sum(n.Sum) == until.Hash {
			return src.Get(n)
		}
	}
	return nil, fmt.Errorf("last valid commit %d-%s of a revoked device: %w", until.Seq, until.Hash, fs.ErrNotExist)
}
