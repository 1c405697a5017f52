package verify_test

import (
	"errors"
	"path/filepath"
	"testing"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A pack whose directory names other content than it has does not heal: whoever
// opens it hashes every chunk. Without the kit that stays unknown.
func TestPackThatLies(t *testing.T) {
	for _, truth := range []bool{true, false} {
		room, dir := vaulttest.New(t), t.TempDir()
		write(t, dir, "a", 1)
		snap := backUp(t, room.Reopen(t), dir).Snapshot
		path := filepath.Join(dir, "a")
		refs := room.Entries(t, snap)[path].Refs
		content := room.Read(t, snap)[path]
		lost := packsOf(t, room, chunk.Data)[0]
		remove(t, room, lost)

		b := pack.NewBuilder(pack.TargetData, pack.Default)
		to := ledger.Pack{Series: chunk.Series{9}, Number: 3}
		var at int64
		for i, ref := range refs {
			data := []byte(content[at:][:ref.Len])
			if at += ref.Len; !truth && i == len(refs)-1 {
				data[0] ^= 1
			}
			refs[i] = chunk.Ref{ID: ref.ID, Series: to.Series, Number: to.Number, Offset: b.Add(chunk.Data, ref.ID, data), Len: ref.Len}
		}
		recipients, err := seal.ParseRecipients(room.Vault.Trust().Recipients)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := b.Seal(recipients)
		if err != nil {
			t.Fatal(err)
		}
		to.Sum, to.Size = sealed.Sum, int64(len(sealed.Object))
		put(t, room, to.Name(), sealed.Object)
		if err := room.Reopen(t).CommitMove(t.Context(), vault.NewMove{Old: []string{lost}, Refs: refs, Packs: []ledger.Pack{to}}, nil); err != nil {
			t.Fatal(err)
		}
		res := check(t, room.Lent(t), verify.Options{Deep: true})
		if told := len(res.Problems) > 0; told == truth {
			t.Errorf("true %t: %+v", truth, res.Problems)
		}
		lent := room.Lent(t)
		got, err := vaulttest.Read(t.Context(), lent, find(t, lent, snap))
		if truth && (err != nil || got[path] != content) || !truth && !errors.Is(err, vault.ErrDamaged) {
			t.Errorf("true %t, and a restore says %v", truth, err)
		}
	}
}
