package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"coffer/vault"
	"coffer/vault/ledger"
)

const harmsOfList = "nothing that restore does not find by other means, with the kit; but deletion stops until it is back:  coffer repair"

// A stand is what is read in the place of a ledger or roll that is lost. It may
// have been made when packs were away, so it proves nothing by itself.
type stand struct {
	name  string
	why   error
	key   string   // see keyOf
	moves []string // base names of those that say so
	books []*book
	packs []ledger.Pack
	// copied: packs are those of a true copy on this device, whatever stands in.
	copied bool
	// lacks are the numbers that it does not name and may have to: true if a
	// ledger surely needs it.
	lacks map[numbered]bool
	users map[numbered][]*book // Deep: whose manifests need them
	spare map[numbered]*need   // those of lacks that have a name
	there int                  // of them, those that are listed
}

// keyOf is what it is called in proofs: of another move, or of another list of
// the same moves, of which one may be lost and come back, nothing was proven.
func (s *stand) keyOf() string {
	h := sha256.New()
	for _, p := range s.packs {
		fmt.Fprintln(h, p.Name())
	}
	return fmt.Sprintf("%s %s %x", s.name, strings.Join(s.moves, " "), h.Sum(nil)[:8])
}

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
	if st != nil {
		st.standFor(b)
	}
	return st, nil
}

// standFor notes a book that needs it.
func (st *stand) standFor(b *book) {
	if !slices.Contains(st.books, b) {
		st.books = append(st.books, b)
	}
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
	st := &stand{name: name, why: why, lacks: map[numbered]bool{}, users: map[numbered][]*book{}, spare: map[numbered]*need{}}
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
	st.packs = nil
	// A roll by which it names some may be lost, too: then it lacks them.
	for p, err := range vault.Packs(l, func(roll string) ([]byte, error) { return c.v.Peek(ctx, roll, ledger.MaxRoll) }) {
		if err == nil {
			st.packs = append(st.packs, p)
		} else if err := c.damage(err, name, &book{}, harmsOfList); err != nil {
			return nil, err
		}
	}
	st.key = st.keyOf()
	return st, nil
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
	for i := range uint32(folderSize) {
		if number := f.Folder*folderSize + i; !named.Has(number) && (f.All || f.Bits.Has(number)) {
			c.lack(st, numbered{f.Series, number}, !f.All)
		}
	}
	return needs
}

// folderSize is how many pack numbers a roll lists.
const folderSize = 1024

// lack notes a number that a stand does not name.
func (c *check) lack(st *stand, k numbered, surely bool) {
	st.lacks[k] = st.lacks[k] || surely
	if !c.lacked(k) {
		c.spare[k] = nil
	}
}

// lacked tells whether some stand does not name a number.
func (c *check) lacked(k numbered) bool {
	_, ok := c.spare[k]
	return ok
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
	needing := c.snapsOfStand(st)
	r := Replacement{Object: st.name, Err: st.why, Moves: st.moves, Snapshots: shorts(needing)}
	if lost := c.missedFor(st); len(lost) > 0 {
		c.tell(Problem{Object: st.name, Err: fmt.Errorf("%w: what stands in for it does not name %s, and no single pack of that number is there", vault.ErrDamaged, packsText(lost)),
			Snapshots: r.Snapshots, Harms: "the files of these snapshots that have a part in them; everything else restores"})
		return
	}
	if st.there > 0 {
		r.Note = fmt.Sprintf("of packs that it does not name there are %d; a restore tries them", st.there)
	}
	r.Proven = c.o.Deep && !c.gaps && !c.unnamed
	r.Sure = r.Proven || st.copied
	if !r.Sure && c.proven.ofList(st) && c.proven.read(needing) {
		r.Sure, r.Before = true, c.proven.At
	}
	c.tellOf(r)
}

// snapsOfStand lists the snapshots that need the list for which it stands in.
func (c *check) snapsOfStand(st *stand) []*vault.Snapshot {
	snaps := map[*vault.Snapshot]bool{}
	for _, b := range st.books {
		for _, s := range c.snapsOf(b) {
			snaps[s] = true
		}
	}
	return c.only(snaps)
}

// lackedFor lists the packs that a ledger certainly needs, that what stands in
// for it or for their roll does not name, and of which no name is known.
func (c *check) lackedFor(st *stand) (lost []numbered) {
	for k, surely := range st.lacks {
		if surely && st.spare[k] == nil {
			lost = append(lost, k)
		}
	}
	slices.SortFunc(lost, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	return lost
}

// missedFor lists those of them that harm something: with Deep none of which a
// restore finds all that snapshots need, by the moves of its number.
func (c *check) missedFor(st *stand) []numbered {
	lost := c.lackedFor(st)
	if c.o.Deep {
		lost = slices.DeleteFunc(lost, func(k numbered) bool {
			return !slices.ContainsFunc(st.users[k], func(b *book) bool { return b.of != nil || c.unknown[nameless{b, k}] != nil })
		})
	}
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
