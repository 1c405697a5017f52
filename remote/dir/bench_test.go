package dir_test

import (
	"crypto/rand"
	"testing"

	"coffer/remote"
	"coffer/remote/dir"
)

// BenchmarkPack stores a pack, synced, and reads it back.
func BenchmarkPack(b *testing.B) {
	store, err := dir.Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 16<<20)
	rand.Read(data)
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		o := remote.NewObject("packs/00/0", data)
		for b.Loop() {
			if err := store.Put(b.Context(), o); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := store.Delete(b.Context(), o.Name); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	if err := store.Put(b.Context(), remote.NewObject("packs/01/0", data)); err != nil {
		b.Fatal(err)
	}
	b.Run("get", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		buf := make([]byte, 0, len(data))
		for b.Loop() {
			if _, err := store.Get(b.Context(), buf, "packs/01/0", 0, -1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
