package ledger

import (
	"fmt"

	"coffer/chunk"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// Names knows the full names of packs by their numbers.
type Names interface {
	// Pack returns the one pack that is known under a number.
	Pack(series chunk.Series, number uint32) (Pack, bool)
	// Roll returns the roll of a folder and which numbers it lists, if it has
	// been written and is to be used.
	Roll(FolderID) (name string, lists Bits, ok bool)
}

// Build returns the ledger that names the packs of set, and no others. It
// fails if one of them is not known by name: a snapshot that needs it must not
// be committed.
func Build(vault trust.VaultID, set *Set, names Names) (*Ledger, error) {
	l := &Ledger{Vault: vault}
	for id, bits := range set.Folders() {
		f, err := buildFolder(id, bits, names)
		if err != nil {
			return nil, fmt.Errorf("build ledger: %w", err)
		}
		l.Folders = append(l.Folders, f)
	}
	return l, nil
}

func buildFolder(id FolderID, bits *Bits, names Names) (Folder, error) {
	f := Folder{Series: id.Series, Folder: id.Folder}
	if name, lists, ok := names.Roll(id); ok && bits.Within(&lists) {
		f.Roll = name
		if f.All = *bits == lists; !f.All {
			f.Bits = *bits
		}
		return f, nil
	}
	for i := range uint32(canon.FolderSize) {
		if !bits.Has(i) {
			continue
		}
		number := id.Folder*canon.FolderSize + i
		p, ok := names.Pack(id.Series, number)
		if !ok || p.Series != id.Series || p.Number != number {
			return f, fmt.Errorf("pack %d of series %s: its name is not known", number, id.Series)
		}
		f.Packs = append(f.Packs, p)
	}
	return f, nil
}
