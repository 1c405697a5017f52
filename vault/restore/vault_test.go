package restore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/files/treecmp"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// save backs up folders into a new vault and opens the snapshot by the kit
// alone.
func saved(t *testing.T, roots ...string) (*vaulttest.Room, *vault.Source) {
	t.Helper()
	room := vaulttest.New(t)
	res, err := backup.Run(t.Context(), room.Vault, backup.Options{
		Project: trust.ProjectID("00112233445566aa"), Label: "p", Roots: roots, Host: "h",
	})
	must(t, err)
	if res.Partial {
		t.Fatalf("%+v", res)
	}
	return room, source(t, room)
}

func source(t *testing.T, room *vaulttest.Room) *vault.Source {
	t.Helper()
	v := room.Lent(t)
	snap, err := v.Find(t.Context(), "latest", vault.Filter{})
	must(t, err)
	src, err := v.Source(t.Context(), snap)
	must(t, err)
	return src
}

// From the disk into a real vault and back, by the kit alone.
func TestRealVault(t *testing.T) {
	dir := zoo(t)
	writeFile(t, dir+"/chunked", noise(9<<20, 77))
	_, src := saved(t, dir)
	to := filepath.Join(temp(t), "out")
	res := run(t, src, Options{Target: to, Verify: true})
	same(t, dir, to)
	if res.Verified != res.Files {
		t.Errorf("%+v", res)
	}
	var out bytes.Buffer
	must(t, Cat(t.Context(), src, "chunked", &out))
	if out.String() != noise(9<<20, 77) {
		t.Error("cat differs")
	}
	n := 0
	for _, err := range List(t.Context(), src, "", true) {
		must(t, err)
		n++
	}
	if n != len(tree(t, dir)) {
		t.Errorf("%d entries listed, %d are there", n, len(tree(t, dir)))
	}
}

// A data pack that is gone from a real vault, or has a byte changed, harms the
// files in it.
func TestRealDamage(t *testing.T) {
	dir := zoo(t)
	for i := range 6 {
		writeFile(t, dir+"/noise/"+string(rune('a'+i)), noise(7<<20, uint64(100+i)))
	}
	room, _ := saved(t, dir)
	var biggest string
	size := int64(0)
	for info, err := range room.Store.List(t.Context(), "packs/", "") {
		must(t, err)
		if info.Size > size {
			biggest, size = info.Name, info.Size
		}
	}
	must(t, room.Store.Delete(t.Context(), biggest))
	to := filepath.Join(temp(t), "out")
	res, err := Run(t.Context(), source(t, room), Options{Target: to})
	if !errors.Is(err, vault.ErrDamaged) || res.Damaged.Count == 0 || res.Files == 0 {
		t.Fatalf("%v: %+v", err, res)
	}
	for _, p := range res.Damaged.First {
		if !strings.Contains(p.Err.Error(), biggest) {
			t.Errorf("%s: %v does not name %s", p.Path, p.Err, biggest)
		}
		if _, err := os.Lstat(filepath.Join(to, p.Path)); err == nil {
			t.Errorf("%s is there", p.Path)
		}
	}
	harmed := map[string]bool{}
	for _, p := range res.Damaged.First {
		harmed[p.Path] = true
	}
	for _, d := range treecmp.Compare(dir, to, treecmp.Options{}) {
		if !harmed[d.Path] {
			t.Error(d)
		}
	}
	noTemps(t, to)
}

// A file has the same chunk many times, and its pack was healed: cat asks for
// the chunk as often as the file has it, and gets it.
func TestRepeatedChunkThatWasMoved(t *testing.T) {
	dir := temp(t)
	content := noise(1<<20, 5) + strings.Repeat("x", 18<<20)
	room := vaulttest.New(t)
	backUp := func() backup.Result {
		res, err := backup.Run(t.Context(), room.Reopen(t), backup.Options{Project: trust.ProjectID("00112233445566aa"), Label: "p", Roots: []string{dir}, Host: "h", Workers: 1})
		must(t, err)
		return res
	}
	writeFile(t, dir+"/a", content)
	backUp()
	must(t, os.Remove(dir+"/a"))
	for info, err := range room.Store.List(t.Context(), "packs/", "") {
		must(t, err)
		if info.Size > 1<<20 { // the one with the content
			must(t, room.Store.Delete(t.Context(), info.Name))
		}
	}
	writeFile(t, dir+"/b", content)
	if res := backUp(); res.Healed.Packs != 1 || res.Healed.Left > 0 {
		t.Fatalf("%+v", res.Healed)
	}
	v := room.Lent(t)
	snap, err := v.Find(t.Context(), "latest~1", vault.Filter{})
	must(t, err)
	src, err := v.Source(t.Context(), snap)
	must(t, err)
	var out bytes.Buffer
	must(t, Cat(t.Context(), src, "a", &out))
	if out.String() != content {
		t.Error("cat differs")
	}
}

// A request that fails, whichever it is, fails a restore, and what it restored
// until then is whole.
func TestRestoreFailsWithTheRemote(t *testing.T) {
	dir := zoo(t)
	room, _ := saved(t, dir)
	n := vaulttest.EachFails(t, room, func(r *vaulttest.Room, arm func()) error {
		v := r.Lent(t)
		arm()
		snap, err := v.Find(t.Context(), "latest", vault.Filter{})
		if err != nil {
			return err
		}
		src, err := v.Source(t.Context(), snap)
		if err != nil {
			return err
		}
		to := filepath.Join(temp(t), "out")
		res, err := Run(t.Context(), src, Options{Target: to, Verify: true})
		if res.Damaged.Count > 0 {
			t.Errorf("told as damage: %v", res.Damaged.First)
		}
		if err == nil {
			same(t, dir, to)
		}
		return err
	})
	t.Logf("%d requests", n)
}

// Bodies open with the identity of the vault, and with no other one.
func TestBodyNeedsItsIdentity(t *testing.T) {
	room, _ := saved(t, zoo(t))
	v := room.Lent(t)
	snap, err := v.Find(t.Context(), "latest", vault.Filter{})
	must(t, err)
	fresh := &vault.Snapshot{Name: snap.Name}
	if body, err := v.Body(t.Context(), fresh); err != nil || body.Label != "p" || fresh.Commit == nil {
		t.Errorf("%+v, %v", body, err)
	}
	if _, err := room.Vault.Body(t.Context(), snap); !errors.Is(err, vault.ErrNoIdentity) {
		t.Errorf("without the kit: %v", err)
	}
	failing := room.With(&vaulttest.Hook{Store: room.Store, Before: func(_ remote.Op, name string) error {
		if name == snap.Name.String() {
			return fs.ErrPermission
		}
		return nil
	}}).Lent(t)
	if body, err := failing.Body(t.Context(), &vault.Snapshot{Name: snap.Name}); !errors.Is(err, fs.ErrPermission) || body != nil {
		t.Errorf("a commit that cannot be fetched: %v", err)
	}
}

// Without its ledger a snapshot comes back all the same: its packs are found by
// listing, and the ledger that is told names none.
func TestRealLostLedger(t *testing.T) {
	dir := zoo(t)
	room, src := saved(t, dir)
	must(t, room.Store.Delete(t.Context(), src.Snapshot().Commit.Ledger))
	src = source(t, room)
	if l := src.Ledger(); l == nil || l.Vault != room.Kit.Vault || len(l.Folders) > 0 {
		t.Errorf("ledger: %+v", l)
	}
	to := filepath.Join(temp(t), "out")
	run(t, src, Options{Target: to})
	same(t, dir, to)
}

// A recipient reads the snapshots since it was added, whole, and is told that
// those before are not for it, which is no damage.
func TestRealFurtherRecipient(t *testing.T) {
	dir := zoo(t)
	room, _ := saved(t, dir)
	partner, err := seal.Generate(true)
	must(t, err)
	v, err := vault.Open(t.Context(), room.Store, vault.OpenOptions{State: room.Dir(t), Kit: room.Kit})
	must(t, err)
	must(t, v.AddRecipient(t.Context(), room.Kit, partner.Recipient()))
	writeFile(t, dir+"/since", noise(9<<20, 5))
	_, err = backup.Run(t.Context(), room.Reopen(t), backup.Options{Project: trust.ProjectID("00112233445566aa"), Label: "p", Roots: []string{dir}, Host: "h"})
	must(t, err)
	lent := *room.Kit
	lent.Identity = partner
	v, err = vault.Open(t.Context(), room.Store, vault.OpenOptions{State: room.Dir(t), Kit: &lent})
	must(t, err)
	snap, err := v.Find(t.Context(), "latest~1", vault.Filter{})
	must(t, err)
	if _, err := v.Source(t.Context(), snap); !errors.Is(err, vault.ErrNoIdentity) || errors.Is(err, vault.ErrDamaged) {
		t.Errorf("what was sealed before: %v", err)
	}
	snap, err = v.Find(t.Context(), "latest", vault.Filter{})
	must(t, err)
	src, err := v.Source(t.Context(), snap)
	must(t, err)
	to := filepath.Join(temp(t), "out")
	run(t, src, Options{Target: to})
	same(t, dir, to)
}

// A pack that is gone is asked for twice, however much needs it; one that cannot
// be reached, again and again.
func TestRealGonePackIsAskedForTwice(t *testing.T) {
	dir := temp(t)
	writeFile(t, dir+"/f", "content")
	plain, _ := saved(t, dir)
	var asked int
	var answer error
	room := plain.With(&vaulttest.Hook{Store: plain.Store, Before: func(op remote.Op, name string) error {
		if op == remote.OpGet && strings.HasPrefix(name, "packs/") {
			asked++
			return answer
		}
		return nil
	}})
	cat := func(src *vault.Source) error { return Cat(t.Context(), src, "f", io.Discard) }
	src := source(t, room)
	must(t, cat(src)) // so that the segments are there
	asked, answer = 0, fs.ErrNotExist
	for range 5 {
		if err := cat(src); !errors.Is(err, vault.ErrDamaged) || !strings.Contains(err.Error(), "packs/") {
			t.Errorf("gone: %v", err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	answer = nil
	src = source(t, room)
	must(t, cat(src))
	asked, answer = 0, fs.ErrPermission
	for range 5 {
		if err := cat(src); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("out of reach: %v", err)
		}
	}
	answer = nil
	must(t, cat(src))
	if asked != 6 {
		t.Errorf("asked %d times", asked)
	}
}

// Source.Read gives the bytes of each ref, once and in the order of the pack, and
// none that are not what the ref's ID says; the caller's error comes back as it
// is.
func TestRealRead(t *testing.T) {
	dir := temp(t)
	want := map[chunk.ID]string{}
	for i := range 5 {
		writeFile(t, fmt.Sprintf("%s/f%d", dir, i), noise(3000, uint64(i)))
	}
	_, src := saved(t, dir)
	var refs []chunk.Ref
	for e, err := range List(t.Context(), src, "", true) {
		must(t, err)
		if len(e.Refs) == 1 {
			content, err := os.ReadFile(filepath.Join(dir, filepath.Base(e.Path)))
			must(t, err)
			want[e.Refs[0].ID] = string(content)
			refs = append(refs, e.Refs[0])
		}
	}
	if len(refs) != 5 {
		t.Fatalf("%d refs", len(refs))
	}
	slices.SortFunc(refs, func(a, b chunk.Ref) int { return cmp.Compare(b.Offset, a.Offset) })
	var got []int
	give := func(i int, data []byte) error {
		if got = append(got, i); string(data) != want[refs[i].ID] {
			t.Errorf("ref %d: other bytes", i)
		}
		return nil
	}
	must(t, src.Read(t.Context(), chunk.Data, refs, give))
	if !slices.Equal(got, []int{4, 3, 2, 1, 0}) {
		t.Errorf("given: %v", got)
	}
	must(t, src.Read(t.Context(), chunk.Data, nil, give))

	enough := errors.New("enough")
	calls := 0
	if err := src.Read(t.Context(), chunk.Data, refs, func(int, []byte) error { calls++; return enough }); err != enough || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	got = nil
	refs[2].ID[7] ^= 1
	err := src.Read(t.Context(), chunk.Data, refs, give)
	if !errors.Is(err, vault.ErrDamaged) || slices.Contains(got, 2) {
		t.Errorf("a chunk that is not what its ID says: %v, given %v", err, got)
	}
}
