package vaulttest_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/vaulttest"
)

// slowStore takes its time for each object, by the clock of the bubble.
type slowStore struct {
	remote.Store
	pause time.Duration
	sent  atomic.Int64
}

func (s *slowStore) Put(ctx context.Context, o remote.Object) error {
	time.Sleep(s.pause)
	s.sent.Add(int64(len(o.Data)))
	return s.Store.Put(ctx, o)
}

// Where uploads are slow, a run compresses harder and sends less. In the bubble
// the work takes no time, so all of it is waiting.
func TestSlowUploadsAreCompressedHarder(t *testing.T) {
	adapted, fixed := stored(t, true), stored(t, false)
	if adapted > fixed-500_000 {
		t.Errorf("%d bytes over a slow link, %d where the level stays", adapted, fixed)
	}
}

// stored tells how much a run sends that fills several packs.
func stored(t *testing.T, adapt bool) (sent int64) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: mem.New()}
		room := vaulttest.On(t, store)
		run, err := room.Vault.Begin(t.Context(), vault.RunOptions{Project: "00112233445566aa", Adapt: adapt, Uploads: 1})
		if err != nil {
			t.Fatal(err)
		}
		store.pause = time.Minute
		store.sent.Store(0)
		lane, rnd := run.Lane(chunk.Data), rand.New(rand.NewPCG(1, 2))
		for i := range 70 { // two packs, and it knows how slow the store is
			if _, _, err := lane.Put(noise(500<<10, byte(i))); err != nil {
				t.Fatal(err)
			}
		}
		for range 150 {
			if _, _, err := lane.Put(patchwork(rnd, 500<<10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := lane.Flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * store.pause) // for the last one
		if err := run.Close(); err != nil {
			t.Fatal(err)
		}
		sent = store.sent.Load()
	})
	return sent
}

// patchwork is made of pieces that come again, of which an encoder finds the
// more the harder it looks.
func patchwork(rnd *rand.Rand, n int) []byte {
	var pieces [3000][40]byte
	for i := range pieces {
		for j := range pieces[i] {
			pieces[i][j] = byte('a' + rnd.IntN(26))
		}
	}
	b := make([]byte, 0, n+len(pieces[0]))
	for len(b) < n {
		b = append(b, pieces[rnd.IntN(len(pieces))][rnd.IntN(30):]...)
	}
	return b[:n]
}
