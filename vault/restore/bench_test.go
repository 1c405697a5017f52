package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// BenchmarkRun restores many small files, and a few large ones, to where a
// vaulttest.Folder lies: in memory, where the system has a disk there.
func BenchmarkRun(b *testing.B) {
	for name, make := range map[string]func(dir string){
		"small": func(dir string) {
			for i := range 4000 {
				writeFile(b, fmt.Sprintf("%s/%d/%d", dir, i/40, i), noise(200+i%97*120, uint64(i)))
			}
		},
		"large": func(dir string) {
			for i := range 3 {
				writeFile(b, fmt.Sprintf("%s/%d", dir, i), noise(24<<20, uint64(i)))
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			make(dir)
			benchmarkRun(b, dir)
		})
	}
}

func benchmarkRun(b *testing.B, dir string) {
	room := vaulttest.New(b)
	res, err := backup.Run(b.Context(), room.Vault, backup.Options{Project: trust.ProjectID("00112233445566aa"), Label: "p", Roots: []string{dir}, Host: "h"})
	if err != nil {
		b.Fatal(err)
	}
	v := room.Lent(b)
	snap, err := v.Find(b.Context(), "latest", vault.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	src, err := v.Source(b.Context(), snap)
	if err != nil {
		b.Fatal(err)
	}
	to := filepath.Join(vaulttest.Folder(b), "out")
	b.SetBytes(res.Bytes)
	b.ReportAllocs()
	for b.Loop() {
		if got, err := Run(b.Context(), src, Options{Target: to}); err != nil || got.Files != res.Files {
			b.Fatalf("%+v: %v", got, err)
		}
		b.StopTimer()
		if err := os.RemoveAll(to); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
