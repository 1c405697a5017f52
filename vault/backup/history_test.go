package backup_test

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
	"coffer/vault/vaulttest"
)

// A laptop was cloned, or its state restored from an image: two machines write
// with one key and one history. Both sides' snapshots must stay, and the next
// commit joins them.
func TestCloneKeepsBothSides(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "common"), 5000, 1)
	waitGrain()
	run(t, room.Vault, dir)
	twin := filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(twin, os.DirFS(room.StatePath())); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "mine"), 5000, 2)
	mine := run(t, room.Reopen(t), dir)
	if err := os.Rename(filepath.Join(dir, "mine"), filepath.Join(t.TempDir(), "away")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "yours"), 5000, 3)
	other, err := state.Open(twin)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), room.Store, vault.OpenOptions{State: other})
	if err != nil {
		t.Fatal(err)
	}
	yours := run(t, v, dir)
	if len(yours.Warnings) == 0 {
		t.Error("nobody was told that the state is in use twice")
	}
	last := run(t, room.Reopen(t), dir)
	for id, want := range map[string]string{mine.Snapshot: "mine", yours.Snapshot: "yours", last.Snapshot: "yours"} {
		if got := room.Read(t, id); len(got) != 2 || len(got[filepath.Join(dir, want)]) != 5000 {
			t.Errorf("snapshot %.8s lacks %s: %d files", id, want, len(got))
		}
	}
	lent := room.Lent(t)
	n := 0
	for _, err := range lent.Snapshots(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d snapshots, want 4", n)
	}
	for _, p := range lent.Problems() {
		t.Errorf("problem: %v", p)
	}
}

// A pack is gone, and a move says where its chunks are now: the older snapshot
// restores, though its manifest still names the old pack.
func TestMoveHealsMissingPack(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "a"), 700_000, 1)
	write(t, filepath.Join(dir, "b"), 3000, 2)
	waitGrain()
	run(t, room.Vault, dir)
	old := dataPack(t, room)
	moveAway(t, room, old)
	if err := room.Store.Delete(t.Context(), old.Name()); err != nil {
		t.Fatal(err)
	}
	got := room.Read(t, "latest")
	if len(got[filepath.Join(dir, "a")]) != 700_000 || len(got[filepath.Join(dir, "b")]) != 3000 {
		t.Errorf("not healed: %d files", len(got))
	}
}

// dataPack finds the pack that holds file data.
func dataPack(t *testing.T, room *vaulttest.Room) ledger.Pack {
	t.Helper()
	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range room.Store.List(t.Context(), "packs/", "") {
		if err != nil {
			t.Fatal(err)
		}
		p, err := ledger.ParsePackName(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		p.Size = info.Size
		if slices.ContainsFunc(dev.Series, func(s state.SeriesState) bool { return s.ID() == p.Series && s.Kind == string(chunk.Data) }) {
			return p
		}
	}
	t.Fatal("no pack of data")
	return ledger.Pack{}
}

// moveAway stores a pack again under another number, and commits a move.
func moveAway(t *testing.T, room *vaulttest.Room, old ledger.Pack) {
	t.Helper()
	obj, err := room.Store.Get(t.Context(), nil, old.Name(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	now := old
	now.Number += 500
	put(t, room, now.Name(), obj)
	r, err := pack.Open(obj, seal.NewIdentities(room.Kit.Identity))
	if err != nil {
		t.Fatal(err)
	}
	var refs []chunk.Ref
	for e := range r.Entries() {
		refs = append(refs, chunk.Ref{ID: e.ID, Series: now.Series, Number: now.Number, Offset: e.Offset, Len: e.Len})
	}
	where, err := manifest.EncodeMap(refs)
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := seal.ParseRecipients(room.Vault.Trust().Recipients)
	if err != nil {
		t.Fatal(err)
	}
	body, bodySum, err := pack.SealBlob(where, recipients)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Ledger{Vault: room.Vault.ID(), Folders: []ledger.Folder{{Series: now.Series, Folder: ledger.FolderOf(now.Number), Packs: []ledger.Pack{now}}}}
	book, err := l.Encode(ledger.NewNonce())
	if err != nil {
		t.Fatal(err)
	}
	dev := room.Vault.Device()
	bodyName := commit.ObjectName(commit.Moves, dev, 2, bodySum)
	bookName := commit.ObjectName(commit.Ledgers, dev, 2, remote.NewObject("", book).Sum)
	put(t, room, bodyName, body)
	put(t, room, bookName, book)
	commitMove(t, room, bodyName, bookName, old)
}

// commitMove signs the move as the device would.
func commitMove(t *testing.T, room *vaulttest.Room, body, book string, old ledger.Pack) {
	t.Helper()
	state, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	key := state.SignKey()
	var head *commit.Commit
	for info, err := range room.Store.List(t.Context(), "commits/", "") {
		if err != nil {
			t.Fatal(err)
		}
		name, err := commit.ParseName(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := room.Store.Get(t.Context(), nil, info.Name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if head, err = commit.Open(name, b, key.Public().(ed25519.PublicKey)); err != nil {
			t.Fatal(err)
		}
	}
	c := &commit.Commit{
		Version: 1, Vault: room.Vault.ID(), Device: room.Vault.Device(), Kind: commit.Move, Time: time.Now().UTC().Truncate(time.Second),
		Body: body, Ledger: book, Trust: room.Vault.TrustName(), Old: []string{old.Name()},
	}
	if err := c.Follow(head); err != nil {
		t.Fatal(err)
	}
	obj, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, room, c.Name().String(), obj)
}

func put(t *testing.T, room *vaulttest.Room, name string, b []byte) {
	t.Helper()
	if err := room.Store.Put(t.Context(), remote.NewObject(name, b)); err != nil {
		t.Fatal(err)
	}
}
