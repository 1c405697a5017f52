package dir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
)

func TestDeadline(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := deadline{life: time.Minute, wall: start, sinceOn: time.Hour, counting: true}
	for _, c := range []struct {
		what    string
		wall    time.Duration // passed by the wall clock
		sinceOn time.Duration // passed by the clock that counts in sleep
		ok      bool          // which can be read
		want    bool
	}{
		{"at once", 0, 0, true, false},
		{"in time", 59 * time.Second, 59 * time.Second, true, false},
		{"late", 60 * time.Second, 60 * time.Second, true, true},
		{"wall clock set ahead", time.Hour, time.Second, true, true},
		{"wall clock stopped", 0, time.Hour, true, true},
		{"wall clock set back", -time.Hour, time.Second, true, true},
		{"wall clock disciplined", -500 * time.Millisecond, 0, true, false},
		{"no other clock", 59 * time.Second, 0, false, false},
		{"no other clock, late", time.Hour, 0, false, true},
	} {
		if got := d.passedAt(start.Add(c.wall), time.Hour+c.sinceOn, c.ok); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if newDeadline(time.Hour).passed() || !newDeadline(0).passed() {
		t.Error("a new deadline does not look at the clock")
	}
}

// pending returns the pending and temporary files.
func pending(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	for _, line := range tree(t, s) {
		if strings.Contains(line, "/.") {
			out = append(out, line[strings.LastIndex(line, " ")+1:])
		}
	}
	return out
}

// age makes a file look older.
func age(t *testing.T, s *Store, name string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(s.root, name), then, then); err != nil {
		t.Fatal(err)
	}
}

// Once a sweep has passed, what it removed cannot be published, though its
// writer believes that there is time: this is what binds one that was stopped
// between looking at the clock and renaming.
func TestSweep(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	put(t, s, "c/old", "x")
	age(t, s, "c/old", 24*time.Hour)
	stage := func(name string) remote.Staged {
		st, err := s.Stage(ctx, remote.NewObject(name, []byte(name)), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	late := stage("c/late")
	if p := pending(t, s); len(p) != 1 {
		t.Fatalf("pending: %q", p)
	}
	age(t, s, pending(t, s)[0], remote.StagedMax+time.Minute)
	young := stage("c/young")
	if err := os.WriteFile(filepath.Join(s.root, "c/.tmp-0"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, s, "c/.tmp-0", time.Hour)

	// Through wrappers, as a prune calls it.
	n, err := remote.Sweep(ctx, remote.Retry(remote.Limit(remote.Count(s), 0, 0), remote.RetryOptions{}))
	if err != nil || n != 2 {
		t.Errorf("sweep: %d, %v, want 2", n, err)
	}
	if err := late.Publish(ctx); !errors.Is(err, remote.ErrExpired) {
		t.Errorf("publish what was swept: %v, want ErrExpired", err)
	}
	if err := young.Publish(ctx); err != nil {
		t.Errorf("publish what was not: %v", err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"c/old", "c/young"}) {
		t.Errorf("list: %q", got)
	}
	if p := pending(t, s); len(p) != 0 {
		t.Errorf("left: %q", p)
	}
}

// A life is cut to what a sweep respects.
func TestLifeIsCut(t *testing.T) {
	s := newStore(t)
	st, err := s.Stage(t.Context(), remote.NewObject("a", nil), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if life := st.(*staged).limit.life; life != remote.StagedMax {
		t.Errorf("life %s", life)
	}
}

// The answer to a rename is lost (the folder could not be synced, say); when
// asked again, late, what is there is there.
func TestPublishAgainLate(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	o := remote.NewObject("c/a", []byte("x"))
	st, err := s.Stage(ctx, o, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.root, st.(*staged).pending), filepath.Join(s.root, "c/a")); err != nil {
		t.Fatal(err)
	}
	st.(*staged).limit.life = 0
	if err := st.Publish(ctx); err != nil {
		t.Errorf("publish: %v", err)
	}
	other, err := s.Stage(ctx, remote.NewObject("c/a", []byte("y")), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Publish(ctx); err == nil {
		t.Error("published over other bytes")
	}
	if got, err := s.Get(ctx, nil, "c/a", 0, -1); err != nil || string(got) != "x" {
		t.Errorf("get: %q, %v", got, err)
	}
}
