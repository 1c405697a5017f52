package vault

import (
	"slices"

	"coffer/chunk"
	"coffer/vault/ledger"
)

// OldPacks are the packs that moves replace, by their numbers. Where the list is
// lost that named such a pack, and the pack itself has gone, its name stands
// nowhere else.
type OldPacks struct {
	byNumber map[packKey][]ledger.Pack
}

// OldPacksOf gathers the packs that moves replace.
func OldPacksOf(moves []*Move) *OldPacks {
	o := &OldPacks{map[packKey][]ledger.Pack{}}
	for _, m := range moves {
		for _, old := range m.Commit.Old {
			p, err := ledger.ParsePackName(old)
			if k := (packKey{p.Series, p.Number}); err == nil && !slices.Contains(o.byNumber[k], p) {
				o.byNumber[k] = append(o.byNumber[k], p)
			}
		}
	}
	return o
}

// Pack returns the pack of a number, whose Size is not known: false if no move
// replaces one, or moves replace several.
func (o *OldPacks) Pack(series chunk.Series, number uint32) (ledger.Pack, bool) {
	if packs := o.byNumber[packKey{series, number}]; len(packs) == 1 {
		return packs[0], true
	}
	return ledger.Pack{}, false
}
