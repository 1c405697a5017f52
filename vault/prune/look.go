package prune

import (
	"context"
	"fmt"
	"strings"

	"coffer/vault"
)

// look is one complete look at the vault: its history, what is live, and what
// is there.
type look struct {
	past  *vault.Past
	lists []vault.Condemned
	dead  []Object // ours and not live, in the order of deletion, then by name
	live  Tallies
	keep  func(Object) // is told of each that is live; may be nil
	alive *live
}

// lookAt reads the history from scratch, then lists what may be dead. seen are
// commits that must be there.
func lookAt(ctx context.Context, v *vault.Vault, p *Progress, seen []string) (*look, error) {
	k := new(look)
	return k, k.take(ctx, v, p, seen)
}

func (k *look) take(ctx context.Context, v *vault.Vault, p *Progress, seen []string) error {
	p.stage("checking signatures and chains")
	var err error
	if k.past, err = v.Past(ctx, seen...); err != nil {
		return err
	}
	if k.lists, err = v.CondemnedLists(ctx); err != nil {
		return err
	}
	p.stage("reading ledgers")
	alive, err := findLive(ctx, v, k.past)
	if err != nil {
		return err
	}
	k.alive = alive
	p.stage("listing objects")
	listed := map[string]bool{}
	for kind := range kinds {
		if err := k.list(ctx, v, kind, alive, listed); err != nil {
			return err
		}
	}
	alive.lacking(listed)
	return nil
}

// list sorts the objects of a kind into live and dead ones.
func (k *look) list(ctx context.Context, v *vault.Vault, kind Kind, alive *live, listed map[string]bool) error {
	for info, err := range v.Store().List(ctx, folders[kind], "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", strings.TrimSuffix(folders[kind], "/"), err)
		}
		if err := ours(v, kind, info.Name); err != nil {
			k.past.Odd = append(k.past.Odd, vault.Problem{Object: info.Name, Err: err, Harms: "nothing: it is left out, and never deleted"})
			continue
		}
		if kind == Packs {
			alive.seen(info.Name, info.Size)
		} else {
			listed[info.Name] = true
		}
		if alive.has(kind, info.Name) {
			k.live[kind].add(info.Size)
			if k.keep != nil {
				k.keep(Object{Name: info.Name, Kind: kind, Size: info.Size, Stored: info.Time})
			}
			continue
		}
		k.dead = append(k.dead, Object{Name: info.Name, Kind: kind, Size: info.Size, Stored: info.Time})
	}
	return nil
}

// contains stops k if it lacks a commit that an earlier look has shown.
func (k *look) contains(earlier *look) {
	there := map[string]bool{}
	for _, c := range k.past.Commits {
		there[c.Name().String()] = true
	}
	for _, c := range earlier.past.Commits {
		if name := c.Name().String(); !there[name] {
			k.past.Stop(name, fmt.Errorf("%w: it was there when the plan was made", vault.ErrRollback), "what it says is not known any more")
		}
	}
}
