package backup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/vault/backup"
)

// What this machine notes for the next run cannot be written, since the notes of
// the run before have gone bad under the run's hands. Notes only spare reading:
// the run goes on, is whole, and says so.
func TestRunGoesOnWithoutNotes(t *testing.T) {
	k := newKeeper(t)
	for i, name := range []string{"a", "b", "m.o", "z"} {
		k.write(name, 5000, uint64(i+1))
	}
	waitGrain()
	o := k.options()
	o.Walk.Exclude = []string{"*.o"}
	if _, err := k.runOn(t.Context(), k.room.Reopen(t), o); err != nil {
		t.Fatal(err)
	}
	k.write("z", 5000, 9)
	waitGrain()
	spoilt := 0
	o.OnEvent = func(e backup.Event) {
		if e.Kind != backup.Excluded { // by then the walk has the notes in memory, and nothing differs so far
			return
		}
		found, err := filepath.Glob(filepath.Join(k.room.StatePath(), "projects", "*", "manifest-*"))
		if err != nil || len(found) != 1 {
			t.Error(found, err)
			return
		}
		b, err := os.ReadFile(found[0])
		if err != nil {
			t.Error(err)
			return
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(found[0], b, 0o600); err != nil {
			t.Error(err)
		}
		spoilt++
	}
	res, err := backup.Run(t.Context(), k.room.Reopen(t), o)
	if err != nil || spoilt != 1 {
		t.Fatalf("spoilt %d times: %v", spoilt, err)
	}
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0].Error(), "not all of it was noted on this machine") || res.Partial {
		t.Errorf("%+v", res)
	}
	// The next run makes the notes anew, and the one after goes by them.
	o.OnEvent = nil
	for range 2 {
		if res, err = k.runOn(t.Context(), k.room.Reopen(t), o); err != nil || len(res.Warnings) > 0 || !res.Unchanged {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if res.ReadBytes > 0 {
		t.Errorf("%d bytes were read again", res.ReadBytes)
	}
	got := k.room.Read(t, "latest")
	for name, want := range tree(t, k.dir) {
		if !strings.HasSuffix(name, ".o") && got[name] != want {
			t.Errorf("%s is not what is on the disk", name)
		}
	}
	k.clean()
}
