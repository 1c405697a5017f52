package verify

import (
	"context"
	"slices"
	"strings"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/state"
)

// What a bad pack held stands inside of seals, so without the identity nobody
// sees whether moves have all of it. This device knows it all the same of a pack
// of which it knew every chunk when it was found bad, and of what it has once
// seen proven: for the snapshots that were there then.

// proofs are what the last verification with the identity has proven.
type proofs struct {
	At    time.Time `json:"at"`
	Packs []string  `json:"packs,omitempty"` // bad packs: see check.proofOf
	Lists []string  `json:"lists,omitempty"` // ledgers and rolls for which others stand in: see stand.keyOf
	// Ledgers are the beginnings of the hashes in the names of the ledgers that
	// were read then: 16 hex digits each.
	Ledgers []string `json:"ledgers,omitempty"`
	Spares  []spare  `json:"spares,omitempty"`

	spares         map[string][]spare  // by Spare.List
	packs          map[string][]string // the moves that were there, by the full name of a bad pack
	lists, ledgers map[string]bool
}

// A spare is a pack that snapshots need and that what stands in for a list does
// not name: once proven, it is missed like any other.
type spare struct {
	List string `json:"list"` // see stand.keyOf
	Pack string `json:"pack"` // full name
	Size int64  `json:"size,omitempty"`
	// Ledgers are those whose snapshots need it, as in proofs; none: any whose
	// snapshots need the list.
	Ledgers []string `json:"ledgers,omitempty"`
}

// maxUsers bounds the ledgers of one spare.
const maxUsers = 64

const proofsFile = "proven.json"

// loadProofs reads what was proven on this device. A file that is damaged is
// like none: then --deep proves it again.
func loadProofs(v *vault.Vault) *proofs {
	p := new(proofs)
	if v.State() != nil {
		if was := readProofs(v.State()); was != nil {
			p = was
		}
	}
	p.packs, p.lists, p.ledgers = map[string][]string{}, setOf(p.Lists), setOf(p.Ledgers)
	for _, line := range p.Packs {
		if words := strings.Fields(line); len(words) > 1 {
			p.packs[words[0]] = words[1:]
		}
	}
	p.spares = map[string][]spare{}
	for _, s := range p.Spares {
		p.spares[s.List] = append(p.spares[s.List], s)
	}
	return p
}

func setOf(list []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}

func readProofs(d *state.Dir) *proofs {
	p, err := state.ReadSmall[proofs](d, proofsFile)
	if err != nil {
		return nil
	}
	return p
}

// short is how a proof names a ledger.
func short(ledger string) string {
	const hash, digits = 64, 16
	return ledger[max(0, len(ledger)-hash):][:digits]
}

// read tells whether the manifests of all these snapshots were walked then.
func (p *proofs) read(snaps []*vault.Snapshot) bool {
	return !slices.ContainsFunc(snaps, func(s *vault.Snapshot) bool { return !p.ledgers[short(s.Commit.Ledger)] })
}

// keepProofs notes what was proven, for the next time without the identity.
// Where a manifest could not be walked nothing is, and what was proven before
// and is not so any more is no longer.
func (c *check) keepProofs(packs []string) error {
	if !c.o.Deep || c.v.State() == nil {
		return nil
	}
	p := &proofs{At: plain(c.now)}
	for _, name := range packs {
		p.Packs = append(p.Packs, c.proofOf(name))
	}
	if c.gaps {
		*p = *c.proven
		p.Packs = slices.DeleteFunc(slices.Clone(p.Packs), func(line string) bool {
			return slices.ContainsFunc(c.harms(), func(n *need) bool { return strings.HasPrefix(line, n.pack.Name()) })
		})
		return c.v.State().WriteSmall(proofsFile, p)
	}
	for _, st := range c.stands {
		if st != nil && !st.copied && !c.unnamed && len(c.lackedFor(st)) == 0 { // a copy may go, and what it said with it
			p.Lists = append(p.Lists, st.key)
			p.Spares = append(p.Spares, st.spares()...)
		}
	}
	for _, b := range c.books {
		if len(b.snaps) > 0 {
			p.Ledgers = append(p.Ledgers, short(b.name))
		}
	}
	slices.Sort(p.Packs)
	slices.Sort(p.Lists)
	slices.Sort(p.Ledgers)
	return c.v.State().WriteSmall(proofsFile, p)
}

// proofOf is what a proof says of a bad pack: its full name, and the base names
// of the moves that replace it.
func (c *check) proofOf(pack string) string {
	line := pack
	for _, m := range c.moved[pack] {
		line += " " + m.Name.Base()
	}
	return line
}

// ofPack tells whether a bad pack was proven to harm nothing, by moves that are
// all there still: a rollback may have taken some away.
func (p *proofs) ofPack(name string, moves []*moved) bool {
	then, ok := p.packs[name]
	return ok && !slices.ContainsFunc(then, func(base string) bool {
		return !slices.ContainsFunc(moves, func(m *moved) bool { return m.Name.Base() == base })
	})
}

// ofList tells whether it was proven that all packs are there which snapshots
// need of a list.
func (p *proofs) ofList(st *stand) bool { return p.lists[st.key] }

// spares are the packs for a proof that manifests need beyond what it names.
func (st *stand) spares() (out []spare) {
	for k, books := range st.users {
		n := st.spare[k]
		if n == nil {
			continue
		}
		s := spare{List: st.key, Pack: n.pack.Name(), Size: n.pack.Size}
		if len(books) <= maxUsers {
			for _, b := range books {
				s.Ledgers = append(s.Ledgers, short(b.name))
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b spare) int { return strings.Compare(a.Pack, b.Pack) })
	return out
}

// harms are the packs that some file lacks something of.
func (c *check) harms() (out []*need) {
	for n := range c.harmed {
		out = append(out, n)
	}
	return out
}

// A judge tells of bad packs, without the identity, whether nothing that a
// snapshot needs of them can be lost.
type judge struct {
	c        *check
	unhealed map[string]vault.Unhealed
	before   map[string]map[string]bool // ancestors of a repack, by its name
	verdicts map[*need]bool             // false while it is being judged: moves may lead in a circle
}

// newJudge needs all moves and packs to have been looked at.
func (c *check) newJudge(ctx context.Context) (*judge, error) {
	j := &judge{c: c, before: map[string]map[string]bool{}, verdicts: map[*need]bool{}}
	var err error
	if j.unhealed, err = c.v.Unhealed(); err != nil {
		return nil, err
	}
	for _, moves := range c.moved {
		for _, m := range moves {
			name := m.Name.String()
			if !m.Commit.Repack || j.before[name] != nil {
				continue
			}
			if j.before[name], err = c.v.Ancestors(ctx, m.Commit); err != nil {
				return nil, err
			}
		}
	}
	return j, nil
}

// whole tells whether all that snapshots need of a pack is certainly there: in
// it, or where moves say.
func (j *judge) whole(n *need) bool {
	if n.bad == nil {
		return true
	}
	v, ok := j.verdicts[n]
	if !ok {
		j.verdicts[n] = false
		v = j.isFreed(n) || j.isHealed(n)
		j.verdicts[n] = v
	}
	return v
}

// isFreed tells whether repacks have moved what each commit needs that names the
// pack: each came before one of them. Of any other, nobody asked what it needs.
func (j *judge) isFreed(n *need) bool {
	if len(j.c.moved[n.pack.Name()]) == 0 {
		return false
	}
	for _, b := range j.c.books {
		if j.c.find(b, numbered{n.pack.Series, n.pack.Number}) != n {
			continue
		}
		if b.of != nil && !j.frees(n, b.of) {
			return false
		}
		for _, s := range b.snaps {
			if !j.frees(n, s.Commit) {
				return false
			}
		}
	}
	return true
}

// frees tells whether a good repack has moved what a commit needs of a pack.
func (j *judge) frees(n *need, c *commit.Commit) bool {
	return slices.ContainsFunc(j.c.moved[n.pack.Name()], func(m *moved) bool {
		if !m.Commit.Repack || !j.stands(m) {
			return false
		}
		if c.Device != m.Commit.Device {
			return slices.Contains(j.c.v.Trust().Lineage(m.Commit.Device), c.Device)
		}
		return j.before[m.Name.String()][c.Name().Base()]
	})
}

// isHealed tells whether moves have all chunks of a pack that anyone needs, as
// this device knows. Which move has which stands inside of their seals, so each
// must be good.
func (j *judge) isHealed(n *need) bool {
	name := n.pack.Name()
	u, known := j.unhealed[name]
	known = known && u.All && u.Left == 0
	moves := j.c.moved[name]
	return len(moves) > 0 && (known || j.wasProven(n)) && !slices.ContainsFunc(moves, func(m *moved) bool { return !j.stands(m) })
}

// wasProven tells whether --deep has proven it on this device, for all
// snapshots that need the pack.
func (j *judge) wasProven(n *need) bool {
	name := n.pack.Name()
	return j.c.proven.ofPack(name, j.c.moved[name]) && j.c.proven.read(j.c.needing(n))
}

// stands tells whether all that a move has moved is certainly there.
func (j *judge) stands(m *moved) bool {
	return !m.bad && !m.book.lost && !slices.ContainsFunc(j.c.standsOf(m.book), func(st *stand) bool { return !j.c.isSure(st) }) &&
		!slices.ContainsFunc(j.c.named(m.book), func(to *need) bool { return !j.whole(to) })
}

// isSure tells whether what stands in for a list is known to name, with its
// spares, all that is needed of the list.
func (c *check) isSure(st *stand) bool {
	return st.copied || c.proven.ofList(st) && c.proven.read(c.snapsOfStand(st))
}
