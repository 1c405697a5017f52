package verify_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

var errCut = errors.New("cut off")

// A repack fails at its very last step, or only seems to. Where no move was
// committed the old pack is still what snapshots need, and heals as any other;
// where one was, nothing is to be healed.
func TestRepackThatFailsLast(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		room, dir := vaulttest.New(t), t.TempDir()
		fill(t, dir)
		old := backUp(t, room.Reopen(t), dir).Snapshot
		was := room.Read(t, old)
		name := packsOf(t, room, chunk.Data)[0]
		cut := room.With(&lastStep{Store: room.Store, arrives: arrives})
		run, err := lentDevice(t, cut).BeginRepack(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		all := vault.Partly{Pack: packsNamed(t, room, name)[0], Needed: func(int64) bool { return true }}
		if _, err := run.Repack(t.Context(), []vault.Partly{all}, vault.RepackOptions{}); !errors.Is(err, errCut) {
			t.Fatalf("not cut off: %v", err)
		}
		if err := run.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := room.Dir(t).Repacking(); err != nil || len(left) != 1 {
			t.Fatalf("%v, %v", left, err)
		}
		if !arrives {
			backUp(t, room.Reopen(t), dir) // the pack counts again
		}
		remove(t, room, name)
		res := backUp(t, room.Reopen(t), dir)
		if healed := map[bool]int{false: 1, true: 0}[arrives]; res.Healed.Packs != healed || res.Healed.Left != 0 {
			t.Errorf("arrives %v: healed %+v", arrives, res.Healed)
		}
		if left, err := room.Dir(t).Repacking(); err != nil || len(left) > 0 {
			t.Errorf("arrives %v: left: %v, %v", arrives, left, err)
		}
		if !arrives {
			wantWhole(t, room, 1)
		}
		if got := check(t, room.Reopen(t), verify.Options{}); len(got.Problems)+len(got.Doubts) > 0 {
			t.Errorf("arrives %v: %+v", arrives, got)
		}
		if !maps.Equal(room.Read(t, old), was) {
			t.Errorf("arrives %v: the older snapshot has changed", arrives)
		}
	}
}

// lastStep fails when a move is published, or says that it did.
type lastStep struct {
	remote.Store
	arrives bool
}

func (s *lastStep) Unwrap() remote.Store { return s.Store }

func (s *lastStep) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	st, err := s.Store.Stage(ctx, o, life)
	return &lastPublish{st, s, o.Name}, err
}

type lastPublish struct {
	remote.Staged
	s    *lastStep
	name string
}

func (p *lastPublish) Publish(ctx context.Context) error {
	if !strings.Contains(p.name, "-m0") {
		return p.Staged.Publish(ctx)
	}
	if p.s.arrives {
		if err := p.Staged.Publish(ctx); err != nil {
			return err
		}
	}
	return errCut
}

// A roll lists a pack that was repacked and has gone. The next snapshot needs all
// else that the roll lists, and not that.
func TestRollListsWhatWasRepacked(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	for i, name := range []string{"a", "b"} {
		write(t, dir, name, byte(i+1))
		backUp(t, room.Reopen(t), dir)
	}
	nextFolder(t, room)
	write(t, dir, "c", 3)
	backUp(t, room.Reopen(t), dir)
	gone := packsOf(t, room, chunk.Data)[0]
	repack(t, room, gone)
	remove(t, room, gone)
	write(t, dir, "d", 4)
	last := backUp(t, room.Reopen(t), dir).Snapshot
	if got := room.Read(t, last); len(got) < 4 {
		t.Errorf("restored: %d files", len(got))
	}
	if res := wantDoubt(t, room, 0, 0); res.Repacked != 1 {
		t.Errorf("%+v", res)
	}
}
