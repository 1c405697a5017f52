package files

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkWriteSmall is what a restore does for a small file.
func BenchmarkWriteSmall(b *testing.B) {
	w := newWriter(b, b.TempDir(), WriterOptions{})
	data, n := make([]byte, 4<<10), 0
	b.ReportAllocs()
	for b.Loop() {
		if n%100 == 0 {
			must(b, w.Mkdir(fmt.Sprint("d", n/100)))
		}
		f, err := w.Create(fmt.Sprintf("d%d/%d", n/100, n), int64(len(data)))
		must(b, err)
		_, err = f.WriteAt(data, 0)
		must(b, err)
		_, err = f.Finish(Stat{Type: Regular, Mode: 0o644, Size: int64(len(data)), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}, Detail{})
		must(b, err)
		n++
	}
}

// BenchmarkReadSmall is what a backup does for a small file, hashing aside.
func BenchmarkReadSmall(b *testing.B) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "f"), make([]byte, 4<<10), 0o644))
	tree := openTree(b, dir)
	buf := make([]byte, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		f, err := tree.Open("f", Stat{Type: Regular})
		must(b, err)
		st, err := FStat(f)
		must(b, err)
		if _, errs := tree.FDetail(f, st); errs != nil {
			b.Fatal(errs)
		}
		_, err = f.Read(buf)
		must(b, err)
		must(b, f.Close())
	}
}
