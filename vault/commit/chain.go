package commit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"coffer/vault/trust/canon"
)

// A Link is what a chain value is made of: a commit's own chain value and its
// base name.
type Link struct {
	Chain [32]byte
	Name  string
}

// Chain returns the chain value of a commit whose predecessors are prevs, in
// any order: the SHA-256 over one line for each, sorted by name,
//
//	<chain in lower-case hex> <base name>\n
//
// and so the SHA-256 of nothing for a device's first commit. Each name holds
// the hash of its commit, so one chain value stands for all ancestors.
func Chain(prevs []Link) [32]byte {
	prevs = slices.SortedFunc(slices.Values(prevs), func(a, b Link) int { return cmp.Compare(a.Name, b.Name) })
	var b []byte
	for _, l := range prevs {
		b = hex.AppendEncode(b, l.Chain[:])
		b = append(append(append(b, ' '), l.Name...), '\n')
	}
	return sha256.Sum256(b)
}

// A place is where a commit stands in its device's history.
type place struct {
	seq                uint64
	prev               []string
	chain, folderChain string
}

// after returns the place of the commit that follows prevs, which are signed
// and sorted by name. In a fork the folder chain is that of the last one.
func after(prevs []*Commit) place {
	p := place{seq: 1, prev: []string{}}
	links := make([]Link, len(prevs))
	for i, c := range prevs {
		links[i].Chain, _ = canon.ParseSum(c.Chain) // Check has passed it
		links[i].Name = c.name.Base()
		p.prev = append(p.prev, links[i].Name)
	}
	p.chain = canon.Sum(Chain(links))
	p.folderChain = p.chain
	if len(prevs) > 0 {
		last := prevs[len(prevs)-1]
		p.seq = last.Seq + 1
		if FolderOf(last.Seq) == FolderOf(p.seq) {
			p.folderChain = last.FolderChain
		}
	}
	return p
}

// sorted returns the commits by base name, each once.
func sorted(cs []*Commit) []*Commit {
	cs = slices.SortedFunc(slices.Values(cs), func(a, b *Commit) int { return compareBase(a.name, b.name) })
	return slices.CompactFunc(cs, func(a, b *Commit) bool { return a.name == b.name })
}

// Follow gives c its place after heads: all commits of its device that no
// other names in prev; none for the first commit. It sets Seq, Prev, Chain and
// FolderChain. The heads must have been signed or opened. Of more than 16
// heads the newest are joined, and the others stay heads.
func (c *Commit) Follow(heads ...*Commit) error {
	heads = sorted(heads)
	for _, h := range heads {
		if h.name.Seq == 0 {
			return errors.New("follow a commit that was not signed yet")
		}
		if h.Vault != c.Vault || h.Device != c.Device {
			return fmt.Errorf("follow %s: it is of another device or vault", h.name)
		}
	}
	heads = heads[max(0, len(heads)-maxPrev):]
	p := after(heads)
	c.Seq, c.Prev, c.Chain, c.FolderChain = p.seq, p.prev, p.chain, p.folderChain
	return nil
}

// Follows reports whether c stands right after prevs: that its number and its
// chain values are the ones that [Commit.Follow] would have given it.
func (c *Commit) Follows(prevs ...*Commit) error {
	p := after(sorted(prevs))
	switch {
	case !slices.Equal(c.Prev, p.prev):
		return fmt.Errorf("commit %s: prev are other commits", c.name)
	case c.Seq != p.seq:
		return fmt.Errorf("commit %s: number is not %d", c.name, p.seq)
	case c.Chain != p.chain, c.FolderChain != p.folderChain:
		return fmt.Errorf("commit %s: chain does not fit its predecessors", c.name)
	}
	return nil
}

var (
	// ErrForked: two commits share a number, so no listing can be
	// authenticated by its head. The commits themselves must be read, as
	// [Ancestors] does.
	ErrForked = errors.New("history forks")
	// ErrListing: the names listed are not those that the head vouches for:
	// some were removed, inserted or swapped. Only where a history joined a
	// branch that ended in an earlier folder can it be innocent; reading the
	// commits tells.
	ErrListing = errors.New("listing does not fit the commit at its head")
)

// VerifyListing reports whether names are exactly the commits of head's
// folder: names holds all that were listed in it, in the order of the listing.
// Those after head are not looked at: they need a head of their own. It fails
// with ErrForked or ErrListing.
func VerifyListing(head *Commit, names []Name) error {
	names, err := upTo(head, names)
	if err != nil {
		return err
	}
	chain, err := canon.ParseSum(head.FolderChain)
	if err != nil {
		return fmt.Errorf("folder chain of %s: %w", head.name, err)
	}
	for _, n := range names[:len(names)-1] {
		chain = Chain([]Link{{chain, n.Base()}})
	}
	if canon.Sum(chain) != head.Chain {
		return fmt.Errorf("%w: %s does not vouch for these %d names", ErrListing, head.name, len(names))
	}
	return nil
}

// upTo returns the names of the folder up to head's, if there is exactly one
// for each number from the folder's first.
func upTo(head *Commit, names []Name) ([]Name, error) {
	next := max(1, FolderOf(head.Seq)*canon.FolderSize)
	for i, n := range names {
		switch {
		case n.Device != head.Device || FolderOf(n.Seq) != FolderOf(head.Seq):
			return nil, fmt.Errorf("%w: %s lies in another folder", ErrListing, n)
		case i > 0 && compareBase(names[i-1], n) >= 0:
			return nil, fmt.Errorf("%w: %s is out of order", ErrListing, n)
		case n.Seq < next:
			return nil, fmt.Errorf("%w: %s is not alone with its number", ErrForked, n)
		case n.Seq > next:
			return nil, fmt.Errorf("%w: commit %d is missing", ErrListing, next)
		case n.Seq == head.Seq && i+1 < len(names) && names[i+1].Seq == n.Seq:
			return nil, fmt.Errorf("%w: %s is not alone with its number", ErrForked, n)
		case n.Seq == head.Seq && n != head.name:
			return nil, fmt.Errorf("%w: %s is missing", ErrListing, head.name)
		case n.Seq == head.Seq:
			return names[:i+1], nil
		}
		next++
	}
	return nil, fmt.Errorf("%w: %s is missing", ErrListing, head.name)
}

// VerifyLink reports whether last, the last commit of a folder, is what the
// history in the next folder goes on from: head is any commit of that folder.
// It cannot tell where the history forked at that border.
func VerifyLink(head, last *Commit) error {
	if first := FolderOf(head.Seq) * canon.FolderSize; last.Seq+1 != first || last.Device != head.Device {
		return fmt.Errorf("%w: %s is not the commit before folder %d", ErrListing, last.name, FolderOf(head.Seq))
	}
	chain, err := canon.ParseSum(last.Chain)
	if err != nil {
		return fmt.Errorf("chain of %s: %w", last.name, err)
	}
	if canon.Sum(Chain([]Link{{chain, last.name.Base()}})) != head.FolderChain {
		return fmt.Errorf("%w: %s does not follow from %s", ErrListing, head.name, last.name)
	}
	return nil
}
