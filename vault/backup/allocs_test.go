package backup_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"coffer/vault/vaulttest"
)

// An unchanged run must cost no memory per file, or a large tree is slow and
// heavy every time although nothing happens. What grows here are the batches,
// which are reused: they are few, whatever the tree.
func TestUnchangedAllocatesNothingPerFile(t *testing.T) {
	few, many := unchangedMallocs(t, 1000), unchangedMallocs(t, 5000)
	if per := float64(int64(many)-int64(few)) / 4000; per > 0.5 {
		t.Errorf("%d allocations for 1,000 files, %d for 5,000: %.2f per file", few, many, per)
	}
}

func unchangedMallocs(t *testing.T, files int) uint64 {
	t.Helper()
	room := vaulttest.New(t)
	dir := t.TempDir()
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprint(i/200), fmt.Sprint(i)), 10, uint64(i))
	}
	waitGrain()
	run(t, room.Vault, dir)
	v := room.Reopen(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res := run(t, v, dir)
	runtime.ReadMemStats(&after)
	if res.KeptFiles != int64(files) {
		t.Fatalf("%d files kept, want %d", res.KeptFiles, files)
	}
	return after.Mallocs - before.Mallocs
}
