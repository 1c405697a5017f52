package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/vaulttest"
)

// BenchmarkRun is a whole run into a folder, of many small files, or of a few
// large ones that do not compress, or of $COFFER_BENCH_TREE if that is set.
// What is to be improved shows in a profile of it: -cpuprofile.
func BenchmarkRun(b *testing.B) {
	trees := map[string]string{}
	if d := os.Getenv("COFFER_BENCH_TREE"); d != "" {
		trees["tree"] = d
	} else {
		trees["small"], trees["large"] = b.TempDir(), b.TempDir()
		for i := range 4000 {
			text(b, filepath.Join(trees["small"], fmt.Sprint(i/40), fmt.Sprint(i)), 200+i%97*120)
		}
		for i := range 3 {
			write(b, filepath.Join(trees["large"], fmt.Sprint(i)), 24<<20, uint64(i))
		}
	}
	for name, tree := range trees {
		b.Run("first/"+name, func(b *testing.B) { benchmarkFirst(b, tree) })
		b.Run("unchanged/"+name, func(b *testing.B) { benchmarkUnchanged(b, tree) })
	}
}

// text makes a file of lines that are much alike.
func text(b *testing.B, path string, size int) {
	b.Helper()
	var data []byte
	for i := 0; len(data) < size; i++ {
		data = fmt.Appendf(data, "\tif err := step%d(ctx, %x); err != nil { // %s\n", i%7, noise(4, uint64(size+i)), filepath.Base(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		b.Fatal(err)
	}
}

func benchmarkFirst(b *testing.B, tree string) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		room := vaulttest.On(b, folder(b))
		b.StartTimer()
		res := runFast(b, room.Vault, tree)
		b.SetBytes(res.Bytes)
		b.ReportMetric(float64(res.Stored)/float64(res.Bytes), "stored/byte")
	}
}

func benchmarkUnchanged(b *testing.B, tree string) {
	room := vaulttest.On(b, folder(b))
	waitGrain()
	files := runFast(b, room.Vault, tree).Files
	v := room.Reopen(b)
	b.ReportAllocs()
	for b.Loop() {
		if res := runFast(b, v, tree); res.KeptFiles != files {
			b.Fatalf("%d files kept of %d", res.KeptFiles, files)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(files), "ns/file")
}

func folder(b *testing.B) remote.Store {
	b.Helper()
	store, err := dir.Create(filepath.Join(vaulttest.Folder(b), "vault"))
	if err != nil {
		b.Fatal(err)
	}
	return store
}

func runFast(b *testing.B, v *vault.Vault, tree string) backup.Result {
	b.Helper()
	res, err := backup.Run(b.Context(), v, backup.Options{Project: project, Label: "p", Roots: []string{tree}, Host: "h", Level: pack.Fastest})
	if err != nil {
		b.Fatal(err)
	}
	return res
}
