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
	"coffer/vault"
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
