package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/vault"
)

// tellBadPacks tells which packs are bad, and which snapshots and files need
// them, or where their chunks are now.
func (c *check) tellBadPacks(ctx context.Context) error {
	j, err := c.newJudge(ctx)
	if err != nil {
		return err
	}
	var bad []*need
	var proven []string
	for _, n := range c.needed {
		switch {
		case n.bad == nil:
		case c.isRepacked(n) && c.sureOfDeep(n):
			c.res.Repacked++
			proven = c.proves(proven, n) // without the kit it cannot be seen again, unless the repack knew all that need it
		case j.isFreed(n) && c.harmed[n] == nil:
			c.res.Repacked++ // a prune has taken it away, or may
		default:
			bad = append(bad, n)
		}
	}
	for _, n := range bad {
		c.found = append(c.found, vault.PackRead{Pack: n.pack, Err: n.bad})
	}
	if err := c.flush(); err != nil {
		c.tell(Problem{Object: "this device's local state", Err: err, Harms: "the next backup may rely on the packs named here: verify again"})
	}
	c.tellNameless()
	c.tellStands()
	slices.SortFunc(bad, func(a, b *need) int { return strings.Compare(a.pack.Name(), b.pack.Name()) })
	for _, n := range bad {
		if !c.heals(n, j) {
			c.tellBad(n, j.unhealed[n.pack.Name()].Left)
			continue
		}
		c.tellReplaced(n, j)
		if c.sureOfDeep(n) {
			proven = c.proves(proven, n)
		}
	}
	return errors.Join(c.v.SettleWounds(proven), c.keepProofs(proven))
}

// heals tells whether a bad pack harms nothing, as far as can be told: with
// Deep because no file was found that lacks anything, else because a move
// replaces it and nothing says that it does not replace all.
func (c *check) heals(n *need, j *judge) bool {
	if c.o.Deep {
		return c.harmed[n] == nil && (len(c.moved[n.pack.Name()]) > 0 || c.elsewhere[n])
	}
	return j.unhealed[n.pack.Name()].Left == 0 && (j.isHealed(n) || c.isReplaced(n))
}

// sureOfDeep tells whether every manifest was walked and no file found that
// lacks anything of a pack.
func (c *check) sureOfDeep(n *need) bool { return c.o.Deep && !c.gaps && c.harmed[n] == nil }

// proves adds a pack to those that are proven to harm nothing, for the next time.
// Where moves replace another pack of its number too, chunks of it may have been
// found by those, and nobody misses them without the identity.
func (c *check) proves(proven []string, n *need) []string {
	if _, alone := c.oldPacks().Pack(n.pack.Series, n.pack.Number); !alone {
		return proven
	}
	return append(proven, n.pack.Name())
}

func (c *check) tellReplaced(n *need, j *judge) {
	r := Replacement{Object: n.pack.Name(), Err: n.bad, Snapshots: shorts(c.needing(n)), Proven: c.sureOfDeep(n)}
	r.Sure = r.Proven || j.isHealed(n)
	if r.Sure && !r.Proven && !j.unhealed[r.Object].All {
		r.Before = c.proven.At
	}
	for _, m := range c.moved[n.pack.Name()] {
		r.Moves = append(r.Moves, m.Name.Base())
	}
	c.tellOf(r)
}

func (c *check) tellOf(r Replacement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Sure {
		c.res.Replaced = append(c.res.Replaced, r)
	} else {
		c.res.Doubts = append(c.res.Doubts, r)
	}
	if c.o.OnReplaced != nil {
		c.o.OnReplaced(r)
	}
}

func (c *check) tellBad(n *need, unhealed int) {
	p := Problem{Object: n.pack.Name(), Err: n.bad, Snapshots: shorts(c.needing(n)),
		Harms: "the files of these snapshots that have a part in this pack; everything else restores"}
	moved := len(c.moved[p.Object]) > 0
	if h := c.harmed[n]; h != nil {
		p.Files, p.FileCount = h.files, h.count
	}
	switch {
	case moved && c.o.Deep:
		p.Harms = "these files; all else that was in this pack is stored elsewhere now and restores"
	case moved && unhealed == 1:
		p.Harms = "1 chunk that was not on the disk any more, and the files that had it; all else that was in this pack is stored elsewhere now"
	case moved && unhealed > 0:
		p.Harms = fmt.Sprintf("%d chunks that were not on the disk any more, and the files that had them; all else that was in this pack is stored elsewhere now", unhealed)
	}
	c.tell(p)
}
