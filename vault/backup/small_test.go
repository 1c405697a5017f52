package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/ledger"
	"coffer/vault/vaulttest"
)

// needed counts the packs that the newest snapshot needs and their bytes.
func (k *keeper) needed() (n int, bytes int64) {
	k.t.Helper()
	for _, p := range k.neededPacks() {
		n++
		bytes += p.Size
	}
	return n, bytes
}

func (k *keeper) neededPacks() (out []ledger.Pack) {
	k.t.Helper()
	v := k.room.Lent(k.t)
	snap, err := v.Find(k.t.Context(), "latest", vault.Filter{})
	if err != nil {
		k.t.Fatal(err)
	}
	l, err := v.Ledger(k.t.Context(), snap.Commit.Ledger)
	if err != nil {
		k.t.Fatal(err)
	}
	for p, err := range l.Packs(func(roll string) ([]byte, error) {
		return k.room.Store.Get(k.t.Context(), nil, roll, 0, -1)
	}) {
		if err != nil {
			k.t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// scatter makes a snapshot that needs many small packs: each run adds a file.
func scatter(t *testing.T, runs int) *keeper {
	k := newKeeper(t)
	k.write("large", 3<<20, 200)
	for i := range runs {
		k.write(fmt.Sprintf("small/%03d", i), 2000, uint64(i))
		if i >= runs-3 {
			waitGrain() // by now those before are past it too
		}
		k.run()
	}
	return k
}

// A snapshot scattered over many small packs is put together by the next run:
// it reads the files whose content lies in them, stores that once more, and
// nothing else. After that, runs are as they were.
func TestSmallPacksMerge(t *testing.T) {
	k := scatter(t, 66)
	before, _ := k.needed()
	if before < 66 {
		t.Fatalf("only %d packs are needed", before)
	}
	packs, stored := bytesUnder(t, k.room.Store, "packs/")
	waitGrain()
	res := k.run()
	if res.Unchanged || res.ChangedFiles != 0 || res.KeptFiles != 67 || res.Partial {
		t.Errorf("%+v", res)
	}
	if res.ReadBytes != 65*2000 { // the first one lies beside the large file
		t.Errorf("read %d bytes", res.ReadBytes)
	}
	after, _ := k.needed()
	if after > 10 {
		t.Errorf("%d packs are needed, were %d", after, before)
	}
	morePacks, more := bytesUnder(t, k.room.Store, "packs/")
	if morePacks-packs > 2 || more-stored > 66*2000+64<<10 {
		t.Errorf("%d packs with %d bytes were stored", morePacks-packs, more-stored)
	}
	if res := k.run(); !res.Unchanged || res.ReadBytes != 0 {
		t.Errorf("the next run: %+v", res)
	}
	k.check()
	k.clean()
}

// What cannot be read at that moment stays where it is: merging is a service,
// and takes nothing away.
func TestSmallPacksUnreadable(t *testing.T) {
	k := scatter(t, 66)
	goes := filepath.Join(k.dir, "small", "007")
	want, err := os.ReadFile(goes)
	if err != nil {
		t.Fatal(err)
	}
	k.write("0large", 40<<20, 201) // read first; its packs are sent while the walk goes on
	k.write("small/zzz", 10, 202)
	waitGrain()
	walked := make(chan struct{})
	var once, remove sync.Once
	room := k.room.With(&vaulttest.Hook{Store: k.room.Store, Before: func(op remote.Op, name string) error {
		if op == remote.OpPut && strings.HasPrefix(name, "packs/") {
			<-walked
			remove.Do(func() {
				if err := os.Remove(goes); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}})
	o := k.options()
	o.Walk.Exclude = []string{"zzz"}
	o.OnEvent = func(e backup.Event) {
		if e.Kind == backup.Excluded {
			once.Do(func() { close(walked) })
		}
	}
	res, err := backup.Run(t.Context(), room.Reopen(t), o)
	if err != nil || res.Partial || res.KeptFiles != 67 {
		t.Errorf("%+v, %v", res, err)
	}
	got := k.room.Read(t, "latest")
	if got[goes] != string(want) || len(got) != 68 {
		t.Errorf("%d files, with %d bytes of the one that went", len(got), len(got[goes]))
	}
	if n, _ := k.needed(); n > 20 {
		t.Errorf("%d packs are needed", n)
	}
	k.clean()
}
