package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/ledger"
)

const harmsOfList = "nothing that restore does not find by other means, with the kit; but deletion stops until it is back:  coffer repair"

// A stand is what is read in the place of a ledger or roll that is lost. It may
// have been made when packs were away, so it proves nothing by itself.
type stand struct {
	name  string
	why   error
	moves []string // base names of those that say so
	books []*book
	packs []ledger.Pack
	// copied: packs are those of a true copy on this device, whatever stands in.
	copied bool
	// lacks are the numbers that it does not name and may have to: true if a
	// ledger surely needs it.
	lacks map[numbered]bool
	spare []numbered // those of lacks that are there, once each
}

// key stands for it in proofs: of another move nothing was proven.
func (s *stand) key() string { return s.name + " " + strings.Join(s.moves, " ") }

// standIn returns what stands in for a ledger or roll that cannot be read, or
// nil.
func (c *check) standIn(ctx context.Context, name string, why error, b *book) (*stand, error) {
	if !errors.Is(why, vault.ErrDamaged) && !isRoll(why) {
		return nil, why
	}
	st, ok := c.stands[name]
	if !ok {
		var err error
		if st, err = c.newStand(ctx, name, why); err != nil {
			return nil, err
		}
		c.stands[name] = st
	}
	if st != nil && !slices.Contains(st.books, b) {
		st.books = append(st.books, b)
	}
	return st, nil
}

func (c *check) newStand(ctx context.Context, name string, why error) (*stand, error) {
	all, err := c.allMoves(ctx)
	if err != nil {
		return nil, err
	}
	l, err := c.v.StandIn(ctx, all, name)
	if err != nil || l == nil {
		return nil, err
	}
	st := &stand{name: name, why: why, lacks: map[numbered]bool{}}
	for _, m := range all {
		if slices.Contains(m.Commit.Old, name) {
			st.moves = append(st.moves, m.Name.Base())
		}
	}
	if st.packs, err = c.v.CopyOf(ctx, name); err == nil {
		st.copied = true
		return st, nil
	}
	if vault.IsRemote(err) {
		return nil, err
	}
	st.packs, err = c.v.PacksNamed(ctx, l)
	return st, err
}

// pageOf picks what a ledger needs of a folder from what stands in for its roll.
func (c *check) pageOf(f *ledger.Folder, st *stand) (needs []*need) {
	needs = []*need{} // known, though it may be nothing
	named := ledger.Bits{}
	for _, p := range st.packs {
		if p.Series == f.Series && ledger.FolderOf(p.Number) == f.Folder && (f.All || f.Bits.Has(p.Number)) {
			needs = append(needs, c.need(p))
			named.Add(p.Number)
		}
	}
	c.lookFor(f.Series)
	for i := range uint32(folderSize) {
		if number := f.Folder*folderSize + i; !named.Has(number) && (f.All || f.Bits.Has(number)) {
			st.lacks[numbered{f.Series, number}] = st.lacks[numbered{f.Series, number}] || !f.All
		}
	}
	return needs
}

// folderSize is how many pack numbers a roll lists.
const folderSize = 1024

// lookFor has all packs of a series noted that are listed.
func (c *check) lookFor(s chunk.Series) {
	if c.spare[s] == nil {
		c.spare[s] = map[uint32][]ledger.Pack{}
	}
}

// needSpare counts packs as needed that what stands in for a list does not name,
// and that are there: they were away when it was made, and a restore tries them.
func (c *check) needSpare() {
	for _, st := range c.stands {
		if st == nil || st.copied {
			continue
		}
		c.lackedByLedger(st)
		for k := range st.lacks {
			if listed := c.spare[k.series][k.number]; len(listed) == 1 {
				st.spare = append(st.spare, k)
				c.adopt(st, listed[0])
			}
		}
	}
}

// lackedByLedger enters what may lack in what stands in for a ledger. Only when
// manifests are walked is it found out what does.
func (c *check) lackedByLedger(st *stand) {
	if !c.o.Deep || !strings.HasPrefix(st.name, "ledgers/") {
		return
	}
	named := map[numbered]bool{}
	for _, p := range st.packs {
		named[numbered{p.Series, p.Number}] = true
	}
	for series, numbers := range c.spare {
		for number := range numbers {
			if k := (numbered{series, number}); !named[k] {
				st.lacks[k] = false
			}
		}
	}
}

// adopt counts a listed pack as one that the books need for which st stands in.
func (c *check) adopt(st *stand, p ledger.Pack) {
	n := c.needed[idOf(p)]
	if n == nil {
		n = c.need(p)
		c.res.Packs++
		c.res.Bytes += p.Size
		c.res.Unneeded--
		c.res.UnneededBytes -= p.Size
	}
	n.found = true
	for _, b := range st.books {
		c.needs(b, n)
	}
}

// tellStands tells of the lists that something stands in for.
func (c *check) tellStands() {
	for _, name := range slices.Sorted(maps.Keys(c.stands)) {
		if st := c.stands[name]; st != nil {
			c.tellStand(st)
		}
	}
}

func (c *check) tellStand(st *stand) {
	snaps := map[*vault.Snapshot]bool{}
	for _, b := range st.books {
		for _, s := range c.snapsOf(b) {
			snaps[s] = true
		}
	}
	needing := c.only(snaps)
	r := Replacement{Object: st.name, Err: st.why, Moves: st.moves, Snapshots: shorts(needing)}
	if lost := c.lackedFor(st); len(lost) > 0 {
		c.tell(Problem{Object: st.name, Err: fmt.Errorf("%w: what stands in for it does not name %s, and no single pack of that number is there", vault.ErrDamaged, packsText(lost)),
			Snapshots: r.Snapshots, Harms: "the files of these snapshots that have a part in them; everything else restores"})
		return
	}
	if n := len(st.spare); n > 0 && !strings.HasPrefix(st.name, "ledgers/") {
		r.Note = fmt.Sprintf("of packs that it does not name there are %d; a restore tries them", n)
	}
	r.Proven = c.o.Deep && !c.gaps && !c.unnamed
	r.Sure = r.Proven || st.copied
	if !r.Sure && c.proven.lists[st.key()] && c.proven.read(needing) {
		r.Sure, r.Before = true, c.proven.At
	}
	c.tellOf(r)
}

// lackedFor lists the packs that a ledger certainly needs, that what stands in
// for their roll does not name, and that are not there.
func (c *check) lackedFor(st *stand) (lost []numbered) {
	for k, surely := range st.lacks {
		if surely && !slices.Contains(st.spare, k) {
			lost = append(lost, k)
		}
	}
	slices.SortFunc(lost, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	return lost
}

// packsText names the first of some packs, and how many there are.
func packsText(packs []numbered) string {
	s := fmt.Sprintf("pack %x/%010d", packs[0].series, packs[0].number)
	if n := len(packs) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
