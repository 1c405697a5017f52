package backup_test

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/vaulttest"
)

// watched tells what own.json says whenever a commit is about to be published.
type watched struct {
	remote.Store
	own     string
	publish func(name, own string)
}

func (s *watched) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	st, err := s.Store.Stage(ctx, o, life)
	return &watchedStaged{st, s, o.Name}, err
}

type watchedStaged struct {
	remote.Staged
	s    *watched
	name string
}

func (p *watchedStaged) Publish(ctx context.Context) error {
	b, err := os.ReadFile(p.s.own)
	if err != nil {
		return err
	}
	p.s.publish(p.name, string(b))
	return p.Staged.Publish(ctx)
}

// A commit is staged and checked while it is noted that it may be sent; but it
// is not sent before that is on the disk. Otherwise a machine that stopped just
// then would take its own commit for that of a clone. In the end it says what
// was sent.
func TestCommitIsNotedBeforeItIsSent(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	write(t, filepath.Join(dir, "f"), 100, 1)
	waitGrain()
	own := filepath.Join(room.Dir(t).Path(), "own.json")
	var sent []string
	store := &watched{room.Store, own, func(name, own string) {
		sent = append(sent, path.Base(name))
		if !strings.Contains(own, `"pending":["`+path.Base(name)+`"]`) {
			t.Errorf("%s is sent, and own.json says %s", name, own)
		}
	}}
	for range 3 {
		v, err := vault.Open(t.Context(), store, vault.OpenOptions{State: room.Dir(t), Safety: room.Safety})
		must(t, err)
		run(t, v, dir)
	}
	if len(sent) != 3 {
		t.Fatalf("%d commits were published: %q", len(sent), sent)
	}
	b, err := os.ReadFile(own)
	must(t, err)
	if s := string(b); strings.Contains(s, "pending") || !strings.Contains(s, sent[2]) {
		t.Errorf("in the end: %s", s)
	}
}

// Those that were sent before and did not arrive yet are noted too, whenever the
// next is sent: a machine that stops just then still knows all of them.
func TestAllOnTheirWayAreNoted(t *testing.T) {
	room, dir := vaulttest.New(t), t.TempDir()
	late := fault.New(room.Store, 1)
	late.Add(fault.Rule{Op: remote.OpPublish, Do: fault.Late, Later: 1 << 30})
	var sent []string
	store := &watched{late, filepath.Join(room.Dir(t).Path(), "own.json"), func(name, own string) {
		sent = append(sent, path.Base(name))
		for i, base := range sent {
			if !strings.Contains(own, base) {
				t.Errorf("commit %d of %d is not in own.json: %s", i+1, len(sent), own)
			}
		}
	}}
	for i := range 3 {
		write(t, filepath.Join(dir, "f"), 100, uint64(i))
		waitGrain()
		v, err := vault.Open(t.Context(), store, vault.OpenOptions{State: room.Dir(t), Safety: room.Safety})
		must(t, err)
		if _, err := backup.Run(t.Context(), v, backup.Options{Project: project, Label: "p", Roots: []string{dir}, Host: "h"}); err == nil {
			t.Fatal("it arrived")
		}
	}
	if len(sent) != 3 {
		t.Fatalf("%d commits were sent: %q", len(sent), sent)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
