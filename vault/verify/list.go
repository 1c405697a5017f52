package verify

import (
	"context"
	"fmt"

	"coffer/vault"
	"coffer/vault/ledger"
)

// listPacks looks for every needed pack in a listing, and for those that only a
// list that is lost had named.
func (c *check) listPacks(ctx context.Context) error {
	needed := len(c.needed)
	if err := c.walkStands(ctx); err != nil {
		return err
	}
	if len(c.needed) > needed {
		if err := c.moves(ctx); err != nil {
			return err
		}
	}
	if err := c.listing(ctx); err != nil {
		return err
	}
	for c.needSpare() {
		lacked := len(c.spare)
		needed = len(c.needed)
		if err := c.moves(ctx); err != nil {
			return err
		}
		if len(c.needed) == needed && len(c.spare) == lacked {
			break
		}
		if err := c.listing(ctx); err != nil { // for what these moves name
			return err
		}
	}
	for _, n := range c.needed {
		var bad bool
		n.read, bad = c.reads.Get(n.pack)
		switch {
		case !n.found:
			n.bad = errMissing
		case n.bad == nil && bad:
			n.bad = fmt.Errorf("%w: its bytes were wrong when it was last read", vault.ErrDamaged)
		}
	}
	return nil
}

// listing lists all packs.
func (c *check) listing(ctx context.Context) error {
	c.res.Unneeded, c.res.UnneededBytes = 0, 0
	for k := range c.spare {
		c.spare[k] = nil
	}
	for info, err := range c.v.Store().List(ctx, "packs/", "") {
		if err != nil {
			return fmt.Errorf("list packs: %w", err)
		}
		p, err := ledger.ParsePackName(info.Name)
		if err != nil {
			if !c.told[info.Name] {
				c.tell(Problem{Object: info.Name, Err: err, Harms: "nothing: it is not one of ours"})
			}
			continue
		}
		p.Size = info.Size
		if k := (numbered{p.Series, p.Number}); c.lacked(k) {
			c.spare[k] = append(c.spare[k], p)
		}
		n := c.needed[idOf(p)]
		if n == nil {
			c.res.Unneeded++
			c.res.UnneededBytes += info.Size
			continue
		}
		n.found = true
		switch n.pack.Size {
		case info.Size:
		case 0: // nobody said how large it is
			n.pack.Size = info.Size
		default:
			n.bad = fmt.Errorf("%w: it has %d bytes, not %d", vault.ErrDamaged, info.Size, n.pack.Size)
		}
	}
	return nil
}

// listBodies looks for every snapshot's body and every move's map in a listing.
func (c *check) listBodies(ctx context.Context) error {
	for _, prefix := range []string{"snapshots/", "moves/"} {
		for info, err := range c.v.Store().List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("list %s: %w", prefix, err)
			}
			c.listed[info.Name] = info.Size
		}
	}
	if err := c.listMaps(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, s := range c.snaps {
		body := s.Commit.Body
		if _, ok := c.listed[body]; ok || told[body] {
			continue
		}
		told[body] = true
		c.tell(Problem{Object: body, Err: errMissing, Harms: "this snapshot: its folders can still be found in its packs", Snapshots: []string{s.Short()}})
	}
	return nil
}
