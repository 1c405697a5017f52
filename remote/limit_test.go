package remote_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/remote"
	"coffer/remote/mem"
)

// paced is a store that sends and receives piece by piece, as one over a
// network does.
type paced struct {
	*mem.Store
	largest atomic.Int64 // piece
}

func (p *paced) Put(ctx context.Context, o remote.Object) error {
	for rest := len(o.Data); rest > 0; {
		n, err := remote.PaceUp(ctx, rest)
		if err != nil {
			return err
		}
		p.largest.Store(max(p.largest.Load(), int64(n)))
		rest -= n
	}
	return p.Store.Put(ctx, o)
}

func (p *paced) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	got, err := p.Store.Get(ctx, dst, name, off, n)
	if err != nil {
		return got, err
	}
	return got, remote.PaceDown(ctx, len(got)-len(dst))
}

// near reports whether a transfer took as long as it should, a burst less.
func near(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	if took < want-300*time.Millisecond || took > want+300*time.Millisecond {
		t.Errorf("%s took %s, want %s", what, took, want)
	}
}

func TestLimit(t *testing.T) {
	for name, s := range map[string]remote.Store{"paced": &paced{Store: mem.New()}, "not paced": mem.New()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := remote.Limit(s, 100_000, 50_000)
				start := time.Now()
				o := remote.NewObject("a", make([]byte, 1_000_000))
				if err := l.Put(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				near(t, "put", time.Since(start), 10*time.Second)
				start = time.Now()
				if _, err := l.Get(t.Context(), nil, "a", 0, 500_000); err != nil {
					t.Fatal(err)
				}
				near(t, "get", time.Since(start), 10*time.Second)
				start = time.Now()
				st, err := l.Stage(t.Context(), remote.NewObject("b", make([]byte, 100_000)), time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if err := st.Publish(t.Context()); err != nil {
					t.Fatal(err)
				}
				near(t, "stage and publish", time.Since(start), time.Second)
			})
		})
	}
}

// Together, not each.
func TestLimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paced{Store: mem.New()}
		l := remote.Limit(p, 1_000_000, 0)
		start := time.Now()
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				if err := l.Put(t.Context(), remote.NewObject(name, make([]byte, 5_000_000))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		near(t, "four puts", time.Since(start), 20*time.Second)
	})
}

func TestLimitsNest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range []remote.Store{&paced{Store: mem.New()}, mem.New()} {
			l := remote.Limit(remote.Limit(s, 1_000_000, 0), 100_000, 0)
			start := time.Now()
			if err := l.Put(t.Context(), remote.NewObject("a", make([]byte, 1_000_000))); err != nil {
				t.Fatal(err)
			}
			// Bytes the inner one had to charge afterwards are charged one after the other.
			if took := time.Since(start); took < 9*time.Second || took > 12*time.Second {
				t.Errorf("put took %s", took)
			}
		}
	})
}

func TestLimitPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paced{Store: mem.New()}
		l := remote.Limit(p, 40_000, 0)
		if err := l.Put(t.Context(), remote.NewObject("a", make([]byte, 400_000))); err != nil {
			t.Fatal(err)
		}
		if n := p.largest.Load(); n != 10_000 {
			t.Errorf("pieces of %d bytes at 40,000 a second, want a quarter second", n)
		}
	})
}

func TestLimitChangesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := remote.Limit(&paced{Store: mem.New()}, 10_000, 0)
		start := time.Now()
		time.AfterFunc(10*time.Second, func() { l.SetRates(100_000, 0) })
		time.AfterFunc(20*time.Second, func() { l.SetRates(0, 0) })
		if err := l.Put(t.Context(), remote.NewObject("a", make([]byte, 10_000_000))); err != nil {
			t.Fatal(err)
		}
		near(t, "put", time.Since(start), 20*time.Second)
	})
}

func TestLimitObeysTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := remote.Limit(&paced{Store: mem.New()}, 2_000, 2_000)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := l.Put(ctx, remote.NewObject("a", make([]byte, 100_000)))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("put: %v after %s", err, time.Since(start))
		}
	})
}
